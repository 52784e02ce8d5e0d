"""What is known of containers: from the recording, read in a thread, and from the calls that were noted since.

Calls are noted on their way (`EffectNotes`), and taken in here in small pieces, so that no request waits for it. Where more is
noted than fits, all is forgotten, and the recording is read anew.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.observing.container import container_kinds
from replay_proxy.observing.watched import Watched
from replay_proxy.proxy.observation.history import RecordedHistory
from replay_proxy.proxy.requests.journaling.effect_notes import EffectNotes, NotedCall
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.codecs.parameters import parse_parameters

_log = log.get("observer")

NOTED_DELAY_S = 0.01
NOTED_AT_ONCE_S = 0.002
"""For calls that were noted: so long are they taken in, and then requests are served for `NOTED_DELAY_S`."""
LEARNING_ATTEMPTS_MAX = 3
"""Times that the recording is read anew at a time, because more calls were made meanwhile than are noted."""


class Knowledge:
    """What is known of the containers of one recording.

    watched: the containers, with what they are expected to hold. is_learned: the recording was read. forgotten: how often what
    was known was forgotten, because more was noted than fits. on_taken_in: called when calls were taken in. on_forgotten: called
    when nothing is known any more. has_all_of: tells whether all that was recorded of a service was restored.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        notes: EffectNotes,
        *,
        has_all_of: Callable[[str], bool],
        on_taken_in: Callable[[], None],
        on_forgotten: Callable[[], None],
    ) -> None:
        self.watched = Watched()
        self.is_learned = False
        self.forgotten = 0
        self._settings = settings
        self._recorder = recorder
        self._notes = notes
        self._has_all_of = has_all_of
        self._on_taken_in = on_taken_in
        self._on_forgotten = on_forgotten
        self._is_reading = False
        self._timer: asyncio.TimerHandle | None = None
        self._begun_after = self._generation_after = recorder.last_seq

    def start(self) -> None:
        """Take in calls as they are noted."""
        self._notes.on_noted = self._noted

    def stop(self) -> None:
        """Take in calls no longer, unless asked to."""
        if self._timer is not None:
            self._timer.cancel()

    def begin_generation(self) -> None:
        """Note that the emulator was restarted or reset.

        What a restore brings back, and what a reset left out, the recording tells.
        """
        self._notes.clear()
        self._generation_after = self._recorder.last_seq
        self._forget()

    def _forget(self) -> None:
        self.watched, self.is_learned = Watched(), False
        self._on_forgotten()

    # Reading the recording.

    async def prepare(self) -> bool:
        """Learn what is not known yet. Return whether all is known now. Raises RecordingError or StorageError."""
        for _ in range(LEARNING_ATTEMPTS_MAX):
            if not self.is_learned:
                await self._learn()
            await self.catch_up()
            if self.is_learned:
                return True
        return False

    async def _learn(self) -> None:
        """Learn from the recording which containers there are, and what may act on them."""
        await self.catch_up()
        through = self._recorder.last_seq
        watched = await self._read(_infrastructure, through)
        watched.dirty = {each: at for each, at in self.watched.dirty.items() if each in watched.callers}
        watched.unlisted, watched.failed = self.watched.unlisted, self.watched.failed
        self.watched = watched
        self.is_learned = True
        self._notes.services = watched.noted_services
        if watched.has_stacks:
            # What a stack made is named by calls on data alone.
            await self.follow(set(container_kinds()))

    async def _read(self, learn: Callable[[RecordedHistory], Watched], through: int) -> Watched:
        """Return what `learn` learns from the recording up to a record, in a thread.

        What is recorded meanwhile is noted, to be taken in afterwards.
        """
        cancelled = threading.Event()

        def read() -> Watched:
            return learn(RecordedHistory(self._settings.data_dir, through, self._begun_after + 1, cancelled))

        self._is_reading = True
        try:
            return await asyncio.to_thread(read)
        finally:
            self._is_reading = False
            cancelled.set()  # a proxy that ends waits for its threads

    async def follow(self, services: set[str]) -> None:
        """Learn from the recording what the containers of these services are expected to hold."""
        if not services:
            return
        await self.catch_up()
        through = self._recorder.last_seq
        self._notes.services = frozenset({*self._notes.services, *services})
        confirmed_from = self._generation_after + 1
        whole = {service for service in services if self._has_all_of(service)}
        default_account = self.watched.default_account

        def learn(history: RecordedHistory) -> Watched:
            return _contents(history, services, confirmed_from, whole, default_account)

        found = await self._read(learn, through)
        self.watched.take_over(found, services)
        await self.catch_up()

    # Calls that were noted.

    def _noted(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NOTED_DELAY_S, self._take_in_some)

    def _take_in_some(self) -> None:
        self._timer = None
        until = time.monotonic() + NOTED_AT_ONCE_S
        while not self._is_reading and (noted := self._notes.take()) is not None:
            self._take_in(noted)
            if time.monotonic() > until:
                self._timer = asyncio.get_running_loop().call_later(NOTED_DELAY_S, self._take_in_some)
                break
        self._taken_in()

    async def catch_up(self) -> None:
        """Take in all calls that were noted, with pauses in which requests are served."""
        while len(self._notes):
            self._take_in_some()
            await asyncio.sleep(NOTED_DELAY_S if len(self._notes) else 0)
        self.take_in_all()

    def take_in_all(self) -> None:
        """Take in all calls that were noted, at once."""
        while not self._is_reading and (noted := self._notes.take()) is not None:
            self._take_in(noted)
        self._taken_in()

    def _taken_in(self) -> None:
        if self._notes.has_unknown:
            self._notes.has_unknown = False
            self.watched.see_unknown()
        if self._notes.overflowed and not self._is_reading:
            # What was forgotten stands in the recording.
            self._notes.overflowed = False
            self.forgotten += 1
            self._forget()
        self._notes.services = self.watched.noted_services
        self._on_taken_in()

    def _take_in(self, noted: NotedCall) -> None:
        try:
            call = _call_of(noted)
            if noted.answer is not None:
                self.watched.see(call)
            self.watched.see_effect(call, recorded=noted.answer is not None)
        except (MalformedMessage, LookupError, TypeError, AttributeError, ValueError) as error:
            # Not what its model promises: what it did is seen by the next look.
            _log.debug("a call says nothing to the observer", operation=noted.head.operation, reason=str(error))


def _call_of(noted: NotedCall) -> Call:
    head, request = noted.head, noted.request
    if isinstance(request.body, BlobRef):
        request = Request(request.method, request.target, request.headers)
    params = parse_parameters(head, request)
    shown = noted.answer if noted.answer is not None else Answer(200, Headers())
    return Call(0, "", head, params, request, shown, dict(noted.notes), False, head.access_key)


def _infrastructure(history: RecordedHistory) -> Watched:
    """Return what the recording tells of containers, and of what may act on them. Blocking."""
    found = Watched()
    for call in history.infrastructure():
        _see(found, call)
    return found


def _see(watched: Watched, call: Call) -> None:
    """Take in a recorded call; one that is not as its model says tells nothing."""
    with suppress(LookupError, TypeError, AttributeError, ValueError):
        watched.see(call)


def _contents(
    history: RecordedHistory,
    services: Collection[str],
    confirmed_from: int,
    whole: Collection[str],
    default_account: str,
) -> Watched:
    """Return what the containers of these services are expected to hold.

    confirmed_from: the first record of this emulator's life. whole: the services of which everything before it is back, too.
    """
    found = Watched()
    found.default_account = default_account
    found.followed |= set(services)
    confirmed = False
    for call in history.of_services(services):
        if not confirmed and call.seq >= confirmed_from:
            confirmed = True
            found.begin_generation(whole)
        _see(found, call)
    if not confirmed:
        found.begin_generation(whole)
    return found
