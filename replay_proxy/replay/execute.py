"""Carrying out a restore: the recorded calls, in order, against an emulator that has forgotten them.

Recorded requests speak of *client ids*. Before each is sent, the ids that are known to have changed are replaced; after
its answer, recorded and replayed output are walked together, and what changed this time is learned. So a call can only
refer to ids that an earlier call has taught, which is the order in which the client learned them, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import tenacity

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.aliases import AliasTable, Origin
from replay_proxy.identifiers.compare import equivalent
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.learn import learn
from replay_proxy.identifiers.rewrite import request_to_emulator
from replay_proxy.journal.records import Record
from replay_proxy.replay.choices import has_choices, with_choices
from replay_proxy.replay.patience import retrying, worth_another_try
from replay_proxy.replay.report import CallResult, RestoreReport, Result
from replay_proxy.wire import models
from replay_proxy.wire.answers import Outcome, parse_answer
from replay_proxy.wire.parameters import parse_parameters
from replay_proxy.wire.recognise import recognise
from replay_proxy.wire.signing import Credential, stamp

Send = Callable[[Request], Awaitable[Answer]]
"""Sends one request to the emulator. Raises `ConnectionError` where it could not be delivered."""

Load = Callable[[BlobRef], Awaitable[bytes]]
"""Reads a blob into memory. Raises `RecordingError` or `StorageError`."""

Progress = Callable[[RestoreReport], None]
"""Told after every call."""

UNSIGNED = "none"


class Restorer:
    """One restore into one emulator. Afterwards `aliases` holds what was learned, for live use."""

    def __init__(
        self,
        send: Send,
        load: Load,
        aliases: AliasTable,
        *,
        endpoints: Endpoints | None = None,
        call_timeout: float = 60.0,
        secret_key: str | None = None,
    ) -> None:
        self._send = send
        self._load = load
        self._aliases = aliases
        self._endpoints = endpoints
        self._call_timeout = call_timeout
        self._secret_key = secret_key

    async def run(
        self, records: Iterable[Record], report: RestoreReport, progress: Progress = lambda _report: None
    ) -> RestoreReport:
        """Replay `records`, and account for each in `report` (which is returned, finished)."""
        begun = time.monotonic()
        for record in records:
            report.add(await self._replay(record))
            report.seconds = time.monotonic() - begun
            progress(report)
        report.seconds = time.monotonic() - begun
        report.finished = True
        return report

    async def _replay(self, record: Record) -> CallResult:
        head = record.head or recognise(record.request)
        if head is None:
            return CallResult(record.seq, "?", record.request.method, Result.FAILED, "not an AWS API call")

        def result(kind: Result, reason: str = "", details: tuple[str, ...] = ()) -> CallResult:
            return CallResult(record.seq, head.service, head.operation, kind, reason, details)

        try:
            async with asyncio.timeout(self._call_timeout):
                original, answer = await self._whole(record, head)
                recorded = parse_answer(head, answer, original)
                asked = original
                if has_choices(head):
                    asked = with_choices(original, head, recorded, parse_parameters(head, original))
                request = request_to_emulator(asked, head, self._aliases, self._endpoints)
                outcome = await self._patiently(self._signed(request, record.credential), head)
        except TimeoutError:
            return result(Result.FAILED, f"no answer within {self._call_timeout:g} s")
        except ConnectionError as error:
            return result(Result.FAILED, f"the emulator did not answer: {error}")
        except MalformedMessage as error:
            return result(Result.FAILED, f"a message cannot be read: {error.message}")
        except (RecordingError, StorageError) as error:
            return result(Result.FAILED, error.message)
        if not outcome.ok:
            return result(Result.FAILED, f"{outcome.error_code}: {outcome.error_message}")
        learn(
            head,
            original,
            recorded,
            outcome,
            self._aliases,
            learned_from=Origin(record.seq, f"{head.service}:{head.operation}"),
        )
        verdict = equivalent(head, recorded, outcome, self._aliases)
        if verdict.equivalent:
            return result(Result.RESTORED)
        details = tuple(str(difference) for difference in verdict.differences)
        return result(Result.DIVERGED, "the answer differs", details)

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
        if credential.kind == UNSIGNED:
            return request
        key = credential.access_key
        return stamp(
            request,
            access_key=key if key.isdecimal() else self._aliases.to_emulator(key),
            region=credential.region,
            service=credential.service,
            secret_key=self._secret_key or "",
        )

    async def _patiently(self, request: Request, head: CallHead) -> Outcome:
        """Send until the answer is no longer "not yet", within the bounds of `patience`."""
        outcome: Outcome | None = None
        try:
            async for attempt in retrying(self._call_timeout):
                with attempt:
                    outcome = parse_answer(head, await self._send(request), request)
                    if not outcome.ok and worth_another_try(outcome.status, outcome.error_code):
                        raise tenacity.TryAgain
        except tenacity.TryAgain:
            assert outcome is not None
        assert outcome is not None
        return outcome


def _streams_input(head: CallHead) -> bool:
    try:
        return bool(models.operation_model(head.service, head.operation).has_streaming_input)
    except LookupError:
        return True
