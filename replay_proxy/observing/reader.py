"""Asking the emulator about a container, in clients' identifiers, as the client that named it would ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.finding import credential_for, head_of, request_of
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.signing.sigv4 import Credential

AT_ONCE_BYTES_MAX = 64 << 10
"""Of an answer that is parsed while requests wait; a larger one is parsed beside them, in a thread."""


class LookError(Exception):
    """A container could not be read: the emulator does not know it, has no such operation, or answers something else."""


class Ask(Protocol):
    """Sends a request in clients' identifiers to the emulator, signed by `credential`, and returns its answer in them, too.

    Raises OSError or TimeoutError.
    """

    def __call__(self, head: CallHead, request: Request, credential: Credential) -> Awaitable[Answer]: ...


class QueueLook(Protocol):
    """Looks into a queue by an endpoint of the emulator's own, which takes no message.

    Returns an answer like that of ReceiveMessage, in clients' identifiers; None where the emulator has no such endpoint.
    Raises OSError or TimeoutError.
    """

    def __call__(self, container: Container, caller: Caller, url: str) -> Awaitable[Mapping[str, Any] | None]: ...


Pause = Callable[[], Awaitable[None]]
"""Called between two reads: lets requests of clients go first."""


class Reader:
    """Reads one emulator. seconds: how long its reads took so far, in all. read_bytes: how much it was answered.

    bytes_max: of one object; a larger one is not read.
    """

    def __init__(self, ask: Ask, look_into_queue: QueueLook, pause: Pause, bytes_max: int) -> None:
        self._ask = ask
        self._look_into_queue = look_into_queue
        self._pause = pause
        self.bytes_max = bytes_max
        self.seconds = 0.0
        self.read_bytes = 0

    async def answer(
        self, container: Container, caller: Caller, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[Answer, Outcome]:
        """Return the answer to a read about a container, whatever it is.

        Raises:
            LookError: it cannot be asked, or the answer cannot be understood. OSError, TimeoutError: there is no answer.
        """
        head = head_of(container, operation, caller.access_key)
        try:
            request = request_of(head, parameters, caller)
        except (LookupError, ValueError, TypeError) as error:
            raise LookError(f"{operation} cannot be asked: {error}") from error
        await self._pause()
        begun = time.monotonic()
        try:
            answer = await self._ask(head, request, credential_for(container, caller))
        finally:
            self.seconds += time.monotonic() - begun
        self.read_bytes += len(answer.body) if isinstance(answer.body, bytes) else answer.body.size
        large = isinstance(answer.body, bytes) and len(answer.body) > AT_ONCE_BYTES_MAX
        try:
            if large:
                return answer, await asyncio.to_thread(parse_answer, head, answer, request)
            return answer, parse_answer(head, answer, request)
        except MalformedMessage as error:
            raise LookError(f"the answer to {operation} cannot be read: {error}") from error

    async def ask(
        self, container: Container, caller: Caller, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what a read shows, as boto3 would return it. Raises as `answer`, and LookError where it is refused."""
        _answer, outcome = await self.answer(container, caller, operation, parameters)
        if not outcome.ok:
            raise LookError(f"{operation}: {outcome.error_code or outcome.status}")
        return outcome.parsed

    async def look_into_queue(self, container: Container, caller: Caller, url: str) -> Mapping[str, Any] | None:
        """Return the messages of a queue without taking them; None where the emulator has no way. url: of the queue.

        Raises OSError or TimeoutError.
        """
        await self._pause()
        begun = time.monotonic()
        try:
            return await self._look_into_queue(container, caller, url)
        finally:
            self.seconds += time.monotonic() - begun
