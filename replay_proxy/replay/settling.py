"""What calls of a restore have begun: a function that is pending, a table that is being created.

A call is made when it has its answer, but what it began may take the emulator a while longer. Calls that come after it in
the graph wait for that. Where none does, and what was begun is of use to its own service alone (`waits`), nobody but
a client can miss it: the restore goes on, and ends, and what settles is waited for beside it. Until then a client's
request waits at the gate if it needs that service, and no other does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.replay.waits import Wait
from replay_proxy.wire.answers import parse_answer

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Begun:
    """What one call has begun. ask: asks the emulator how it stands. seconds: after which it is left to itself."""

    wait: Wait
    head: CallHead
    question: Request
    ask: Callable[[Request], Awaitable[Answer]]
    seconds: float

    async def over(self, pause: Pause) -> None:
        """Wait until it is done. Raises `ConnectionError`, `TimeoutError` or `MalformedMessage` where that cannot be known."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        length = SHORTEST_PAUSE
        while loop.time() < deadline:
            answered = await self.ask(self.question)
            if not self.wait.goes_on(parse_answer(self.head, answered, self.question)):
                return
            await pause(length)
            length = min(length * 1.5, LONGEST_PAUSE)


class Settling:
    """What a restore has left to settle beside it."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], str] = {}

    def add(self, begun: Begun) -> None:
        """Wait for this beside everything else. Where it cannot be known how it stands, it counts as done."""

        async def over() -> None:
            with suppress(ConnectionError, TimeoutError, MalformedMessage):
                await begun.over(asyncio.sleep)

        self._tasks[asyncio.create_task(over())] = begun.head.service

    @property
    def services(self) -> frozenset[str]:
        """Those of which something is not done yet."""
        return frozenset(service for task, service in self._tasks.items() if not task.done())

    async def over(self) -> None:
        """Wait for all of it."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Wait no longer: the emulator is another one, or nobody is interested."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
