"""What is decided of a call, whichever way it comes by: who records it, what its client sees, what is counted.

`engine` and `express` carry exchanges; both ask here.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError
from replay_proxy.exchange import Answer, CallHead, Request, Unread
from replay_proxy.proxy.carrier import Carrier, bytes_of
from replay_proxy.proxy.counters import Counters
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.proxy.streams import Outgoing
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.faults import fault
from replay_proxy.wire.mutability import Effect, judge_call
from replay_proxy.wire.recognise import recognise

_log = log.get("engine")

Look = Callable[[CallHead, Request, bytes, Unread], None]
"""Is shown a call, as its client made it, and the answer that its client saw: its body, and the whole."""


class Decisions:
    """The decisions of one proxy.

    recorder, watch: None where nothing is to be recorded. on_minted: told when `carrier.aliases` has grown by a live answer.
    answered: requests that the emulator has answered so far.
    """

    def __init__(
        self, carrier: Carrier, recorder: Recorder | None, watch: Watch | None, on_minted: Callable[[], None]
    ) -> None:
        self.carrier = carrier
        self.recorder = recorder
        self.counters = Counters()
        self.answered = 0
        self._watch = watch
        self._on_minted = on_minted

    def sort(self, head: CallHead | None, request: Request) -> tuple[Recorder | None, Look | None]:
        """What is to be done with a call, which is counted: who records it, or else who is shown a successful answer."""
        if head is None:
            self.counters.unrecognised += 1
            return None, None
        effect = judge_call(head, request).effect
        if effect is Effect.MUTATES:
            if self.recorder is not None and self.recorder.takes(head):
                return self.recorder, None
            self.counters.switched_off[head.service] += 1
        elif effect is Effect.READS:
            self.counters.reads += 1
            return None, self._watch.read if self._watch is not None else None
        else:
            self.counters.transient += 1
        return None, self.carrier.receipts.received if head.operation == "ReceiveMessage" else None

    def meanwhile(self) -> None:
        """A request has just been sent: what can be done while the emulator works."""
        if self._watch is not None:
            self._watch.take_in()

    def shown(self, whole: Answer, head: CallHead, request: Request) -> Answer:
        """What the client of a change is to see of its answer."""
        shown = self.carrier.shown(whole, head, request)
        if self.carrier.aliases.take_minted():
            self._on_minted()
        return shown

    def has_changed(self, head: CallHead, request: Request, whole: Answer, shown: Answer) -> bool:
        """Did the call succeed, so that it belongs into the journal?"""
        if not _succeeded(head, shown):
            self.counters.refused += 1
            return False
        if head.operation == "CreateAccessKey":
            with contextlib.suppress(MalformedMessage):
                self.carrier.keyring.learn(head, parse_answer(head, whole, request))
        return True

    def was_recorded(self, head: CallHead, request: Request, shown: Answer) -> None:
        """A change is in the journal."""
        self.carrier.times.changed(head, request)
        if self._watch is not None:
            self._watch.change(head, request, shown)
        self.counters.recorded += 1
        self.counters.by_service[head.service] += 1

    def refusal(self, head: CallHead, request: Request, recorder: Recorder, error: StorageError) -> Outgoing | None:
        """What the client of a change sees that could not be recorded; None where it sees the answer all the same."""
        try:
            recorder.unrecorded.excuse(head, error)
        except StorageError as refused:
            return self.unrecordable(head, request, refused)
        return None

    def unrecordable(self, head: CallHead, request: Request, error: StorageError) -> Outgoing:
        """What the client of a change sees that could not be recorded, where such calls are refused."""
        _log.error("a call cannot be recorded", reason=error.message, hint=error.hint, **_named(head))
        return self.unavailable(request, head, f"replay_proxy cannot record this call: {error.message}")

    async def promised(self, head: CallHead, request: Request, recorder: Recorder, outgoing: Outgoing) -> Outgoing:
        """`outgoing`, when the change that it answers is as safe as the save strategy says."""
        try:
            await self.until_promised(head, recorder)
            return outgoing
        except StorageError as error:
            return self.unrecordable(head, request, error)

    async def until_promised(self, head: CallHead, recorder: Recorder) -> None:
        """Wait until a written call is as safe as the save strategy says. Raises StorageError where it must not be seen."""
        try:
            await recorder.promised()
        except StorageError as error:
            recorder.unrecorded.excuse(head, error)

    def unavailable(self, request: Request, head: CallHead | None, message: str) -> Outgoing:
        """A 503 in the caller's own protocol, which AWS SDKs retry."""
        self.counters.unavailable += 1
        answer = fault(
            head or recognise(request),
            request,
            status=503,
            code="ServiceUnavailable",
            message=message,
            request_id=str(uuid.uuid4()),
        )
        return Outgoing(answer.status, answer.reason, answer.headers, bytes_of(answer))


def _named(head: CallHead) -> dict[str, str]:
    return {"service": head.service, "operation": head.operation}


def _succeeded(head: CallHead, answer: Answer) -> bool:
    """Did the call change anything? S3 may report an error in an answer of status 200 (CompleteMultipartUpload)."""
    if answer.status == 303:
        return head.operation == "PostObject"
    if not 200 <= answer.status < 300:
        return False
    return head.service != "s3" or b"<Error>" not in bytes_of(answer)[:512]
