"""The records of a diagnosis: what was checked, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from replay_proxy.resources.resource import Link, Resource


class State(StrEnum):
    """What the emulator says of a resource.

    THERE: it describes it. ABSENT: it does not know it. NOT_READY: it is there, and cannot be used: on its way, or failed.
    UNKNOWN: it offers no reading of it, or refused to answer.
    """

    THERE = "there"
    ABSENT = "absent"
    NOT_READY = "not ready"
    UNKNOWN = "unknown"


class Problem(StrEnum):
    """What is wrong."""

    MISSING = "missing"
    NOT_READY = "not ready"
    LINK_LOST = "link lost"
    LINK_TO_NOTHING = "link to nothing"
    CHANGED = "changed"
    SWITCHED_OFF = "switched off"


@dataclass(frozen=True, slots=True)
class LinkCheck:
    """A link, and whether it holds: None where that cannot be told. consequence: its target is missing, or not ready."""

    link: Link
    holds: bool | None
    consequence: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """A call that sets what a creation had set: an operation of the resource's service, with parameters as boto3 takes them."""

    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a resource.

    member: the path of the attribute that it is about; empty for the resource as a whole. call: the number of the recorded call
    that made or set it; 0 where none did. answer: what the emulator said. cause: the likely cause, in words. recorded: the
    recorded value, where it is about one. repair: the numbers of the recorded calls that mend it, in order. update: the call that
    does, where no recorded one can. before: a call that is made first, and takes away what the recorded ones make anew.
    """

    resource: int
    problem: Problem
    member: str
    call: int
    answer: str
    cause: str
    recorded: str = ""
    repair: tuple[int, ...] = ()
    update: Update | None = None
    before: Update | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Something that is under way in a resource, and would not be in a state that is saved now."""

    resource: int
    what: str


@dataclass(slots=True)
class Check:
    """A resource, and what came of asking for it.

    answer: what the emulator said, in a few words; reading: the operation that was asked last, empty where there is none.
    status: the state that it names itself in, where it is not ready. remains: what is still shown of it where it is gone.
    """

    resource: Resource
    state: State
    reading: str = ""
    answer: str = ""
    status: str = ""
    links: list[LinkCheck] = field(default_factory=list)
    remains: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Diagnosis:
    """What came of an examination.

    checks: of all resources, in the order of the model. notes: differences that may be nobody's fault: the emulator does not keep
    what it was given. pending: what is under way, where that was asked for. seconds: how long it took. reads: how many were sent.
    seen_right: what is as recorded, for the next diagnosis (`SeenRight.as_json`).
    """

    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    seconds: float = 0.0
    reads: int = 0
    seen_right: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def links_checked(self) -> int:
        """How many links could be checked."""
        return sum(link.holds is not None for check in self.checks for link in check.links)

    @property
    def links_held(self) -> int:
        """How many of them hold."""
        return sum(link.holds is True for check in self.checks for link in check.links)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
