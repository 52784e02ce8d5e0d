"""One look at one container, and recording what it found.

What clients write meanwhile must not be taken for an effect, nor be written over by one. So after a container was read, it is
waited until every change is recorded that was in flight by then; what calls touched since the look began is left out; and from
there on every call that is recorded is taken in before the next finding is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from replay_proxy import log
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import ExpectedContents
from replay_proxy.observing.finding import observation_of
from replay_proxy.observing.reader import Reader
from replay_proxy.proxy.requests.in_flight import ChangesInFlight
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.wording import counted

_log = log.get("observer")

IN_FLIGHT_TIMEOUT_S = 5.0
"""For changes that are in flight when a container was read."""
_WRITTEN_AT_ONCE = 50
"""Findings, before requests of clients are served."""


class Explain(Protocol):
    """Is told of a call that is in the recording, so that what it shows needs no witness."""

    def __call__(self, head: CallHead, request: Request, answer: Answer) -> None: ...


class Looker:
    """Looks at containers.

    take_in: takes in all calls that were recorded so far. catch_up: the same, with pauses in which requests are served.
    is_current: tells whether the emulator still holds what it held when the looks were begun; it is asked before each record
    is written, with no pause between. forgotten: returns how often what is known of containers was forgotten.
    """

    def __init__(
        self,
        reader: Reader,
        recorder: Recorder,
        in_flight: ChangesInFlight,
        take_in: Callable[[], None],
        catch_up: Callable[[], Awaitable[None]],
        explain: Explain,
        is_current: Callable[[], bool],
        forgotten: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._recorder = recorder
        self._in_flight = in_flight
        self._take_in = take_in
        self._catch_up = catch_up
        self._explain = explain
        self._is_current = is_current
        self._forgotten = forgotten
        self._told: set[Container] = set()

    async def look(
        self, container: Container, caller: Caller, contents: ExpectedContents, *, caused: bool
    ) -> tuple[int, bool]:
        """Look at a container, and record what differs. Return how much did, and whether a further look is needed.

        caused: something may have had an effect on it.

        Raises:
            LookError: it cannot be read. OSError, TimeoutError: the emulator does not answer.
            StorageError: nothing can be recorded.
        """
        await self._catch_up()
        contents.begin_look()
        try:
            return await self._look(container, caller, contents, caused=caused)
        finally:
            contents.end_look()

    async def _look(
        self, container: Container, caller: Caller, contents: ExpectedContents, *, caused: bool
    ) -> tuple[int, bool]:
        known = self._forgotten()

        def is_worth_nothing() -> bool:
            return not self._is_current() or self._forgotten() != known

        found = await contents.look(self._reader, caller, thorough=caused)
        if found is None:
            return 0, False
        if not await self._in_flight.wait_for_present(IN_FLIGHT_TIMEOUT_S):
            return 0, True
        await self._catch_up()
        count = 0
        if is_worth_nothing():
            return 0, True  # what was read has been lost since, or was only a part of a restore
        for finding, part, fingerprint in contents.findings(found, caused=caused):
            try:
                observation = observation_of(finding, container, caller)
            except (LookupError, ValueError, TypeError) as error:
                _log.debug(
                    "what was seen cannot be written down", container=str(container), part=part, reason=str(error)
                )
                continue
            body = observation.request.body
            kept = await self._recorder.keep_body(body)
            if kept is not body:  # meanwhile calls may have been recorded, or the emulator lost
                self._take_in()
                if contents.is_touched(part) or is_worth_nothing():
                    continue
            request = replace(observation.request, body=kept)
            head, answer = observation.head, observation.answer
            self._recorder.observation(
                head, request, answer, observation.credential, time=observation.time, notes=observation.notes
            )
            self._explain(head, request, answer)
            contents.take(part, fingerprint)
            count += 1
            if count % _WRITTEN_AT_ONCE == 0:
                await asyncio.sleep(0)
                self._take_in()
                if is_worth_nothing():
                    break
        if found.too_large and container not in self._told:
            self._told.add(container)
            left_out = counted(found.too_large, "object")
            _log.warning(
                "what was written by itself is too large to be recorded", container=str(container), left_out=left_out
            )
        if count:
            await self._recorder.wait_until_durable()
        return count, found.more or bool(contents.touched) or contents.touched_whole
