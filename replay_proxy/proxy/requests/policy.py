"""What is decided of a call: whether it is recorded, what its client sees, and what is counted.

The engine and the fast path carry exchanges, each in its own way; both ask the functions here, and so decide alike.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError
from replay_proxy.exchange import Answer, CallHead, DeferredAnswer, Request
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.requests.counters import Counters
from replay_proxy.proxy.requests.held_keys import HeldKeys
from replay_proxy.proxy.requests.journaling.effect_notes import EffectNotes
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.journaling.run_watcher import RunWatcher
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.proxy.requests.traffic import Traffic
from replay_proxy.proxy.requests.translator import Translator, bytes_of
from replay_proxy.replay.execution.implied_times import has_implied_times, notes_of_time
from replay_proxy.replay.issued.issuing_calls import is_kept, issuing_call, notes_of
from replay_proxy.replay.runs.families import role_of, services_with_runs
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.error_responses import error_response
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.mutability.judge import Effect, gives_credentials, judge_call
from replay_proxy.wire.recognition.likely_call import likely_call
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.issued_keys import issued_keys, without_temporary_secrets

_log = log.get("engine")

OBSERVED = (200, 201)
"""The statuses of answers that observers are shown: what succeeded, and has what was asked for."""

AnswerObserver = Callable[[CallHead, Request, bytes, DeferredAnswer], None]
"""Called with a call as its client made it, and with the answer that its client saw: the body, and a function for the whole."""


class RequestPolicy:
    """Decides for one proxy.

    recorder, witness_watcher, effect_notes: None where nothing is to be recorded. on_learned: called when a live answer has
    added to `translator.session_state`. answered_count: requests that the emulator has answered so far. run_watcher: told of
    starts of runs; None where nothing is to be recorded. traffic: told of every request; None while nobody looks on.
    """

    def __init__(
        self,
        translator: Translator,
        recorder: Recorder | None,
        witness_watcher: WitnessWatcher | None,
        on_learned: Callable[[], None],
        effect_notes: EffectNotes | None = None,
    ) -> None:
        self.translator = translator
        self.recorder = recorder
        self.counters = Counters()
        self.answered_count = 0
        self._witness_watcher = witness_watcher
        self._on_learned = on_learned
        translator.held_tokens.on_learned = on_learned
        self._effect_notes = effect_notes
        self._held_keys = HeldKeys(translator, recorder)
        self.run_watcher: RunWatcher | None = None
        self.traffic: Traffic | None = None

    def recognise(self, request: Request) -> CallHead | None:
        """Return the call that a client's request makes, in the account of the key that signed it. None: it is none."""
        head = recognise(request)
        return head if head is None else self.translator.placed(head)

    def may_carry_new_key(self, data: bytes, body_at: int) -> bool:
        """Return whether `recognise_held` may have something to ask of a request of these bytes. Quick."""
        return self._held_keys.may_be_new(data, body_at)

    async def recognise_held(self, request: Request) -> CallHead | None:
        """Do as `recognise`, after asking the emulator whose the key is that signed, where nothing tells that."""
        head = self.recognise(request)
        if head is not None and self._held_keys.is_new(head, request):
            if await self._held_keys.identify(head, request):
                self._on_learned()
            head = self.recognise(request)
        return head

    def classify(self, head: CallHead | None, request: Request) -> tuple[Recorder | None, AnswerObserver | None]:
        """Count a call, and return what is done with it: its recorder, or else who is shown a successful answer.

        head: None where the request is no call that is known. Both are None where nothing is done.
        """
        if head is None:
            self.counters.unrecognised += 1
            if self._effect_notes is not None:
                self._effect_notes.note_unknown()
            return None, None
        effect = judge_call(head, request).effect
        if effect is Effect.MUTATES:
            if self.recorder is not None and self.recorder.is_wanted(head):
                return self.recorder, None
            self.counters.switched_off[head.service] += 1
        elif effect is Effect.READS:
            self.counters.reads[head.service] += 1
            if self._witness_watcher is None:
                return None, None
            if self.run_watcher is not None and len(self.run_watcher) and head.service in services_with_runs():
                return None, self._note_read_of_runs
            return None, self._witness_watcher.note_read
        elif self.recorder is not None and _gives_out(head) and self.recorder.is_wanted(head):
            return self.recorder, None
        else:
            self.counters.transient[head.service] += 1
        if self._effect_notes is not None:
            self._effect_notes.note_passed(head, request)
        if self.run_watcher is not None and head.service in services_with_runs():
            return None, self._note_run
        if self.translator.held_tokens.are_given_by(head):
            return None, self.translator.held_tokens.note
        return None, self.translator.receipts.note_received if head.operation == "ReceiveMessage" else None

    def _note_run(self, head: CallHead, request: Request, _body: bytes, answer: DeferredAnswer) -> None:
        assert self.run_watcher is not None
        self.run_watcher.note(head, request, answer)

    def _note_read_of_runs(self, head: CallHead, request: Request, body: bytes, answer: DeferredAnswer) -> None:
        assert self._witness_watcher is not None
        self._witness_watcher.note_read(head, request, body, answer)
        self._note_run(head, request, body, answer)

    def note_unrecognised(self, request: Request, status: int) -> None:
        """Note the answer to a request that is no known call: it may have changed something."""
        if self.recorder is not None:
            self.recorder.omissions.add_unrecognised(request, status)

    def catch_up(self) -> None:
        """Do what can wait until the emulator is at work: to be called when a request has just been sent."""
        if self._witness_watcher is not None:
            self._witness_watcher.queue_noted()

    def change_to_client(self, whole: Answer, head: CallHead, request: Request) -> Answer:
        """Return the answer of a change as its client is to see it. Tells `on_learned` of new client ids."""
        to_client = self.translator.answer_to_client(whole, head, request)
        if self.translator.aliases.take_minted():
            self._on_learned()
        return to_client

    def has_succeeded(self, head: CallHead, request: Request, whole: Answer, to_client: Answer) -> bool:
        """Return whether a change has succeeded, and so belongs into the journal. Counts it where it was refused.

        whole, to_client: its answer as the emulator gave it, and as the client sees it.
        """
        if not _has_changed_state(head, to_client):
            self.counters.refused[head.service] += 1
            return False
        if gives_credentials(head.service, head.operation):
            with contextlib.suppress(MalformedMessage):
                keys = self.translator.access_keys
                keys.learn(head, parse_answer(head, whole, request))
                keys.learn_account(head, parse_parameters(head, request), parse_answer(head, to_client, request))
                self._on_learned()
        return True

    def to_record(self, head: CallHead, request: Request, to_client: Answer) -> Answer:
        """Return the answer of a change as it is recorded: without the secrets of temporary keys, which no restore needs."""
        if not gives_credentials(head.service, head.operation):
            return to_client
        try:
            keys = issued_keys(parse_answer(head, to_client, request).parsed)
        except MalformedMessage:
            return to_client
        body = without_temporary_secrets(bytes_of(to_client), keys)
        return to_client if body is to_client.body else replace(to_client, body=body)

    def notes_for(self, head: CallHead, request: Request, to_client: Answer) -> Mapping[str, Any]:
        """Return what is to be noted with a change: receipts that it names, digests of what it gave out, the emulator's time."""
        if issuing_call(head.service, head.operation) is not None:
            return notes_of(head, to_client)
        if has_implied_times(head):
            return notes_of_time(to_client)
        return self.translator.receipts.notes_for(head, request)

    def note_recorded(self, head: CallHead, request: Request, to_client: Answer, notes: Mapping[str, Any]) -> None:
        """Take in what a change has taught, which is in the journal with these notes; count it."""
        self.translator.times.forget_changed(head, request)
        self.translator.receipts.note_change(head, request, notes)
        if self.translator.issued is not None:
            self.translator.issued.note_issued(head, request, to_client)
        if self._witness_watcher is not None:
            self._witness_watcher.note_change(head, request, to_client)
        if self._effect_notes is not None:
            self._effect_notes.note_change(head, request, to_client, notes)
        if self.run_watcher is not None and head.service in services_with_runs():
            self.run_watcher.note(head, request, lambda: to_client)
        self.counters.recorded[head.service] += 1

    def refusal_of_unrecorded(
        self, head: CallHead, request: Request, recorder: Recorder, error: StorageError
    ) -> Outgoing | None:
        """Return the 503 for the client of a change that could not be recorded. None where it may see the answer all the same."""
        try:
            recorder.unrecorded.allow_or_raise(head, error)
        except StorageError as refused:
            return self.refuse_unrecorded(head, request, refused)
        return None

    def refuse_unrecorded(self, head: CallHead, request: Request, error: StorageError) -> Outgoing:
        """Return the 503 for the client of a change that could not be recorded, and log why."""
        _log.error("a call cannot be recorded", reason=error.message, hint=error.hint, **_named(head))
        return self.unavailable(request, head, f"replay_proxy cannot record this call: {error.message}")

    async def answer_when_durable(
        self, head: CallHead, request: Request, recorder: Recorder, outgoing: Outgoing
    ) -> Outgoing:
        """Return `outgoing` once its change is as durable as the save strategy promises; a 503 where it does not become so."""
        await self.prepare_for_keys(head)
        try:
            await self.wait_until_durable(head, recorder)
            return outgoing
        except StorageError as error:
            return self.refuse_unrecorded(head, request, error)

    def delays_answer(self, head: CallHead, recorder: Recorder) -> bool:
        """Return whether something has to be waited for between the record of a change and its answer."""
        return recorder.saves_later or self._lacks_default_account(head)

    async def prepare_for_keys(self, head: CallHead) -> None:
        """Make sure, before a client sees the keys that its call was given, that calls signed with them will be placed."""
        if self._lacks_default_account(head) and await self.translator.learn_default_account():
            self._on_learned()

    def _lacks_default_account(self, head: CallHead) -> bool:
        return gives_credentials(head.service, head.operation) and not self.translator.access_keys.default_account

    async def wait_until_durable(self, head: CallHead, recorder: Recorder) -> None:
        """Wait until a written call is as durable as the save strategy promises.

        Raises:
            StorageError: it does not become so, and its client must not see the answer.
        """
        try:
            await recorder.wait_until_durable()
        except StorageError as error:
            recorder.unrecorded.allow_or_raise(head, error)

    def unavailable(self, request: Request, head: CallHead | None, message: str) -> Outgoing:
        """Return a 503 in the caller's own protocol, which AWS SDKs retry, and count it."""
        self.counters.unavailable["" if head is None else head.service] += 1
        if self.traffic is not None:
            self.traffic.note_unavailable(head, request, message)
        answer = error_response(
            head or recognise(request) or likely_call(request),
            request,
            status=503,
            code="ServiceUnavailable",
            message=message,
            request_id=str(uuid.uuid4()),
        )
        return Outgoing(answer.status, answer.reason, answer.headers, bytes_of(answer))


def _named(head: CallHead) -> dict[str, str]:
    return {"service": head.service, "operation": head.operation}


def _has_changed_state(head: CallHead, answer: Answer) -> bool:
    """Return whether a change has changed anything. S3 may report an error with status 200 (CompleteMultipartUpload)."""
    if answer.status == 303:
        return head.operation == "PostObject"
    if not 200 <= answer.status < 300:
        return False
    return head.service != "s3" or b"<Error>" not in bytes_of(answer)[:512]


def _gives_out(head: CallHead) -> bool:
    """Return whether a call that changes nothing is recorded: for a value that a client presents later, or the id of a run."""
    if is_kept(head.service, head.operation):
        return True
    role = role_of(head.service, head.operation) if head.service in services_with_runs() else None
    return role is not None and role[1] == "start"
