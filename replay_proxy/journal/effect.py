"""Which recorded calls are in effect: the `MANUAL` save strategy's save points.

Calls are in effect as they are recorded, until a `session` mark with `manual` begins. From there on they are
*pending*: a `save` mark puts those before it in effect (of its service only, where it names one). The next `session`
mark ends the manual session, and what is still pending then is void for good. The file is only ever appended to; which
calls count is worked out from the marks, here and nowhere else.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from replay_proxy.journal.records import Mark, MarkKind, Record


class Fate(StrEnum):
    """Of a call: it counts; it may still be saved; it never will be."""

    IN_EFFECT = "in effect"
    PENDING = "pending"
    VOID = "void"


@dataclass(slots=True)
class _Session:
    """From the mark `begin` on. saved: service ("" for all) to the number of its last save mark."""

    begin: int
    manual: bool
    saved: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Effect:
    """Which calls are in effect, as told by the marks that were added, in order."""

    _sessions: list[_Session] = field(default_factory=lambda: [_Session(0, manual=False)])
    _simple: bool = True

    def add(self, mark: Mark) -> None:
        """Take a mark into account."""
        if mark.mark is MarkKind.SESSION:
            self._sessions.append(_Session(mark.seq, mark.manual))
            self._simple = self._simple and not mark.manual
        elif mark.mark is MarkKind.SAVE:
            self._sessions[-1].saved[mark.service] = mark.seq

    def as_json(self) -> list[Any]:
        """To be kept (`keeping`)."""
        return [[each.begin, each.manual, each.saved] for each in self._sessions]

    @classmethod
    def of_json(cls, told: list[Any]) -> Effect:
        """The inverse of `as_json`. Raises ValueError and TypeError."""
        sessions = [_Session(begin, manual, dict(saved)) for begin, manual, saved in told]
        return cls(sessions, not any(each.manual for each in sessions))

    @property
    def has_sessions(self) -> bool:
        """Was anything ever recorded with MANUAL?"""
        return not self._simple

    @property
    def manual(self) -> bool:
        """Is the last session a manual one?"""
        return self._sessions[-1].manual

    @property
    def is_simple(self) -> bool:
        """Is every record in effect?"""
        return self._simple

    def holds(self, record: Record) -> bool:
        """Is this record in effect?"""
        return self._simple or self.counts(record.seq, record.head.service if record.head is not None else "")

    def fate(self, record: Record) -> Fate:
        """Is this record in effect, or can it become so?"""
        if self.holds(record):
            return Fate.IN_EFFECT
        return Fate.PENDING if record.seq > self._sessions[-1].begin else Fate.VOID

    def matters(self, mark: Mark) -> bool:
        """Would the calls that are in effect or pending, without the void ones, mean something else without this mark?

        Those of earlier sessions do not need any: without marks, a call is in effect.
        """
        latest = self._sessions[-1]
        match mark.mark:
            case MarkKind.SESSION:
                return latest.manual and mark.seq == latest.begin
            case MarkKind.SAVE:
                return latest.manual and mark.seq == latest.saved.get(mark.service)
            case MarkKind.GAP:
                return True

    def counts(self, seq: int, service: str) -> bool:
        """Is the record with this number, of this service, in effect?"""
        session = self._sessions[bisect_right(self._sessions, seq, key=lambda s: s.begin) - 1]
        return not session.manual or seq < max(session.saved.get("", 0), session.saved.get(service, 0))
