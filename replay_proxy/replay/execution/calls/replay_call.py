"""Making one recorded call again.

Recorded requests speak of *client ids*. Before each is sent, the ids that are known to have changed are replaced. After its
answer, recorded and replayed output are walked together, and what changed this time is learned. So a call can only refer to
ids that an earlier call has taught, which is the order in which the client learned them, too.

Where the answer to a call is lost, it is not known whether the emulator carried the call out. It is sent again only where that
does no harm (`sending`). Else the emulator is asked for what it would have made (`lost_answer`). Where that does not tell
either, the call is reported as one that may have been carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import suppress
from dataclasses import replace

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError, UnsendableError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.learning.compare import Comparison
from replay_proxy.identifiers.learning.learn import known_from
from replay_proxy.identifiers.rewriting.rewrite import request_to_emulator
from replay_proxy.identifiers.rewriting.user_pools.one_time_codes import OneTimeSecrets
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.access_keys import IDENTITY, signing_hint
from replay_proxy.replay.execution.background_waits import StartedWork
from replay_proxy.replay.execution.calls.answer_learning import EQUAL, AnswerLearner
from replay_proxy.replay.execution.calls.call_in_progress import CallInProgress, OnAnswer, wait_for_all
from replay_proxy.replay.execution.calls.lost_answer import THERE_ALREADY, LostAnswerLookup
from replay_proxy.replay.execution.calls.page_walk import PageWalks, without_other_elements
from replay_proxy.replay.execution.implied_times import ANSWERED, has_implied_times, with_implied_times
from replay_proxy.replay.execution.made_already import MadeAlready, drawn_within, is_made, made_at
from replay_proxy.replay.execution.message_delays import MessageDelays
from replay_proxy.replay.execution.original_times import note_times
from replay_proxy.replay.execution.pinned_choices import has_choices, with_choices
from replay_proxy.replay.execution.put_back import put_back
from replay_proxy.replay.execution.reporting.not_restored import NotRestored, left_in_doubt
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.reporting.report_masking import ReportMasking
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.delivery import Delivery, InDoubtError
from replay_proxy.replay.execution.sending.doubt import CUT_OFF, Doubt
from replay_proxy.replay.execution.sending.repeatable import says_gone, says_not_offered, says_there
from replay_proxy.replay.execution.sending.retry import Pause
from replay_proxy.replay.execution.sending.sender import EmulatorSender, ReplayedAnswer
from replay_proxy.replay.issued.stand_ins import Emulator
from replay_proxy.replay.waiters import waiter_after
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models
from replay_proxy.wire.models.pagination import Pagination
from replay_proxy.wire.mutability.judge import gives_credentials
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.credentials import is_spelled_like_account
from replay_proxy.wire.signing.sigv4 import Credential
from replay_proxy.wording import duration

SETTLING_SHARE = 0.8
"""Of the time that a call may take: work that is still under way then is left to itself, and the call counts by its answer."""


class CallReplayer:
    """Makes calls of one restore, one by one. pause: waits so many seconds for the emulator."""

    def __init__(self, target: RestoreTarget, sender: EmulatorSender, pause: Pause, delays: MessageDelays) -> None:
        self._sender = sender
        self._pause = pause
        self._delays = delays
        self._load = target.load
        self._aliases = target.known.aliases
        self._access_keys = target.known.access_keys
        self._times = target.known.times
        self._client_secrets = target.known.client_secrets
        self._start_positions = target.known.start_positions
        self._stand_ins = target.known.stand_ins
        self._one_time_secrets = OneTimeSecrets()
        self._made_already = MadeAlready()
        self._read_before: set[int] = set()
        """The numbers of reads that were made in their place."""
        self._issued = None if target.issued is None else Emulator(target.issued, self._ask_again, self._with_hashes)
        self._endpoints = target.endpoints
        self._call_timeout = target.call_timeout
        self._learner = AnswerLearner(target.known)
        self._lookup = LostAnswerLookup(target, sender, self._learner)
        self._page_walks = PageWalks(target, sender)

    async def replay(self, record: Record, report: RestoreReport, on_answer: OnAnswer = wait_for_all) -> Comparison:
        """Send a recorded call, learn from its answer, and compare it with the recorded one.

        Raises:
            NotRestored: it was refused, there was no answer, or it cannot be sent.
        """
        try:
            return await self._replay_once(record, report, on_answer)
        finally:
            if record.kind is RecordKind.WITNESS:
                self._read_before.add(record.seq)

    async def _replay_once(self, record: Record, report: RestoreReport, on_answer: OnAnswer) -> Comparison:
        """Raises as `replay`."""
        if record.flaw:
            raise NotRestored(f"it cannot be sent: {record.flaw}")
        head = record.head or recognise(record.request)
        if head is None:
            raise NotRestored("not an AWS API call")
        if self._access_keys.lacks_key_of(head, record.request):
            raise NotRestored(
                f"the credentials that it was made with, of the account {head.account}, were not given again: without them it"
                " would be made in another account"
            )
        call = CallInProgress(record, head, report, on_answer, Doubt(report.in_doubt.get(record.seq, "")))
        with self._lookup.tracking(call):
            try:
                return await self._replay(call)
            except NotRestored as error:
                if not call.doubt or record.kind is RecordKind.WITNESS:
                    raise
                verdict = await self._resolve_doubt(call)
                if verdict is not None:
                    return verdict
                if call.may_be_repeated:
                    raise
                self._lookup.leave_in_doubt(call)
                raise left_in_doubt(error) from error
            finally:
                if not call.doubt:
                    report.in_doubt.pop(record.seq, None)

    async def _resolve_doubt(self, call: CallInProgress) -> Comparison | None:
        """Find out what became of a call that may have been carried out; None where that cannot be known."""
        verdict = await self._lookup.look_up(call)
        if verdict is not None or not call.is_absent or call.may_be_repeated:
            return verdict
        # Nothing of the name that the call gives is there, so one at most will be there after another attempt.
        call.allow_repeating("nothing of that name was there")
        try:
            return await self._replay(call)
        except NotRestored:
            call.forbid_repeating()
            return await self._lookup.look_up(call)

    async def _replay(self, call: CallInProgress) -> Comparison:
        """Send a call that can be sent. Raises as `replay`."""
        record, head = call.record, call.head
        try:
            async with asyncio.timeout(None) as limit:
                call.original, call.answer = original, answer = await self._with_bodies(record, head)
                self._endpoints.remember_client(original.headers.get("host"))
                pagination = self._page_walks.pagination(call)
                if pagination is not None:
                    return await self._replay_page(call, pagination, limit)
                asked = self._delays.asked(self._start_positions.asked(original, head), head, record.time)
                if has_choices(head):
                    asked = with_choices(asked, head, call.recorded, call.parameters)
                if has_implied_times(head):
                    answered = str(record.notes.get(ANSWERED, ""))
                    asked = with_implied_times(asked, head, call.parameters, record.time, record.duration_ms, answered)
                if self._issued is not None:
                    asked = await self._stand_ins.in_request(asked, head, replace(self._issued, before=record.seq))
                asked = self._client_secrets.with_hashes(asked, head, self._aliases)
                asked = self._one_time_secrets.with_codes(asked, head, record.time)
                call.request = request = request_to_emulator(asked, head, self._aliases, self._endpoints)
                if await self._is_made_already(call, request):
                    return EQUAL
                sent = await self._deliver(call, self._sender.signed(request, record.credential), limit)
                if record.kind is RecordKind.WITNESS and await self._put_back(call, sent.outcome):
                    sent = await self._deliver(call, self._sender.signed(request, record.credential), limit)
                if asked is not original:
                    sent = self._with_start_position(sent, original, head, request)
                outcome = sent.outcome
                started = self._started_work(head, request, outcome, record.credential)
                if call.on_answer(started) and started is not None:
                    with suppress(ConnectionError, MalformedMessage):
                        await started.finish(self._pause)
        except InDoubtError as error:
            raise NotRestored(str(error), broken_off=True) from error
        except TimeoutError as error:
            reason = f"no answer within {duration(self._call_timeout)}"
            call.doubt.timed_out(reason)
            raise NotRestored(reason) from error
        except ConnectionError as error:
            reason = f"the emulator did not answer: {error}"
            raise NotRestored(reason, unreachable=not call.doubt, broken_off=True) from error
        except UnsendableError as error:
            raise NotRestored(f"it cannot be sent: {error.message}") from error
        except MalformedMessage as error:
            raise NotRestored(f"a message cannot be read: {error.message}") from error
        except (RecordingError, StorageError) as error:
            raise NotRestored(error.message, broken_off=isinstance(error, StorageError)) from error
        if not outcome.ok:
            if call.doubt and call.is_done_by_refusal(outcome):
                return EQUAL
            if says_there(outcome) and (verdict := await self._found_there(call)) is not None:
                return verdict
            raise _refused(head, original, outcome)
        await self._learn_keys(call, outcome)
        self._stand_ins.learn(head, answer, sent.answer)
        self._one_time_secrets.learn(head, answer, sent.answer)
        note_times(self._times, record, await self._placed(head), original, answer, sent.begun, sent.ended)
        if self._learner.says_nothing_new(original, answer, sent.answer):
            return EQUAL
        return self._learner.learn_from_answers(record, head, original, answer, outcome, call.report)

    async def _found_there(self, call: CallInProgress) -> Comparison | None:
        """Return how what is there already compares with what a refused creation had made; None where no read shows it.

        An emulator may have made it by itself: by an init script, or from an image.
        """
        if call.record.kind is RecordKind.WITNESS:
            return None
        verdict = await self._lookup.look_up(call, there=True)
        if verdict is None and call.shows_only_what_was_sent:
            call.report.find(call.record.seq, call.head.service, call.head.operation, THERE_ALREADY)
            return EQUAL
        return verdict

    def _with_start_position(
        self, sent: ReplayedAnswer, original: Request, head: CallHead, request: Request
    ) -> ReplayedAnswer:
        """Remember where what a creation has made began at first, and return the answer that shows it."""
        self._start_positions.learn(original, head, sent.answer)
        answer = self._start_positions.shown(head, sent.answer)
        return (
            sent if answer is sent.answer else sent._replace(answer=answer, outcome=parse_answer(head, answer, request))
        )

    async def _placed(self, head: CallHead) -> CallHead:
        """Return a recorded call as those of clients are placed: in the account that the emulator says."""
        keys, key = self._access_keys, head.access_key
        if head.account != key or not is_spelled_like_account(key):
            return head
        if key not in keys.accounts:
            with suppress(ConnectionError, MalformedMessage, TimeoutError):
                await self._learn_default_account()
                request = keys.identity_request(self._endpoints.upstream, key)
                told = parse_answer(IDENTITY, await self._sender.send(request), request).parsed.get("Account")
                keys.note_account(key, self._aliases.to_client(str(told or key)))
        return keys.placed(head, self._aliases.to_client(keys.default_account))

    async def default_account(self) -> str:
        """Return the account of calls that say none, as clients know it; empty where the emulator does not tell."""
        with suppress(ConnectionError, MalformedMessage, TimeoutError):
            await self._learn_default_account()
        return self._aliases.to_client(self._access_keys.default_account)

    async def _learn_default_account(self) -> None:
        """Ask the emulator for its default account, unless it is known. Raises as `RestoreTarget.send`, or MalformedMessage."""
        keys = self._access_keys
        if not keys.default_account:
            request = keys.identity_request(self._endpoints.upstream)
            keys.learn_default_account(parse_answer(IDENTITY, await self._sender.send(request), request))

    async def _learn_keys(self, call: CallInProgress, outcome: Outcome) -> None:
        """Take in the access keys that a call has given. outcome: as the emulator told it. Raises MalformedMessage."""
        keys, head = self._access_keys, call.head
        if not gives_credentials(head.service, head.operation):
            return
        keys.learn(head, outcome)
        with suppress(MalformedMessage):
            keys.learn_account(head, call.parameters, call.recorded)
        with suppress(ConnectionError, MalformedMessage, TimeoutError):
            await self._learn_default_account()

    async def _put_back(self, call: CallInProgress, outcome: Outcome) -> bool:
        """Write what a recorded read showed and the emulator has drawn anew. Returns whether it was. Raises as `_ask_again`.

        A read that is made once more at the end may show what later calls have written, which is to stay.
        """
        assert call.original is not None
        assert call.answer is not None
        if call.record.seq in self._read_before:
            return False
        is_written = False
        known = known_from(self._aliases, scope_of(call.head))
        for calls in put_back(call.head, call.original, call.answer, call.recorded, outcome, known):
            for head, request in calls:
                if (await self._ask_again(request, head, call.record.credential)).status != 200:
                    break
                is_written = True
        return is_written

    async def _is_made_already(self, call: CallInProgress, request: Request) -> bool:
        """Return whether an observed write is not needed. request: in emulator ids. Raises as `_ask_again`."""
        assert call.original is not None
        assert call.answer is not None
        question = self._made_already.question(call.record.kind, call.head, call.original)
        if question is None:
            return False
        head, read = question.head, question.request
        shown = await self._ask_again(read, head, call.record.credential)
        if not is_made(call.head, request, shown, question.version):
            # What a template refers to may hold the emulator's own address, where the observation holds the proxy's.
            shown = self._endpoints.to_client(shown, call.original, head)
            for before, now in drawn_within(call.head, call.original, shown):
                outcome = parse_answer(head, now, read)
                self._learner.learn_from_answers(call.record, head, read, before, outcome, call.report)
            request = request_to_emulator(call.original, call.head, self._aliases, self._endpoints)
            if not is_made(call.head, request, shown, question.version):
                return False
        if moment := made_at(call.head, shown):
            note_times(self._times, call.record, call.head, call.original, call.answer, moment, moment)
        return True

    def _with_hashes(self, request: Request, head: CallHead, users: Collection[str]) -> Request:
        return self._client_secrets.with_hashes(request, head, self._aliases, users)

    async def _ask_again(self, request: Request, head: CallHead, credential: Credential) -> Answer:
        """Make a call again that gave out what a recorded request presents. Raises as `RestoreTarget.send`."""
        asked = self._client_secrets.with_hashes(request, head, self._aliases)
        to_emulator = request_to_emulator(asked, head, self._aliases, self._endpoints)
        return await self._sender.send(self._sender.signed(to_emulator, credential))

    async def _replay_page(self, call: CallInProgress, pagination: Pagination, limit: asyncio.Timeout) -> Comparison:
        """Read a page of a listing again, among all of its pages. Raises as `replay` and `EmulatorSender.send_call`."""
        assert call.original is not None
        recorded, outcome = await self._page_walks.outcomes(call, pagination, limit)
        if not outcome.ok:
            raise _refused(call.head, call.original, outcome)
        verdict = self._learner.learn_from_outcomes(
            call.record, call.head, call.original, recorded, outcome, call.report
        )
        return without_other_elements(verdict)

    async def _deliver(self, call: CallInProgress, request: Request, limit: asyncio.Timeout) -> ReplayedAnswer:
        """Send the request of a call until it is known what became of it. Raises as `Delivery.until_known`."""
        record, in_doubt = call.record, call.report.in_doubt

        async def once() -> ReplayedAnswer:
            if record.kind is not RecordKind.WITNESS:
                in_doubt.setdefault(
                    record.seq, CUT_OFF
                )  # stands if the restore is given up while the call is under way
            return await self._sender.send_call(request, call.head, limit, call.doubt)

        delivery = Delivery(
            record.seq,
            call.head,
            once,
            call.doubt,
            self._pause,
            seconds=self._call_timeout,
            is_repeatable=lambda: call.may_be_repeated,
        )
        return await delivery.until_known()

    def _started_work(
        self, head: CallHead, request: Request, outcome: Outcome, credential: Credential
    ) -> StartedWork | None:
        """Return the work that a call has started and that goes on after its answer; None for most calls."""
        waiter = waiter_after(head)
        if waiter is None or not outcome.ok or waiter.is_over_at_once(outcome.parsed):
            return None
        question = waiter.question(head, outcome.parsed, parse_parameters(head, request))
        if question is None:
            return None
        asked = build_request(question.head, question.parameters, request.headers.get("host"))

        def ask(asked: Request) -> Awaitable[Answer]:
            return self._sender.send(self._sender.signed(asked, credential))

        return StartedWork(waiter, question.head, asked, ask, self._call_timeout * SETTLING_SHARE)

    async def _with_bodies(self, record: Record, head: CallHead) -> tuple[Request, Answer]:
        """Return a record's messages, with their bodies in memory where identifiers may have to be found in them."""
        request, answer = record.request, record.answer
        if isinstance(request.body, BlobRef) and not models.streams_input(head.service, head.operation):
            request = replace(request, body=await self._load(request.body))
        if isinstance(answer.body, BlobRef):
            answer = replace(answer, body=await self._load(answer.body))
        return request, answer


def _refused(head: CallHead, original: Request, outcome: Outcome) -> NotRestored:
    """Return the error for a call that the emulator refused."""
    # A read may well ask for what is not there.
    is_not_offered = says_not_offered(outcome) and not (outcome.status == 404 and original.method in ("GET", "HEAD"))
    offer = f"this emulator does not offer {head.service}:{head.operation}; " if is_not_offered else ""
    message = ReportMasking(head, original).of(outcome.error_message)
    reason = f"{offer}{outcome.error_code}: {message}{signing_hint(outcome.error_code)}"
    return NotRestored(reason, absent=says_gone(outcome))
