"""What passes through the interception door besides small calls: large bodies both ways, HTTP/2, WebSockets, `100 Continue`,
connections that stay, clients that leave.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.test_clients import Noise, memory
from tests.support.interception import Interceptor, missing_interception
from tests.support.processes import left_out

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception())),
]
LARGE = 100 << 20
SQS = "sqs.us-east-1.amazonaws.com"


class Stub:
    """An upstream in place of an emulator: takes a connection, says what is to be said, and notes what it got."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None]) -> None:
        self._answer = answer
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.left = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with closing(peer):
            try:
                while data := peer.recv(65536):
                    while b"\r\n\r\n" not in data:
                        data += peer.recv(65536)
                    if b"/asked" in data:
                        self._answer(peer, data)
                    else:
                        peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                pass
            finally:
                self.left.set()


def encrypted(proxy: Interceptor, host: str = SQS, *alpn: str) -> ssl.SSLSocket:
    """A connection to `host` by the door."""
    plain = socket.create_connection(("127.0.0.1", proxy.door_port), timeout=30)
    plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert b" 200 " in plain.recv(4096)
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(plain, server_hostname=host)


def message(connection: ssl.SSLSocket, until: bytes = b"\r\n\r\n") -> bytes:
    got = b""
    while until not in got:
        data = connection.recv(65536)
        assert data, got
        got += data
    return got


def test_connections_stay_and_leave_as_at_the_reverse_door(start: Callable[..., Interceptor]) -> None:
    """`100 Continue` when the body is wanted; several requests on one connection; WebSocket; a client that leaves."""

    def answer(peer: socket.socket, request: bytes) -> None:
        if b"Upgrade: websocket" in request:
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := peer.recv(65536):
                peer.sendall(data[::-1])
        elif b"/asked/slowly" in request:
            peer.settimeout(20)
            if not peer.recv(1):
                raise OSError("the client has left")
        else:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    stub = Stub(answer)
    proxy = start("--upstream", stub.url, "--persistence", "0", "--ready-timeout", "10")
    try:
        ask = f"GET /asked HTTP/1.1\r\nHost: {SQS}\r\n\r\n".encode()
        with encrypted(proxy) as connection:
            for _ in range(3):
                connection.sendall(ask)
                assert message(connection, b"ok").startswith(b"HTTP/1.1 200")
            expecting = f"POST /asked HTTP/1.1\r\nHost: {SQS}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            connection.sendall(expecting.encode())
            assert message(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"body")
            assert message(connection, b"ok").startswith(b"HTTP/1.1 200")
        with encrypted(proxy, "a1b2.execute-api.us-east-1.amazonaws.com") as connection:
            connection.sendall(
                b"GET /asked HTTP/1.1\r\nHost: a1b2.execute-api.us-east-1.amazonaws.com\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert message(connection).startswith(b"HTTP/1.1 101")
            connection.sendall(b"abc")
            assert message(connection, b"cba") == b"cba"
        stub.left.clear()
        connection = encrypted(proxy)
        connection.sendall(ask.replace(b"/asked", b"/asked/slowly"))
        time.sleep(0.3)
        stub.left.clear()
        connection.close()
        assert stub.left.wait(10), "the emulator was not told that its client had left"
    finally:
        stub.server.close()


def test_large_bodies_stream_both_ways_in_flat_memory(start: Callable[..., Interceptor], tmp_path: Path) -> None:
    if reason := left_out(0.6):
        pytest.skip(reason)
    proxy = start("--emulator", "moto")
    buckets = proxy.client("s3", request_checksum_calculation="when_required")
    buckets.create_bucket(Bucket="archive")
    buckets.put_object(Bucket="archive", Key="small", Body=b"x" * (1 << 20))
    before = memory(proxy.process.pid)
    noise = Noise(LARGE)
    buckets.put_object(Bucket="archive", Key="large", Body=noise, ContentLength=LARGE)
    digest = hashlib.sha256()
    for chunk in buckets.get_object(Bucket="archive", Key="large")["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    expected = hashlib.sha256()
    noise.seek(0)
    while chunk := noise.read(1 << 20):
        expected.update(chunk)
    assert digest.digest() == expected.digest()
    assert memory(proxy.process.pid) - before < 64 << 20
    if shutil.which("curl") is not None:
        url = buckets.generate_presigned_url("get_object", {"Bucket": "archive", "Key": "large"})
        place = tmp_path / "got"
        words = ["curl", "-sS", "--http2", "-x", proxy.door, "--cacert", str(proxy.certificate), "-o", str(place), url]
        subprocess.run(words, timeout=120, check=True)
        assert place.stat().st_size == LARGE
        assert memory(proxy.process.pid) - before < 64 << 20


def test_http2_is_spoken_with_clients_that_offer_it(start: Callable[..., Interceptor]) -> None:
    if reason := left_out(0.2):
        pytest.skip(f"{reason}; tests/support/interception_lab.py asks by HTTP/2, too")
    proxy = start("--emulator", "moto")
    with encrypted(proxy, SQS, "h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"
    with encrypted(proxy, SQS, "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"


def test_it_ends_in_order_under_open_connections(start: Callable[..., Interceptor]) -> None:
    if reason := left_out(0.3):
        pytest.skip(reason)
    proxy = start("--emulator", "moto")
    with encrypted(proxy), socket.create_connection(("127.0.0.1", proxy.door_port)):
        begun = time.monotonic()
        proxy.process.terminate()
        assert proxy.process.wait(30) == 0
        assert time.monotonic() - begun < 15
    assert "Traceback" not in proxy.log
    with pytest.raises(OSError, match=""):
        asyncio.run(asyncio.open_connection("127.0.0.1", proxy.door_port))
