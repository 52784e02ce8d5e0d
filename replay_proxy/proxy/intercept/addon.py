"""What mitmproxy is told at each of its hooks: where connections and requests go.

A connection to AWS is decrypted by mitmproxy, and what is inside goes, as bytes, to the HTTP server of the proxy itself (an
`ignore`d TCP layer: nothing of it is parsed or kept). So all that the reverse door can do, this door can: the fast path,
streams, HTTP/2, WebSockets, `100 Continue`, clients that leave. Only where one connection may carry requests for several hosts
(plain HTTP to an explicit proxy, an address without a name) does mitmproxy's own HTTP layer read them, and each is sent where
it belongs.

`server_connect` is the last word: no connection is made that this module has not meant. It is asked with a name, and what the
name resolves to is looked at as well.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layers
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.tls import parse_client_hello

from replay_proxy import log
from replay_proxy.proxy.intercept.refused_hosts import RefusedHosts
from replay_proxy.proxy.intercept.routes import (
    REASONS,
    REFUSAL_HEADER,
    Route,
    Routes,
    address_of,
    host_and_port,
    is_metadata,
)

if TYPE_CHECKING:
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.connection import Client
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import NextLayer as NextLayerHook
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData
    from mitmproxy.tls import TlsData

_log = log.get("intercept")

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |$)")
_TIMEOUT_S = 3600.0
"""How long a connection may be silent, as at the reverse door: mitmproxy's ten minutes are less than a function may run."""


class Interception:
    """The addon.

    engine: the address of the server that gives every request to the engine. refusing: of the one that gives it those without
    `REFUSAL_HEADER`.
    """

    def __init__(
        self, routes: Routes, engine: tuple[str, int], refusing: tuple[str, int], proxyserver: Proxyserver
    ) -> None:
        self._routes = routes
        self._engine = engine
        self._refusing = refusing
        self._proxyserver = proxyserver
        self._default = NextLayer()
        self._complained: set[str] = set()
        self._refused = RefusedHosts()

    def configure(self, updated: set[str]) -> None:
        """Take over options."""
        self._default.configure(updated)

    # Connections.

    def client_connected(self, client: Client) -> None:
        """Let a connection be silent for as long as a call may take."""
        handler = self._proxyserver.connections.get(client.id)
        if handler is not None:
            handler.timeout_watchdog.timeout = _TIMEOUT_S

    def next_layer(self, nextlayer: NextLayerHook) -> None:
        """Decide what reads a connection from here on."""
        context, data = nextlayer.context, nextlayer.data_client()
        if isinstance(context.layers[-1], modes.HttpProxy):
            self._default.next_layer(nextlayer)
            return
        if starts_like_tls_record(data) and not isinstance(context.layers[-1], layers.ClientTLSLayer):
            try:
                hello = parse_client_hello(data)
            except ValueError:
                hello = None
            else:
                if hello is None:
                    return  # asked again when more has come
            route = self._routes.of_all(self._names(context, hello.sni if hello is not None else None))
            if route is Route.TUNNEL:
                nextlayer.layer = layers.TCPLayer(context, ignore=True)
            elif route is Route.ENGINE:
                nextlayer.layer = layers.ClientTLSLayer(context)  # and none towards a server: there is none
            else:
                self._default.next_layer(nextlayer)
            return
        route = self._routes.of_all(self._names(context, context.client.sni))
        if route is Route.ENGINE:
            context.server.address = self._engine
            nextlayer.layer = layers.TCPLayer(context, ignore=True)
        elif route is Route.TUNNEL and not context.client.tls and not _may_be_http(data):
            nextlayer.layer = layers.TCPLayer(context, ignore=True)
        else:  # also HTTP that is not encrypted: each of its requests may name a host
            self._default.next_layer(nextlayer)

    def _names(self, context: Context, server_name: str | None) -> Iterator[tuple[str, int]]:
        if context.server.address:
            yield context.server.address[0], context.server.address[1]
        if server_name:
            yield server_name, 0

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Refuse a connection that is not meant."""
        await refuse_connection(data, self._routes, {self._engine, self._refusing}, self._refused)

    def tls_failed_client(self, data: TlsData) -> None:
        """Tell of a client that does not trust us: once for each host, since such clients try again and again."""
        host = data.context.client.sni or (data.context.server.address or ("?",))[0]
        if host not in self._complained and len(self._complained) < 100:
            self._complained.add(host)
            _log.warning(
                "a client did not accept our certificate; `replay-proxy ca` says how it is made to trust it",
                host=host,
                reason=str(data.conn.error or "the handshake was broken off"),
            )

    # Requests that mitmproxy reads.

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse to open a tunnel to a host that is not reached."""
        route = self._routes.of(flow.request.host, flow.request.port)
        if route.is_refused:
            self._refused.tell(flow.request.host, route)
            flow.response = refusal(route)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Send a request where it belongs."""
        request = flow.request
        route = self._routes.of_all(names_of(flow))
        if route is Route.UNDECIDED:
            route = self._routes.of_undecided()
        request.stream = True
        request.headers.pop(REFUSAL_HEADER, None)
        if route is Route.ENGINE or route.is_refused:
            if route.is_refused:
                self._refused.tell(flow.request.pretty_host, route)
                request.headers[REFUSAL_HEADER] = route.value
            # Not by its property, which would change the `Host` of the request as well.
            request.data.host, request.data.port = self._refusing
            request.scheme = "http"

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Pass an answer on as it comes."""
        assert flow.response is not None
        flow.response.stream = True

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Keep nothing of what was passed on."""
        assert flow.websocket is not None
        flow.websocket.messages.clear()


def _may_be_http(data: bytes) -> bool:
    """Return whether bytes may be the beginning of a request of HTTP/1."""
    return _METHOD.match(data) is not None


def names_of(flow: http.HTTPFlow) -> list[tuple[str, int]]:
    """Return every name that a request gives of its host, each with its port, or 0."""
    request = flow.request
    names = [(request.host, request.port), (flow.client_conn.sni or "", 0)]
    names += [host_and_port(text) for text in (request.host_header or "", request.authority) if text]
    if flow.server_conn.address and flow.server_conn.address[0] != request.host:
        names.append((flow.server_conn.address[0], flow.server_conn.address[1]))
    return names


async def refuse_connection(
    data: ServerConnectionHookData, routes: Routes, meant: set[tuple[str, int]], refused: RefusedHosts
) -> None:
    """Refuse a connection that is about to be made, where it would lead to AWS or to nobody who is meant.

    meant: addresses of servers of this process. refused: is told.
    """
    address = data.server.address
    assert address is not None
    host, port = address[0], address[1]
    if (host, port) in meant or routes.of(host, port) is Route.OWN:
        return
    route = routes.of_all([(host, port), (data.server.sni or "", 0), (data.client.sni or "", 0)])
    if route is Route.UNDECIDED:
        route = routes.of_undecided()
    if not route.may_leave:
        if route.is_refused:
            refused.tell(host, route)
        data.server.error = REASONS.get(route, "this host is AWS's: no connection to it is made")
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return  # connecting will fail in the same way, and tell the client
    addresses = [address_of(str(entry[4][0])) for entry in found]
    if any(each is not None and is_metadata(each) for each in addresses):
        refused.tell(host, Route.REFUSED_METADATA)
        data.server.error = REASONS[Route.REFUSED_METADATA]


def refusal(route: Route) -> http.Response:
    """Return the answer to a request that goes nowhere."""
    text = f"{REASONS[route]}\n"
    return http.Response.make(
        403, text, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
    )
