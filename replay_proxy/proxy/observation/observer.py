"""When the emulator is looked at for what it did by itself, and what is looked at then.

| save strategy | looked at |
|---|---|
| `ON_REQUEST` | what may have changed, soon after each call that can have had an effect |
| `SCHEDULED` | what may have changed, at every flush interval; queues that a mapping or a pipe empties, soon |
| `ON_SHUTDOWN`, `MANUAL` | nothing by itself |

Under all of them: everything that is exposed, when somebody asks for a save, before the proxy itself empties or restarts the
emulator, and when the proxy ends. What nothing is known to have happened to (a consumer may pass the proxy by) is looked at
under the first two, too, as often as `--observe-share` allows (`observing.pace`).

An effect may come a while after its cause. So a container counts as changed until a look began some seconds after the latest one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import ReplayProxyError, StorageError
from replay_proxy.exchange import CallHead
from replay_proxy.observing.container import Container, container_kinds, kind_of
from replay_proxy.observing.pace import Pace
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.observing.watched import DEFAULT_REGION, Watched
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.observation.knowledge import Knowledge
from replay_proxy.proxy.observation.look import Looker
from replay_proxy.proxy.observation.questions import Questions
from replay_proxy.proxy.requests.engine import Engine
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.effect_notes import EffectNotes
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.supervision import Supervisor

_log = log.get("observer")

OBSERVING = "observing the emulator"
"""What an error is reported under."""
SETTLING_S = 5.0
"""After a cause, until its effect is taken to be there."""
SOON_S = 0.2
"""After a call that can have had an effect, until it is looked under ON_REQUEST."""
CONSUMED_INTERVAL_S = 1.0
"""Between looks at queues that a mapping or a pipe takes messages from, after a message was sent, under SCHEDULED."""
INTERVAL_S_MIN = 0.1
REST_S_MAX = 60.0
"""After looks: as long as they took, and no longer than this."""
NOT_MADE = "no recorded call has made it, so that nothing in it could be put back"
PAGES_MAX = 100
"""Pages of a list of containers."""
LAST_LOOK_TIMEOUT_S = 5.0
BUSY_PAUSE_S = 0.01
"""Before a read, while a change of a client's is in flight."""
FAILURE_PAUSE_S = 5.0


class Observer:
    """Observes one emulator for one recording. has_all_of: tells whether all that was recorded of a service was restored."""

    def __init__(
        self,
        settings: Settings,
        *,
        recorder: Recorder,
        notes: EffectNotes,
        translator: Translator,
        upstream: UpstreamClient,
        gate: Gate,
        engine: Engine,
        watch: WitnessWatcher,
        supervisor: Supervisor,
        has_all_of: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._gate = gate
        self._engine = engine
        self._supervisor = supervisor
        self._pace = Pace(settings.observe_share, settings.flush_interval)
        self._knowledge = Knowledge(
            settings,
            recorder,
            notes,
            has_all_of=has_all_of,
            on_taken_in=self._wake_up,
            on_forgotten=self._pace.hurry,
        )
        self._questions = Questions(translator, upstream, settings.call_timeout)
        self._reader = Reader(
            self._questions.ask, self._questions.look_into_queue, self._give_way, settings.observe_max_size
        )
        self._looker = Looker(
            self._reader,
            recorder,
            engine.in_flight,
            self._knowledge.take_in_all,
            self._knowledge.catch_up,
            watch.note_change,
            lambda: gate.contents_epoch == self._epoch,
            lambda: self._knowledge.forgotten,
        )
        self._busy = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._generation = gate.emulator_generation
        self._epoch = gate.contents_epoch
        """Of the emulator's contents when the looks that are under way were begun."""
        self._unreadable: dict[str, str] = {}
        self._looks = self._found = self._rounds = 0

    def start(self) -> None:
        """Begin to look at the emulator by the save strategy."""
        self._knowledge.start()
        if self._task is None:
            self._task = self._supervisor.start(OBSERVING, self._run())

    async def stop(self) -> None:
        """Look once more at what is exposed, and end. Raises StorageError where what was found cannot be recorded."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.look_before_loss()
        self._knowledge.stop()

    async def look_before_loss(self) -> None:
        """Look at everything that is exposed: the emulator is about to lose its memory. Takes `LAST_LOOK_TIMEOUT_S` at most."""
        try:
            async with asyncio.timeout(LAST_LOOK_TIMEOUT_S):
                await self.observe(at_end=True)
        except (OSError, TimeoutError) as error:
            _log.warning("the last look at the emulator was not finished", reason=str(error) or "it took too long")
        except StorageError:
            raise
        except ReplayProxyError as error:
            _log.warning("the emulator was not looked at", reason=error.message)

    async def observe(
        self, services: Collection[str] = (), *, everything: bool = False, at_end: bool = False
    ) -> dict[str, int]:
        """Look now: at what is exposed (of `services`, where some are named); at `everything` that there is, exposed or not.

        at_end: requests pass no longer. Returns how much was found, by service.

        Raises:
            OSError, TimeoutError: the emulator does not answer. StorageError, RecordingError: of the recording.
        """
        async with self._busy:
            if not await self._prepare(at_end=at_end):
                return {}
            if everything:
                await self._list(services)
                chosen = self._watched.of_services(services)
            else:
                await self._discover()
                exposed = set(self._watched.exposed()) | self._watched.dirty.keys()
                chosen = [each for each in exposed if not services or each.service in services]
            # What may have changed first: the time may not suffice for the rest.
            chosen.sort(key=lambda each: each not in self._watched.dirty)
            watched = self._watched
            watched.written_past = everything  # somebody who asks for that may have written past the proxy
            try:
                return await self._look_at(chosen, caused=True)
            finally:
                watched.written_past = False

    @property
    def can_look(self) -> bool:
        """Whether the emulator can be looked at now: not while the state is being restored, or nothing can be recorded."""
        return self._gate.is_open and self._gate.admission is None and self._recorder.is_ready

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Look at nothing meanwhile: what smoke tests put into the emulator, and take away again, is nobody's state."""
        async with self._busy:
            yield

    def as_json(self) -> dict[str, Any]:
        """Return what is observed, and what came of it, for `/_replay/status`."""
        watched = self._watched
        return {
            "mode": self._settings.observe,
            "containers": len(watched.callers),
            "exposed": sum(1 for _each in watched.exposed()),
            "changed": len(watched.dirty),
            **self.totals(),
            "not_readable": dict(self._unreadable),
        }

    def totals(self) -> dict[str, float]:
        """Return the counts since the proxy started: rounds, looks, observations, and the seconds and bytes of reading."""
        return {
            "rounds": self._rounds,
            "looks": self._looks,
            "observations": self._found,
            "seconds": round(self._reader.seconds, 3),
            "bytes": self._reader.read_bytes,
        }

    # The rounds.

    async def _run(self) -> None:
        strategy = self._settings.save_strategy
        if strategy not in ("ON_REQUEST", "SCHEDULED"):
            return
        interval_s = max(self._settings.flush_interval, INTERVAL_S_MIN)
        due_at = time.monotonic() + interval_s
        while True:
            soon = not self._knowledge.is_learned or bool(self._watched.consumed_dirty())
            left_s = due_at - time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(left_s, CONSUMED_INTERVAL_S) if soon else left_s)):
                    await self._wake.wait()
                    await asyncio.sleep(CONSUMED_INTERVAL_S if soon and strategy == "SCHEDULED" else SOON_S)
            self._wake.clear()
            busy_before = self._reader.seconds
            try:
                if strategy == "SCHEDULED" and time.monotonic() < due_at:
                    await self._look_at_consumed()
                else:
                    due_at = time.monotonic() + interval_s
                    await self._round()
                    self._supervisor.well(OBSERVING)
            except (OSError, TimeoutError) as error:
                _log.debug("the emulator was not looked at", reason=str(error))
                await asyncio.sleep(FAILURE_PAUSE_S)
            except Exception as error:
                self._supervisor.trouble(OBSERVING, error)
                await asyncio.sleep(FAILURE_PAUSE_S)
            # However much happens: half of the time the emulator is not being read.
            await asyncio.sleep(min(self._reader.seconds - busy_before, REST_S_MAX))

    async def _look_at_consumed(self) -> None:
        """Look at the queues that a mapping or a pipe empties: what it has taken must not be processed once more."""
        async with self._busy:
            if await self._prepare():
                await self._look_at(self._watched.consumed_dirty(), caused=True)

    async def _round(self) -> None:
        async with self._busy:
            if not await self._prepare():
                return
            if self._watched.dirty or self._watched.unlisted:
                await self._discover()
                await self._look_at(list(self._watched.dirty), caused=True)
            if not self._pace.is_due(time.monotonic()):
                return
            before = self._reader.seconds
            await self._discover()
            # What acts by the clock first: it is the likeliest to have changed.
            rest = dict.fromkeys(self._watched.reached_by_clock())
            rest |= dict.fromkeys(
                self._watched.of_services(()) if self._settings.observe == "all" else self._watched.exposed()
            )
            found = await self._look_at([each for each in rest if each not in self._watched.dirty], caused=False)
            self._pace.note(time.monotonic(), self._reader.seconds - before, found=bool(found))
            self._rounds += 1

    async def _prepare(self, *, at_end: bool = False) -> bool:
        """Make ready for looks. Return whether it can be looked now: not while the state is being restored.

        at_end: requests pass no longer, but did until now: the emulator was not being emptied or restored.
        """
        gate = self._gate
        at_last = at_end and self._engine.policy.answered_count > 0 and gate.before is ProxyState.READY
        if not self.can_look and not (at_last and gate.admission is None and self._recorder.is_ready):
            return False
        self._epoch = gate.contents_epoch
        if self._generation != gate.emulator_generation:
            self._generation = gate.emulator_generation
            self._knowledge.begin_generation()
            self._questions.forget_emulator()
            self._unreadable.clear()
        return await self._knowledge.prepare()

    async def _look_at(self, containers: Iterable[Container], *, caused: bool) -> dict[str, int]:
        chosen = list(containers)
        await self._knowledge.follow(self._watched.not_followed(chosen))
        found: dict[str, int] = {}
        for container in chosen:
            caller = self._watched.callers.get(container)
            if caller is None or not self._is_wanted(container):
                continue
            begun = time.monotonic()
            try:
                count, again = await self._looker.look(
                    container, caller, self._watched.contents_of(container), caused=caused
                )
            except (LookError, LookupError, TypeError, AttributeError, ValueError) as error:
                # The latter where the emulator shows what its model does not allow.
                if self._gate.contents_epoch != self._epoch:
                    return found
                self._note_unreadable(container, str(error) or type(error).__name__)
                self._watched.dirty.pop(container, None)
                continue
            self._unreadable.pop(str(container), None)
            if self._gate.contents_epoch != self._epoch:
                return found
            self._looks += 1
            self._found += count
            if count:
                found[container.service] = found.get(container.service, 0) + count
                _log.debug("the emulator changed data by itself", container=str(container), observations=count)
            caused_at = self._watched.dirty.get(container)
            if caused_at is not None and not again and begun - caused_at >= SETTLING_S:
                del self._watched.dirty[container]
        return found

    def _is_wanted(self, container: Container) -> bool:
        write = kind_of(container.service).write
        return self._recorder.is_wanted(CallHead(container.service, write, ""))

    def _note_unreadable(self, container: Container, reason: str) -> None:
        if self._unreadable.get(str(container)) != reason:
            self._unreadable[str(container)] = reason
            _log.debug("what happens here by itself is not seen", container=str(container), reason=reason)

    @property
    def _watched(self) -> Watched:
        """The containers; another object after what was known was forgotten."""
        return self._knowledge.watched

    def _wake_up(self) -> None:
        watched = self._watched
        if (
            (watched.dirty or watched.unlisted) and self._settings.save_strategy == "ON_REQUEST"
        ) or watched.consumed_dirty():
            self._wake.set()

    async def _give_way(self) -> None:
        """Let requests of clients go first."""
        await asyncio.sleep(BUSY_PAUSE_S if self._engine.in_flight else 0)

    # Lists.

    async def _discover(self) -> None:
        """Take in the containers that no call named: made by a stack, or by a function for its log."""
        if self._watched.has_stacks or self._settings.observe == "all":
            self._watched.unlisted = False
            await self._list(())
        elif self._watched.exposure.has_runner:
            await self._list(("logs",))

    async def _list(self, services: Collection[str]) -> None:
        """Take in the containers that the emulator lists, in the accounts and regions of those that are known."""
        scopes = dict(self._watched.scopes)
        for container, caller in self._watched.callers.items():
            scopes.setdefault((container.account, container.region or DEFAULT_REGION), caller)
        kinds = [each for each in container_kinds().values() if not services or each.service in services]
        for ((account, region), caller), kind in itertools.product(scopes.items(), kinds):
            service = kind.service
            if kind.store:
                self._watched.add(Container(service, account, region, kind.store), caller)
                continue
            operation, member, name = kind.lists
            asks, names = kind.pages
            asked: dict[str, Any] = {}
            for _ in range(PAGES_MAX):
                try:
                    found = await self._reader.ask(Container(service, account, region, ""), caller, operation, asked)
                except LookError:
                    break
                for each in found.get(member) or ():
                    text = str(each[name] if name else each)
                    place = "" if service == "s3" else region
                    text = text.rpartition("/")[2] if service == "sqs" else text
                    container = Container(service, account, place, text)
                    if container in self._watched.callers:
                        continue
                    if self._watched.has_stacks or service == "logs":
                        self._watched.discover(container, caller)
                    else:
                        self._note_unreadable(container, NOT_MADE)
                if not found.get(names):
                    break
                asked = {asks: found[names]}
