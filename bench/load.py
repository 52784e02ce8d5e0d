"""A keep-alive HTTP load generator on raw sockets, and a fixed fast server for it to talk to in the end.

Both do as little as they can per request, so that what is measured is what lies between them.

    python bench/load.py serve PORT [--size BYTES]
    python bench/load.py fire PORT [--connections N] [--seconds S] [--method GET|POST] [--body BYTES]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from contextlib import suppress
from typing import Any, cast

READ = "GetQueueAttributes"


class _Fixed(asyncio.Protocol):
    """Answers every request with the same bytes. Understands heads with an optional `Content-Length`."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop (uvloop) derives its transports from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            needed = end + 4 + _length(self._buffer[:end])
            if len(self._buffer) < needed:
                return
            self._buffer = self._buffer[needed:]
            self._transport.write(self._answer)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class _Client(asyncio.Protocol):
    """Sends a request, waits for the answer, sends the next; notes how long each took, in seconds."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self._request = request
        self._until = until
        self._done = done
        self._needed = 0
        self._buffer = b""
        self._sent = 0.0
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop (uvloop) derives its transports from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(RuntimeError(f"not a success: {self._buffer[:200]!r}"))
                self._transport.abort()
                return
            self._needed = end + 4 + _length(self._buffer[:end])
        if len(self._buffer) < self._needed:
            return
        now = time.perf_counter()
        self.times.append(now - self._sent)
        self._buffer, self._needed = b"", 0
        if now < self._until:
            self._send()
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))


def request_bytes(port: int, method: str, body: int, operation: str) -> bytes:
    """A request with the headers of an AWS SDK: 13 fields, some long."""
    payload = json.dumps({"QueueUrl": "q", "pad": "x" * max(0, body - 30)}).encode() if body else b""
    fields = [
        f"Host: 127.0.0.1:{port}",
        "Accept-Encoding: identity",
        f"X-Amz-Target: AmazonSQS.{operation}",
        "User-Agent: Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.7",
        "X-Amz-Date: 20250101T000000Z",
        "X-Amz-Security-Token: " + "t" * 300,
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250101/us-east-1/sqs/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=" + "0" * 64,
        "amz-sdk-invocation-id: 0a1b2c3d-0000-0000-0000-000000000000",
        "amz-sdk-request: attempt=1",
        "Content-Type: application/x-amz-json-1.0",
    ]
    if body:
        fields.append(f"Content-Length: {len(payload)}")
    return "\r\n".join([f"{method} / HTTP/1.1", *fields, "", ""]).encode() + payload


def answer_bytes(size: int) -> bytes:
    """A JSON answer whose body has `size` bytes, with the fields that emulators send."""
    body = json.dumps({"pad": "x" * max(0, size - 11)}).encode()
    return (
        b"HTTP/1.1 200 OK\r\nServer: fixed\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\n"
        b"x-amzn-RequestId: 0a1b2c3d-0000-0000-0000-000000000000\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Access-Control-Allow-Origin: *\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )


async def fire(
    port: int, connections: int, seconds: float, method: str, body: int, operation: str = READ
) -> list[float]:
    """The latencies, in seconds, of as many requests as `connections` clients can make one after the other."""
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    request = request_bytes(port, method, body, operation)
    clients: list[_Client] = []
    waits = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        waits.append(done)
        client = _Client(request, until, done)
        clients.append(client)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]  # mypy cannot type the bound default
    await asyncio.gather(*waits)
    return [took for client in clients for took in client.times]


def summary(times: list[float], seconds: float) -> dict[str, Any]:
    """Requests a second and quantiles in microseconds."""
    cuts = statistics.quantiles(times, n=100)
    return {
        "requests": len(times),
        "per_second": round(len(times) / seconds, 1),
        "p50_us": round(cuts[49] * 1e6, 1),
        "p99_us": round(cuts[98] * 1e6, 1),
    }


async def serve(port: int, size: int) -> None:
    """Answer until cancelled."""
    answer = answer_bytes(size)
    listener = await asyncio.get_running_loop().create_server(lambda: _Fixed(answer), "127.0.0.1", port, backlog=2048)
    async with listener:
        await listener.serve_forever()


def main() -> None:
    """Read the arguments and run, on uvloop where it is installed."""
    parser = argparse.ArgumentParser(description="Load for proxies.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve")
    serving.add_argument("port", type=int)
    serving.add_argument("--size", type=int, default=1024)
    firing = verbs.add_parser("fire")
    firing.add_argument("port", type=int)
    firing.add_argument("--connections", type=int, default=1)
    firing.add_argument("--seconds", type=float, default=3.0)
    firing.add_argument("--method", default="POST")
    firing.add_argument("--body", type=int, default=100)
    firing.add_argument("--operation", default=READ, help="of SQS, in X-Amz-Target")
    options = parser.parse_args()
    factory = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=factory) as runner:
        if options.verb == "serve":
            runner.run(serve(options.port, options.size))
        else:
            times = runner.run(
                fire(
                    options.port, options.connections, options.seconds, options.method, options.body, options.operation
                )
            )
            print(json.dumps(summary(times, options.seconds)))


if __name__ == "__main__":
    main()
