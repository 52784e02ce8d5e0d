"""The fast path: small plain exchanges, carried from one socket to the other without a task, a queue or a second parser.

Nearly all calls are small, arrive in one piece, and name nothing that has to be replaced. `fast_parser` finds the bounds of
such a request, and it is sent at once; which call it is, is found out while the emulator works on it. Its answer is passed
on as soon as it is whole, or, for a call that changes state, as soon as it is recorded.

The policy decides what is done with a call, here as in the engine. Whatever is not simple takes the full path, which is
aiohttp's, through the server and the engine. There are two moments for that. Before the request is sent, `FastPath.take`
declines it. After that, when the answer turns out to be long, chunked or missing, the engine resumes the exchange from where
it stands (`Engine.resume`), and the server is given the same bytes again, to write the answer by.
"""

from __future__ import annotations

from replay_proxy.exchange import Request
from replay_proxy.proxy.http import fast_path_api
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.fast_parser import RequestFrame, without_connection
from replay_proxy.proxy.http.fast_path_api import MESSAGE_BYTES_MAX, FastPathClient
from replay_proxy.proxy.http.framing import request_head
from replay_proxy.proxy.requests.engine import Engine
from replay_proxy.proxy.requests.fast_exchange import FastExchange
from replay_proxy.proxy.requests.issued_values import PUBLIC_DOCUMENTS
from replay_proxy.proxy.requests.receipts.handles import may_name_receipts
from replay_proxy.proxy.requests.translator import bytes_of

RESERVED_TARGETS = ("/_", "/health", "/moto-api/")
"""How the targets of requests begin that may be for the proxy itself, or reset the emulator."""
_SLOW_TARGETS = (*RESERVED_TARGETS, "/oauth2/")
"""The same, and those of requests for tokens."""


class FastPath(fast_path_api.FastPath):
    """The fast path of one engine to one emulator."""

    def __init__(self, engine: Engine, upstream: UpstreamClient, body_bytes_max: int) -> None:
        """body_bytes_max: of a body that is looked at as a whole (`--body-threshold`)."""
        self.engine = engine
        self.upstream = upstream
        self.message_bytes_max = min(MESSAGE_BYTES_MAX, body_bytes_max)

    def preconnect(self) -> bool:
        """Connect to the emulator for a request that has just begun to arrive, where that saves time.

        Returns whether anything was done; then the caller ends it with `cancel_preconnect`.
        """
        if not self.upstream.emulator_closes or not self.engine.can_send_at_once:
            return False
        self.upstream.preconnect()
        return True

    def cancel_preconnect(self) -> None:
        """Give up the connection of `preconnect`, unless a request has been sent by it."""
        self.upstream.cancel_preconnect()

    def take(self, frame: RequestFrame, data: bytes, client: FastPathClient) -> FastExchange | None:
        """Send the request `data`, which is plain and whole. None where it has to take the full path; nothing was sent then."""
        engine = self.engine
        if (
            not engine.can_send_at_once
            or len(data) > self.message_bytes_max
            or frame.target.startswith(_SLOW_TARGETS)
            or frame.target.endswith(PUBLIC_DOCUMENTS)
        ):
            return None
        if engine.translator.receipts.any_stale and may_name_receipts(data):
            return None
        if engine.translator.issued is not None and engine.translator.issued.may_be_presented(data):
            return None
        data, body_at = without_connection(data, frame)
        if engine.translator.held_tokens.may_be_presented(data, body_at):
            return None
        if engine.policy.may_carry_new_key(data, body_at):
            return None
        upstream = self.upstream
        if engine.in_flight or engine.translator.may_change_request(data, body_at):
            exchange = FastExchange(engine, upstream, self.message_bytes_max, data, client)
            if not exchange.understand():
                return None
            to_emulator = engine.translator.to_emulator(exchange.request, exchange.head)
            if to_emulator is not exchange.request:
                data = _bytes_of_request(to_emulator)
            upstream.receive(upstream.send_now(data), data, exchange)
        else:
            sent = upstream.send_now(data)
            exchange = FastExchange(engine, upstream, self.message_bytes_max, data, client)
            upstream.receive(sent, data, exchange)
            understood = exchange.understand()
            assert understood, "a change met another one, and none was in flight"
        engine.policy.catch_up()
        return exchange


def _bytes_of_request(request: Request) -> bytes:
    body = bytes_of(request)
    head = request_head(request.method, request.target, request.headers, len(body), body=bool(body), host="")
    return head + body
