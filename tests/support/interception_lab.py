"""A program for tests: the interception door with a stub behind it, asked in every form in which a request can name its host.

It is given as its argument a JSON list of cases, and prints a JSON list of what became of each: the answer's status and
text, and to which addresses somebody wanted to connect, beside the engine. No such connection is made. It runs in the
interpreter that has mitmproxy.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing, collect
from replay_proxy.proxy.intercept.door import InterceptionDoor
from replay_proxy.proxy.intercept.routes import Routes
from replay_proxy.values import Address, parse_host_patterns

OWN = ("127.0.0.1", 9)
"""The address of a reverse door that nobody opens."""
LIMIT_S = 20.0


class NoFastPath:
    """Takes no request."""

    def preconnect(self) -> bool:
        return False

    def cancel_preconnect(self) -> None:
        """Nothing was begun."""

    def take(self, *_: Any) -> None:
        return None


async def engine(incoming: Incoming) -> Outgoing:
    """What the engine is asked, as an answer."""
    await collect(incoming.body, 1 << 20)
    text = f"engine {incoming.headers.get('host')} {incoming.target}"
    return Outgoing(200, "OK", Headers([("Content-Type", "text/plain")]), text.encode())


async def main(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        results = []
        for others in ("refuse", "pass"):
            routes = Routes(others_pass=others == "pass", tunnel=parse_host_patterns("*") if others == "pass" else None)
            here = Address("127.0.0.1", 0)
            door = InterceptionDoor(
                engine, NoFastPath(), routes, listen=here, socks=here, ca_directory=Path(scratch, "ca")
            )
            await door.start(OWN)
            wanted = trap(door)
            for case in cases:
                wanted.clear()
                answer, begun = "", time.monotonic()
                with suppress(OSError, asyncio.IncompleteReadError):
                    answer = await asyncio.wait_for(ask(door, case), LIMIT_S)
                results.append({"case": case, "others": others, "answer": answer, "wanted": list(wanted)})
                results[-1]["seconds"] = time.monotonic() - begun
            await door.stop(0)
    return results


def trap(door: InterceptionDoor) -> list[str]:
    """Let nobody connect to anything but the engine; return the list in which each other attempt is noted."""
    from mitmproxy.proxy import server

    wanted: list[str] = []
    inside = {door._server.address[1], door._refusing.address[1]}
    connect = asyncio.open_connection

    async def open_connection(host: str, port: int, **more: Any) -> Any:
        if host == "127.0.0.1" and port in inside:
            return await connect(host, port, **more)
        wanted.append(f"{host}:{port}")
        raise OSError("no connection is made here")

    class Asyncio:
        def __getattr__(self, name: str) -> Any:
            return open_connection if name == "open_connection" else getattr(asyncio, name)

    server.asyncio = Asyncio()
    return wanted


async def ask(door: InterceptionDoor, case: dict[str, Any]) -> str:
    """Send one request; return status and body. case: by, to, sni, host, target, and tls where it is none."""
    address = door.socks_address if case["by"] == "socks" else door.address
    reader, writer = await asyncio.open_connection(*address)
    host, port = case["to"]
    if case["by"] == "socks":
        writer.write(b"\x05\x01\x00")
        await reader.readexactly(2)
        writer.write(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + struct.pack("!H", port))
        if (await reader.readexactly(10))[1]:
            return "refused by SOCKS"
    elif case["by"] == "connect":
        named = f"[{host}]" if ":" in host else host
        writer.write(f"CONNECT {named}:{port} HTTP/1.1\r\nHost: {named}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            return head.split(b" ")[1].decode() + " " + (await reader.read(1000)).decode()
    if case["by"] != "plain" and case.get("tls", True):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if case.get("h2"):
            context.set_alpn_protocols(["h2"])
        await writer.start_tls(context, server_hostname=case.get("sni") or None)
    if case.get("h2"):
        return await ask_http2(reader, writer, case)
    writer.write(f"GET {case['target']} HTTP/1.1\r\nHost: {case['host']}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b" ")[1].decode() + " " + (await reader.read(1000)).decode(errors="replace")


async def ask_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, case: dict[str, Any]) -> str:
    from h2.connection import H2Connection
    from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

    client = H2Connection()
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":scheme", "https"), (":authority", case["host"]), (":path", case["target"])], True
    )
    status, body = "", b""
    while True:
        writer.write(client.data_to_send())
        data = await reader.read(65536)
        if not data:
            return f"{status} {body.decode(errors='replace')}"
        for event in client.receive_data(data):
            if isinstance(event, ResponseReceived):
                status = dict(event.headers).get(b":status", dict(event.headers).get(":status", ""))
                status = status.decode() if isinstance(status, bytes) else status
            elif isinstance(event, DataReceived):
                body += event.data
            elif isinstance(event, StreamEnded | StreamReset):
                return f"{status} {body.decode(errors='replace')}"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
