"""What happens to every request, whichever door it came in by.

    gate -> recognise -> client ids to emulator ids -> emulator -> emulator ids to client ids -> journal -> client

Reads take the short way: they are forwarded as they come, and given up when their client leaves. A call that changes
state is finished once it has been sent, whatever the client does: the emulator may have carried it out, and a recording
that misses it would restore something else. So such a call runs shielded from cancellation.

An emulator that dies takes with it whatever it had not answered, for what was not answered is not recorded, and so not
restored. So a request that was under way is sent once more when the state is back (`_outliving`): its client sees latency
only. Where its body had streamed, or the emulator turns out to live on, the client gets a 503, and retries by itself.

What is sent, and in which identifiers, is the subject of `carrier`. A large body that the journal needs is spooled to a blob
on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.records import utc_now
from replay_proxy.proxy.carrier import WHOLE_LIMIT, Carrier, bytes_of, request_of
from replay_proxy.proxy.counters import Counters
from replay_proxy.proxy.gate import SETTLED, Gate, State
from replay_proxy.proxy.recorder import Recorder, Spooled
from replay_proxy.proxy.streams import Incoming, Outgoing, Stream, close_stream, collect, rejoined
from replay_proxy.proxy.upstream import (
    AnswerError,
    AnswerTimeoutError,
    ConnectError,
    Upstream,
    UpstreamError,
)
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.faults import fault
from replay_proxy.wire.mutability import Effect, judge_call
from replay_proxy.wire.recognise import needs_body, recognise

_log = log.get("engine")

MOST_LIVES = 2
"""How often one request is sent where the emulator dies under it; one that kills emulators must come to an end."""
NOTICE_SECONDS = 1.0
"""How long after a broken connection the emulator's death is noticed at the latest: its process or a line to it tells."""
HELD_UP = "what this request needs is still being restored; try again"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the engine goes by, in seconds."""

    gate_timeout: float
    lost_timeout: float


class Engine:
    """Handles requests from the doors.

    recorder, watch: None where nothing is to be recorded.
    answered: requests that the emulator has answered so far.
    on_lost: told when the emulator cannot be reached. on_minted: told when `aliases` has grown by a live answer.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        carrier: Carrier,
        gate: Gate,
        recorder: Recorder | None,
        watch: Watch | None,
        policy: Policy,
        on_lost: Callable[[str], None],
        on_minted: Callable[[], None],
    ) -> None:
        self._upstream = upstream
        self._gate = gate
        self.carrier = carrier
        self._recorder = recorder
        self._watch = watch
        self._policy = policy
        self._on_lost = on_lost
        self._on_minted = on_minted
        self.counters = Counters()
        self.answered = 0
        self._changes: set[asyncio.Task[Outgoing]] = set()

    async def quiet(self, seconds: float) -> None:
        """Wait, at most `seconds`, until no call that changes state is under way."""
        if self._changes:
            await asyncio.wait(self._changes, timeout=seconds)

    def begin_life(self) -> None:
        """The emulator has lost its memory, and is about to be restored."""
        self._gate.life += 1
        self.carrier.receipts.begin_life()

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer one request."""
        if not await self._passage():
            reason = self._gate.reason or f"the proxy is {self._gate.state.value}"
            return self._unavailable(request_of(incoming, b""), None, f"{reason}; try again")
        if incoming.upgrade:
            return await self._tunnel(incoming)
        prefix, rest = await self.carrier.begin_body(incoming)
        request = request_of(incoming, prefix)
        if rest is not None and needs_body(request):
            prefix, rest = await collect(rejoined(prefix, rest), WHOLE_LIMIT)
            request = request_of(incoming, prefix)
        head = recognise(request)
        if head is None:
            self.counters.unrecognised += 1
        return await self._outliving(lambda: self._dispatch(request, rest, incoming, head), request, head, rest is None)

    async def _outliving(
        self, attempt: Callable[[], Awaitable[Outgoing]], request: Request, head: CallHead | None, repeatable: bool
    ) -> Outgoing:
        """What comes of `attempt`; made again where the emulator died under it and is back with its state."""
        for _ in range(MOST_LIVES):
            if self._gate.holds_some and not await self._gate.admission(head, request, self._patience()):
                return self._unavailable(request, head, HELD_UP)
            life = self._gate.life
            try:
                outgoing = await attempt()
                self.answered += 1
                return outgoing
            except UpstreamError as error:
                failure = error
            unseen = isinstance(failure, ConnectError)
            if unseen:
                self._on_lost(str(failure))
            if not repeatable or isinstance(failure, AnswerTimeoutError):
                break
            if self._gate.life == life:
                await self._gate.shut(NOTICE_SECONDS)
            if not await self._passage() or not (unseen or self._gate.life != life):
                break  # where it lives on, it may have carried out what it has seen
        return self._unavailable(request, head, str(failure))

    async def _dispatch(
        self, request: Request, rest: Stream | None, incoming: Incoming, head: CallHead | None
    ) -> Outgoing:
        if head is None:
            return await self._forward(request, rest, incoming, None)
        effect = judge_call(head, request).effect
        if effect is Effect.MUTATES:
            if self._recorder is not None and self._recorder.takes(head):
                return await self._change(request, rest, incoming, head, self._recorder)
            self.counters.switched_off[head.service] += 1
        elif effect is Effect.READS:
            self.counters.reads += 1
            look = self._watch.read if self._watch is not None else None
            return await self._forward(request, rest, incoming, head, look)
        else:
            self.counters.transient += 1
        look = self.carrier.receipts.received if head.operation == "ReceiveMessage" else None
        return await self._forward(request, rest, incoming, head, look)

    # The two ways to the emulator.

    async def _forward(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        look: Callable[[CallHead, Request, Answer], None] | None = None,
    ) -> Outgoing:
        """A call that changes nothing; `look` is shown what a successful one answered. Raises `UpstreamError`."""
        answer = await self.carrier.send(request, rest, incoming, head)
        shown = await self.carrier.to_client(answer, request, head)
        if look is not None and head is not None and shown.status == 200 and isinstance(shown.body, bytes):
            look(head, request, Answer(shown.status, shown.headers, shown.body, shown.reason))
        return shown

    async def _change(
        self, request: Request, rest: Stream | None, incoming: Incoming, head: CallHead, recorder: Recorder
    ) -> Outgoing:
        """A call that changes state: once begun it is finished and recorded, though its client may have left."""
        task = asyncio.create_task(self._carry_out(request, rest, incoming, head, recorder))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(_forget)
            raise

    async def _carry_out(
        self, request: Request, rest: Stream | None, incoming: Incoming, head: CallHead, recorder: Recorder
    ) -> Outgoing:
        try:
            recorder.check()
            async with recorder.turn(head, request):
                if not self._gate.is_open:
                    raise ConnectError(self._gate.reason or "the emulator was lost before the call was sent")
                outgoing, recorded = await self._send_and_record(request, rest, incoming, head, recorder)
            if recorded:
                try:
                    await recorder.promised()
                except StorageError as error:
                    recorder.unrecorded.excuse(head, error)
            return outgoing
        except StorageError as error:
            _log.error("a call cannot be recorded", reason=error.message, hint=error.hint, **_named(head))
            return self._unavailable(request, head, f"replay_proxy cannot record this call: {error.message}")

    async def _send_and_record(
        self, request: Request, rest: Stream | None, incoming: Incoming, head: CallHead, recorder: Recorder
    ) -> tuple[Outgoing, bool]:
        """What the client is to see, and whether the call is in the journal. Raises StorageError where it must not see it."""
        begun, taken = time.monotonic(), utc_now()
        spooled: Spooled | None = None
        try:
            if rest is not None and self.carrier.must_be_whole(head):
                prefix, rest = await collect(rejoined(bytes_of(request), rest), WHOLE_LIMIT)
                request = request_of(incoming, prefix)
            if rest is not None:
                spooled = recorder.spool(bytes_of(request), rest)
            answer = await self.carrier.send(request, rest, incoming, head, spooled)
            body, more = await collect(answer.body, WHOLE_LIMIT)
            if more is not None:
                whole = Answer(answer.status, answer.headers, body, answer.reason)
                return await self._too_large(whole, more, head, recorder), False
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            shown = self.carrier.shown(whole, head, request)
            if self.carrier.aliases.take_minted():
                self._on_minted()
            outgoing = Outgoing(shown.status, shown.reason, shown.headers, bytes_of(shown))
            if not _succeeded(head, shown):
                self.counters.refused += 1
                return outgoing, False
            if head.operation == "CreateAccessKey":
                with contextlib.suppress(MalformedMessage):
                    self.carrier.keyring.learn(head, parse_answer(head, whole, request))
            stored = request
            duration = (time.monotonic() - begun) * 1000
            try:
                if spooled is not None:
                    stored = Request(request.method, request.target, request.headers, await recorder.keep(spooled))
                    spooled = None
                notes = self.carrier.receipts.notes_for(head, stored)
                await recorder.write(head, stored, shown, time=taken, duration_ms=duration, notes=notes)
            except StorageError as error:
                recorder.unrecorded.excuse(head, error)
                return outgoing, False
            if self._watch is not None:
                self._watch.change(head, stored, shown)
            self.counters.recorded += 1
            self.counters.by_service[head.service] += 1
            return outgoing, True
        finally:
            if spooled is not None:
                spooled.drop()

    async def _too_large(self, begun: Answer, more: Stream, head: CallHead, recorder: Recorder) -> Outgoing:
        """An executed call whose answer cannot be recorded. Raises StorageError where calls are refused then."""
        reason = f"the answer to {head.service}:{head.operation} is larger than {WHOLE_LIMIT} bytes"
        recorder.gap(reason)
        try:
            recorder.unrecorded.excuse(head, StorageError(reason, hint="--when-unrecordable continue lets it through"))
        except StorageError:
            await close_stream(more)
            raise
        return Outgoing(begun.status, begun.reason, begun.headers, rejoined(bytes_of(begun), more))

    async def _tunnel(self, incoming: Incoming) -> Outgoing:
        request = request_of(incoming, b"")
        if self._gate.holds_some and not await self._gate.admission(None, request, self._patience()):
            return self._unavailable(request, None, HELD_UP)
        request = self.carrier.outward(request, None)
        try:
            answer = await self._upstream.send(
                request.method, request.target, request.headers, None, None, upgrade=True
            )
        except ConnectError as error:
            return self._lost(request, None, error)
        except AnswerError as error:
            return self._unavailable(request, None, str(error))
        return Outgoing(answer.status, answer.reason, answer.headers, answer.body, answer.tunnel)

    # What the client reads when the emulator is not there.

    async def _passage(self) -> bool:
        """Wait at the gate; what is on its way back is waited for longer than what is gone."""
        while not self._gate.is_open:
            state = self._gate.state
            if not await self._gate.passage(self._patience()) and self._gate.state in (state, *SETTLED):
                return self._gate.is_open
        return True

    def _patience(self) -> float:
        lost = self._gate.state is State.LOST
        return self._policy.lost_timeout if lost else self._policy.gate_timeout

    def _lost(self, request: Request, head: CallHead | None, error: Exception) -> Outgoing:
        self._on_lost(str(error))
        return self._unavailable(request, head, str(error))

    def _unavailable(self, request: Request, head: CallHead | None, message: str) -> Outgoing:
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


def _forget(task: asyncio.Task[Outgoing]) -> None:
    """The client has left; the call was carried out and recorded all the same."""
    if not task.cancelled() and task.exception() is None:
        body = task.result().body
        if not isinstance(body, bytes):
            _closing.add(closing := asyncio.ensure_future(close_stream(body)))
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
