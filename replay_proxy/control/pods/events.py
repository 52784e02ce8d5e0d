"""Answers that come while the work is done: events, a line of JSON each; and a file that is gone when it was read.

The last event is the completion, and tells whatever went wrong: the clients of LocalStack's document look there. Its `exit_code`
is the one with which a command leaves that asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import IO, Any, Final

import orjson

from replay_proxy.control.answers import failure_of
from replay_proxy.errors import UNEXPECTED, ReplayProxyError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Outgoing

_CHUNK: Final = 1 << 20
_EVENTS: Final = Headers((("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")))
Tell = Callable[[dict[str, Any]], None]
Work = Callable[[Tell], Awaitable[dict[str, Any]]]
"""Does what is asked, tells events meanwhile, and returns what the completion says."""


def answer_with_events(work: Work, stack: ExitStack | None = None) -> Outgoing:
    """Return the answer to a request whose work begins with its first byte. stack: closed when the work is done."""
    return Outgoing(200, "OK", _EVENTS, _events(work, stack))


class FileBody:
    """A file as the body of an answer; it is gone when it was read, or its reader has left."""

    def __init__(self, file: IO[bytes], stack: ExitStack) -> None:
        self._file = file
        self._stack = stack

    def __aiter__(self) -> FileBody:
        return self

    async def __anext__(self) -> bytes:
        chunk = await asyncio.to_thread(self._file.read, _CHUNK) if not self._file.closed else b""
        if not chunk:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Remove the file."""
        await asyncio.to_thread(self._stack.close)


async def _events(work: Work, stack: ExitStack | None = None) -> AsyncIterator[bytes]:
    """Yield what `work` tells, a line of JSON each, and then the completion. The work goes on where its client leaves."""
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def carried_out() -> None:
        try:
            lines.put_nowait({"event": "completion", "status": "ok", **await work(lines.put_nowait)})
        except Exception as error:
            message, hint = failure_of(error)
            code = error.exit_code if isinstance(error, ReplayProxyError) else UNEXPECTED
            told = {"status": "error", "message": message, "hint": hint, "exit_code": code}
            lines.put_nowait({"event": "completion", **told})
        finally:
            lines.put_nowait(None)
            if stack is not None:
                await asyncio.to_thread(stack.close)

    task = asyncio.create_task(carried_out())
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    while (line := await lines.get()) is not None:
        yield orjson.dumps(line) + b"\n"


_under_way: set[asyncio.Task[None]] = set()
