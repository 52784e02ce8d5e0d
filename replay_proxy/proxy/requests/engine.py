"""The engine: what happens to every request that does not stay on the fast path.

    gate -> recognise -> client ids to emulator ids -> emulator -> emulator ids to client ids -> journal -> client

A call that changes nothing is forwarded as it comes, and given up when its client leaves. A call that changes state is
finished once it has been sent, whatever its client does: the emulator may have carried it out, and a recording that misses
it would restore something else. So such a call runs in a task of its own that is shielded from cancellation.

When an emulator dies, the calls that it had not answered are not recorded, and so they are not restored. A request that was
under way is therefore sent once more when the state is back (`_repeat_after_loss`), and its client sees latency only. Where
its body had streamed, or the emulator turns out to have survived, the client gets a 503, and repeats the request by itself.

Small plain requests take the fast path (`fast_path`), which gives the engine what turns out not to be simple (`resume`).
`policy` decides what is done with a call; `translator` sends it, in the emulator's identifiers. A large body that the
journal needs is spooled to a blob on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from replay_proxy.errors import ConnectError, StorageError, UpstreamError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.format.records import utc_now
from replay_proxy.proxy.http.client.call import UpstreamAnswer
from replay_proxy.proxy.http.streams import Incoming, Outgoing, Stream, close_stream, collect, rejoin
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.in_flight import ChangesInFlight, SentExchange
from replay_proxy.proxy.requests.journaling.omissions import request_kind
from replay_proxy.proxy.requests.journaling.recorder import Recorder, SpooledBody
from replay_proxy.proxy.requests.policy import OBSERVED, AnswerObserver, RequestPolicy
from replay_proxy.proxy.requests.proxy_state import SETTLED, ProxyState
from replay_proxy.proxy.requests.translator import WHOLE_BODY_BYTES_MAX, bytes_of, request_of
from replay_proxy.wire.recognition.recognise import needs_body
from replay_proxy.wire.signing.credentials import has_session_token

ATTEMPTS_MAX = 2
"""How often a request is sent at most when the emulator dies each time: one that kills emulators must come to an end."""
LOSS_NOTICE_S = 1.0
"""How long after a broken connection the death of the emulator is noticed at the latest, by its process or an idle connection."""
STILL_RESTORING = "what this request needs is still being restored; try again"


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long a request may wait at the gate, in seconds: while the state is restored, and while the emulator is lost."""

    gate_timeout_s: float
    lost_timeout_s: float


@dataclass(frozen=True, slots=True)
class _Change:
    """A call that changes state and is to be recorded.

    request: with as much of its body as has arrived. rest: the part that is still to come; None where nothing is.
    sent_exchange: set where the fast path has sent the request already.
    """

    request: Request
    rest: Stream | None
    incoming: Incoming
    head: CallHead
    recorder: Recorder
    sent_exchange: SentExchange | None = None


class Engine:
    """Handles the requests of the server. on_lost: called with the reason when the emulator cannot be reached."""

    def __init__(
        self,
        *,
        policy: RequestPolicy,
        gate: Gate,
        wait_limits: WaitLimits,
        on_lost: Callable[[str], None],
    ) -> None:
        self.policy = policy
        self.translator = policy.translator
        self._gate = gate
        self._wait_limits = wait_limits
        self._on_lost = on_lost
        self.in_flight = ChangesInFlight()
        self._resumed: set[asyncio.Task[Outgoing]] = set()

    # What the fast path asks.

    @property
    def can_send_at_once(self) -> bool:
        """Whether nothing keeps a request from being sent at once."""
        gate, recorder = self._gate, self.policy.recorder
        return gate.is_open and not gate.holds_services_back and (recorder is None or recorder.is_ready)

    @property
    def emulator_generation(self) -> int:
        """A number that grows each time the emulator has lost its memory."""
        return self._gate.emulator_generation

    def resume(self, sent_exchange: SentExchange) -> asyncio.Task[Outgoing]:
        """Finish an exchange whose request the fast path has sent. Returns the task that makes the answer.

        Cancelling the task gives the exchange up, unless it changes state.
        """
        task = asyncio.create_task(self._finish(sent_exchange))
        self._resumed.add(task)
        task.add_done_callback(self._resumed.discard)
        return task

    async def _finish(self, sent_exchange: SentExchange) -> Outgoing:
        request, head, recorder = sent_exchange.request, sent_exchange.head, sent_exchange.recorder
        incoming = Incoming(request.method, request.target, request.headers)

        async def attempt() -> Outgoing:
            if recorder is not None and head is not None:
                return await self._change(_Change(request, None, incoming, head, recorder, sent_exchange))
            return await self._forward(request, None, incoming, head, sent_exchange.observer, sent_exchange)

        try:
            return await self._repeat_after_loss(
                attempt, request, head, repeatable=True, generation=sent_exchange.emulator_generation
            )
        finally:
            sent_exchange.dismiss()

    def begin_emulator_generation(self) -> None:
        """Note that the emulator has lost its memory, and is about to be restored."""
        self._gate.emulator_generation += 1
        self.translator.begin_emulator_generation()
        if self.policy.run_watcher is not None:
            self.policy.run_watcher.forget()

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Return the answer to one request. Cancelled when its client leaves."""
        if not await self._wait_until_open():
            reason = self._gate.reason or f"the proxy is {self._gate.state.value}"
            return self.policy.unavailable(request_of(incoming, b""), None, f"{reason}; try again")
        prefix, rest = await self.translator.read_beginning(incoming)
        request = request_of(incoming, prefix)
        if rest is not None and needs_body(request):
            prefix, rest = await collect(rejoin(prefix, rest), WHOLE_BODY_BYTES_MAX)
            request = request_of(incoming, prefix)
        if self._gate.holds_services_back and has_session_token(request):
            # What gives such credentials has to be back before it is known for which account they are.
            waited = await self._gate.wait_for_services(self.policy.recognise(request), request, self.wait_limit_s())
            if not waited:
                return self.policy.unavailable(request, None, STILL_RESTORING)
        head = await self.policy.recognise_held(request)
        recorder, observer = self.policy.classify(head, request)

        async def attempt() -> Outgoing:
            if recorder is not None and head is not None:
                return await self._change(_Change(request, rest, incoming, head, recorder))
            return await self._forward(request, rest, incoming, head, observer)

        return await self._repeat_after_loss(attempt, request, head, repeatable=rest is None)

    async def _repeat_after_loss(
        self,
        attempt: Callable[[], Awaitable[Outgoing]],
        request: Request,
        head: CallHead | None,
        *,
        repeatable: bool,
        generation: int | None = None,
    ) -> Outgoing:
        """Return what `attempt` returns. Make it again where the emulator died meanwhile and is back with its state.

        repeatable: the request is held whole. generation: of the emulator that the request was sent to; None where `attempt`
        sends it.
        """
        for _ in range(ATTEMPTS_MAX):
            if self._gate.holds_services_back and not await self._gate.wait_for_services(
                head, request, self.wait_limit_s()
            ):
                return self.policy.unavailable(request, head, STILL_RESTORING)
            generation = self._gate.emulator_generation if generation is None else generation
            try:
                outgoing = await attempt()
                self.policy.answered_count += 1
                return outgoing
            except UpstreamError as error:
                failure = error
            was_unsent = not failure.may_have_been_carried_out
            if was_unsent:
                self._on_lost(str(failure))
            if not repeatable or not failure.may_help_to_repeat:
                break
            if self._gate.emulator_generation == generation:
                await self._gate.wait_until_shut(LOSS_NOTICE_S)
            if not await self._wait_until_open() or not (was_unsent or self._gate.emulator_generation != generation):
                break  # an emulator that has survived may have carried out what it was sent
            generation = None
        return self.policy.unavailable(request, head, str(failure))

    # The two ways to the emulator.

    async def _forward(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        observer: AnswerObserver | None = None,
        sent_exchange: SentExchange | None = None,
    ) -> Outgoing:
        """Forward a call that changes nothing, and show a successful answer to `observer`. Raises `UpstreamError`.

        What an emulator has shown that was reset or lost by then is shown to nobody else.
        """
        begun_s = time.monotonic()
        generation = self.emulator_generation if sent_exchange is None else sent_exchange.emulator_generation
        answer = await self._answer_of(sent_exchange) or await self.translator.send(request, rest, incoming, head)
        if answer.tunnel is not None:
            if self.policy.recorder is not None:
                self.policy.recorder.omissions.add("messages of a WebSocket are not recorded", request_kind(request))
            return Outgoing(answer.status, answer.reason, answer.headers, tunnel=answer.tunnel)
        outgoing = await self.translator.to_client(answer, request, head)
        if (
            observer is not None
            and head is not None
            and outgoing.status in OBSERVED
            and isinstance(outgoing.body, bytes)
            and self.emulator_generation == generation
        ):
            seen = Answer(outgoing.status, outgoing.headers, outgoing.body, outgoing.reason)
            observer(head, request, outgoing.body, lambda: seen)
        elif head is None:
            self.policy.note_unrecognised(request, outgoing.status)
        if self.policy.traffic is not None:
            self.policy.traffic.note(head, request, outgoing.status, _whole(outgoing), begun_s)
        return outgoing

    async def _answer_of(self, sent_exchange: SentExchange | None) -> UpstreamAnswer | None:
        """Return the answer to a request that was sent already. None where it has yet to be sent. Raises `UpstreamError`."""
        return None if sent_exchange is None else await sent_exchange.answer()

    async def _change(self, change: _Change) -> Outgoing:
        """Carry out and record a call that changes state, to its end, even if its client leaves. Raises `UpstreamError`."""
        task = asyncio.create_task(self._carry_out(change))
        self.in_flight.add_task(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(consume_result)
            raise

    async def _carry_out(self, change: _Change) -> Outgoing:
        request, head, recorder, sent_exchange = change.request, change.head, change.recorder, change.sent_exchange
        under_way = sent_exchange is not None and sent_exchange.is_under_way
        begun_s = time.monotonic()
        try:
            if not under_way:
                recorder.check()
            lock = sent_exchange.take_lock() if sent_exchange is not None else None
            async with lock or recorder.conflict_lock(head, request):
                if not under_way and not self._gate.is_open:
                    raise ConnectError(self._gate.reason or "the emulator was lost before the call was sent")
                outgoing, recorded = await self._send_and_record(change)
                if self.policy.traffic is not None:
                    seq = recorder.last_seq if recorded else 0
                    self.policy.traffic.note_change(head, request, outgoing.status, _whole(outgoing), begun_s, seq=seq)
            if recorded:
                await self.policy.prepare_for_keys(head)
                await self.policy.wait_until_durable(head, recorder)
            return outgoing
        except StorageError as error:
            return self.policy.refuse_unrecorded(head, request, error)

    async def _send_and_record(self, change: _Change) -> tuple[Outgoing, bool]:
        """Return the answer for the client, and whether the call is in the journal.

        Raises:
            UpstreamError: there is no answer.
            StorageError: the call cannot be recorded, and the client must not see its answer.
        """
        request, rest, incoming = change.request, change.rest, change.incoming
        head, recorder = change.head, change.recorder
        begun_s, sent_at = time.monotonic(), utc_now()
        spooled: SpooledBody | None = None
        try:
            if rest is not None and self.translator.must_hold_whole(head):
                prefix, rest = await collect(rejoin(bytes_of(request), rest), WHOLE_BODY_BYTES_MAX)
                request = request_of(incoming, prefix)
            if rest is not None:
                spooled = recorder.spool(bytes_of(request), rest)
            answer = await self._answer_of(change.sent_exchange) or await self.translator.send(
                request, rest, incoming, head, spooled
            )
            if answer.tunnel is not None:
                return Outgoing(answer.status, answer.reason, answer.headers, tunnel=answer.tunnel), False
            body, more = await collect(answer.body, WHOLE_BODY_BYTES_MAX)
            if more is not None:
                whole = Answer(answer.status, answer.headers, body, answer.reason)
                return await self._pass_on_too_large(whole, more, head, recorder), False
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            to_client = self.policy.change_to_client(whole, head, request)
            to_client = await self.translator.with_tokens(to_client, head, request)
            outgoing = Outgoing(to_client.status, to_client.reason, to_client.headers, bytes_of(to_client))
            if not self.policy.has_succeeded(head, request, whole, to_client):
                return outgoing, False
            stored = request
            duration_ms = (time.monotonic() - begun_s) * 1000
            try:
                if spooled is not None:
                    stored = Request(request.method, request.target, request.headers, await recorder.keep(spooled))
                    spooled = None
                notes = self.policy.notes_for(head, stored, to_client)
                if self.translator.issued is not None:
                    notes = await self.translator.issued.with_lessons(notes, head, stored, to_client)
                answered = self.policy.to_record(head, stored, to_client)
                await recorder.write(head, stored, answered, time=sent_at, duration_ms=duration_ms, notes=notes)
            except StorageError as error:
                recorder.unrecorded.allow_or_raise(head, error)
                return outgoing, False
            self.policy.note_recorded(head, stored, to_client, notes)
            return outgoing, True
        finally:
            if spooled is not None:
                spooled.drop()

    async def _pass_on_too_large(self, begun: Answer, more: Stream, head: CallHead, recorder: Recorder) -> Outgoing:
        """Return the answer of a change that is too large to be recorded. Raises `StorageError` where such calls are refused."""
        reason = f"the answer to {head.service}:{head.operation} is larger than {WHOLE_BODY_BYTES_MAX} bytes"
        recorder.mark_gap(reason)
        try:
            recorder.unrecorded.allow_or_raise(
                head, StorageError(reason, hint="--when-unrecordable continue lets it through")
            )
        except StorageError:
            await close_stream(more)
            raise
        return Outgoing(begun.status, begun.reason, begun.headers, rejoin(bytes_of(begun), more))

    # Waiting at the gate.

    async def _wait_until_open(self) -> bool:
        """Wait until the gate is open. False where it is not in time.

        The limit depends on the state (`wait_limit_s`), and begins anew when the state changes.
        """
        waiting_since = None if self._gate.is_open else self._gate.waits.begin()
        try:
            while not self._gate.is_open:
                state = self._gate.state
                if not await self._gate.wait_until_open(self.wait_limit_s()) and self._gate.state in (state, *SETTLED):
                    return self._gate.is_open
            return True
        finally:
            self._gate.waits.end(waiting_since)

    def wait_limit_s(self) -> float:
        """Return how long a request may wait at the gate in its present state, in seconds."""
        lost = self._gate.state is ProxyState.LOST
        return self._wait_limits.lost_timeout_s if lost else self._wait_limits.gate_timeout_s


def _whole(outgoing: Outgoing) -> Callable[[], Answer] | None:
    """Return what makes a whole answer; None of one that streams."""
    body = outgoing.body
    if not isinstance(body, bytes):
        return None
    return lambda: Answer(outgoing.status, outgoing.headers, body, outgoing.reason)


def consume_result(task: asyncio.Task[Outgoing]) -> None:
    """Close the answer of a task whose client has left, and take note of its error."""
    if not task.cancelled() and task.exception() is None:
        body = task.result().body
        if not isinstance(body, bytes):
            _closing.add(closing := asyncio.ensure_future(close_stream(body)))
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
