"""Save points and resets: which recorded calls are in effect, and which of them an emulator has forgotten since.

Calls are in effect as they are recorded, until a `session` record with `manual` begins. From there on they are *pending*: a
`save` record puts those before it in effect (of its service only, where it names one). The next `session` record ends the
manual session, and what is still pending then is *void* for good. The file is only ever appended to; which calls count is
worked out from the control records, here and nowhere else.

A `reset` record says that the emulator was made to forget everything, or one service. It is in effect as a call in its place
would be: one that was never saved undoes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from replay_proxy.journal.format.records import ControlKind, ControlRecord, Record, RecordKind


class SaveState(StrEnum):
    """Whether a call counts, may still be saved, or never will be."""

    IN_EFFECT = "in effect"
    PENDING = "pending"
    VOID = "void"


@dataclass(slots=True)
class _Session:
    """The lines from the session record `begin` on. saved: by service ("" for all), the number of its last save record.

    on_trial: its calls all count, or none, whatever the save strategy is.
    """

    begin: int
    manual: bool
    on_trial: bool = False
    saved: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SavePoints:
    """Which calls are in effect, by the control records that were added, in order."""

    _sessions: list[_Session] = field(default_factory=lambda: [_Session(0, manual=False)])
    _simple: bool = True
    _resets: list[tuple[int, str]] = field(default_factory=list)
    _latest_resets: dict[str, int] = field(default_factory=dict)

    def add(self, record: ControlRecord) -> None:
        """Take a control record into account."""
        if record.kind is ControlKind.SESSION:
            self._sessions.append(_Session(record.seq, record.manual, record.on_trial))
            self._simple = self._simple and not record.manual
        elif record.kind is ControlKind.SAVE:
            self._sessions[-1].saved[record.service] = record.seq
        elif record.kind is ControlKind.RESET:
            self._resets.append((record.seq, record.service))
        self._latest_resets.clear()

    def as_json(self) -> list[Any]:
        """Return the sessions and the resets as JSON values, for the index cache."""
        return [[[each.begin, each.manual, each.on_trial, each.saved] for each in self._sessions], self._resets]

    @classmethod
    def of_json(cls, values: list[Any]) -> SavePoints:
        """Return the save points that `as_json` wrote. Raises ValueError and TypeError."""
        sessions_json, resets_json = values
        sessions = [_Session(begin, manual, trial, dict(saved)) for begin, manual, trial, saved in sessions_json]
        resets = [(int(seq), str(service)) for seq, service in resets_json]
        return cls(sessions, not any(each.manual for each in sessions), resets)

    @property
    def has_sessions(self) -> bool:
        """Whether anything was ever recorded with MANUAL."""
        return not self._simple

    @property
    def manual(self) -> bool:
        """Whether the last session is a manual one."""
        return self._sessions[-1].manual

    @property
    def is_simple(self) -> bool:
        """Whether every record is in effect."""
        return self._simple

    def is_in_effect(self, record: Record) -> bool:
        """Whether this record is in effect."""
        return self._simple or self.counts_in_effect(record.seq, record.head.service if record.head is not None else "")

    def save_state(self, record: Record) -> SaveState:
        """Return whether this record is in effect, can become so, or cannot."""
        if self.is_in_effect(record):
            return SaveState.IN_EFFECT
        return SaveState.PENDING if record.seq > self._sessions[-1].begin else SaveState.VOID

    def is_void(self, seq: int, service: str) -> bool:
        """Whether the record with this number, of this service, is not in effect, and never will be."""
        return seq <= self._sessions[-1].begin and not self.counts_in_effect(seq, service)

    def is_on_trial(self, seq: int) -> bool:
        """Whether the record with this number was recorded on trial, as a pod that is loaded is."""
        return self._session_of(seq).on_trial

    def is_needed(self, record: ControlRecord) -> bool:
        """Whether the calls that are in effect or pending would mean something else without this control record.

        Void calls do not count here. Calls of earlier sessions need none: without control records, a call is in effect.
        """
        latest = self._sessions[-1]
        match record.kind:
            case ControlKind.SESSION:
                return latest.manual and record.seq == latest.begin
            case ControlKind.SAVE:
                return latest.manual and record.seq == latest.saved.get(record.service)
            case ControlKind.GAP:
                return True
            case ControlKind.RESET:
                session = self._session_of(record.seq)
                if session.manual and (session is latest or any(record.seq < each for each in session.saved.values())):
                    return True
                return record.seq == self.latest_reset(record.service)

    def counts_in_effect(self, seq: int, service: str) -> bool:
        """Whether the record with this number, of this service, is in effect."""
        session = self._session_of(seq)
        return not session.manual or seq < max(session.saved.get("", 0), session.saved.get(service, 0))

    @property
    def has_unsaved_reset(self) -> bool:
        """Whether the last session has a reset that was never saved."""
        begin = self._sessions[-1].begin
        return any(seq > begin and not self.counts_in_effect(seq, service) for seq, service in self._resets)

    @property
    def reset_count(self) -> int:
        """How many resets there are, in effect or not."""
        return len(self._resets)

    def latest_reset(self, service: str) -> int:
        """Return the number of the latest reset in effect by which calls of `service` were forgotten; 0 where there is none.

        An empty `service` is that of calls that were not recognised.
        """
        if not self._resets:
            return 0
        found = self._latest_resets.get(service)
        if found is None:
            numbers = (
                seq for seq, what in self._resets if what in ("", service) and self.counts_in_effect(seq, service)
            )
            found = self._latest_resets[service] = max(numbers, default=0)
        return found

    def reset_after(self, record: Record) -> int:
        """Return the number of the latest reset in effect by which a record was forgotten; 0 where it was not.

        A read counts where it was made (its note `after`), and not where it was written.
        """
        if not self._resets:
            return 0
        reset = self.latest_reset(record.head.service if record.head is not None else "")
        after = record.notes.get("after")
        place = after if record.kind is RecordKind.WITNESS and isinstance(after, int) else record.seq
        return reset if place < reset else 0

    def _session_of(self, seq: int) -> _Session:
        return self._sessions[bisect_right(self._sessions, seq, key=lambda s: s.begin) - 1]
