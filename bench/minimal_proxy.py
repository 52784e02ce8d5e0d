"""A minimal aiohttp reverse proxy: what anybody writes first, and the yardstick for the door and its upstream client.

It forwards one request with `web.Server` and `ClientSession`, streaming both bodies, and does nothing else: no
recognition, no recording, and none of the transparency that tests/proxy asks of the real one.

    python bench/minimal_proxy.py LISTEN_PORT UPSTREAM_URL
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


async def run(port: int, upstream: str) -> None:
    """Serve until cancelled."""
    async with ClientSession(
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(total=None),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
            async with session.request(
                request.method,
                URL(upstream + request.raw_path, encoded=True),
                headers=headers,
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            ) as answer:
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                for name, value in answer.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        server = web.Server(forward, access_log=None, auto_decompress=False)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=2048)
        async with listener:
            await listener.serve_forever()


def main() -> None:
    """Read the arguments and run, on uvloop where it is installed."""
    parser = argparse.ArgumentParser(description="A minimal aiohttp reverse proxy.")
    parser.add_argument("port", type=int)
    parser.add_argument("upstream")
    parser.add_argument("--no-uvloop", action="store_true")
    options = parser.parse_args()
    factory = None
    if not options.no_uvloop:
        with suppress(ImportError):
            import uvloop

            factory = uvloop.new_event_loop
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run(options.port, options.upstream.rstrip("/")))


if __name__ == "__main__":
    main()
