"""Asking the emulator for what a call has made whose answer was lost.

Which reads can tell is decided from the models (`sending.read_back`). What a list shows could be the work of another call of the
same operation. So lists tell nothing while several calls of one operation are under way, or once one of them was left in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import tenacity

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Request
from replay_proxy.identifiers.learning.compare import Comparison
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.calls.answer_learning import AnswerLearner
from replay_proxy.replay.execution.calls.call_in_progress import CallInProgress
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.read_back import Question, questions, what_was_made
from replay_proxy.replay.execution.sending.repeatable import says_gone
from replay_proxy.replay.execution.sending.retry import log_retry, retrying
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

THERE_ALREADY = (
    "what it makes was there already: the emulator has made it by itself, or it was made before this restore"
)


class LostAnswerLookup:
    """Finds what calls have made whose answers were lost, and knows which calls are under way."""

    def __init__(self, target: RestoreTarget, sender: EmulatorSender, learner: AnswerLearner) -> None:
        self._aliases = target.known.aliases
        self._call_timeout = target.call_timeout
        self._sender = sender
        self._learner = learner
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._left_in_doubt: set[tuple[str, str]] = set()

    @contextmanager
    def tracking(self, call: CallInProgress) -> Iterator[None]:
        """Count a call as under way for as long as the block runs."""
        self._under_way[call.operation] += 1
        try:
            yield
        finally:
            self._under_way[call.operation] -= 1

    def leave_in_doubt(self, call: CallInProgress) -> None:
        """Note that nobody knows whether this call was carried out; lists no longer tell of calls of its operation."""
        self._left_in_doubt.add(call.operation)

    async def look_up(self, call: CallInProgress, *, there: bool = False) -> Comparison | None:
        """Return how what a call has made compares with what was recorded; None where no read shows that it made anything.

        there: the emulator has refused the call, because what it names is there already.
        Sets `call.is_absent` where a read says that nothing of the name that the call gives is there.
        """
        record, head = call.record, call.head
        try:
            original, request = call.original, call.request
            if original is None or call.answer is None or request is None:
                return None
            recorded = call.recorded
            found = questions(head, parse_parameters(head, request), recorded)
        except MalformedMessage:
            return None
        for question in found:
            if question.listed and not there and self._is_ambiguous(call):
                continue
            shown = await self._ask(question, request, record)
            if shown is None or not shown.ok:
                call.is_absent |= shown is not None and not question.listed and says_gone(shown)
                continue
            made = what_was_made(question, shown, head, original, recorded, self._aliases)
            if made is None:
                continue
            by = f"{head.service}:{question.head.operation}"
            note = f"its answer was lost ({call.doubt.reason}); what it made was found by {by}"
            if there:
                note = f"{THERE_ALREADY}, as {by} shows"
            call.report.find(record.seq, head.service, head.operation, note)
            part = question.part_of(recorded)
            return self._learner.learn_from_outcomes(record, head, original, part, made, call.report)
        return None

    def _is_ambiguous(self, call: CallInProgress) -> bool:
        """Return whether what a list shows could be the work of another call."""
        return self._under_way[call.operation] > 1 or call.operation in self._left_in_doubt

    async def _ask(self, question: Question, request: Request, record: Record) -> Outcome | None:
        """Return the outcome of a read that asks about a record; None where there is no answer."""
        asked = build_request(question.head, question.parameters, request.headers.get("host"))
        failure = ""

        def tell(attempts: int, wait_s: float) -> None:
            log_retry(record.seq, question.head, attempts + 1, failure, wait_s)

        with suppress(TimeoutError, ConnectionError, MalformedMessage, tenacity.TryAgain):
            async with asyncio.timeout(self._call_timeout):
                async for attempt in retrying(self._call_timeout, tell):
                    with attempt:
                        try:
                            answer = await self._sender.send(self._sender.signed(asked, record.credential))
                        except ConnectionError as error:
                            failure = str(error) or type(error).__name__
                            raise tenacity.TryAgain from error
                        return parse_answer(question.head, answer, asked)
        return None
