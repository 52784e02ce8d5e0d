"""Heads that real clients send and that ask something of the connection, in front of real emulators: each call is done once."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.clients import REGION, aws, client
from tests.support.processes import Emulator, Proxy, aws_cli

pytestmark = pytest.mark.emulator


def signed(service: str) -> str:
    scope = f"test/20250101/{REGION}/{service}/aws4_request"
    return f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"


def told(proxy: Proxy, lines: list[str], body: bytes = b"") -> bytes:
    """What a client is answered that sends this, and then nothing."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer or answer.endswith(b"100 Continue\r\n\r\n"):
            more = connection.recv(65536)
            assert more, answer
            answer += more
        return answer


@pytest.mark.skipif(aws_cli() is None, reason="the AWS CLI is not installed")
@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_a_folder_half_of_whose_files_are_empty_is_synced_once(
    emulator: str,
    start_proxy: Callable[..., Proxy],
    start_emulator: Callable[[str], Emulator],
    tmp_path: Path,
) -> None:
    proxy = start_proxy("--upstream", start_emulator(emulator).url)
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="synced")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}").write_bytes(b"x" * number * 100 if number % 2 else b"")
    aws(proxy.url, "s3", "sync", str(folder), "s3://synced")
    puts = Counter(record["request"]["target"] for record in proxy.records() if record["operation"] == "PutObject")
    assert puts == {f"/synced/{number:02}": 1 for number in range(60)}
    sizes = {each["Key"]: each["Size"] for each in s3.list_objects_v2(Bucket="synced")["Contents"]}
    assert sizes == {f"{number:02}": number * 100 if number % 2 else 0 for number in range(60)}


def test_empty_and_other_objects_one_after_the_other(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url, read_timeout=10, retries={"total_max_attempts": 1}, max_pool_connections=1)
    s3.create_bucket(Bucket="bucket")
    bodies = [b"", b"a", b"", b"", b"x" * 300_000, b""]
    for number, body in enumerate(bodies):
        s3.put_object(Bucket="bucket", Key=str(number), Body=body)
    for number, body in enumerate(bodies):
        assert s3.get_object(Bucket="bucket", Key=str(number))["Body"].read() == body
    assert proxy.operations() == ["s3:CreateBucket", *["s3:PutObject"] * len(bodies)]
    answer = told(
        proxy,
        ["PUT /bucket/raw HTTP/1.1", "Host: h", signed("s3"), "Expect: 100-continue", "Content-Length: 0"],
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize(
    "offer",
    [
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAA"],
        ["Connection: Upgrade", "Upgrade: websocket"],
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    ],
    ids=["h2c", "WebSocket", "a key"],
)
def test_a_change_that_offers_another_protocol_is_carried_out_and_recorded(
    offer: list[str], start_proxy: Callable[..., Proxy]
) -> None:
    proxy = start_proxy()
    body = b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.8.0.0%2F16"
    head = [
        "POST / HTTP/1.1",
        "Host: h",
        signed("ec2"),
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    assert told(proxy, head + offer, body).startswith(b"HTTP/1.1 200 ")
    assert proxy.operations() == ["ec2:CreateVpc"]


class Ignorant(BaseHTTPRequestHandler):
    """An emulator that has never heard of WebSocket, and says yes to everything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_GET  # noqa: N815  # the names by which `http.server` calls them

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def ignorant() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ignorant) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_handshake_that_is_declined_is_recorded_like_any_call(
    ignorant: str, start_proxy: Callable[..., Proxy]
) -> None:
    """Query services take calls as a GET, too, so a whole handshake of WebSocket can be one."""
    proxy = start_proxy("--upstream", ignorant)
    head = [
        "GET /?Action=CreateTopic&Name=shaken&Version=2010-03-31 HTTP/1.1",
        "Host: h",
        signed("sns"),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    answer = told(proxy, head)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert b"\r\nConnection: close\r\n" in answer
    assert proxy.operations() == ["sns:CreateTopic"]
