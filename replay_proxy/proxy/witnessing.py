"""Watching reads go by, off the latency path, and recording those that are witnesses (see `replay.sightings`).

What passes is only noted at first, so that its client has its answer meanwhile. When the emulator works on the next request it is
put into a small waiting room, and looked at by one task between requests. A read that is repeated replaces its predecessor
there; when there is more than fits, the oldest reads are not looked at. Nor are calls of which the same answer was looked at
before, as when a client asks again and again whether something is ready.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress

from replay_proxy import log
from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, Body, CallHead, Request, Unread
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.replay.sightings import Sightings

_log = log.get("witness")

ROOM = 512
"""Exchanges that wait to be looked at."""
MOMENT = 0.005
"""Seconds until what has passed is put there at the latest, where no other request comes meanwhile."""
PAUSE = 0.004
"""Seconds between two looks, so that they take a small part of the time only."""
LARGEST = 256 * 1024
"""Bytes of an answer that is looked into."""
MEMORY = 1024
"""Calls of which is remembered what was answered last."""

_Key = tuple[str, str, str, Body]
_Item = tuple[CallHead, Request, Answer, int, bool]


class Watch:
    """One task that looks at what passed. `change` and `read` are cheap, and never fail."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.sightings = Sightings()
        self._passed: deque[tuple[CallHead, Request, Body, Unread, int, bool]] = deque()
        self._moment: asyncio.TimerHandle | None = None
        self._room: OrderedDict[_Key | int, _Item] = OrderedDict()
        self._arrived = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._count = 0
        self._latest: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look())

    def hold(self) -> None:
        """Let everything wait: what the recording explains is not known yet."""
        self._open.clear()

    def release(self) -> None:
        """Look again."""
        self._latest.clear()
        self._open.set()

    async def stop(self) -> None:
        """Look at what is still waiting, and end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._moment is not None:
            self._moment.cancel()
            self._late()
        while self._room and self._open.is_set():
            await self._look_at(self._room.popitem(last=False)[1])

    def change(self, head: CallHead, request: Request, answer: Answer) -> None:
        """A call that was recorded: what it shows is explained."""
        self._note(head, request, answer.body, lambda: answer, 0, change=True)

    def read(self, head: CallHead, request: Request, body: bytes, answer: Unread) -> None:
        """A successful read, as its client saw it."""
        self._note(head, request, body, answer, self._recorder.last_seq, change=False)

    def _note(self, head: CallHead, request: Request, body: Body, answer: Unread, after: int, *, change: bool) -> None:
        self._passed.append((head, request, body, answer, after, change))
        if self._moment is None:
            self._moment = asyncio.get_running_loop().call_later(MOMENT, self._late)

    def _late(self) -> None:
        self._moment = None
        self.take_in()

    def take_in(self) -> None:
        """Put what has passed into the waiting room. To be called when somebody else is at work anyway."""
        while self._passed:
            head, request, body, answer, after, change = self._passed.popleft()
            if not change and (not self._recorder.takes(head, witness=True) or _is_too_large(body)):
                continue
            key = (head.service, head.operation, request.target, request.body)
            if self._is_known(head, key, body):
                continue
            if change:
                self._count += 1
                self._put(self._count, (head, request, answer(), 0, True))
            else:
                self._put(key, (head, request, answer(), after, False))

    def _is_known(self, head: CallHead, key: _Key, body: Body) -> bool:
        """Was the same answer given the last time, and is everything that it shows in its body?"""
        if head.protocol.startswith("rest"):
            return False
        known, now = hash(key), hash(body)
        if self._latest.get(known) == now:
            return True
        if len(self._latest) >= MEMORY:
            self._latest.clear()
        self._latest[known] = now
        return False

    def _put(self, key: _Key | int, item: _Item) -> None:
        self._room.pop(key, None)
        self._room[key] = item
        if len(self._room) > ROOM:
            self._room.popitem(last=False)
            self._latest.clear()
        self._arrived.set()

    async def _look(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._room:
                await self._open.wait()
                await self._look_at(self._room.popitem(last=False)[1])
                await asyncio.sleep(PAUSE)

    async def _look_at(self, item: _Item) -> None:
        head, request, answer, after, change = item
        if change:
            self.sightings.explain(head, request, answer)
        elif self.sightings.is_witness(head, request, answer):
            self.sightings.explain(head, request, answer)
            try:
                await self._recorder.witness(head, request, answer, after=after)
            except StorageError as error:
                self._latest.clear()
                _log.warning("a witness could not be recorded", reason=error.message)


def _is_too_large(body: Body) -> bool:
    return not isinstance(body, bytes) or len(body) > LARGEST
