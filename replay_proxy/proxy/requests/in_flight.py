"""Changes in flight: calls that change state, from the moment they are begun until they are recorded.

The engine and the fast path both add their own here, and neither has to know the other: the fast path asks whether any
change is in flight, and hands exchanges that turn out not to be simple to the engine as `SentExchange`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from replay_proxy.exchange import CallHead, Request
from replay_proxy.journal.write.conflict_locks import ConflictLock
from replay_proxy.proxy.http.client.call import UpstreamAnswer
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.policy import AnswerObserver

_POLL_INTERVAL_S = 0.002


class SentExchange(Protocol):
    """An exchange whose request the fast path has sent already; the engine finishes it (`Engine.resume`).

    recorder: of a change that is to be recorded. observer: is shown a successful answer, where it changes nothing.
    emulator_generation: of the emulator that the request was sent to.
    """

    request: Request
    head: CallHead | None
    recorder: Recorder | None
    observer: AnswerObserver | None
    emulator_generation: int

    @property
    def is_under_way(self) -> bool:
        """Whether the request was sent, and nobody has asked for its answer yet."""

    def take_lock(self) -> ConflictLock | None:
        """Return the conflict lock of a change, which is held already; the caller releases it. None when asked again."""

    async def answer(self) -> UpstreamAnswer | None:
        """Return the answer to the request. None where it has to be sent, or sent again.

        Raises:
            UpstreamError: there is none, and the request must not be sent again without more ado.
        """

    def dismiss(self) -> None:
        """Free what the exchange still holds: nobody will ask for its answer any more."""


class ChangesInFlight:
    """The changes in flight of one engine and its fast path."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Outgoing]] = set()
        self._fast: set[object] = set()
        self._fast_ended = asyncio.Event()

    def __bool__(self) -> bool:
        """Whether any change is in flight."""
        return bool(self._tasks or self._fast)

    def add_task(self, task: asyncio.Task[Outgoing]) -> None:
        """Add a change that the engine carries out in `task`; it is removed when the task ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_fast(self, exchange: object) -> None:
        """Add a change on the fast path; `end_fast` removes it."""
        self._fast.add(exchange)

    def end_fast(self, exchange: object) -> None:
        """Remove a change that has left the fast path; nothing happens where it was removed before."""
        self._fast.discard(exchange)
        if not self._fast:
            self._fast_ended.set()

    async def wait_for_none(self, seconds: float) -> None:
        """Wait, at most `seconds`, until no change is in flight that was when this was called."""
        try:
            async with asyncio.timeout(seconds):
                while self._fast:
                    self._fast_ended.clear()
                    await self._fast_ended.wait()
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            return

    async def wait_for_present(self, seconds: float) -> bool:
        """Wait, at most `seconds`, until every change is over that is in flight now. Return whether they are."""
        try:
            async with asyncio.timeout(seconds):
                fast = set(self._fast)
                while not fast.isdisjoint(self._fast):  # noqa: ASYNC110  # an event for each would cost every request
                    await asyncio.sleep(_POLL_INTERVAL_S)
                # One that left the fast path unfinished is a task by now.
                if self._tasks:
                    await asyncio.wait(set(self._tasks))
        except TimeoutError:
            return False
        return True
