"""What a journal holds: one header, then records and marks, each with its sequence number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from time import time_ns
from typing import Any, Final

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.wire.signing import Credential

FORMAT_NAME: Final = "replay-proxy-recording"
FORMAT_VERSION: Final = 2
"""The newest that this program reads. Version 2 is version 1 with a header that says `compacted`."""
PLAIN_VERSION: Final = 1
"""Of a recording that was never compacted: older programs read it, too."""
JOURNAL_NAME: Final = "recorded_api_calls.json"


class Kind(StrEnum):
    """mutation: the call changed state. witness: a read, kept because of an identifier that its answer showed."""

    MUTATION = "mutation"
    WITNESS = "witness"


UNSIGNED: Final = Credential()


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded call.

    seq: its place in the journal, from 1; 0 for a record that has not been appended yet.
    time: when the request was taken in; ISO 8601, UTC, microseconds, `Z`. Information only: the order is that of `seq`,
        so a clock that jumps does no harm.
    duration_ms: from then until the answer was complete, in milliseconds.
    head: what the call is; None where it was not recognised.
    credential: its credential scope, without the signature: emulators derive the account from it.
    notes: whatever else is to be kept with it; JSON values.
    """

    seq: int
    time: str
    duration_ms: float
    kind: Kind
    head: CallHead | None
    request: Request
    answer: Answer
    credential: Credential = UNSIGNED
    notes: Mapping[str, Any] = field(default_factory=dict)


class MarkKind(StrEnum):
    """Lines of a journal that are no calls.

    session: from here on, calls are in effect at once (`manual` false), or only once saved (`manual` true). What was
        pending before is void.
    save: what was pending (of `service`, where one is named) is in effect.
    gap: calls before this line could not be recorded, for the reason that is given.
    """

    SESSION = "session"
    SAVE = "save"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that is no call. service: of a save, empty for all. manual: of a session. reason: of a gap."""

    seq: int
    time: str
    mark: MarkKind
    service: str = ""
    manual: bool = False
    reason: str = ""


Item = Record | Mark


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a header says of compactions: numbers up to `through` may be missing.

    removed: how many calls were left out, by all compactions together. time: of the latest.
    """

    through: int
    removed: int
    time: str


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The first line. id: a UUID that stays with the recording. emulator: for which it was begun, as far as known."""

    id: str
    created: str
    emulator: Mapping[str, Any] = field(default_factory=dict)
    version: int = PLAIN_VERSION
    compacted: Compacted | None = None

    @property
    def through(self) -> int:
        """Up to this number, missing numbers are explained; 0 where nothing was ever compacted."""
        return self.compacted.through if self.compacted is not None else 0


def utc_now() -> str:
    """This moment as journals write it: `2026-01-31T23:59:59.000123Z`."""
    seconds, nanoseconds = divmod(time_ns(), 1_000_000_000)
    return f"{_whole_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=2)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
