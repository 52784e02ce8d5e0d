"""What is put down of a restore while it goes on: in the session's file, and as the mark in the emulator.

An external emulator may outlive the proxy. So the file says at any time what it holds, and the mark names the file's session.
A managed emulator ends with the proxy. It is marked, so that it is seen when somebody empties it; nobody waits for that.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from replay_proxy import log
from replay_proxy.errors import StorageError
from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.lifecycle.restoring.staged_restore import StagedRestore
from replay_proxy.proxy.requests.engine import Engine
from replay_proxy.replay.session_state import SessionState
from replay_proxy.supervision import Supervisor

_log = log.get("proxy")


class ProgressNotes:
    """Puts down how far a restore has come.

    external: the emulator is somebody else's, and may outlive the proxy. read_only: the recording is not to be written.
    """

    def __init__(
        self, session: SessionStore, engine: Engine, supervisor: Supervisor, *, external: bool, read_only: bool
    ) -> None:
        self._session = session
        self._engine = engine
        self._supervisor = supervisor
        self._external = external
        self._read_only = read_only
        self._marking: asyncio.Task[None] | None = None

    async def begin(
        self, known: SessionState, position: RestorePosition | None = None, *, emptied: bool = False
    ) -> None:
        """Put down that a restore begins: of everything, or in parts from a position on. emptied: the emulator was, for that.

        Raises:
            EmulatorError, StorageError, OSError, TimeoutError: it cannot be put down; then nothing may be restored.
        """
        if not self._external:
            self._session.begin_managed()
        elif position is None:
            await self._session.begin(known, emptied=emptied)
        else:
            await self._session.begin_parts(known, position)

    async def part(self, begins: bool, staged: StagedRestore) -> None:
        """Put down how far a restore in parts has come, before (`begins`) and after a part is replayed."""
        if not self._external:
            if not begins:
                self.leave_mark()
            return
        try:
            if begins:
                await self._session.begin_part()
            else:
                await self._session.end_part(self._engine.translator.session_state, staged.position)
        except (StorageError, OSError, TimeoutError) as error:
            # Then a proxy that is interrupted from here on has to have the emulator restarted, and no more.
            _log.warning("how far the restore has come cannot be put down", reason=str(error))

    async def settle(self) -> None:
        """Put down that the emulator holds everything that was recorded. Raises as `begin`."""
        if self._external:
            await self._session.settle(self._engine.translator.session_state)
            return
        self._save()
        self.leave_mark()

    async def begin_restored(self) -> None:
        """Begin a session in an emulator that holds everything that is to be restored, and mark it. Raises as `begin`."""
        if self._external:
            await self._session.start_over(self._engine.translator.session_state)
            return
        self._session.begin_managed()
        self._save()
        self.leave_mark()

    def _save(self) -> None:
        if not self._read_only:
            self._session.save(self._engine.translator.session_state)

    def leave_mark(self) -> None:
        """Begin to leave a mark in a managed emulator, where there is none. Nobody waits for that."""

        async def leave() -> None:
            with suppress(OSError):
                await self._session.leave_mark()

        if not self._session.marked and (self._marking is None or self._marking.done()):
            self._marking = self._supervisor.start("marking the emulator", leave())

    async def marked(self) -> None:
        """Wait until a mark that is being left is there, or cannot be."""
        if self._marking is not None:
            await asyncio.wait({self._marking})

    async def stop(self) -> None:
        """Give up a mark that is being left."""
        marking, self._marking = self._marking, None
        if marking is not None:
            marking.cancel()
            with suppress(asyncio.CancelledError):
                await marking
