"""A running proxy: its parts, wired to each other, and its life from the first request to the last.

The door listens from the first moment, so that a port that is taken is told before an emulator is started, and clients
that come early wait at the gate instead of failing. How the states of the proxy follow each other says
`requests/proxy_state.py`; `emulator_recovery.py` moves it through them, `shutdown.py` ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from replay_proxy import log
from replay_proxy.call_filter import to_record, to_restore
from replay_proxy.client_environment import client_url
from replay_proxy.config import Settings
from replay_proxy.emulators.reset_requests import reset_request_of
from replay_proxy.errors import ReplayProxyError, StorageError, UsageError
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.init_scripts.done_scripts import DoneScripts
from replay_proxy.init_scripts.init_scripts import InitScripts
from replay_proxy.init_scripts.stages import Stage
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Handler, Incoming, Outgoing
from replay_proxy.proxy.intercept.opening import interception_door_of
from replay_proxy.proxy.lifecycle.backend import Backend, ExternalEmulator
from replay_proxy.proxy.lifecycle.background_compaction import BackgroundCompaction
from replay_proxy.proxy.lifecycle.emulator_recovery import EmulatorRecovery, end_task
from replay_proxy.proxy.lifecycle.repair_progress import RepairProgress
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import RequestedLoads
from replay_proxy.proxy.lifecycle.restoring.requested_pods import RequestedPods
from replay_proxy.proxy.lifecycle.restoring.requested_reset import RequestedResets
from replay_proxy.proxy.lifecycle.restoring.resource_lookup import ResourceLookup
from replay_proxy.proxy.lifecycle.restoring.restore import OpenRecording
from replay_proxy.proxy.lifecycle.restoring.session_file import session_directory
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.lifecycle.sender import RequestSender
from replay_proxy.proxy.lifecycle.shutdown import (
    DRAIN_TIMEOUT_S,
    LAST_CHANGES_TIMEOUT_S,
    Step,
    plan_ahead,
    take_steps,
)
from replay_proxy.proxy.observation.observer import Observer
from replay_proxy.proxy.requests.engine import Engine, WaitLimits
from replay_proxy.proxy.requests.fast_path import FastPath
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.effect_notes import EffectNotes
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.journaling.run_watcher import RunWatcher
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.proxy.requests.policy import RequestPolicy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.access_keys import AccessKeys
from replay_proxy.replay.execution.executor import Progress
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.session_state import SessionState
from replay_proxy.supervision import Supervisor, describe_error, watch_loop
from replay_proxy.values import Address

_log = log.get("proxy")


class Proxy:
    """A proxy in front of one emulator.

    recording, and with it session, load_strategy, requested_loads, requested_resets, requested_pods: None where nothing is
    recorded or restored.
    recorder, compaction, observer: None where the recording is only read, too. diagnosis: the latest one of the doctor, as JSON
    values; None before the first. seen_right: what the diagnoses of this session saw as it was recorded, for the next one.
    repair: the latest one of the doctor; None before the first.
    """

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        recording: OpenRecording | None,
        front: Callable[[Proxy], Handler],
        progress: Progress = lambda _report: None,
        *,
        begins_empty: bool = False,
    ) -> None:
        """begins_empty: the recording was changed since it was restored last: whatever the emulator holds is not its state."""
        to_restore(settings)  # a call filter that cannot be understood is told before anything is started
        self.settings = settings
        self.backend = backend
        self._begins_empty = begins_empty
        self.recording = recording
        self.gate = Gate()
        self.supervisor = Supervisor()
        self.upstream = UpstreamClient(backend.url, read_timeout=settings.answer_timeout)
        writer = None if recording is None else recording.writer
        self.init_scripts = _init_scripts(settings, writer)
        self.recorder = None if writer is None else _recorder(writer, settings)
        self._watch = None if self.recorder is None else WitnessWatcher(self.recorder, self.supervisor)
        self._effect_notes = None if self.recorder is None or settings.observe == "off" else EffectNotes()
        self.engine = self._engine()
        fast_path = FastPath(self.engine, self.upstream, settings.body_threshold)
        listen = settings.listen
        self._front = front(self)
        self.door = ReverseDoor(self._front, listen.host, listen.port, or_free_port=listen.or_free, fast_path=fast_path)
        self.interception_door = interception_door_of(settings, self._handle_intercepted, fast_path)
        self._is_external = isinstance(backend, ExternalEmulator)
        self.session: SessionStore | None = None
        self.load_strategy: LoadStrategy | None = None
        self.requested_loads: RequestedLoads | None = None
        self.requested_resets: RequestedResets | None = None
        if recording is not None:
            self.session, self.load_strategy, self.requested_loads = self._restoring(recording, progress)
            self.requested_resets = RequestedResets(
                self.requested_loads, self.load_strategy, backend, self.upstream, self.recorder, writer
            )
        if self.recorder is not None and self._watch is not None:
            self.engine.policy.run_watcher = RunWatcher(
                self.recorder,
                self._watch.witness_detector,
                self.engine.translator.ask,
                self.supervisor,
                lambda: self.gate.observed_epoch,
            )
        self.compaction = None
        if writer is not None:
            self.compaction = BackgroundCompaction(writer, settings, self._may_compact, self.supervisor)
        self.observer = self._observer()
        self.diagnosis: dict[str, Any] | None = None
        self.seen_right: dict[str, list[Any]] = {}
        self.repair: RepairProgress | None = None
        self.requested_pods = None
        if recording is not None and self.requested_loads is not None and self.load_strategy is not None:
            self.requested_pods = RequestedPods(
                recording, self.requested_loads, self.load_strategy, backend, self.upstream, self.observer
            )
        self._recovery = EmulatorRecovery(
            backend,
            self.upstream,
            gate=self.gate,
            engine=self.engine,
            supervisor=self.supervisor,
            session=self.session,
            load_strategy=self.load_strategy,
            requested_loads=self.requested_loads,
            observer=self.observer,
        )

    def _observer(self) -> Observer | None:
        """Return what observes the emulator; None where that is switched off, or nothing is recorded."""
        if self._effect_notes is None or self.recorder is None or self._watch is None or self.load_strategy is None:
            return None
        return Observer(
            self.settings,
            recorder=self.recorder,
            notes=self._effect_notes,
            translator=self.engine.translator,
            upstream=self.upstream,
            gate=self.gate,
            engine=self.engine,
            watch=self._watch,
            supervisor=self.supervisor,
            has_all_of=self.load_strategy.has_all_of,
        )

    def _engine(self) -> Engine:
        settings = self.settings
        translator = Translator(
            self.upstream,
            SessionState(access_keys=AccessKeys(settings.secret_key or "")),
            Endpoints(self.backend.url),
            settings.body_threshold,
            None if self.recording is None else IssuedLookup(self.recording.data_dir),
            None if self.recorder is None else settings.data_dir,
        )
        return Engine(
            policy=RequestPolicy(translator, self.recorder, self._watch, self._save_session, self._effect_notes),
            gate=self.gate,
            wait_limits=WaitLimits(settings.gate_timeout, settings.lost_timeout),
            on_lost=self._report_unreachable,
        )

    def _restoring(
        self, recording: OpenRecording, progress: Progress
    ) -> tuple[SessionStore, LoadStrategy, RequestedLoads]:
        settings = self.settings
        sender = RequestSender(self.upstream, recording.blobs, call_timeout=settings.call_timeout)
        place = recording.data_dir
        if settings.read_only:
            place = session_directory(recording.data_dir, self.backend.url)
        session = SessionStore(
            place,
            sender,
            settings.secret_key or "",
            optional=settings.read_only,
            lookup=ResourceLookup(recording.data_dir, sender, settings),
        )
        load_strategy = LoadStrategy(
            settings,
            recording,
            gate=self.gate,
            engine=self.engine,
            sender=sender,
            session=session,
            watch=self._watch,
            external=self._is_external,
            may_keep_state=self.backend.may_keep_state,
            emptying=lambda: self.backend.emptying(self.upstream),
            progress=progress,
            supervisor=self.supervisor,
        )
        requested_loads = RequestedLoads(
            load_strategy,
            self.gate,
            session,
            recording.data_dir,
            lambda by_own_reset: self.backend.emptying(self.upstream, by_own_reset=by_own_reset),
            self.engine.wait_limit_s,
            external=self._is_external,
        )
        return session, load_strategy, requested_loads

    @property
    def emulator_returns(self) -> int:
        """How often the emulator was lost and came back since."""
        return self._recovery.returns

    async def run(self, stopped: asyncio.Event, announce: Callable[[Proxy], None]) -> None:
        """Serve until `stopped` is set. `announce` is called once requests pass, and the scripts of `ready.d` have run.

        Raises:
            ListenError, EmulatorError, RecordingError: it could not begin.
            StorageError: the last calls could not be made durable.
        """
        watch_loop(asyncio.get_running_loop())
        stop = asyncio.create_task(stopped.wait())
        try:
            boot = asyncio.create_task(self.init_scripts.run(Stage.BOOT, _url(self.settings.listen)))
            await asyncio.wait({stop, boot}, return_when=asyncio.FIRST_COMPLETED)
            await end_task(boot)
            await self.door.start()
            await self._serve(stop, announce)
        finally:
            await end_task(stop)

    async def _serve(self, stop: asyncio.Task[bool], announce: Callable[[Proxy], None]) -> None:
        """Serve until `stop` is done. Raises as `run`."""
        starting = asyncio.create_task(self.init_scripts.run(Stage.START, self.client_url))
        try:
            if self.interception_door is not None:
                await self.interception_door.start(self.door.address)
            begin = asyncio.create_task(self._begin())
            await asyncio.wait({stop, begin}, return_when=asyncio.FIRST_COMPLETED)
            if begin.done():
                _raise_failed_start(begin)
                if self.compaction is not None:
                    self.compaction.start()
                if self.observer is not None:
                    self.observer.start()
                keep = asyncio.create_task(self._recovery.keep_alive())
                readying = asyncio.create_task(self._run_ready_scripts(starting))
                await asyncio.wait({stop, keep, readying}, return_when=asyncio.FIRST_COMPLETED)
                if readying.done():
                    announce(self)
                    await asyncio.wait({stop, keep}, return_when=asyncio.FIRST_COMPLETED)
                await end_task(readying)
                await end_task(keep)
            await end_task(begin)
        finally:
            await end_task(starting)
            if not self.gate.is_open:  # then a script that calls the proxy is not to wait
                self.gate.move(ProxyState.STOPPING, _STOPPING)
            await self.init_scripts.run(Stage.SHUTDOWN, self.client_url)
            self.gate.move(ProxyState.STOPPING, _STOPPING)
            await take_steps(self._last_steps(), self.supervisor)

    async def _run_ready_scripts(self, starting: asyncio.Task[None]) -> None:
        """Run the scripts of `ready.d`, after those of `start.d`."""
        await asyncio.wait({starting})
        await self.init_scripts.run(Stage.READY, self.client_url)

    @property
    def client_url(self) -> str:
        """Return where clients of this machine reach the proxy."""
        return client_url(*self.door.address)

    @property
    def emulator_url(self) -> str:
        """Where the emulator listens."""
        return self.backend.url

    @property
    def intercepted_handler(self) -> Handler:
        """Answers requests whose clients sent them to AWS."""
        return self._handle_intercepted

    async def _handle_intercepted(self, incoming: Incoming) -> Outgoing:
        """Return the answer to a request that its client sent to AWS: the proxy's own endpoints are not there.

        A path that resets the emulator does so under any host, so it is a reset here, too.
        """
        if reset_request_of(incoming.method, incoming.target.partition("?")[0]) is not None:
            return await self._front(incoming)
        return await self.engine.handle(incoming)

    async def _begin(self) -> None:
        await self.backend.up(self.upstream)
        if self._watch is not None:
            self._watch.start()
        if self._begins_empty and self._is_external:
            await self._empty()
        await self._recovery.restore_at_start()

    async def _empty(self) -> None:
        """Empty an emulator of somebody else, where there is a way."""
        try:
            await (await self.backend.emptying(self.upstream))()
        except UsageError as error:
            _log.warning("the recorded state is restored into what is there", reason=error.message, hint=error.hint)

    def _last_steps(self) -> list[Step]:
        """Return what is to be ended, in this order."""
        steps: list[Step] = []
        if self.requested_loads is not None:
            steps.append(("ending the loads", self.requested_loads.stop))
        steps.append(("ending the requests under way", lambda: self.door.stop(DRAIN_TIMEOUT_S)))
        if (interception_door := self.interception_door) is not None:
            steps.append(("ending the intercepted requests", lambda: interception_door.stop(DRAIN_TIMEOUT_S)))
        steps.append(
            ("ending the changes under way", lambda: self.engine.in_flight.wait_for_none(LAST_CHANGES_TIMEOUT_S))
        )
        if self.observer is not None:
            steps.append(("the last look at the emulator", self.observer.stop))
        if (load_strategy := self.load_strategy) is not None:
            steps.append(("ending the restore", lambda: load_strategy.stop(for_good=True)))
        if (run_watcher := self.engine.policy.run_watcher) is not None:
            steps.append(("looking at what still runs", run_watcher.stop))
        if self._watch is not None:
            steps.append(("ending the witnesses", self._watch.stop))
        if self.compaction is not None:
            steps.append(("ending the compaction", self.compaction.stop))
        steps.append(("saving the aliases", self._save_aliases))
        if self.recording is not None and self.recording.writer is not None:
            steps.append(("closing the recording", self.recording.writer.close))
            if self.settings.compaction:
                steps.append(("keeping a plan", lambda: plan_ahead(self.settings.data_dir)))
        steps.append(("closing the connections", self.upstream.close))
        steps.append(("stopping the emulator", self.backend.down))
        return steps

    def _may_compact(self) -> bool:
        """Return whether nothing is read from the recording now."""
        return self.gate.is_open and self.gate.admission is None

    async def _save_aliases(self) -> None:
        if len(self.engine.translator.aliases) or len(self.engine.translator.times):
            self._save_session()

    def _report_unreachable(self, reason: str) -> None:
        self._recovery.report_unreachable(reason)

    def _save_session(self) -> None:
        """Save the aliases: a proxy that is killed and started again must know the ids that it gave out itself."""
        if self.session is not None and (self._is_external or not self.settings.read_only):
            try:
                self.session.save(self.engine.translator.session_state)
            except StorageError as error:
                _log.warning("the aliases could not be saved", reason=error.message)


_STOPPING = "the proxy is being stopped"


def _url(listen: Address) -> str:
    """Return where clients will reach the proxy; with port 0 where that is not known yet, which leads nowhere."""
    return client_url(listen.host, 0 if listen.or_free else listen.port)


def _init_scripts(settings: Settings, writer: JournalWriter | None) -> InitScripts:
    once = None
    if settings.init_run == "once" and writer is not None:
        done = DoneScripts(settings.data_dir, writer.recording_id, writer.was_in_effect)
        once = done, lambda: writer.last_seq
    return InitScripts(settings.init_dir, settings.init_timeout, once)


def _recorder(writer: JournalWriter, settings: Settings) -> Recorder:
    return Recorder(
        writer,
        settings.body_threshold,
        call_filter=to_record(settings),
        continue_unrecorded=settings.when_unrecordable == "continue",
    )


def _raise_failed_start(begin: asyncio.Task[None]) -> None:
    """Raise what the start failed with, if it did.

    Raises:
        ReplayProxyError: whatever the reason.
    """
    try:
        begin.result()
    except ReplayProxyError:
        raise
    except Exception as error:
        _log.debug("where that was", exc_info=error)
        raise ReplayProxyError(
            f"the proxy could not begin: {describe_error(error)}",
            hint="--log-level debug shows all of it; --load-strategy MANUAL begins without restoring",
        ) from error
