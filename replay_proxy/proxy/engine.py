"""What happens to every request, whichever door it came in by.

    gate -> recognise -> client ids to emulator ids -> emulator -> emulator ids to client ids -> journal -> client

Reads take the short way: they are forwarded as they come, and given up when their client leaves. A call that changes
state is finished once it has been sent, whatever the client does: the emulator may have carried it out, and a recording
that misses it would restore something else. So such a call runs shielded from cancellation.

Bodies up to a threshold are looked at as a whole. Larger ones stream; those that the journal needs are spooled to a
blob on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.rewrite import answer_to_client, request_to_emulator
from replay_proxy.journal.records import utc_now
from replay_proxy.proxy.counters import Counters
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.proxy.receipts import Receipts
from replay_proxy.proxy.recorder import Recorder, Spooled
from replay_proxy.proxy.streams import Incoming, Outgoing, Stream, close_stream, collect, rejoined
from replay_proxy.proxy.upstream import AnswerError, ConnectError, Upstream, UpstreamAnswer
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.replay.keyring import Keyring
from replay_proxy.wire import models
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.faults import fault
from replay_proxy.wire.mutability import Effect, judge_call
from replay_proxy.wire.recognise import needs_body, recognise
from replay_proxy.wire.signing import credential_of

_log = log.get("engine")

WHOLE_LIMIT = 128 << 20
"""Bytes. A larger body is never held in memory, even where identifiers in it would have to be replaced. (Lambda's
function code, the largest request that mixes references and data, ends at 50 MB before base64.)"""

EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the engine goes by: sizes in bytes, times in seconds."""

    body_threshold: int
    gate_timeout: float
    lost_timeout: float


class Engine:
    """Handles requests from the doors.

    aliases, keyring: those in force (a restore puts new ones in their place).
    recorder, watch: None where nothing is to be recorded.
    on_lost: told when the emulator cannot be reached. on_minted: told when `aliases` has grown by a live answer.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        gate: Gate,
        aliases: AliasTable,
        keyring: Keyring,
        endpoints: Endpoints,
        recorder: Recorder | None,
        watch: Watch | None,
        policy: Policy,
        on_lost: Callable[[str], None],
        on_minted: Callable[[], None],
    ) -> None:
        self._upstream = upstream
        self._gate = gate
        self.aliases = aliases
        self.keyring = keyring
        self.endpoints = endpoints
        self._recorder = recorder
        self._watch = watch
        self._policy = policy
        self._on_lost = on_lost
        self._on_minted = on_minted
        self._receipts = Receipts()
        self.counters = Counters()
        self._changes: set[asyncio.Task[Outgoing]] = set()

    async def quiet(self, seconds: float) -> None:
        """Wait, at most `seconds`, until no call that changes state is under way."""
        if self._changes:
            await asyncio.wait(self._changes, timeout=seconds)

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer one request."""
        if not self._gate.is_open and not await self._gate.passage(self._patience()):
            reason = self._gate.reason or f"the proxy is {self._gate.state.value}"
            return self._unavailable(_request(incoming, b""), None, f"{reason}; try again")
        if incoming.upgrade:
            return await self._tunnel(incoming)
        prefix, rest = await self._begin_body(incoming)
        request = _request(incoming, prefix)
        if rest is not None and needs_body(request):
            prefix, rest = await collect(rejoined(prefix, rest), WHOLE_LIMIT)
            request = _request(incoming, prefix)
        head = recognise(request)
        if head is None:
            self.counters.unrecognised += 1
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
        look = self._receipts.received if head.operation == "ReceiveMessage" else None
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
        """A call that changes nothing; `look` is shown what a successful one answered."""
        try:
            answer = await self._send(request, rest, incoming, head)
            shown = await self._to_client(answer, request, head)
            if look is not None and head is not None and shown.status == 200 and isinstance(shown.body, bytes):
                look(head, request, Answer(shown.status, shown.headers, shown.body, shown.reason))
            return shown
        except ConnectError as error:
            return self._lost(request, head, error)
        except AnswerError as error:
            return self._unavailable(request, head, str(error))

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
                outgoing, recorded = await self._send_and_record(request, rest, incoming, head, recorder)
            if recorded:
                try:
                    await recorder.promised()
                except StorageError as error:
                    recorder.unrecorded.excuse(head, error)
            return outgoing
        except ConnectError as error:
            return self._lost(request, head, error)
        except AnswerError as error:
            return self._unavailable(request, head, str(error))
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
            if rest is not None and self._must_be_whole(head):
                prefix, rest = await collect(rejoined(_bytes(request), rest), WHOLE_LIMIT)
                request = _request(incoming, prefix)
            if rest is not None:
                spooled = recorder.spool(_bytes(request), rest)
            answer = await self._send(request, rest, incoming, head, spooled)
            body, more = await collect(answer.body, WHOLE_LIMIT)
            if more is not None:
                whole = Answer(answer.status, answer.headers, body, answer.reason)
                return await self._too_large(whole, more, head, recorder), False
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            shown = answer_to_client(whole, head, request, self.aliases, self.endpoints)
            if self.aliases.take_minted():
                self._on_minted()
            outgoing = Outgoing(shown.status, shown.reason, shown.headers, _bytes(shown))
            if not _succeeded(head, shown):
                self.counters.refused += 1
                return outgoing, False
            if head.operation == "CreateAccessKey":
                with contextlib.suppress(MalformedMessage):
                    self.keyring.learn(head, parse_answer(head, whole, request))
            stored = request
            duration = (time.monotonic() - begun) * 1000
            try:
                if spooled is not None:
                    stored = Request(request.method, request.target, request.headers, await recorder.keep(spooled))
                    spooled = None
                notes = self._receipts.notes_for(head, stored)
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
        return Outgoing(begun.status, begun.reason, begun.headers, rejoined(_bytes(begun), more))

    async def _tunnel(self, incoming: Incoming) -> Outgoing:
        request = self._outward(_request(incoming, b""), None)
        try:
            answer = await self._upstream.send(
                request.method, request.target, request.headers, None, None, upgrade=True
            )
        except ConnectError as error:
            return self._lost(request, None, error)
        except AnswerError as error:
            return self._unavailable(request, None, str(error))
        return Outgoing(answer.status, answer.reason, answer.headers, answer.body, answer.tunnel)

    # Bodies and identifiers.

    async def _begin_body(self, incoming: Incoming) -> tuple[bytes, Stream | None]:
        threshold = self._policy.body_threshold
        if incoming.body is None:
            return b"", None
        if incoming.length is not None and incoming.length > threshold:
            return b"", incoming.body
        return await collect(incoming.body, threshold)

    def _must_be_whole(self, head: CallHead) -> bool:
        """Could a large request body contain identifiers to replace? (A streaming member is never looked into.)"""
        if not len(self.aliases):
            return False
        try:
            return not models.operation_model(head.service, head.operation).has_streaming_input
        except LookupError:
            return False

    async def _send(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        spooled: Spooled | None = None,
    ) -> UpstreamAnswer:
        if rest is None:
            outward = self._outward(request, head)
            body = _bytes(outward) if incoming.body is not None else None
            return await self._upstream.send(outward.method, outward.target, outward.headers, body)
        if spooled is None and head is not None and self._must_be_whole(head):
            prefix, more = await collect(rejoined(_bytes(request), rest), WHOLE_LIMIT)
            if more is None:
                return await self._send(_request(incoming, prefix), None, incoming, head)
            rest = more
            request = _request(incoming, prefix)
        bare = Request(request.method, request.target, request.headers)
        outward = self._outward(bare, head)
        stream = rejoined(_bytes(request), rest) if spooled is None else spooled.chunks()
        return await self._upstream.send(outward.method, outward.target, outward.headers, stream, incoming.length)

    def _outward(self, request: Request, head: CallHead | None) -> Request:
        """The request in the emulator's identifiers; signed anew where that broke its signature and somebody checks it."""
        outward = request_to_emulator(request, head, self.aliases, self.endpoints)
        if outward is request:
            return outward
        credential = credential_of(outward)
        return self.keyring.signed(outward, credential) if self.keyring.can_sign(credential) else outward

    async def _to_client(self, answer: UpstreamAnswer, request: Request, head: CallHead | None) -> Outgoing:
        """The answer as the client is to see it; what need not be looked into streams on untouched."""
        body: bytes | Stream = answer.body
        if not isinstance(body, bytes) and self._may_name_identifiers(answer, head):
            limit = self._policy.body_threshold
            prefix, more = await collect(body, limit)
            if more is not None and head is not None and not _streams_output(head):
                prefix, more = await collect(rejoined(prefix, more), WHOLE_LIMIT)
            body = rejoined(prefix, more)
        if isinstance(body, bytes):
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            shown = answer_to_client(whole, head, request, self.aliases, self.endpoints)
            return Outgoing(shown.status, shown.reason, shown.headers, _bytes(shown))
        bare = Answer(answer.status, answer.headers, b"", answer.reason)
        shown = answer_to_client(bare, head, request, self.aliases, self.endpoints)
        return Outgoing(shown.status, shown.reason, shown.headers, body)

    def _may_name_identifiers(self, answer: UpstreamAnswer, head: CallHead | None) -> bool:
        """Is the body worth waiting for? Not where it belongs to the user, or where it goes on for ever."""
        if head is None or answer.headers.get("content-type").startswith(EVENT_STREAM):
            return False
        if answer.length is not None and answer.length > self._policy.body_threshold:
            return not _streams_output(head)
        return True

    # What the client reads when the emulator is not there.

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
        return Outgoing(answer.status, answer.reason, answer.headers, _bytes(answer))


def _request(incoming: Incoming, body: bytes) -> Request:
    return Request(incoming.method, incoming.target, incoming.headers, body)


def _bytes(message: Request | Answer) -> bytes:
    """The body, which the engine only ever holds in memory."""
    assert isinstance(message.body, bytes)
    return message.body


def _named(head: CallHead) -> dict[str, str]:
    return {"service": head.service, "operation": head.operation}


def _succeeded(head: CallHead, answer: Answer) -> bool:
    """Did the call change anything? S3 may report an error in an answer of status 200 (CompleteMultipartUpload)."""
    if answer.status == 303:
        return head.operation == "PostObject"
    if not 200 <= answer.status < 300:
        return False
    return head.service != "s3" or b"<Error>" not in _bytes(answer)[:512]


def _streams_output(head: CallHead) -> bool:
    try:
        return bool(models.operation_model(head.service, head.operation).has_streaming_output)
    except LookupError:
        return True


def _forget(task: asyncio.Task[Outgoing]) -> None:
    """The client has left; the call was carried out and recorded all the same."""
    if not task.cancelled() and task.exception() is None:
        body = task.result().body
        if not isinstance(body, bytes):
            _closing.add(closing := asyncio.ensure_future(close_stream(body)))
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
