"""The records of the resource model: a resource, a link, a call as the model remembers it."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from replay_proxy.wire.sensitive.masking import HIDDEN

LONG_CHARACTERS: Final = 64 * 1024
PREVIEW_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Hidden:
    """A sensitive value. raw: what it is; for comparison and for links, and never shown."""

    raw: Any

    @property
    def digest(self) -> str:
        """A digest that tells two such values apart within this process."""
        return hashlib.blake2b(repr(self.raw).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Long:
    """A text or bytes too long to keep. preview: the beginning. size: in bytes. sha256: of all of it."""

    preview: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Key:
    """What a resource is told by. account, region: empty where the calls did not say. names: what it is a part of first."""

    account: str
    region: str
    service: str
    noun: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A reference of a resource. member: the path to the member that holds it (`Environment.Variables.QUEUE_URL`).

    target: the number of the resource that it names; 0 where it names one that the recording does not have, and then `text`
    is all that is known.
    """

    member: str
    target: int
    text: str


@dataclass(slots=True)
class Data:
    """The data in a resource. unit: what it consists of (`objects`). parts: by key, size in bytes and a digest.

    counted, counted_bytes: of data without keys. exact: whether all that was written could be read. untold: parts whose content
    no call tells, since an expression changed it. seen: parts that are told by a look at the emulator.
    """

    unit: str
    parts: dict[str, tuple[int, str]] = field(default_factory=dict)
    counted: int = 0
    counted_bytes: int = 0
    exact: bool = True
    untold: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def may_equal(self, other: Data, key: str) -> bool:
        """Return whether nothing says that a part, which both have, is another one there.

        What a look has seen may be what an expression made, of which nothing else is known.
        """
        if self.parts[key] == other.parts[key]:
            return True
        return (key in self.seen and key in other.untold) or (key in self.untold and key in other.seen)

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self.parts) + self.counted

    @property
    def bytes(self) -> int:
        """The size of the parts, as it was sent."""
        return sum(size for size, _ in self.parts.values()) + self.counted_bytes


@dataclass(slots=True, eq=False)
class Resource:
    """One resource.

    number: of this model, from 1. type: CloudFormation's name, or `service: Noun`. name: what people call it.
    identifiers: by member, as clients know them. attributes: as they are now; leaves may be `Hidden` or `Long`.
    made_by: the number of the call that made it; 0 where no recorded call did. maker: the resource that made it by itself (a
    stack, a network), 0 for none. changed_by: the calls that changed it. data_calls: those that wrote its data.
    ended_by: the call that deleted it; 0 while it exists. set_by: which attributes an operation's noun has set.
    template_links: what the template of its stack says that it refers to: member, number of the other one, text.
    unsure: attributes, and tags as `Tags.KEY`, of which the calls do not tell what they are, since it was created again while it
    was there.
    """

    number: int
    key: Key
    type: str
    name: str
    identifiers: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    made_by: int = 0
    maker: int = 0
    changed_by: list[int] = field(default_factory=list)
    data_calls: array[int] = field(default_factory=lambda: array("Q"))
    data: Data | None = None
    ended_by: int = 0
    parents: tuple[int, ...] = ()
    set_by: dict[str, list[str]] = field(default_factory=dict)
    template_links: list[tuple[str, int, str]] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)

    @property
    def service(self) -> str:
        """botocore's name of its service."""
        return self.key.service

    @property
    def label(self) -> str:
        """What people call it: its name, the tag `Name` of what has none, else its identifier."""
        return self.tags.get("Name") or self.name if self.name == self.key.names[-1] else self.name

    @property
    def arn(self) -> str:
        """Its ARN; empty where none is known."""
        return next((value for value in self.identifiers.values() if value.startswith("arn:")), "")

    @property
    def last_changed_by(self) -> int:
        """The last call that changed it, other than its data; 0 where no recorded call did."""
        return self.changed_by[-1] if self.changed_by else self.made_by

    def calls(self) -> list[int]:
        """Return the numbers of all calls that made or changed it, its data included, in order."""
        own = {self.made_by, *self.changed_by, *self.data_calls, self.ended_by} - {0}
        return sorted(own)


@dataclass(frozen=True, slots=True)
class CallEntry:
    """A call as the model remembers it: all but its bodies.

    kind: `mutation`, `witness` or `observation`. error: the code of its error. resources: the numbers of the resources that it
    made, changed or ended.
    """

    seq: int
    time: str
    duration_ms: float
    service: str
    operation: str
    account: str
    region: str
    status: int
    kind: str
    error: str
    resources: tuple[int, ...]

    @property
    def failed(self) -> bool:
        """Whether it was refused."""
        return self.status >= 300 or bool(self.error)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return path and value of every leaf of attributes; positions of lists are no part of the path."""
    if isinstance(value, Mapping):
        for member, below in value.items():
            yield from leaves(below, f"{path}.{member}" if path else str(member))
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below, path)
    else:
        yield path, value


def shown(value: Any) -> Any:
    """Return attributes as JSON can hold them: what is hidden as such, what is long by its beginning."""
    if isinstance(value, Mapping):
        return {str(member): shown(below) for member, below in value.items()}
    if isinstance(value, list):
        return [shown(below) for below in value]
    if isinstance(value, Hidden):
        return HIDDEN
    if isinstance(value, Long):
        return {"preview": value.preview, "bytes": value.size, "sha256": value.sha256}
    return value
