"""The interception inside of somebody's own mitmproxy, whatever its mode, its other addons and its interface.

There, flows are to be seen, so mitmproxy reads HTTP as ever, and each request for AWS is sent on to a listener of the proxy's
HTTP server, and so to the engine. Requests for the emulator's own address are, too: that is how `--mode reverse:` comes. What
becomes of other hosts is that mitmproxy's own affair; hosts of AWS, and instance metadata, are never connected to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mitmproxy import ctx, http

from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Handler
from replay_proxy.proxy.intercept.addon import names_of, refusal, refuse_connection
from replay_proxy.proxy.intercept.refused_hosts import RefusedHosts
from replay_proxy.proxy.intercept.routes import Route, Routes

if TYPE_CHECKING:
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData


class RunningProxy(Protocol):
    """What is needed of a proxy that runs. emulator_url: where its emulator listens. handler: answers requests for AWS."""

    @property
    def emulator_url(self) -> str:
        """Where the emulator listens."""

    @property
    def intercepted_handler(self) -> Handler:
        """Answers requests for AWS."""


class HostedInterception:
    """The addon. serve: runs a proxy until an event is set, and tells of it once it is ready."""

    def __init__(self, serve: Callable[[asyncio.Event, Callable[[RunningProxy], None]], Awaitable[None]]) -> None:
        self._serve = serve
        self._routes = Routes(others_pass=True)
        self._refused = RefusedHosts()
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._door: ReverseDoor | None = None

    def load(self, loader: object) -> None:
        """Let no connection be made before it is known what for."""
        ctx.options.update(connection_strategy="lazy")

    async def running(self) -> None:
        """Start the proxy beside mitmproxy."""
        if self._serving is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._serve(self._stopped, self._begin)
        finally:
            if self._ready is not None and not self._ready.done():
                self._ready.cancel()
            ctx.master.shutdown()

    def _begin(self, proxy: RunningProxy) -> None:
        self._door = ReverseDoor(proxy.intercepted_handler, "127.0.0.1", 0)
        parts = urlsplit(proxy.emulator_url)
        host, port = parts.hostname or "", parts.port or 80
        local = ("127.0.0.1", "localhost", "::1") if host in ("127.0.0.1", "localhost", "::1") else (host,)
        self._routes.own = frozenset((name, port) for name in local)
        task = asyncio.ensure_future(self._door.start())
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Future[None]) -> None:
        assert self._ready is not None
        if error := task.exception():
            self._ready.set_exception(error)
        else:
            self._ready.set_result(None)

    async def done(self) -> None:
        """End the proxy, so that its recording is whole."""
        self._stopped.set()
        if self._door is not None:
            await self._door.stop()
        if self._serving is not None:
            await asyncio.wait({self._serving})

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse to open a tunnel to a host of AWS at which no API answers."""
        route = self._routes.of(flow.request.host, flow.request.port)
        if route.is_refused:
            self._refused.tell(flow.request.host, route)
            flow.response = refusal(route)

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Send a request for AWS, or for the emulator, to the engine; wait until its state is restored."""
        route = self._routes.of_all(names_of(flow))
        if route.is_refused:
            self._refused.tell(flow.request.pretty_host, route)
            flow.response = refusal(route)
        elif route in (Route.ENGINE, Route.OWN) and self._ready is not None:
            await asyncio.shield(self._ready)
            assert self._door is not None
            flow.request.data.host, flow.request.data.port = self._door.address
            flow.request.scheme = "http"

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Refuse a connection to a host of AWS."""
        own = {self._door.address} if self._door is not None else set()
        await refuse_connection(data, self._routes, own, self._refused)
