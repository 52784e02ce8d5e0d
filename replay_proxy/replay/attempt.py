"""Making one recorded call again, or several in one request.

Recorded requests speak of *client ids*. Before each is sent, the ids that are known to have changed are replaced; after
its answer, recorded and replayed output are walked together, and what changed this time is learned. So a call can only
refer to ids that an earlier call has taught, which is the order in which the client learned them, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from time import time
from typing import NamedTuple

import tenacity

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.aliases import Origin
from replay_proxy.identifiers.compare import Verdict, equivalent
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.learn import learn
from replay_proxy.identifiers.rewrite import names_known, request_to_emulator
from replay_proxy.journal.fields import answer_to_keep
from replay_proxy.journal.records import Kind, Record
from replay_proxy.replay.batching import apart, together
from replay_proxy.replay.choices import has_choices, with_choices
from replay_proxy.replay.discretion import Discretion
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.replay.originals import note_times
from replay_proxy.replay.patience import FIRST_WAIT, retrying, worth_another_try
from replay_proxy.replay.report import RestoreReport
from replay_proxy.replay.settling import Begun, Pause
from replay_proxy.replay.waits import wait_after
from replay_proxy.wire import models
from replay_proxy.wire.answers import Outcome, parse_answer
from replay_proxy.wire.parameters import parse_parameters
from replay_proxy.wire.recognise import recognise
from replay_proxy.wire.requests import build_request
from replay_proxy.wire.signing import Credential

Send = Callable[[Request], Awaitable[Answer]]
"""Sends one request to the emulator. Raises `ConnectionError` where it could not be delivered."""

Load = Callable[[BlobRef], Awaitable[bytes]]
"""Reads a blob into memory. Raises `RecordingError` or `StorageError`."""

SETTLING_SHARE = 0.8
"""Of the time that a call may take: what is still under way then is left to itself, and the call counts by its answer."""
_EQUAL = Verdict(equivalent=True)


class NotRestored(Exception):
    """A recorded call could not be carried out again; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The emulator that is restored into. known, endpoints: learn. call_timeout: seconds, for each call."""

    send: Send
    load: Load
    known: Knowledge
    endpoints: Endpoints
    call_timeout: float = 60.0


class Came(NamedTuple):
    """What came of a request, and between which times (seconds since the epoch)."""

    answer: Answer
    outcome: Outcome
    begun: float
    ended: float


class Attempts:
    """Makes calls of one restore.

    concurrency: how many of their requests are under way at a time; more calls may be made ready, or have their answers
    looked at, meanwhile. pause: waits so many seconds for the emulator.
    """

    def __init__(self, target: Target, concurrency: int, pause: Pause) -> None:
        self._send = target.send
        self._load = target.load
        self._aliases = target.known.aliases
        self._keyring = target.known.keyring
        self._times = target.known.times
        self._endpoints = target.endpoints
        self._call_timeout = target.call_timeout
        self._pause = pause
        self._under_way = asyncio.Semaphore(concurrency)

    async def make(
        self, record: Record, report: RestoreReport, answered: Callable[[Begun | None], bool] = lambda _begun: True
    ) -> Verdict:
        """Send a recorded call, learn from its answer, and compare it with the recorded one.

        answered: given what the call has begun, when it has its answer; is that to be waited for?

        Raises:
            NotRestored: it was refused, or there was no answer.
        """
        head = record.head or recognise(record.request)
        if head is None:
            raise NotRestored("not an AWS API call")
        try:
            async with asyncio.timeout(None) as limit:
                original, answer = await self._whole(record, head)
                self._endpoints.remember_client(original.headers.get("host"))
                asked = original
                if has_choices(head):
                    chosen = parse_answer(head, answer, original)
                    asked = with_choices(original, head, chosen, parse_parameters(head, original))
                request = request_to_emulator(asked, head, self._aliases, self._endpoints)
                came = await self._patiently(self._signed(request, record.credential), head, limit)
                given, outcome = came.answer, came.outcome
                begun = self._begun(head, request, outcome, record.credential)
                if answered(begun) and begun is not None:
                    await begun.over(self._pause)
        except TimeoutError as error:
            raise NotRestored(f"no answer within {self._call_timeout:g} s") from error
        except ConnectionError as error:
            raise NotRestored(f"the emulator did not answer: {error}") from error
        except MalformedMessage as error:
            raise NotRestored(f"a message cannot be read: {error.message}") from error
        except (RecordingError, StorageError) as error:
            raise NotRestored(error.message) from error
        if not outcome.ok:
            told = Discretion(head, original).of(outcome.error_message)
            raise NotRestored(f"{outcome.error_code}: {told}")
        self._keyring.learn(head, outcome)
        note_times(self._times, record, head, original, answer, came.begun, came.ended)
        if self._says_nothing_new(answer, given):
            return _EQUAL
        return self._learned(record, head, original, answer, outcome, report)

    async def together(self, records: list[Record], report: RestoreReport) -> list[Verdict | str | None]:
        """Make several calls in one request (`batching`). Of each: the verdict; why it failed; None if it was not taken."""
        head, credential = records[0].head, records[0].credential
        assert head is not None
        requests = [request_to_emulator(each.request, head, self._aliases, self._endpoints) for each in records]
        batch = together(head, requests) if all(each.credential == credential for each in records) else None
        if batch is None:
            return [None] * len(records)
        self._endpoints.remember_client(records[0].request.headers.get("host"))
        try:
            async with asyncio.timeout(None) as limit:
                sent = await self._patiently(self._signed(batch.request, credential), batch.head, limit)
        except (TimeoutError, ConnectionError, MalformedMessage):
            return [None] * len(records)  # each of them tells the reason for itself, then
        came: list[Verdict | str | None] = []
        for record, told in zip(records, apart(head, sent.outcome, len(records)), strict=True):
            try:
                learn_of = (record, head, record.request, record.answer)
                came.append(None if told is None else self._learned(*learn_of, told, report))
                if told is not None:
                    note_times(self._times, *learn_of, sent.begun, sent.ended)
            except NotRestored as error:
                came.append(str(error))
        return came

    def _learned(
        self,
        record: Record,
        head: CallHead,
        original: Request,
        answer: Answer,
        outcome: Outcome,
        report: RestoreReport,
    ) -> Verdict:
        """Learn from an outcome, and compare it with the recorded answer. Raises NotRestored where that cannot be read."""
        try:
            recorded = parse_answer(head, answer, original)
        except MalformedMessage as error:
            raise NotRestored(f"the recorded answer cannot be read: {error.message}") from error
        origin = Origin(record.seq, f"{head.service}:{head.operation}")
        learned = learn(head, original, recorded, outcome, self._aliases, learned_from=origin)
        for note in learned.ambiguous:
            told = Discretion(head, original, recorded, outcome).of(str(note))
            report.find(record.seq, head.service, head.operation, told)
        verdict = equivalent(head, recorded, outcome, self._aliases)
        if verdict.equivalent and record.kind is not Kind.WITNESS:
            return verdict
        return Discretion(head, original, recorded, outcome).of_verdict(verdict)

    def _says_nothing_new(self, recorded: Answer, given: Answer) -> bool:
        """Are the answers the same, to the byte, and name nothing of which any other answer said something else?"""
        return (
            given.body == recorded.body
            and given.status == recorded.status
            and sorted(answer_to_keep(given).headers.pairs) == sorted(recorded.headers.pairs)
            and not names_known(recorded, self._aliases)
        )

    def _begun(self, head: CallHead, request: Request, outcome: Outcome, credential: Credential) -> Begun | None:
        """What this call has begun, None for most."""
        wait = wait_after(head)
        if wait is None or not outcome.ok or wait.is_over_at_once(outcome.parsed):
            return None
        question = wait.question(head, outcome.parsed, parse_parameters(head, request))
        if question is None:
            return None
        asked = build_request(question.head, question.parameters, request.headers.get("host"))

        def ask(asked: Request) -> Awaitable[Answer]:
            return self._sent(self._signed(asked, credential))

        return Begun(wait, question.head, asked, ask, self._call_timeout * SETTLING_SHARE)

    async def _whole(self, record: Record, head: CallHead) -> tuple[Request, Answer]:
        """The record's messages, with their bodies in memory where identifiers may have to be found in them."""
        request, answer = record.request, record.answer
        if isinstance(request.body, BlobRef) and not _streams_input(head):
            request = replace(request, body=await self._load(request.body))
        if isinstance(answer.body, BlobRef):
            answer = replace(answer, body=await self._load(answer.body))
        return request, answer

    def _signed(self, request: Request, credential: Credential) -> Request:
        """Signed as the client had signed it; an access key that the emulator had made is today's."""
        key = credential.access_key
        today = key if key.isdecimal() else self._aliases.to_emulator(key)
        return self._keyring.signed(request, replace(credential, access_key=today))

    async def _patiently(self, request: Request, head: CallHead, limit: asyncio.Timeout) -> Came:
        """Send until the answer is no longer "not yet", within the bounds of `patience`."""
        came = None
        with suppress(ConnectionError):
            came = await self._once(request, head, limit)
            if not _is_not_yet(came.outcome):
                return came
        await self._pause(FIRST_WAIT)
        try:
            async for attempt in retrying(self._call_timeout):
                with attempt:
                    came = await self._once(request, head, limit)
                    if _is_not_yet(came.outcome):
                        raise tenacity.TryAgain
        except tenacity.TryAgain:
            assert came is not None
        assert came is not None
        return came

    async def _once(self, request: Request, head: CallHead, limit: asyncio.Timeout) -> Came:
        begun = time()
        answer = await self._sent(request, limit)
        ended = time()
        self._endpoints.observe(head, answer)
        return Came(answer, parse_answer(head, answer, request), begun, ended)

    async def _sent(self, request: Request, limit: asyncio.Timeout | None = None) -> Answer:
        """Send when fewer than so many are under way. limit: of the call, whose time begins when it is sent first."""
        async with self._under_way:
            if limit is not None and limit.when() is None:
                limit.reschedule(asyncio.get_running_loop().time() + self._call_timeout)
            answer = await self._send(request)
        # Whose turn it is now is sent before this answer is looked at.
        await asyncio.sleep(0)
        return answer


def _is_not_yet(outcome: Outcome) -> bool:
    return not outcome.ok and worth_another_try(outcome.status, outcome.error_code)


def _streams_input(head: CallHead) -> bool:
    try:
        return bool(models.operation_model(head.service, head.operation).has_streaming_input)
    except LookupError:
        return True
