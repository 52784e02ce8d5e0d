"""Work that calls of a restore have started, and that goes on after their answers: a function that is pending, a table that
is being created.

Calls that come later in the dependency graph wait for such work. Where none does, and what was started is of use to its own
service alone (`waiters`), nobody but a client can miss it. Then the restore goes on, and ends, and the work is waited for in the
background. Until it is finished, client requests that need its service wait at the gate, and no others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from replay_proxy import log
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.replay.execution.sending.retry import Pause
from replay_proxy.replay.waiters import Waiter
from replay_proxy.supervision import describe_error
from replay_proxy.wire.codecs.answers import parse_answer

_log = log.get("restore")

POLL_INTERVAL_S_MIN: Final = 0.02
POLL_INTERVAL_S_MAX: Final = 0.2


@dataclass(frozen=True, slots=True)
class StartedWork:
    """Work that one call has started.

    head, question: the read that tells whether it goes on. ask: sends that. seconds_max: after which it is left to itself.
    """

    waiter: Waiter
    head: CallHead
    question: Request
    ask: Callable[[Request], Awaitable[Answer]]
    seconds_max: float

    async def finish(self, pause: Pause) -> bool:
        """Wait until the work is finished; return False where that took longer than `seconds_max`.

        Raises `ConnectionError`, `TimeoutError` or `MalformedMessage` where it cannot be known.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds_max
        interval_s = POLL_INTERVAL_S_MIN
        while loop.time() < deadline:
            answer = await self.ask(self.question)
            if not self.waiter.goes_on(parse_answer(self.head, answer, self.question)):
                return True
            await pause(interval_s)
            interval_s = min(interval_s * 1.5, POLL_INTERVAL_S_MAX)
        return False


class WaitState(StrEnum):
    """How it stands with work that is waited for. All but PENDING are final.

    FINISHED: the emulator says that it is done. OVERDUE: it took too long, and is left to itself. UNKNOWN: the emulator did
    not say. STOPPED: nobody waits for it any more.
    """

    PENDING = "pending"
    FINISHED = "finished"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    STOPPED = "stopped"


class _Wait:
    """One piece of work that is waited for in the background."""

    def __init__(self, work: StartedWork) -> None:
        self.state = WaitState.PENDING
        self.service = work.head.service
        self.task = asyncio.create_task(self._run(work))

    def stop(self) -> None:
        """Wait no longer."""
        self._end(WaitState.STOPPED)
        self.task.cancel()

    async def _run(self, work: StartedWork) -> None:
        try:
            finished = await work.finish(asyncio.sleep)
        except asyncio.CancelledError:
            self._end(WaitState.STOPPED)
            raise
        except (ConnectionError, TimeoutError, MalformedMessage):
            self._end(WaitState.UNKNOWN)
        except Exception as error:  # requests that need this service wait for the task, and must not for ever
            _log.error("it cannot be told when this is ready", service=self.service, reason=describe_error(error))
            self._end(WaitState.UNKNOWN)
        else:
            self._end(WaitState.FINISHED if finished else WaitState.OVERDUE)

    def _end(self, state: WaitState) -> None:
        if self.state is WaitState.PENDING:
            self.state = state


class BackgroundWaits:
    """The work that a restore has left to be waited for in the background."""

    def __init__(self) -> None:
        self._waits: list[_Wait] = []

    def __repr__(self) -> str:
        counts = Counter(each.state for each in self._waits)
        return f"<BackgroundWaits: {', '.join(f'{count} {state}' for state, count in counts.items()) or 'none'}>"

    def add(self, work: StartedWork) -> None:
        """Begin to wait for this work. Where it cannot be known how it stands, it counts as done."""
        self._waits.append(_Wait(work))

    @property
    def services(self) -> frozenset[str]:
        """The services of which some work is still pending."""
        return frozenset(each.service for each in self._waits if each.state is WaitState.PENDING)

    async def finish(self) -> None:
        """Wait until no work is pending any more."""
        if self._waits:
            await asyncio.wait([each.task for each in self._waits])

    async def stop(self) -> None:
        """Wait no longer, because the emulator is another one, or nobody is interested."""
        for each in self._waits:
            each.stop()
        await asyncio.gather(*(each.task for each in self._waits), return_exceptions=True)
