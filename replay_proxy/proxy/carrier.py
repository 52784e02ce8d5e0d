"""Carrying one exchange to the emulator and back: in the emulator's identifiers there, in the clients' on the way back.

Bodies up to a threshold are looked at as a whole. Larger ones stream, unless identifiers in them may have to be replaced; a
streaming member (the bytes of an object) belongs to the user, and is never looked into.
"""

from __future__ import annotations

import re

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.identifiers.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.scan import known_in
from replay_proxy.proxy.receipts import Receipts
from replay_proxy.proxy.recorder import Spooled
from replay_proxy.proxy.retaking import retaken
from replay_proxy.proxy.streams import Incoming, Outgoing, Stream, collect, rejoined
from replay_proxy.proxy.upstream import Upstream, UpstreamAnswer
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.wire import models
from replay_proxy.wire.signing import credential_of

WHOLE_LIMIT = 128 << 20
"""Bytes. A larger body is never held in memory, even where identifiers in it would have to be replaced. (Lambda's
function code, the largest request that mixes references and data, ends at 50 MB before base64.)"""

_PACKED = re.compile(rb"cbor|\r\ncontent-encoding:", re.IGNORECASE)

EVENT_STREAM = "application/vnd.amazon.eventstream"


class Carrier:
    """The way to one emulator, with what is known of its identifiers.

    threshold: bytes up to which a body is looked at as a whole.
    """

    def __init__(self, upstream: Upstream, known: Knowledge, endpoints: Endpoints, threshold: int) -> None:
        self._upstream = upstream
        self.take_up(known)
        self.endpoints = endpoints
        self.receipts = Receipts()
        self._threshold = threshold

    def take_up(self, known: Knowledge) -> None:
        """What is in force from now on (a restore puts a new one in its place)."""
        self.known = known
        self.aliases, self.keyring, self.times = known.aliases, known.keyring, known.times

    def may_change_request(self, data: bytes, body_at: int) -> bool:
        """Could `outward` change anything in a request of these bytes, whatever call it is? Quick, and not exact.

        body_at: where its body begins.
        """
        return (
            self.endpoints.may_change_request(data, body_at)
            or (len(self.aliases) > 0 and self._may_name(data, to_client=False))
            or self.times.may_ask(data)
        )

    def may_change_answer(self, data: bytes, body_at: int, head: CallHead | None) -> bool:
        """Could `shown` change anything in an answer of these bytes? As `may_change_request`."""
        return (
            self.endpoints.may_change_answer(data, body_at)
            or (len(self.aliases) > 0 and self._may_name(data, to_client=True))
            or self.times.may_show(head, data)
        )

    def _may_name(self, data: bytes, *, to_client: bool) -> bool:
        # Where bodies are packed, a look at their bytes says nothing.
        return _PACKED.search(data) is not None or bool(known_in(data, self.aliases, to_client=to_client))

    async def begin_body(self, incoming: Incoming) -> tuple[bytes, Stream | None]:
        threshold = self._threshold
        if incoming.body is None:
            return b"", None
        if incoming.length is not None and incoming.length > threshold:
            return b"", incoming.body
        return await collect(incoming.body, threshold)

    def must_be_whole(self, head: CallHead) -> bool:
        """Could a large request body contain identifiers to replace? (A streaming member is never looked into.)"""
        if not len(self.aliases):
            return False
        try:
            return not models.operation_model(head.service, head.operation).has_streaming_input
        except LookupError:
            return False

    async def send(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        spooled: Spooled | None = None,
    ) -> UpstreamAnswer:
        if rest is None:
            if head is not None and self.receipts.any_stale:
                request = await retaken(request, head, self.receipts, self._ask)
            outward = self.outward(request, head)
            return await self._upstream.send(outward.method, outward.target, outward.headers, bytes_of(outward))
        if spooled is None and head is not None and self.must_be_whole(head):
            prefix, more = await collect(rejoined(bytes_of(request), rest), WHOLE_LIMIT)
            if more is None:
                return await self.send(request_of(incoming, prefix), None, incoming, head)
            rest = more
            request = request_of(incoming, prefix)
        bare = Request(request.method, request.target, request.headers)
        outward = self.outward(bare, head)
        stream = rejoined(bytes_of(request), rest) if spooled is None else spooled.chunks()
        return await self._upstream.send(outward.method, outward.target, outward.headers, stream, incoming.length)

    async def _ask(self, request: Request, head: CallHead) -> Answer:
        """A question of the proxy's own, in the name of a client. Raises `UpstreamError`."""
        outward = self.outward(request, head)
        answer = await self._upstream.send(outward.method, outward.target, outward.headers, bytes_of(outward))
        whole = Answer(answer.status, answer.headers, await answer.read(), answer.reason)
        return answer_to_client(whole, head, request, self.aliases, self.endpoints)

    def outward(self, request: Request, head: CallHead | None) -> Request:
        """The request in the emulator's identifiers; signed anew where that broke its signature and somebody checks it."""
        outward = request_to_emulator(self.times.asked(request, head), head, self.aliases, self.endpoints)
        if outward is request:
            return outward
        credential = credential_of(outward)
        return self.keyring.signed(outward, credential) if self.keyring.can_sign(credential) else outward

    async def to_client(self, answer: UpstreamAnswer, request: Request, head: CallHead | None) -> Outgoing:
        """The answer as the client is to see it; what need not be looked into streams on untouched."""
        body: bytes | Stream = answer.body
        if not isinstance(body, bytes) and self._may_name_identifiers(answer, head):
            limit = self._threshold
            prefix, more = await collect(body, limit)
            if more is not None and head is not None and not streams_output(head):
                prefix, more = await collect(rejoined(prefix, more), WHOLE_LIMIT)
            body = rejoined(prefix, more)
        if isinstance(body, bytes):
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            shown = self.shown(whole, head, request)
            return Outgoing(shown.status, shown.reason, shown.headers, bytes_of(shown))
        bare = Answer(answer.status, answer.headers, b"", answer.reason)
        shown = self.shown(bare, head, request)
        return Outgoing(shown.status, shown.reason, shown.headers, body)

    def _may_name_identifiers(self, answer: UpstreamAnswer, head: CallHead | None) -> bool:
        """Is the body worth waiting for? Not where it belongs to the user, or where it goes on for ever."""
        if head is None or answer.headers.get("content-type").startswith(EVENT_STREAM):
            return False
        if answer.length is not None and answer.length > self._threshold:
            return not streams_output(head)
        return True

    def shown(self, answer: Answer, head: CallHead | None, request: Request) -> Answer:
        """A whole answer as the client is to see it."""
        return self.times.shown(answer_to_client(answer, head, request, self.aliases, self.endpoints), head, request)


def request_of(incoming: Incoming, body: bytes) -> Request:
    """What came in, with as much of its body as there is."""
    return Request(incoming.method, incoming.target, incoming.headers, body)


def bytes_of(message: Request | Answer) -> bytes:
    """The body, which is only ever held in memory here."""
    assert isinstance(message.body, bytes)
    return message.body


def streams_output(head: CallHead) -> bool:
    """Is the body of the answer the user's own?"""
    try:
        return bool(models.operation_model(head.service, head.operation).has_streaming_output)
    except LookupError:
        return True
