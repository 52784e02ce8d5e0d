"""A trigger that a restore has put to rest, and what arms it again: kept with the session, since a restore can come in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RestingTrigger:
    """A trigger at rest, in the emulator's identifiers.

    service, name: of the trigger; name is the physical id that its stack shows. arm: the calls that arm it, with their
    parameters. sources: the services whose data sets it off. settles_s: seconds to wait before it is armed.
    is_known_by_sight: a stack that is changed meanwhile cannot be mistaken about it. seq: of the call that made its stack;
    account, region, access_key: of that.
    """

    service: str
    name: str
    arm: tuple[tuple[str, Mapping[str, Any]], ...]
    sources: frozenset[str]
    settles_s: float
    is_known_by_sight: bool
    seq: int
    account: str
    region: str
    access_key: str

    def is_same(self, other: RestingTrigger) -> bool:
        """Return whether both are one trigger."""
        return (self.service, self.name, self.account, self.region) == (
            other.service,
            other.name,
            other.account,
            other.region,
        ) and [operation for operation, _ in self.arm] == [operation for operation, _ in other.arm]

    def as_json(self) -> dict[str, Any]:
        """Return it as `session.json` keeps it."""
        return {
            "service": self.service,
            "name": self.name,
            "arm": [list(each) for each in self.arm],
            "sources": sorted(self.sources),
            "settles_s": self.settles_s,
            "known_by_sight": self.is_known_by_sight,
            "seq": self.seq,
            "account": self.account,
            "region": self.region,
            "access_key": self.access_key,
        }


def resting_trigger_of(content: Mapping[str, Any]) -> RestingTrigger:
    """Return what `as_json` gave. Raises KeyError, TypeError and ValueError for anything else."""
    return RestingTrigger(
        str(content["service"]),
        str(content["name"]),
        tuple((str(operation), dict(parameters)) for operation, parameters in content["arm"]),
        frozenset(map(str, content["sources"])),
        float(content["settles_s"]),
        bool(content["known_by_sight"]),
        int(content["seq"]),
        str(content["account"]),
        str(content["region"]),
        str(content["access_key"]),
    )
