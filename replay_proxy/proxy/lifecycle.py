"""The life of a running proxy: bring the emulator up, restore, let requests pass; and again after each loss.

    STARTING ──► RESTORING ──► READY ──► (the emulator is lost) LOST ──► RESTORING ──► READY ...

The door listens from the first moment, so that a port that is taken is told before an emulator is started, and clients
that come early wait at the gate instead of failing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import tenacity

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import EmulatorError, ReplayProxyError, StorageError
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy.backend import Backend, Stranger, reachable
from replay_proxy.proxy.carrier import Carrier
from replay_proxy.proxy.compacting import Compaction
from replay_proxy.proxy.decisions import Decisions
from replay_proxy.proxy.door import ReverseDoor
from replay_proxy.proxy.engine import Engine, Policy
from replay_proxy.proxy.express import ExpressLane
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.proxy.loading import Loader
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.proxy.restoring import OpenRecording, keep_up_with
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session, place_beside_none
from replay_proxy.proxy.streams import Handler
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.replay.execute import Progress
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.wire.selection import to_record, to_restore

_log = log.get("proxy")

# At the end, of which all must be over before a container engine, which waits for 10 s, kills what is left:
DRAIN_SECONDS = 4.0
"""For requests under way."""
LAST_CHANGES_SECONDS = 2.0
"""For changes that were sent, and whose client has gone."""
KEEPING_SECONDS = 3.0
"""To plan what was recorded, for the next restore."""
FASTEST_RESTARTS = 5
LONGEST_PAUSE = 10.0


class _LostError(EmulatorError):
    """The emulator was lost while its state was being restored."""


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
        self.upstream = Upstream(backend.url, read_timeout=settings.answer_timeout)
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
        carrier = Carrier(
            self.upstream,
            Knowledge(keyring=Keyring(settings.secret_key or "")),
            Endpoints(backend.url),
            settings.body_threshold,
        )
        self.engine = Engine(
            upstream=self.upstream,
            decisions=Decisions(carrier, recorder, self._watch, self._remember_aliases),
            gate=self.gate,
            policy=Policy(settings.gate_timeout, settings.lost_timeout),
            on_lost=self._unreachable,
        )
        lane = ExpressLane(self.engine, self.upstream, settings.body_threshold)
        self.door = ReverseDoor(front(self), settings.listen.host, settings.listen.port, lane=lane)
        blobs = recording.blobs if recording is not None else None
        sender = Sender(self.upstream, blobs, call_timeout=settings.call_timeout)
        self._session: Session | None = None
        self.loader: Loader | None = None
        if recording is not None:
            place = place_beside_none(recording.data_dir, backend.url) if settings.read_only else recording.data_dir
            self._session = Session(place, sender, settings.secret_key or "", optional=settings.read_only)
            self.loader = Loader(
                settings,
                recording,
                gate=self.gate,
                engine=self.engine,
                sender=sender,
                session=self._session,
                watch=self._watch,
                stranger=self._is_stranger,
                progress=progress,
            )
        self._compaction = None
        if self._writer is not None:
            self._compaction = Compaction(self._writer, settings, self._may_compact)

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

    async def _begin(self) -> None:
        await self.backend.up(self.upstream)
        if self._watch is not None:
            self._watch.start()
        if self.loader is not None:
            try:
                await self._while_it_lives(self.loader.begin())
            except _LostError as error:
                self.gate.move(self._without_emulator, error.message)
                _log.warning("the emulator is lost; waiting for it", reason=error.message)
                await self.loader.stop()
                await self._recover(attempts=FASTEST_RESTARTS)
        self.gate.move(State.READY)

    async def _keep_alive(self) -> None:
        """Bring the emulator back, and its state with it, each time it is lost."""
        restarts = 0
        while True:
            begun, answered = asyncio.get_running_loop().time(), self.engine.decisions.answered
            reason = await self.backend.lost()
            self.gate.move(self._without_emulator, reason)
            if self._is_stranger and await self._still_there():
                self.gate.move(State.READY)
                continue
            if self.loader is not None:
                await self.loader.stop()
            _log.warning("the emulator is lost; waiting for it", reason=reason)
            lived = asyncio.get_running_loop().time() - begun
            # One that is killed while it does its work is no program that cannot run.
            useful = lived > LONGEST_PAUSE or self.engine.decisions.answered > answered
            restarts = 0 if useful else restarts + 1
            if restarts >= FASTEST_RESTARTS and not self._is_stranger:
                self._give_up(f"{reason}, for the {restarts}th time in a row")
            await self._recover()

    def _may_compact(self) -> bool:
        """Nothing is read from the recording now."""
        return self.gate.is_open and self.gate.staged is None

    async def _still_there(self) -> bool:
        """A broken line need not mean a new emulator: some servers close idle connections."""
        try:
            if self._session is not None and self._session.marked:
                return await self._session.holds()
            return await reachable(self.upstream)
        except (OSError, TimeoutError):
            return False

    async def _recover(self, attempts: int | None = None) -> None:
        """Until the emulator is back, with its state. Raises EmulatorError after so many attempts; None for ever."""
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_exponential(multiplier=0.1, max=LONGEST_PAUSE),
            retry=tenacity.retry_if_exception_type((EmulatorError, OSError, TimeoutError)),
            stop=tenacity.stop_never if attempts is None else tenacity.stop_after_attempt(attempts),
            reraise=True,
        ):
            with attempt:
                try:
                    await self.backend.up(self.upstream)
                    self.gate.move(State.RESTORING, "the emulator is back; its state is looked for")
                    if await self._is_same():
                        _log.info("the emulator is back, with its state")
                        if self.loader is not None:
                            await self._while_it_lives(self.loader.go_on())
                        self.gate.move(State.READY)
                    else:
                        self.engine.begin_life()
                        if self.loader is not None:
                            await self._while_it_lives(self.loader.again())
                        self.gate.move(State.READY)
                except (ReplayProxyError, OSError, TimeoutError) as error:
                    state = State.LOST if self._is_stranger else self.gate.state
                    self.gate.move(state, f"the emulator is not back yet: {error}")
                    _log.warning("the emulator is not back yet", reason=str(error))
                    raise

    async def _while_it_lives(self, work: Coroutine[Any, Any, None]) -> None:
        """Restore; given up where the emulator is lost meanwhile. Raises _LostError then."""
        restore = asyncio.create_task(work)
        lost: asyncio.Task[str] | None = None
        try:
            while not restore.done():
                lost = asyncio.create_task(self.backend.lost())
                await asyncio.wait({restore, lost}, return_when=asyncio.FIRST_COMPLETED)
                if not lost.done():
                    continue
                if not restore.done() and not (self._is_stranger and await self._still_there()):
                    raise _LostError(
                        f"{lost.result()} while its state was being restored",
                        hint="its last output may say why it ended",
                    )
            restore.result()
        finally:
            if lost is not None:
                await _cancel(lost)
            await _cancel(restore)

    async def _is_same(self) -> bool:
        """Somebody else's emulator may have been out of reach only."""
        return self._is_stranger and (self._session is None or await self._session.holds())

    def _give_up(self, reason: str) -> None:
        _log.error("the emulator keeps ending; it is not started again", reason=reason)
        self.gate.move(State.FAILED, f"the emulator keeps ending: {reason}")
        raise EmulatorError(f"the emulator keeps ending: {reason}", hint="its last output is above; run it by hand")

    @property
    def _without_emulator(self) -> State:
        return State.LOST if self._is_stranger else State.STARTING

    @property
    def _is_stranger(self) -> bool:
        return isinstance(self.backend, Stranger)

    def _remember_aliases(self) -> None:
        """A proxy that is killed and started again must know the ids that it gave out itself."""
        if self._session is not None and (self._is_stranger or not self.settings.read_only):
            try:
                self._session.save(self.engine.carrier.known)
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
        await self.engine.quiet(LAST_CHANGES_SECONDS)
        if self.loader is not None:
            await self.loader.stop(for_good=True)
        if self._watch is not None:
            await self._watch.stop()
        if self._compaction is not None:
            await self._compaction.stop()
        if len(self.engine.carrier.aliases) or len(self.engine.carrier.times):
            self._remember_aliases()
        try:
            if self._writer is not None:
                await self._writer.close()
                if self.settings.compaction:
                    await asyncio.to_thread(keep_up_with, self.settings.data_dir, KEEPING_SECONDS)
        finally:
            await self.upstream.close()
            await self.backend.down()

    def status(self) -> dict[str, Any]:
        """What `/_replay/status` shows."""
        host, port = self.door.address
        recording = self.recording
        report = None if self.loader is None else self.loader.report
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
            "requests": self.engine.decisions.counters.as_json(),
            "aliases": len(self.engine.carrier.aliases),
            "restoring": None if self.loader is None else self.loader.status(),
            "last_restore": None if report is None else report.as_json(),
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
