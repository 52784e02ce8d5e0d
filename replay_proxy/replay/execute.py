"""Carrying out a restore: the recorded calls against an emulator that has forgotten them.

Recorded requests speak of *client ids*. Before each is sent, the ids that are known to have changed are replaced; after
its answer, recorded and replayed output are walked together, and what changed this time is learned. So a call can only
refer to ids that an earlier call has taught, which is the order in which the client learned them, too.

Several calls are under way at a time, each as soon as the calls that it has to wait for are done (`graph`). Most emulators
work on one call at a time; while one does, the answer of the last and the request of the next are dealt with here.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import tenacity

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.aliases import AliasTable, Origin
from replay_proxy.identifiers.compare import Difference, Severity, Verdict, equivalent
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.learn import learn
from replay_proxy.identifiers.rewrite import names_known, request_to_emulator
from replay_proxy.journal.fields import answer_to_keep
from replay_proxy.journal.records import Kind, Record
from replay_proxy.replay.batching import apart, groups_of, together
from replay_proxy.replay.choices import has_choices, with_choices
from replay_proxy.replay.discretion import Discretion
from replay_proxy.replay.graph import Graph, Schedule
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.patience import FIRST_WAIT, retrying, worth_another_try
from replay_proxy.replay.report import CallResult, RestoreReport, Result
from replay_proxy.replay.sightings import Sightings
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

Progress = Callable[[RestoreReport], None]
"""Told after every call."""

MOST_AT_ONCE = 8
MOST_WAITING = 16
"""Calls that wait for what they began, and send nothing meanwhile, beside those that are under way."""
WITNESS_SECONDS = 30.0
WITNESS_PAUSE = 0.2
SHORTEST_PAUSE = 0.02
SETTLING_SHARE = 0.8
"""Of the time that a call may take: what is still under way then is left to itself, and the call counts by its answer."""
_ON_THE_WAY = re.compile(r"progress|pending|creating|starting|provision|updating|modifying|deploying", re.IGNORECASE)


def default_concurrency() -> int:
    """How many calls are under way at a time where nobody says: by the number of processors."""
    return min(MOST_AT_ONCE, 2 * (os.cpu_count() or 1))


class Work(Protocol):
    """What to replay (`compact.Plan`). partial: the numbers of witnesses that had shown what is no longer there; how they
    differ is not reported."""

    @property
    def graph(self) -> Graph:
        """Which calls, and which waits for which. May take a while."""

    @property
    def partial(self) -> frozenset[int]: ...

    def record(self, seq: int) -> Record:
        """One of them. Raises `RecordingError` or `StorageError`."""


_EQUAL = Verdict(equivalent=True)


class NotRestored(Exception):
    """A recorded call could not be carried out again; the text says why."""


class Restorer:
    """One restore into one emulator. Afterwards `aliases` holds what was learned, for live use."""

    def __init__(
        self,
        send: Send,
        load: Load,
        aliases: AliasTable,
        keyring: Keyring,
        *,
        endpoints: Endpoints,
        call_timeout: float = 60.0,
        concurrency: int = 1,
        sightings: Sightings | None = None,
    ) -> None:
        self._send = send
        self._load = load
        self._aliases = aliases
        self._endpoints = endpoints
        self._call_timeout = call_timeout
        self._keyring = keyring
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._sightings = sightings

    async def run(
        self,
        work: Work,
        report: RestoreReport,
        progress: Progress = lambda _report: None,
        only: Collection[int] | None = None,
    ) -> RestoreReport:
        """Replay the records of `work`, and account for each in `report` (which is returned, finished).

        only: the numbers of those to replay; what they wait for beside these has been replayed before.
        Raises what `work.record` raises.
        """
        begun = time.monotonic() - report.seconds
        graph = await asyncio.to_thread(lambda: work.graph)
        schedule = Schedule(graph, only, groups_of(graph, graph.services.keys() if only is None else set(only)))
        freed = asyncio.Event()
        unanswered: list[Record] = []

        async def carry_out(seq: int) -> None:
            def answered() -> None:
                schedule.answered(seq)
                freed.set()

            records = [work.record(each) for each in schedule.group(seq)]
            record = records[0]
            if len(records) > 1:
                await self._replay_together(records, report)
            elif record.kind is Kind.WITNESS:
                try:
                    await self._ask(record, report, tell=seq not in work.partial)
                except NotRestored:
                    unanswered.append(record)
            else:
                report.add(await self._replay(record, report, answered))
            if self._sightings is not None:
                for record in records:
                    self._sightings.explain(record.head, record.request, record.answer)
            schedule.done(seq)
            freed.set()
            report.seconds = time.monotonic() - begun
            progress(report)

        async def work_off() -> None:
            while schedule.remaining:
                async with self._slots:
                    seq = schedule.take()
                    if seq is not None:
                        await carry_out(seq)
                        continue
                freed.clear()
                if schedule.remaining:
                    await freed.wait()

        self._slots = asyncio.Semaphore(self._concurrency)
        workers = [asyncio.create_task(work_off()) for _ in range(self._concurrency + MOST_WAITING)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        for record in unanswered:
            try:
                await self._ask(record, report, tell=record.seq not in work.partial)
            except NotRestored as error:
                report.find(record.seq, *_named(record), f"the read could not be repeated: {error}")
        report.seconds = time.monotonic() - begun
        report.finished = True
        return report

    async def _replay(self, record: Record, report: RestoreReport, answered: Callable[[], None]) -> CallResult:
        """Carry out one recorded mutation again. answered: called when it is, but what it began may be under way."""

        try:
            return _result(record, await self._attempt(record, report, answered))
        except NotRestored as error:
            return _result(record, str(error))

    async def _replay_together(self, records: list[Record], report: RestoreReport) -> None:
        """Carry out several mutations in one request (`batching`), and those one by one that it does not take."""
        head, credential = records[0].head, records[0].credential
        assert head is not None
        outcomes: list[Outcome | None] = [None] * len(records)
        requests = [request_to_emulator(each.request, head, self._aliases, self._endpoints) for each in records]
        batch = together(head, requests) if all(each.credential == credential for each in records) else None
        if batch is not None:
            self._endpoints.remember_client(records[0].request.headers.get("host"))
            try:
                async with asyncio.timeout(self._call_timeout):
                    _, outcome = await self._patiently(self._signed(batch.request, credential), batch.head)
                outcomes = apart(head, outcome, len(records))
            except (TimeoutError, ConnectionError, MalformedMessage):
                pass  # each of them tells the reason for itself, then
        for record, told in zip(records, outcomes, strict=True):
            if told is None:
                report.add(await self._replay(record, report, lambda: None))
                continue
            try:
                report.add(_result(record, self._learned(record, head, record.request, record.answer, told, report)))
            except NotRestored as error:
                report.add(_result(record, str(error)))

    async def _ask(self, record: Record, report: RestoreReport, *, tell: bool) -> None:
        """Read a witness again, until what it shows is no longer on its way to what it showed then.

        Raises:
            NotRestored: it was refused, or there was no answer.
        """
        deadline = time.monotonic() + min(WITNESS_SECONDS, self._call_timeout)
        verdict = await self._attempt(record, report)
        while any(_on_the_way(each) for each in verdict.differences) and time.monotonic() < deadline:
            await self._pause(WITNESS_PAUSE)
            verdict = await self._attempt(record, report)
        for difference in verdict.differences if tell else ():
            if difference.severity is Severity.DIVERGED:
                report.find(record.seq, *_named(record), str(difference))

    async def _attempt(
        self, record: Record, report: RestoreReport, answered: Callable[[], None] = lambda: None
    ) -> Verdict:
        """Send a recorded call, learn from its answer, and compare it with the recorded one.

        Raises:
            NotRestored: it was refused, or there was no answer.
        """
        head = record.head or recognise(record.request)
        if head is None:
            raise NotRestored("not an AWS API call")
        try:
            async with asyncio.timeout(self._call_timeout):
                original, answer = await self._whole(record, head)
                self._endpoints.remember_client(original.headers.get("host"))
                asked = original
                if has_choices(head):
                    chosen = parse_answer(head, answer, original)
                    asked = with_choices(original, head, chosen, parse_parameters(head, original))
                request = request_to_emulator(asked, head, self._aliases, self._endpoints)
                given, outcome = await self._patiently(self._signed(request, record.credential), head)
                answered()
                await self._settled(head, request, outcome, record.credential)
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
        if self._says_nothing_new(answer, given):
            return _EQUAL
        return self._learned(record, head, original, answer, outcome, report)

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

    async def _settled(self, head: CallHead, request: Request, outcome: Outcome, credential: Credential) -> None:
        """Wait, within the call's time, until what this call began is done."""
        wait = wait_after(head)
        if wait is None or not outcome.ok:
            return
        question = wait.question(head, outcome.parsed, parse_parameters(head, request))
        if question is None:
            return
        asked = build_request(question.head, question.parameters, request.headers.get("host"))
        deadline = time.monotonic() + self._call_timeout * SETTLING_SHARE
        pause = SHORTEST_PAUSE
        while time.monotonic() < deadline:
            answered = await self._send(self._signed(asked, credential))
            if not wait.goes_on(parse_answer(question.head, answered, asked)):
                return
            await self._pause(pause)
            pause = min(pause * 1.5, WITNESS_PAUSE)

    async def _pause(self, seconds: float) -> None:
        """Wait for the emulator, and let another call be made meanwhile."""
        self._slots.release()
        await asyncio.sleep(seconds)
        await self._slots.acquire()

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

    async def _patiently(self, request: Request, head: CallHead) -> tuple[Answer, Outcome]:
        """Send until the answer is no longer "not yet", within the bounds of `patience`."""
        came = None
        with suppress(ConnectionError):
            came = await self._once(request, head)
            if not _is_not_yet(came[1]):
                return came
        await self._pause(FIRST_WAIT)
        try:
            async for attempt in retrying(self._call_timeout):
                with attempt:
                    came = await self._once(request, head)
                    if _is_not_yet(came[1]):
                        raise tenacity.TryAgain
        except tenacity.TryAgain:
            assert came is not None
        assert came is not None
        return came

    async def _once(self, request: Request, head: CallHead) -> tuple[Answer, Outcome]:
        answer = await self._send(request)
        self._endpoints.observe(head, answer)
        return answer, parse_answer(head, answer, request)


def _result(record: Record, came: Verdict | str) -> CallResult:
    """What became of a record: a verdict, or the reason for which it could not be restored."""
    named = _named(record)
    if isinstance(came, str):
        return CallResult(record.seq, *named, Result.FAILED, came)
    if came.equivalent:
        return CallResult(record.seq, *named, Result.RESTORED)
    details = tuple(str(each) for each in came.differences)
    return CallResult(record.seq, *named, Result.DIVERGED, "the answer differs", details)


def _is_not_yet(outcome: Outcome) -> bool:
    return not outcome.ok and worth_another_try(outcome.status, outcome.error_code)


def _streams_input(head: CallHead) -> bool:
    try:
        return bool(models.operation_model(head.service, head.operation).has_streaming_input)
    except LookupError:
        return True


def _named(record: Record) -> tuple[str, str]:
    head = record.head
    return (head.service, head.operation) if head is not None else ("?", record.request.method)


def _on_the_way(difference: Difference) -> bool:
    """Is this a state that will pass, where the recorded one was another?"""
    return _ON_THE_WAY.search(difference.actual) is not None and _ON_THE_WAY.search(difference.expected) is None
