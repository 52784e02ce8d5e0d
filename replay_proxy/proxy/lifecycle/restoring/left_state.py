"""What an emulator still holds that was not started by this proxy, or came back by itself: taken up, or emptied.

It may hold all of the recorded state or a part of it, and then its session goes on; an older state that it had kept by
itself; or a half, where a proxy was interrupted in the middle of a load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import UsageError
from replay_proxy.proxy.lifecycle.backend import Emptying
from replay_proxy.proxy.lifecycle.restoring.restore import OpenRecording, explain_all_records, take_all_runs
from replay_proxy.proxy.lifecycle.restoring.session_file import SavedSession
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore, interrupted_restore_error
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.session_state import SessionState
from replay_proxy.replay.witness_detector import WitnessDetector

_log = log.get("proxy")


class LeftState:
    """The state that one recording left in one emulator.

    emptying: how the emulator is emptied (`Backend.emptying`). may_have_gaps: it is somebody else's, and may have lived on while
    no proxy recorded.
    """

    def __init__(
        self,
        settings: Settings,
        recording: OpenRecording,
        session: SessionStore,
        emptying: Callable[[], Awaitable[Emptying]],
        witness_detector: WitnessDetector,
        *,
        may_have_gaps: bool,
    ) -> None:
        self._settings = settings
        self._recording = recording
        self._session = session
        self._emptying = emptying
        self._witness_detector = witness_detector
        self._may_have_gaps = may_have_gaps

    async def take_up(self, translator: Translator) -> SavedSession | None:
        """Have requests translated as in the session that the emulator is still in, and return it; None where it is in none.

        Raises:
            EmulatorError: the emulator holds a part of an earlier restore. RecordingError, StorageError: the recording
            cannot be read.
        """
        saved = await self._session.resume()
        if saved is None:
            return None
        state = saved.session_state(self._settings.secret_key or "")
        translator.use_session(state)
        if self._may_have_gaps:
            self._count_gap(state)
        await asyncio.to_thread(explain_all_records, self._recording.data_dir, self._witness_detector)
        await asyncio.to_thread(take_all_runs, self._recording.data_dir, self._settings, state)
        if saved.position is not None:
            there = ", ".join(sorted(saved.position.services)) or "none yet"
            _log.info("the emulator holds a part of the recorded state; the rest can be restored", services=there)
        else:
            _log.info("the emulator still holds the recorded state; nothing to restore", aliases=len(state.aliases))
        return saved

    async def empty_if_outdated(self) -> None:
        """Empty an emulator that came back with an older state of this recording, or holds a part of an interrupted load.

        Raises:
            EmulatorError: it refuses. OSError, TimeoutError: it does not answer.
        """
        if self._session.is_half_restored:
            _log.warning("the emulator was emptied for a load that was interrupted; it is emptied again, and restored")
            try:
                await (await self._emptying())()
            except UsageError as error:
                raise interrupted_restore_error() from error
            return
        if not self._session.is_outdated:
            return
        _log.warning(
            "the emulator came back with an older state that it had kept by itself; it is emptied and restored"
        )
        try:
            await (await self._emptying())()
        except UsageError as error:
            _log.warning(
                "the emulator holds an older state that it has kept by itself, and is restored on top of it",
                reason=error.message.removesuffix("; nothing was done"),
                hint="remove the emulator's own files and restart it",
            )

    def _count_gap(self, state: SessionState) -> None:
        """Count and log a gap, where the emulator lived on and the proxy before this one was killed."""
        writer = self._recording.writer
        if writer is None or not writer.left_by:
            return
        self._session.gaps += 1
        self._session.save(state)
        _log.warning(
            "the proxy before this one died while the emulator lived on: calls that were under way then may have been carried "
            "out, and are not recorded",
            it_was=writer.left_by,
            hint="what they did is there until the emulator is restarted, and not after that",
        )
