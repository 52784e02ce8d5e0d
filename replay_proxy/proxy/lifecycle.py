"""The life of a running proxy: bring the emulator up, restore, let requests pass; and again after each loss.

    STARTING ──► RESTORING ──► READY ──► (the emulator is lost) LOST ──► RESTORING ──► READY ...

The door listens from the first moment, so that a port that is taken is told before an emulator is started, and clients
that come early wait at the gate instead of failing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import tenacity

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import EmulatorError, ReplayProxyError, StorageError
from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy.backend import Backend, Stranger, reachable
from replay_proxy.proxy.compacting import Compaction
from replay_proxy.proxy.door import ReverseDoor
from replay_proxy.proxy.engine import Engine, Policy
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.proxy.restoring import OpenRecording, explain_recording, restore_recording
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session, table_of
from replay_proxy.proxy.streams import Handler
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.replay.execute import Progress
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.report import RestoreReport
from replay_proxy.wire.selection import to_record, to_restore

_log = log.get("proxy")

DRAIN_SECONDS = 10.0
QUIET_SECONDS = 10.0
FASTEST_RESTARTS = 5
LONGEST_PAUSE = 10.0


class Proxy:
    """A proxy in front of one emulator. `recording` is None where nothing is recorded or restored."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        recording: OpenRecording | None,
        front: Callable[[Proxy], Handler],
        progress: Progress = lambda _report: None,
    ) -> None:
        self.settings = settings
        self.backend = backend
        self.recording = recording
        self.gate = Gate()
        self.last_restore: RestoreReport | None = None
        self._progress = progress
        self.upstream = Upstream(backend.url)
        self._writer = None if recording is None else recording.writer
        to_restore(settings)
        recorder = (
            None
            if self._writer is None
            else Recorder(
                self._writer,
                settings.body_threshold,
                selection=to_record(settings),
                go_on=settings.when_unrecordable == "continue",
            )
        )
        self._watch = None if recorder is None else Watch(recorder)
        self._unrecorded = None if recorder is None else recorder.unrecorded
        policy = Policy(settings.body_threshold, settings.gate_timeout, settings.lost_timeout)
        self.engine = Engine(
            upstream=self.upstream,
            gate=self.gate,
            aliases=AliasTable(),
            keyring=Keyring(settings.secret_key or ""),
            endpoints=Endpoints(backend.url),
            recorder=recorder,
            watch=self._watch,
            policy=policy,
            on_lost=self._unreachable,
            on_minted=self._remember_aliases,
        )
        self.door = ReverseDoor(front(self), settings.listen.host, settings.listen.port)
        blobs = recording.blobs if recording is not None else None
        self._sender = Sender(self.upstream, blobs, call_timeout=settings.call_timeout)
        self._session = (
            Session(recording.data_dir, self._sender, settings.secret_key or "", read_only=settings.read_only)
            if recording is not None
            else None
        )
        self._restoring = asyncio.Lock()
        self._compaction = (
            Compaction(self._writer, settings, lambda: self.gate.is_open) if self._writer is not None else None
        )

    async def run(self, stopped: asyncio.Event, announce: Callable[[Proxy], None]) -> None:
        """Serve until `stopped` is set. `announce` is called once requests pass for the first time.

        Raises:
            ListenError, EmulatorError, RecordingError: it could not begin.
        """
        await self.door.start()
        try:
            stop = asyncio.create_task(stopped.wait())
            begin = asyncio.create_task(self._begin())
            await asyncio.wait({stop, begin}, return_when=asyncio.FIRST_COMPLETED)
            if begin.done():
                begin.result()
                announce(self)
                if self._compaction is not None:
                    self._compaction.start()
                keep = asyncio.create_task(self._keep_alive())
                await asyncio.wait({stop, keep}, return_when=asyncio.FIRST_COMPLETED)
                await _cancel(keep)
            await _cancel(begin)
            await _cancel(stop)
        finally:
            await self._end()

    async def restore(self) -> RestoreReport | None:
        """Restore now, into whatever state the emulator is in; None where there is no recording.

        Requests wait meanwhile. Used at the start, after a loss, and when somebody asks.
        """
        async with self._restoring:
            if self.recording is None or self._session is None:
                return None
            self.gate.move(State.RESTORING, "the recorded state is being restored")
            await self.engine.quiet(QUIET_SECONDS)
            aliases, keyring = AliasTable(), Keyring(self.settings.secret_key or "")
            if self._is_stranger:
                await self._session.begin()
            self.last_restore = RestoreReport(str(self.recording.path))
            if self._writer is not None:
                self._writer.rollback()
            report = await restore_recording(
                self.recording.data_dir,
                self._sender,
                aliases,
                keyring,
                self.engine.endpoints,
                self.settings,
                self.last_restore,
                self._progress,
                None if self._watch is None else self._watch.sightings,
            )
            self.engine.aliases, self.engine.keyring = aliases, keyring
            if self._is_stranger:
                await self._session.settle(aliases, keyring)
            else:
                self._session.save(aliases, keyring)
            self.gate.move(State.READY)
            return report

    async def _begin(self) -> None:
        await self.backend.up(self.upstream)
        if self._watch is not None:
            self._watch.start()
        if self._session is not None and self._is_stranger:
            saved = await self._session.resume()
            if saved is not None:
                aliases = table_of(saved.aliases)
                self.engine.aliases = aliases
                self.engine.keyring = Keyring(self.settings.secret_key or "", saved.keys)
                if self.recording is not None and self._watch is not None:
                    await asyncio.to_thread(explain_recording, self.recording.data_dir, self._watch.sightings)
                _log.info("the emulator still holds the recorded state; nothing to restore", aliases=len(aliases))
                self.gate.move(State.READY)
                return
        if self.settings.load_strategy == "MANUAL":
            self.gate.move(State.READY)
            return
        await self.restore()
        self.gate.move(State.READY)

    async def _keep_alive(self) -> None:
        """Bring the emulator back, and its state with it, each time it is lost."""
        restarts = 0
        while True:
            begun = asyncio.get_running_loop().time()
            reason = await self.backend.lost()
            self.gate.move(State.LOST if self._is_stranger else State.STARTING, reason)
            if self._is_stranger and await self._still_there():
                self.gate.move(State.READY)
                continue
            _log.warning("the emulator is lost; waiting for it", reason=reason)
            lived = asyncio.get_running_loop().time() - begun
            restarts = 0 if lived > LONGEST_PAUSE else restarts + 1
            if restarts >= FASTEST_RESTARTS and not self._is_stranger:
                self._give_up(f"{reason}, for the {restarts}th time in a row")
            await self._recover()

    async def _still_there(self) -> bool:
        """A broken line need not mean a new emulator: some servers close idle connections."""
        try:
            if self._session is not None and self._session.marked:
                return await self._session.holds()
            return await reachable(self.upstream)
        except (OSError, TimeoutError):
            return False

    async def _recover(self) -> None:
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_exponential(multiplier=0.1, max=LONGEST_PAUSE),
            retry=tenacity.retry_if_exception_type((EmulatorError, OSError, TimeoutError)),
        ):
            with attempt:
                try:
                    await self.backend.up(self.upstream)
                    if await self._is_same():
                        _log.info("the emulator is back, with its state")
                        self.gate.move(State.READY)
                    else:
                        await self.restore()
                        self.gate.move(State.READY)
                except (ReplayProxyError, OSError, TimeoutError) as error:
                    self.gate.move(self.gate.state, f"the emulator is not back yet: {error}")
                    _log.warning("the emulator is not back yet", reason=str(error))
                    raise

    async def _is_same(self) -> bool:
        """Somebody else's emulator may have been out of reach only."""
        return self._is_stranger and (self._session is None or await self._session.holds())

    def _give_up(self, reason: str) -> None:
        _log.error("the emulator keeps ending; it is not started again", reason=reason)
        self.gate.move(State.FAILED, f"the emulator keeps ending: {reason}")
        raise EmulatorError(f"the emulator keeps ending: {reason}", hint="its last output is above; run it by hand")

    @property
    def _is_stranger(self) -> bool:
        return isinstance(self.backend, Stranger)

    def _remember_aliases(self) -> None:
        """A proxy that is killed and started again must know the ids that it gave out itself."""
        if self._session is not None:
            try:
                self._session.save(self.engine.aliases, self.engine.keyring)
            except StorageError as error:
                _log.warning("the aliases could not be saved", reason=error.message)

    def _unreachable(self, reason: str) -> None:
        if isinstance(self.backend, Stranger):
            if self.gate.is_open:
                self.gate.move(State.LOST, reason)
            self.backend.report_unreachable()

    async def _end(self) -> None:
        self.gate.move(State.STOPPING, "the proxy is being stopped")
        await self.door.stop(DRAIN_SECONDS)
        await self.engine.quiet(QUIET_SECONDS)
        if self._watch is not None:
            await self._watch.stop()
        if self._compaction is not None:
            await self._compaction.stop()
        if len(self.engine.aliases):
            self._remember_aliases()
        try:
            if self._writer is not None:
                await self._writer.close()
        finally:
            await self.upstream.close()
            await self.backend.down()

    def status(self) -> dict[str, Any]:
        """What `/_replay/status` shows."""
        host, port = self.door.address
        recording = self.recording
        return {
            "state": self.gate.state.value,
            "reason": self.gate.reason,
            "listen": f"http://{host}:{port}",
            "emulator": {"name": self.backend.name, "url": self.backend.url, "pid": self.backend.pid},
            "recording": None if recording is None else str(recording.path),
            "recording_failure": _failure_of(self._writer),
            "compaction": None if self._compaction is None else self._compaction.as_json(),
            "unrecorded": self._unrecorded.count if self._unrecorded is not None else 0,
            "persistence": recording is not None,
            "read_only": recording is not None and self._writer is None,
            "save_strategy": self.settings.save_strategy,
            "load_strategy": self.settings.load_strategy,
            "requests": self.engine.counters.as_json(),
            "aliases": len(self.engine.aliases),
            "last_restore": None if self.last_restore is None else self.last_restore.as_json(),
        }


def _failure_of(writer: JournalWriter | None) -> dict[str, str] | None:
    """Why nothing can be recorded at the moment; None where all is well."""
    failure = None if writer is None else writer.failure
    return None if failure is None else {"reason": failure.message, "hint": failure.hint}


async def _cancel(task: asyncio.Task[Any]) -> None:
    """End a task and pass on what it failed with."""
    if not task.done():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
