"""A keep-alive HTTP load generator on raw sockets, and a fixed fast server for it to talk to in the end.

Both do as little as they can per request, so that what is measured is what lies between them. The load is made in the
process of the benchmark (`fire`, `stream`); the server is a process of its own:

    python bench/load.py PORT ANSWERS     ANSWERS: a JSON file, from the value of X-Amz-Target (empty: any) to a body

A path `/stream/N` is answered with N bytes. Bodies of requests are counted and thrown away.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

READ, NAMING, CHANGE = "AmazonSQS.GetQueueAttributes", "AmazonSQS.ListDeadLetterSourceQueues", "AmazonSQS.SendMessage"
_T = TypeVar("_T")
_CHUNK = bytes(1 << 20)


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run on uvloop where it is installed."""
    factory = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)


class _Fixed(asyncio.Protocol):
    """Answers every request with fixed bytes. Understands heads with an optional `Content-Length`, and chunks."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._buffer = b""
        self._left = 0
        self._answer = b""
        self._stream = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop (uvloop) derives its transports from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._left:
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if not self._left:
                self._respond()
        self._buffer += data
        while not self._left and (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            self._plan(head)
            body = len(self._buffer) - end - 4
            length = _length(head)
            self._buffer = self._buffer[end + 4 + length :] if body >= length else b""
            self._left = max(0, length - body)
            if not self._left:
                self._respond()

    def _plan(self, head: bytes) -> None:
        at = head.find(b"/stream/")
        self._stream = 0
        if at >= 0:
            self._stream = int(head[at + 8 :].split(b" ", 1)[0])
            self._answer = answer_head("application/octet-stream", self._stream)
            return
        at = head.lower().find(b"x-amz-target:")
        target = head[at + 13 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b""
        self._answer = self._answers.get(target) or self._answers[b""]

    def _respond(self) -> None:
        self._transport.write(self._answer)
        if self._stream:
            # The chunk is shared, so that what waits in the transport costs no memory worth mentioning.
            whole, rest = divmod(self._stream, len(_CHUNK))
            self._transport.writelines([_CHUNK] * whole + [_CHUNK[:rest]])


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class _Client(asyncio.Protocol):
    """Sends a request, waits for the answer, sends the next; notes how long each took, in seconds.

    Where the server closes after an answer, as moto does, the next request begins with connecting.
    """

    def __init__(
        self, port: int, request: bytes, until: float, done: asyncio.Future[None], tunnel: Tunnel | None = None
    ) -> None:
        self._port = port
        self._tunnel = tunnel
        self._request = request
        self._until = until
        self._done = done
        self._needed = 0
        self._have = 0
        self._head = b""
        self._sent = 0.0
        self._closes = False
        self._expected_ends = 0
        self._connecting: asyncio.Task[Any] | None = None
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop (uvloop) derives its transports from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    async def connect(self) -> None:
        """Connect, and send."""
        loop = asyncio.get_running_loop()
        if self._tunnel is None:
            self._sent = time.perf_counter()
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
            return
        opened = await loop.run_in_executor(None, self._tunnel.open, self._port)
        self._sent = time.perf_counter()
        await loop.create_connection(
            lambda: self, sock=opened, ssl=self._tunnel.context(), server_hostname=self._tunnel.host
        )

    def _next(self) -> None:
        if self._closes:
            self._expected_ends += 1
            self._transport.close()
            self._connecting = asyncio.ensure_future(self.connect())
        else:
            self._sent = time.perf_counter()
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._needed:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._head.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(RuntimeError(f"not a success: {self._head[:300]!r}"))
                self._transport.abort()
                return
            self._needed = end + 4 + _length(self._head[:end])
            self._closes = b"connection: close" in self._head[:end].lower()
            self._have = len(self._head)
        else:
            self._have += len(data)
        if self._have < self._needed:
            return
        now = time.perf_counter()
        self.times.append(now - self._sent)
        self._head, self._needed = b"", 0
        if now < self._until:
            self._next()
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._expected_ends:
            self._expected_ends -= 1
        elif not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))


def sdk_request(target: str, document: dict[str, Any], service: str = "sqs") -> bytes:
    """A JSON call with the headers of an AWS SDK: 11 fields, some long."""
    payload = json.dumps(document).encode()
    fields = [
        "Host: 127.0.0.1:4566",
        "Accept-Encoding: identity",
        f"X-Amz-Target: {target}",
        "User-Agent: Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.7",
        "X-Amz-Date: 20250101T000000Z",
        "X-Amz-Security-Token: " + "t" * 300,
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250101/us-east-1/{service}/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=" + "0" * 64,
        "amz-sdk-invocation-id: 0a1b2c3d-0000-0000-0000-000000000000",
        "amz-sdk-request: attempt=1",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(payload)}",
    ]
    return "\r\n".join(["POST / HTTP/1.1", *fields, "", ""]).encode() + payload


def object_request(method: str, path: str, size: int = 0) -> bytes:
    """An S3 call; of a body of `size` bytes, zeros."""
    fields = [
        "Host: 127.0.0.1:4566",
        "X-Amz-Date: 20250101T000000Z",
        "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250101/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    ]
    if method == "PUT":
        fields += ["Content-Type: application/octet-stream", f"Content-Length: {size}"]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode() + bytes(size)


def answer_head(content_type: str, length: int) -> bytes:
    """The head of a success with the fields that emulators send."""
    return (
        "HTTP/1.1 200 OK\r\nServer: fixed\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\n"
        f"x-amzn-RequestId: 0a1b2c3d-0000-0000-0000-000000000000\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A way by a proxy, encrypted: to `host`, whose certificate an authority in the file `certificate` has made."""

    host: str
    certificate: str

    def open(self, port: int) -> socket.socket:
        """A connection by the proxy on `port`, before TLS begins."""
        opened = socket.create_connection(("127.0.0.1", port), timeout=30)
        opened.sendall(f"CONNECT {self.host}:443 HTTP/1.1\r\nHost: {self.host}:443\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += opened.recv(4096)
        if b" 200 " not in answer.split(b"\r\n")[0]:
            raise RuntimeError(f"no tunnel: {answer!r}")
        opened.setblocking(False)
        return opened

    def context(self) -> ssl.SSLContext:
        """What is trusted."""
        return ssl.create_default_context(cafile=self.certificate)


def fire(
    port: int, request: bytes, connections: int, seconds: float, tunnel: Tunnel | None = None
) -> tuple[list[float], float]:
    """The latencies of as many requests as `connections` clients make one after the other in `seconds`, and how long
    that took in all (the last answers come later), in seconds. With 0 seconds each client makes one request.
    """
    return run(_fire(port, request, connections, seconds, tunnel))


async def _fire(
    port: int, request: bytes, connections: int, seconds: float, tunnel: Tunnel | None = None
) -> tuple[list[float], float]:
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    until = begun + seconds
    clients: list[_Client] = []
    waits = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        waits.append(done)
        clients.append(_Client(port, request, until, done, tunnel))
        await clients[-1].connect()
    async with asyncio.timeout(seconds + 120):
        await asyncio.gather(*waits)
    return [took for client in clients for took in client.times], time.perf_counter() - begun


def summary(times: list[float], seconds: float) -> dict[str, float]:
    """Requests a second and quantiles in microseconds."""
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [times[0]] * 99
    return {
        "requests": len(times),
        "per_second": round(len(times) / seconds, 1),
        "p50_us": round(cuts[49] * 1e6, 1),
        "p99_us": round(cuts[98] * 1e6, 1),
    }


async def _serve(port: int, answers: dict[bytes, bytes]) -> None:
    listener = await asyncio.get_running_loop().create_server(lambda: _Fixed(answers), "127.0.0.1", port, backlog=2048)
    async with listener:
        await listener.serve_forever()


def main() -> None:
    """Serve fixed answers until stopped."""
    bodies = {target.encode(): body.encode() for target, body in json.loads(Path(sys.argv[2]).read_text()).items()}
    answers = {target: answer_head("application/x-amz-json-1.0", len(body)) + body for target, body in bodies.items()}
    with suppress(KeyboardInterrupt):
        run(_serve(int(sys.argv[1]), answers))


if __name__ == "__main__":
    main()
