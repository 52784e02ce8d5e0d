"""The child process that knows the recording (`model_worker`), as the proxy sees it.

It is started when somebody asks, and ended by `stop`. What it tells is kept for viewers within a bound in bytes: each event has
a number, and whoever asks for what follows a number that is no longer kept is told so.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.errors import ReplayProxyError
from replay_proxy.supervision import Supervisor

EVENTS_BYTES_MAX: Final = 8 << 20
ANSWER_TIMEOUT_S: Final = 60.0
READING: Final = "reading the recording for the console"
"""What an error is reported under."""


class ModelProcessError(ReplayProxyError):
    """The recording cannot be shown."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the child told: an event with its body, which is JSON."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a question: JSON, compressed with gzip where `packed`."""

    body: bytes
    packed: bool


class ModelProcess:
    """The child process of one recording.

    trouble: why the recording cannot be shown, as JSON; empty where it can. progress: how far it was read, as JSON.
    """

    def __init__(self, data_dir: Path, supervisor: Supervisor) -> None:
        self._data_dir = data_dir
        self._supervisor = supervisor
        self._child: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._questions = 0
        self._events: deque[Told] = deque()
        self._kept_bytes = 0
        self.told = 0
        self.trouble = b""
        self.progress = b""

    async def start(self) -> None:
        """Start the process, unless it runs. Raises ModelProcessError."""
        async with self._starting:
            if self._child is not None and self._child.returncode is None:
                return
            command = [sys.executable, "-m", "replay_proxy.control.console.model_worker", str(self._data_dir)]
            try:
                child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
            except OSError as error:
                raise ModelProcessError(
                    f"no process can be started: {error}", hint="look at the limits of this user"
                ) from error
            self._child = child
            self._listening = self._supervisor.start(READING, self._listen(child))

    async def stop(self) -> None:
        """End the process, if it runs."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        if self._listening is not None:
            await asyncio.wait({self._listening})

    def since(self, position: int) -> list[Told] | None:
        """Return the events after the first `position`; None where some of them are no longer kept."""
        missed = self.told - position
        if missed > len(self._events):
            return None
        return [self._events[at] for at in range(len(self._events) - missed, len(self._events))]

    async def ask(self, what: str, at: int) -> Answered:
        """Return the answer to a question (see `model_worker`). Raises ModelProcessError."""
        await self.start()
        child = self._child
        if child is None or child.stdin is None:
            raise ModelProcessError("the process that reads the recording has ended", hint="ask again")
        self._questions += 1
        number = self._questions
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            child.stdin.write(orjson.dumps({"id": number, "ask": what, "at": at}) + b"\n")
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise ModelProcessError("the recording is still being read", hint="ask again") from None
        except ConnectionError as error:
            raise ModelProcessError("the process that reads the recording has ended", hint="ask again") from error
        finally:
            self._waiting.pop(number, None)

    async def _listen(self, child: Process) -> None:
        """Take what the child says, until it ends."""
        assert child.stdout is not None
        try:
            while line := await child.stdout.readline():
                head: dict[str, Any] = orjson.loads(line)
                body = await child.stdout.readexactly(head["bytes"])
                if "event" in head:
                    self._note(Told(head["event"], body))
                elif (answer := self._waiting.get(head["id"])) is not None and not answer.done():
                    answer.set_result(Answered(body, "gzip" in head))
        except asyncio.IncompleteReadError:
            pass  # it was ended
        code = await child.wait()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(
                    ModelProcessError("the process that reads the recording has ended", hint="ask again")
                )
        if self._child is child:
            self._child = None
            self.trouble = orjson.dumps({"reason": f"the process that reads the recording ended with {code}"})
            raise ModelProcessError(f"it ended with {code}", hint="the console starts it again when it is opened")

    def _note(self, told: Told) -> None:
        if told.name == "trouble":
            self.trouble = b"" if orjson.loads(told.body)["reason"] == "" else told.body
            return
        if told.name == "progress":
            self.progress = told.body
            return
        if told.name == "renewed":
            self.progress = b""
            self._supervisor.well(READING)
        self.told += 1
        self._events.append(told)
        self._kept_bytes += len(told.body)
        while self._kept_bytes > EVENTS_BYTES_MAX and len(self._events) > 1:
            self._kept_bytes -= len(self._events.popleft().body)
