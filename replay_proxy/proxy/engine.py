"""What happens to every request, whichever door it came in by.

    gate -> recognise -> client ids to emulator ids -> emulator -> emulator ids to client ids -> journal -> client

Reads take the short way: they are forwarded as they come, and given up when their client leaves. A call that changes
state is finished once it has been sent, whatever the client does: the emulator may have carried it out, and a recording
that misses it would restore something else. So such a call runs shielded from cancellation.

An emulator that dies takes with it whatever it had not answered, for what was not answered is not recorded, and so not
restored. So a request that was under way is sent once more when the state is back (`_outliving`): its client sees latency
only. Where its body had streamed, or the emulator turns out to live on, the client gets a 503, and retries by itself.

Small plain requests come by the express lane (`express`), which gives the engine what turns out not to be simple (`resume`).
What is decided of a call is the subject of `decisions`; what is sent, and in which identifiers, of `carrier`. A large body
that the journal needs is spooled to a blob on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.records import utc_now
from replay_proxy.proxy.carrier import WHOLE_LIMIT, bytes_of, request_of
from replay_proxy.proxy.decisions import Decisions, Look
from replay_proxy.proxy.gate import SETTLED, Gate, State
from replay_proxy.proxy.recorder import Recorder, Spooled
from replay_proxy.proxy.streams import Incoming, Outgoing, Stream, close_stream, collect, rejoined
from replay_proxy.proxy.upstream import (
    AnswerError,
    AnswerTimeoutError,
    ConnectError,
    Upstream,
    UpstreamAnswer,
    UpstreamError,
)
from replay_proxy.wire.recognise import needs_body, recognise

if TYPE_CHECKING:
    from replay_proxy.proxy.express import Early

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


@dataclass(frozen=True, slots=True)
class _Change:
    """A call that changes state, and is to be recorded.

    request: with as much of its body as there is; rest: what is still to come. early: it was sent already.
    """

    request: Request
    rest: Stream | None
    incoming: Incoming
    head: CallHead
    recorder: Recorder
    early: Early | None = None


class Engine:
    """Handles requests from the doors. on_lost: told when the emulator cannot be reached."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        decisions: Decisions,
        gate: Gate,
        policy: Policy,
        on_lost: Callable[[str], None],
    ) -> None:
        self.decisions = decisions
        self.carrier = decisions.carrier
        self._upstream = upstream
        self._gate = gate
        self._policy = policy
        self._on_lost = on_lost
        self._changes: set[asyncio.Task[Outgoing]] = set()
        self._resumed: set[asyncio.Task[Outgoing]] = set()
        self._early: set[Early] = set()
        self._calmed = asyncio.Event()

    async def quiet(self, seconds: float) -> None:
        """Wait, at most `seconds`, until no call that changes state is under way."""
        try:
            async with asyncio.timeout(seconds):
                while self._early:
                    self._calmed.clear()
                    await self._calmed.wait()
                if self._changes:
                    await asyncio.wait(self._changes)
        except TimeoutError:
            return

    # What the express lane asks.

    @property
    def is_at_ease(self) -> bool:
        """Does nothing keep a request from being sent at once?"""
        gate, recorder = self._gate, self.decisions.recorder
        return (
            gate.is_open
            and not gate.holds_some
            and not self.carrier.receipts.any_stale
            and (recorder is None or recorder.is_ready)
        )

    @property
    def life(self) -> int:
        """How often the emulator has lost its memory."""
        return self._gate.life

    @property
    def changes_under_way(self) -> bool:
        """Is any call under way that changes state?"""
        return bool(self._changes or self._early)

    def begin_early(self, early: Early) -> None:
        """A change is under way in the lane."""
        self._early.add(early)

    def end_early(self, early: Early) -> None:
        """It is no more."""
        self._early.discard(early)
        if not self._early:
            self._calmed.set()

    def resume(self, early: Early) -> asyncio.Task[Outgoing]:
        """Go on with an exchange that was sent already. Cancelled, it is given up, unless it changes state."""
        task = asyncio.create_task(self._go_on(early))
        self._resumed.add(task)
        task.add_done_callback(self._resumed.discard)
        return task

    async def _go_on(self, early: Early) -> Outgoing:
        request, head, recorder = early.request, early.head, early.recorder
        incoming = Incoming(request.method, request.target, request.headers)

        async def attempt() -> Outgoing:
            if recorder is not None and head is not None:
                return await self._change(_Change(request, None, incoming, head, recorder, early))
            return await self._forward(request, None, incoming, head, early.look, early)

        try:
            return await self._outliving(attempt, request, head, repeatable=True, life=early.life)
        finally:
            early.dismiss()

    def begin_life(self) -> None:
        """The emulator has lost its memory, and is about to be restored."""
        self._gate.life += 1
        self.carrier.receipts.begin_life()

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer one request."""
        if not await self._passage():
            reason = self._gate.reason or f"the proxy is {self._gate.state.value}"
            return self.decisions.unavailable(request_of(incoming, b""), None, f"{reason}; try again")
        if incoming.upgrade:
            return await self._tunnel(incoming)
        prefix, rest = await self.carrier.begin_body(incoming)
        request = request_of(incoming, prefix)
        if rest is not None and needs_body(request):
            prefix, rest = await collect(rejoined(prefix, rest), WHOLE_LIMIT)
            request = request_of(incoming, prefix)
        head = recognise(request)
        recorder, look = self.decisions.sort(head, request)

        async def attempt() -> Outgoing:
            if recorder is not None and head is not None:
                return await self._change(_Change(request, rest, incoming, head, recorder))
            return await self._forward(request, rest, incoming, head, look)

        return await self._outliving(attempt, request, head, repeatable=rest is None)

    async def _outliving(
        self,
        attempt: Callable[[], Awaitable[Outgoing]],
        request: Request,
        head: CallHead | None,
        *,
        repeatable: bool,
        life: int | None = None,
    ) -> Outgoing:
        """What comes of `attempt`; made again where the emulator died under it and is back with its state.

        life: the one in which the request was sent, where that was before.
        """
        for _ in range(MOST_LIVES):
            if self._gate.holds_some and not await self._gate.admission(head, request, self._patience()):
                return self.decisions.unavailable(request, head, HELD_UP)
            life = self._gate.life if life is None else life
            try:
                outgoing = await attempt()
                self.decisions.answered += 1
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
            life = None
        return self.decisions.unavailable(request, head, str(failure))

    # The two ways to the emulator.

    async def _forward(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        look: Look | None = None,
        early: Early | None = None,
    ) -> Outgoing:
        """A call that changes nothing; `look` is shown what a successful one answered. Raises `UpstreamError`."""
        answer = await self._sent(early) or await self.carrier.send(request, rest, incoming, head)
        shown = await self.carrier.to_client(answer, request, head)
        if look is not None and head is not None and shown.status == 200 and isinstance(shown.body, bytes):
            seen = Answer(shown.status, shown.headers, shown.body, shown.reason)
            look(head, request, shown.body, lambda: seen)
        return shown

    async def _sent(self, early: Early | None) -> UpstreamAnswer | None:
        """The answer to a request that was sent already; None where there is none that was. Raises `UpstreamError`."""
        return None if early is None else await early.answer()

    async def _change(self, change: _Change) -> Outgoing:
        """A call that changes state: once begun it is finished and recorded, though its client may have left."""
        task = asyncio.create_task(self._carry_out(change))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(forget)
            raise

    async def _carry_out(self, change: _Change) -> Outgoing:
        request, head, recorder, early = change.request, change.head, change.recorder, change.early
        under_way = early is not None and early.is_under_way
        try:
            if not under_way:
                recorder.check()
            turn = early.take_turn() if early is not None else None
            async with turn or recorder.turn(head, request):
                if not under_way and not self._gate.is_open:
                    raise ConnectError(self._gate.reason or "the emulator was lost before the call was sent")
                outgoing, recorded = await self._send_and_record(change)
            if recorded:
                await self.decisions.until_promised(head, recorder)
            return outgoing
        except StorageError as error:
            return self.decisions.unrecordable(head, request, error)

    async def _send_and_record(self, change: _Change) -> tuple[Outgoing, bool]:
        """What the client is to see, and whether the call is in the journal. Raises StorageError where it must not see it."""
        request, rest, incoming = change.request, change.rest, change.incoming
        head, recorder = change.head, change.recorder
        begun, taken = time.monotonic(), utc_now()
        spooled: Spooled | None = None
        try:
            if rest is not None and self.carrier.must_be_whole(head):
                prefix, rest = await collect(rejoined(bytes_of(request), rest), WHOLE_LIMIT)
                request = request_of(incoming, prefix)
            if rest is not None:
                spooled = recorder.spool(bytes_of(request), rest)
            answer = await self._sent(change.early) or await self.carrier.send(request, rest, incoming, head, spooled)
            body, more = await collect(answer.body, WHOLE_LIMIT)
            if more is not None:
                whole = Answer(answer.status, answer.headers, body, answer.reason)
                return await self._too_large(whole, more, head, recorder), False
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            shown = self.decisions.shown(whole, head, request)
            outgoing = Outgoing(shown.status, shown.reason, shown.headers, bytes_of(shown))
            if not self.decisions.has_changed(head, request, whole, shown):
                return outgoing, False
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
            self.decisions.was_recorded(head, stored, shown)
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
            return self.decisions.unavailable(request, None, HELD_UP)
        request = self.carrier.outward(request, None)
        try:
            answer = await self._upstream.send(
                request.method, request.target, request.headers, None, None, upgrade=True
            )
        except ConnectError as error:
            return self._lost(request, None, error)
        except AnswerError as error:
            return self.decisions.unavailable(request, None, str(error))
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
        return self.decisions.unavailable(request, head, str(error))


def forget(task: asyncio.Task[Outgoing]) -> None:
    """The client has left; the call was carried out and recorded all the same."""
    if not task.cancelled() and task.exception() is None:
        body = task.result().body
        if not isinstance(body, bytes):
            _closing.add(closing := asyncio.ensure_future(close_stream(body)))
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
