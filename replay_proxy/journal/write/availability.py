"""Whether calls can be recorded at the moment: the states of a writer, and what moves it from one to another.

| state | what it means |
|---|---|
| `READY` | calls are recorded |
| `FULL` | the disk is full: calls under way are recorded in the space that was put aside, and no more should be sent |
| `FAILED` | a write failed, and what it left was cut off: the emulator has a call that the journal lacks |
| `DISPLACED` | somebody moved or replaced the files (`displacement`) |
| `LOST` | what the disk holds is not known (a failed `fsync`), or a part of the journal is gone |
| `CLOSED` | `close` was called |

What ends a state: of `FULL`, space that is put aside again; of `FAILED`, the same, and a `gap` record that could be written; of
`DISPLACED`, files that are back, or were written again; of `LOST`, a new start of the process.

Lines are appended in `READY` and `FULL` alone. `TRANSITIONS` has every move that there is.
"""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Final

from replay_proxy.errors import StorageError
from replay_proxy.journal.storage.files import storage_error
from replay_proxy.journal.write.displacement import Displacement


class WriterState(Enum):
    """Where a writer stands; the table above says what each state means."""

    READY = "ready"
    FULL = "full"
    FAILED = "failed"
    DISPLACED = "displaced"
    LOST = "lost"
    CLOSED = "closed"


TRANSITIONS: Final[dict[WriterState, frozenset[WriterState]]] = {
    WriterState.READY: frozenset(WriterState),
    WriterState.FULL: frozenset(WriterState),
    # A retry that succeeds; files that are displaced as well; a cut that fails, too.
    WriterState.FAILED: frozenset(WriterState) - {WriterState.FULL},
    # A displaced writer appends nothing, so no write of it can fail. A sync that was under way can.
    WriterState.DISPLACED: frozenset(WriterState) - {WriterState.FAILED},
    WriterState.LOST: frozenset({WriterState.LOST, WriterState.CLOSED}),
    WriterState.CLOSED: frozenset({WriterState.CLOSED}),
}
"""From each state, those that may follow it."""

_ACCEPTING: Final = frozenset({WriterState.READY, WriterState.FULL})
_RESTART: Final = "; then start the proxy anew: until then nothing is recorded"


class Availability:
    """The state of one writer, and what a user is told about it.

    accepts: a line may be appended now. is_ready: a call may be sent to the emulator now. gap_reason: what the next `gap`
    record says. displacement: what was found, where that is why nothing is recorded. tried_at: when a write failed or was
    tried again last, on the monotonic clock in seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = WriterState.READY
        self.accepts = True
        self.is_ready = True
        self.gap_reason = ""
        self.displacement: Displacement | None = None
        self.tried_at = 0.0
        self._told: tuple[str, str] | None = None
        # What was told of a full disk, for as long as the space that was put aside is given up.
        self._full: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"<Availability {self.state.value}: {self._told[0] if self._told is not None else self.path}>"

    @property
    def failure(self) -> StorageError | None:
        """Why nothing more can be recorded; None where all is well."""
        return self.error() if self._told is not None else None

    def error(self) -> StorageError:
        """Return a new error for a user that says why nothing can be recorded."""
        if self._told is None:
            return StorageError(f"{self.path} is closed", hint="the proxy is stopping")
        message, hint = self._told
        return StorageError(message, hint=hint)

    def full(self, error: OSError) -> None:
        """The disk is full, and the space that was put aside is in use now."""
        told = storage_error("record more calls", self.path, error)
        self._full = (told.message, told.hint)
        self.tried_at = time.monotonic()
        self._enter(WriterState.FULL, self._full)

    def fail(self, doing: str, error: OSError, *, final: bool) -> StorageError:
        """A file operation failed. Return the error for the call that it was for. final: until the process starts anew."""
        told = storage_error(doing, self.path, error)
        hint = told.hint + _RESTART if final else told.hint
        self.gap_reason = error.strerror or str(error)
        self.tried_at = time.monotonic()
        final = final or self.state is WriterState.LOST
        self._enter(WriterState.LOST if final else WriterState.FAILED, (told.message, hint))
        return StorageError(told.message, hint=hint)

    def lose(self, error: StorageError) -> None:
        """Nothing can be recorded until the process is started anew, because of `error`."""
        self.gap_reason = error.message
        self._enter(WriterState.LOST, (error.message, error.hint + _RESTART))

    def displace(self, found: Displacement) -> None:
        """The files are not where they were."""
        self.gap_reason = found.message
        self._enter(WriterState.LOST if found.lasting else WriterState.DISPLACED, (found.message, found.hint))
        self.displacement = found

    def resume(self) -> Displacement | None:
        """Record again after a displacement, and return it; None, and no change, where there was none."""
        if self.state is not WriterState.DISPLACED:
            return None
        displacement = self.displacement
        self._enter(WriterState.FULL if self._full is not None else WriterState.READY, self._full)
        return displacement

    def recover(self) -> None:
        """Record again after a full disk or a failed write: there is space again."""
        self._full = None
        self._enter(WriterState.READY, None)

    def close(self) -> None:
        """Record nothing more. What was told last stays."""
        self._enter(WriterState.CLOSED, self._told)

    def _enter(self, state: WriterState, told: tuple[str, str] | None) -> None:
        if self.state is WriterState.CLOSED:
            state = WriterState.CLOSED  # a sync that was under way may still fail, and say so
        assert state in TRANSITIONS[self.state], f"{self.state} cannot become {state}"
        self.state, self._told = state, told
        self.accepts = state in _ACCEPTING
        self.is_ready = state is WriterState.READY
        self.displacement = None
