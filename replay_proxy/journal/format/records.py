"""What a journal holds: one header, then records and control records, each with its sequence number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from time import time_ns
from typing import Any, Final

from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.wire.signing.sigv4 import Credential

FORMAT_NAME: Final = "replay-proxy-recording"
FORMAT_VERSION: Final = 2
"""The newest version that this program reads. Version 2 is version 1 with a header that says `compacted`."""
PLAIN_VERSION: Final = 1
"""The version of a recording that was never compacted: older programs read it, too."""
JOURNAL_NAME: Final = "recorded_api_calls.json"

PLAINTEXT_NOTE: Final = "plaintext"
"""The note of what a ciphertext hides, where neither request nor answer has it: base64. Never part of a redacted copy."""


class RecordKind(StrEnum):
    """mutation: the call changed state. witness: a read, kept because of an identifier that its answer showed.

    observation: the emulator changed state by itself, as a read showed; the call that would have changed it so.
    """

    MUTATION = "mutation"
    WITNESS = "witness"
    OBSERVATION = "observation"

    @property
    def is_change(self) -> bool:
        """Whether state is another after it, so that a restore makes the call again."""
        return self is not RecordKind.WITNESS


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
    flaw: why it cannot be sent again, where its line is whole but what it says is no request; empty for nearly all. The
        members that could not be read are empty then.
    """

    seq: int
    time: str
    duration_ms: float
    kind: RecordKind
    head: CallHead | None
    request: Request
    answer: Answer
    credential: Credential = UNSIGNED
    notes: Mapping[str, Any] = field(default_factory=dict)
    flaw: str = field(default="", compare=False)

    @property
    def is_readable(self) -> bool:
        """Whether its members hold what its line says."""
        return not self.flaw or bool(self.request.method)

    @property
    def body_refs(self) -> list[BlobRef]:
        """The bodies of this call that are stored as blobs: none, one or two."""
        return [body for body in (self.request.body, self.answer.body) if isinstance(body, BlobRef)]


class ControlKind(StrEnum):
    """What a control record says.

    session: from here on, calls are in effect at once (`manual` false), or only once saved (`manual` true). What was
        pending before is void.
    save: what was pending (of `service`, where one is named) is in effect.
    gap: calls before this line could not be recorded, for the reason that is given.
    reset: the emulator was made to forget everything (of `service`, where one is named): no call before it counts.
    """

    SESSION = "session"
    SAVE = "save"
    GAP = "gap"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A line that is no call.

    service: of a save or a reset; empty where it is for all. manual: of a session. reason: of a gap; of a session whose
    calls are on trial, what is tried.
    """

    seq: int
    time: str
    kind: ControlKind
    service: str = ""
    manual: bool = False
    reason: str = ""

    @property
    def on_trial(self) -> bool:
        """Whether a session begins whose calls all count, or none: it is no session of the strategy `MANUAL`."""
        return self.kind is ControlKind.SESSION and self.reason != ""


Item = Record | ControlRecord


@dataclass(frozen=True, slots=True)
class CompactedRange:
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
    compacted: CompactedRange | None = None

    @property
    def through(self) -> int:
        """Up to this number, missing numbers are explained; 0 where nothing was ever compacted."""
        return self.compacted.through if self.compacted is not None else 0


def utc_now() -> str:
    """Return this moment as journals write it: `2026-01-31T23:59:59.000123Z`."""
    seconds, nanoseconds = divmod(time_ns(), 1_000_000_000)
    return f"{_whole_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=2)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
