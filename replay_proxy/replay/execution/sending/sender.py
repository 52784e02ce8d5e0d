"""Sending single requests of a restore: signed for the emulator, and no more at a time than the restore allows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time
from typing import Final, NamedTuple

from replay_proxy.errors import UnsendableError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.doubt import Doubt
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.models.control_paths import flaw_of_target, with_bucket_in_path
from replay_proxy.wire.signing.sigv4 import Credential

_SHOWN: Final = 60
"""Characters of a path that a reason shows."""


class ReplayedAnswer(NamedTuple):
    """The answer to a request, read, and between which times it came (seconds since the epoch)."""

    answer: Answer
    outcome: Outcome
    begun: float
    ended: float


class EmulatorSender:
    """Sends requests to the emulator that is restored into.

    concurrency: how many requests may be under way at a time.
    """

    def __init__(self, target: RestoreTarget, concurrency: int) -> None:
        self._send = target.send
        self._endpoints = target.endpoints
        self._aliases = target.known.aliases
        self._access_keys = target.known.access_keys
        self._start_positions = target.known.start_positions
        self._call_timeout = target.call_timeout
        self._under_way = asyncio.Semaphore(concurrency)

    def signed(self, request: Request, credential: Credential) -> Request:
        """Return `request`, signed as the client had signed it, with the access key that the emulator made this time.

        A bucket goes into its path where without it the request would control an emulator.
        """
        key = credential.access_key
        current = key if key.isdecimal() else self._aliases.to_emulator(key)
        return self._access_keys.signed(with_bucket_in_path(request), replace(credential, access_key=current))

    async def send(self, request: Request, limit: asyncio.Timeout | None = None, doubt: Doubt | None = None) -> Answer:
        """Send a request as soon as there is room for it, and return its answer.

        None is sent whose path would control an emulator: what was recorded was looked at already (`Record.flaw`), but
        identifiers were put in since.

        limit: of the call; its time begins when the call is sent first. doubt: told when the request is handed over.
        Raises as `RestoreTarget.send`.
        """
        if flaw := flaw_of_target(request.target):
            raise UnsendableError(f"{flaw}: {request.target.partition('?')[0][:_SHOWN]!r}")
        async with self._under_way:
            if limit is not None and limit.when() is None:
                limit.reschedule(asyncio.get_running_loop().time() + self._call_timeout)
            if doubt is not None:
                doubt.sent()
            answer = await self._send(request)
        # The next request is sent before this answer is looked at.
        await asyncio.sleep(0)
        return answer

    async def send_call(self, request: Request, head: CallHead, limit: asyncio.Timeout, doubt: Doubt) -> ReplayedAnswer:
        """Send the request of a recorded call, and read its answer.

        Raises as `send`, and `MalformedMessage` where the answer cannot be read.
        """
        begun = time()
        answer = await self.send(request, limit, doubt)
        ended = time()
        answer = self._start_positions.shown(head, answer)
        self._endpoints.observe(head, answer)
        return ReplayedAnswer(answer, parse_answer(head, answer, request), begun, ended)
