"""Making several recorded calls again in one request (`batch_request`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from replay_proxy.errors import MalformedMessage
from replay_proxy.identifiers.learning.compare import Comparison
from replay_proxy.identifiers.rewriting.rewrite import request_to_emulator
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.calls.answer_learning import AnswerLearner
from replay_proxy.replay.execution.calls.batch_request import Batch, batch_of, outcomes_of
from replay_proxy.replay.execution.calls.call_in_progress import CallInProgress
from replay_proxy.replay.execution.message_delays import MessageDelays
from replay_proxy.replay.execution.original_times import note_times
from replay_proxy.replay.execution.reporting.not_restored import NotRestored, left_in_doubt
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.delivery import Delivery, InDoubtError
from replay_proxy.replay.execution.sending.doubt import CUT_OFF, Doubt
from replay_proxy.replay.execution.sending.retry import Pause, log_retry
from replay_proxy.replay.execution.sending.sender import EmulatorSender, ReplayedAnswer
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wording import duration


class BatchReplayer:
    """Makes calls of one restore, several in a request."""

    def __init__(self, target: RestoreTarget, sender: EmulatorSender, pause: Pause, delays: MessageDelays) -> None:
        self._sender = sender
        self._pause = pause
        self._delays = delays
        self._aliases = target.known.aliases
        self._access_keys = target.known.access_keys
        self._times = target.known.times
        self._endpoints = target.endpoints
        self._call_timeout = target.call_timeout
        self._learner = AnswerLearner(target.known)

    async def replay(self, records: Sequence[Record], report: RestoreReport) -> list[Comparison | NotRestored | None]:
        """Make several calls in one request.

        Returns, for each call: how its outcome compares with the recorded one, or why it was not restored, or None if the batch
        did not take it, so that it is to be made alone. Where the answer is lost, calls that may be repeated count as not taken.
        """
        head, credential = records[0].head, records[0].credential
        assert head is not None
        plain = all(each.credential == credential and not each.flaw for each in records)
        if (
            not plain
            or self._access_keys.lacks_key_of(head, records[0].request)
            or any(each.seq in report.in_doubt for each in records)
        ):
            return [None] * len(records)
        asked = [self._delays.asked(each.request, head, each.time) for each in records]
        requests = [request_to_emulator(each, head, self._aliases, self._endpoints) for each in asked]
        batch = batch_of(head, requests)
        if batch is None:
            return [None] * len(records)
        self._endpoints.remember_client(records[0].request.headers.get("host"))
        calls = [CallInProgress(each, head, report, original=each.request, answer=each.answer) for each in records]
        doubt = Doubt()
        sent = await self._deliver(batch, calls, doubt)
        if not doubt:
            for each in records:
                report.in_doubt.pop(each.seq, None)
        results: list[Comparison | NotRestored | None]
        if isinstance(sent, NotRestored) or not sent.outcome.ok:
            why = sent
            if not isinstance(why, NotRestored):
                why = NotRestored(doubt.reason if doubt else why.outcome.error_code)
            reason = str(why)
            results = [None] * len(records)  # made alone, each of them tells the reason for itself
            if doubt:
                results = [None if each.may_be_repeated else left_in_doubt(why) for each in calls]
        else:
            reason = "the request for several calls did not take it"
            outcomes = outcomes_of(head, sent.outcome, len(records))
            results = [self._finish(call, outcome, sent) for call, outcome in zip(calls, outcomes, strict=True)]
        for each, result in zip(records, results, strict=True):
            if result is None:
                log_retry(each.seq, head, 2, reason)
        return results

    async def _deliver(
        self, batch: Batch, calls: Sequence[CallInProgress], doubt: Doubt
    ) -> ReplayedAnswer | NotRestored:
        """Send the request of a batch; return its answer, or the reason why there is none."""
        credential, report = calls[0].record.credential, calls[0].report

        async def once() -> ReplayedAnswer:
            report.in_doubt.update((each.record.seq, CUT_OFF) for each in calls)
            return await self._sender.send_call(
                self._sender.signed(batch.request, credential), batch.head, limit, doubt
            )

        def all_may_be_repeated() -> bool:
            return all(each.may_be_repeated for each in calls)

        delivery = Delivery(
            calls[0].record.seq,
            batch.head,
            once,
            doubt,
            self._pause,
            seconds=self._call_timeout,
            is_repeatable=all_may_be_repeated,
        )
        try:
            async with asyncio.timeout(None) as limit:
                return await delivery.until_known()
        except (InDoubtError, TimeoutError, ConnectionError, MalformedMessage) as error:
            reason = str(error) or f"no answer within {duration(self._call_timeout)}"
            return NotRestored(reason, broken_off=isinstance(error, InDoubtError | ConnectionError))

    def _finish(
        self, call: CallInProgress, outcome: Outcome | None, sent: ReplayedAnswer
    ) -> Comparison | NotRestored | None:
        """Learn from what the batch says of one call. outcome: of this call; None where the batch did not take it."""
        if outcome is None:
            return None
        record = call.record
        messages = (record, call.head, record.request, record.answer)
        try:
            verdict = self._learner.learn_from_answers(*messages, outcome, call.report)
            note_times(self._times, *messages, sent.begun, sent.ended)
        except NotRestored as error:
            return error
        return verdict
