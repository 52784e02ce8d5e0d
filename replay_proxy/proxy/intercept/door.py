"""The interception door: an HTTP and SOCKS5 proxy for clients that cannot be told an endpoint, on embedded mitmproxy.

mitmproxy runs as a library in this process and on this event loop. It does what it is good at: it speaks the protocols of
proxies, and ends TLS with certificates that it makes. HTTP to AWS it does not read (`addon`): it connects to a second listener
of `ReverseDoor` on a loopback port, whose requests go to the same engine, by the same fast path, as those of the reverse door.

Of mitmproxy's addons only those are there that are needed. `Master.run` is not used, since it would set an exception handler and,
from Python 3.12 on, a task factory for the whole loop, which is not ours alone to change.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from replay_proxy.errors import ListenError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.fast_path_api import FastPath
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Handler, Incoming, Outgoing
from replay_proxy.proxy.intercept.authority import certificate_of
from replay_proxy.proxy.intercept.mitmproxy_extra import need_mitmproxy
from replay_proxy.proxy.intercept.routes import REASONS, REFUSAL_HEADER, Route, Routes
from replay_proxy.values import Address

if TYPE_CHECKING:
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.master import Master

_REGULAR, _SOCKS = "regular", "socks5"


class InterceptionDoor:
    """The listening proxies, and the server behind them. address, socks_address: what was bound; None where there is none."""

    def __init__(
        self,
        handler: Handler,
        fast_path: FastPath,
        routes: Routes,
        *,
        listen: Address | None,
        socks: Address | None,
        ca_directory: Path,
    ) -> None:
        """handler: answers requests for AWS. Raises `UsageError` where mitmproxy is not installed."""
        need_mitmproxy()
        self._routes = routes
        self._listen = {_REGULAR: listen, _SOCKS: socks}
        self._ca_directory = ca_directory
        self._server = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        self._refusing = ReverseDoor(_with_refusals(handler), "127.0.0.1", 0)
        self._master: Master | None = None
        self._proxyserver: Proxyserver | None = None
        self.address: tuple[str, int] | None = None
        self.socks_address: tuple[str, int] | None = None

    async def start(self, own: tuple[str, int]) -> None:
        """Listen. own: the address of the reverse door, which clients may ask for through this one, too.

        Raises:
            ListenError: an address cannot be listened on.
            StorageError: the certificate authority cannot be read or made.
        """
        await asyncio.to_thread(certificate_of, self._ca_directory)
        try:
            await self._server.start()
            await self._refusing.start()
            await self._begin(own)
            for name, wanted in self._listen.items():
                if wanted is not None:
                    bound = await self._open(name, wanted)
                    if name == _REGULAR:
                        self.address = bound
                    else:
                        self.socks_address = bound
        except BaseException:
            await self.stop(0)
            raise

    async def _begin(self, own: tuple[str, int]) -> None:
        """Build mitmproxy, without a listener."""
        from mitmproxy import options
        from mitmproxy.addons.proxyserver import Proxyserver
        from mitmproxy.addons.tlsconfig import TlsConfig
        from mitmproxy.master import Master

        from replay_proxy.proxy.intercept.addon import Interception

        host, port = own
        self._routes.own = frozenset((name, port) for name in (host, "127.0.0.1", "localhost", "::1"))
        # What it tells of each connection is of no use here; what the addon tells is.
        logging.getLogger("mitmproxy").setLevel(logging.ERROR)
        master = Master(options.Options(confdir=str(self._ca_directory), mode=[], server=True, rawtcp=False))
        # It would be told each log line of this process.
        logging.getLogger().removeHandler(master._legacy_log_events)
        proxyserver = Proxyserver()
        addon = Interception(self._routes, self._server.address, self._refusing.address, proxyserver)
        master.addons.add(proxyserver, TlsConfig(), addon)
        master.options.update(connection_strategy="lazy", upstream_cert=False)
        self._master, self._proxyserver = master, proxyserver
        await master.running()

    async def _open(self, name: str, wanted: Address) -> tuple[str, int]:
        port = wanted.port
        while True:
            try:
                return await self._listen_as(name, wanted.host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not wanted.or_free or not port:
                    raise ListenError(
                        f"cannot listen on {wanted}: {error.strerror or error}",
                        hint="stop what listens there, or choose another address with "
                        + ("--intercept" if name == _REGULAR else "--intercept-socks"),
                    ) from error
                port = 0

    async def _listen_as(self, name: str, host: str, port: int) -> tuple[str, int]:
        from mitmproxy.proxy.mode_specs import ProxyMode

        assert self._proxyserver is not None
        servers = self._proxyserver.servers
        kept = [instance.mode for instance in servers]
        mode = ProxyMode.parse(f"{name}@{host}:{port}")
        await servers.update([*kept, mode])
        instance = servers[mode]
        if instance.last_exception is not None:
            error = instance.last_exception
            await servers.update(kept)
            raise error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
        found = instance.listen_addrs[0]
        return str(found[0]), int(found[1])

    async def stop(self, drain: float = 10.0) -> None:
        """Stop listening. Let requests under way finish for `drain` seconds, then cut the rest."""
        master, self._master = self._master, None
        if master is not None and self._proxyserver is not None:
            await self._proxyserver.servers.update([])
        await asyncio.gather(self._server.stop(drain), self._refusing.stop(drain))
        if master is not None and self._proxyserver is not None:
            for handler in list(self._proxyserver.connections.values()):
                transport = handler.transports.get(handler.client)
                if transport is not None and transport.handler is not None:
                    transport.handler.cancel("the proxy is being stopped")
            await master.done()


def _with_refusals(handler: Handler) -> Handler:
    """Return a handler that refuses what the addon has marked, without reading a body, and gives `handler` everything else."""

    async def handle(incoming: Incoming) -> Outgoing:
        refusal = incoming.headers.get(REFUSAL_HEADER.lower())
        if not refusal:
            return await handler(incoming)
        text = ""
        with suppress(ValueError):
            text = REASONS.get(Route(refusal), "")
        headers = Headers([("Content-Type", "text/plain; charset=utf-8")])
        return Outgoing(403, "Forbidden", headers, f"{text or 'refused'}\n".encode())

    return handle
