"""The upstream client against raw servers: what it sends, and what it makes of answers and of failures."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from replay_proxy.errors import AnswerError, AnswerTimeoutError, ConnectError, UsageError
from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from tests.proxy.raw_peer import Peer, RawServer

BOTH_LOOPS = True

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOST = Headers([("Host", "h")])


async def pieces(*chunks: bytes, pause: float = 0) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(pause)
        yield chunk


async def get(upstream: UpstreamClient, target: str = "/") -> bytes:
    return await (await upstream.send("GET", target, HOST)).read()


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4566",
        "ftp://h:1",
        "http://",
        "http://h:0x",
        "http://h:99999",
        "http://h:1/path",
        "http://h:1?q",
        "http://user@h:1",
    ],
)
def test_what_is_no_server_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        UpstreamClient(url)
    assert caught.value.hint
    assert repr(url) in caught.value.message


# What is sent


async def test_a_recorded_request_is_sent_as_it_was() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.message())
            await peer.send(b"HTTP/1.1 201 Made\r\nx-Id: caf\xe9\r\nX-id: 2\r\nContent-Length: 2\r\n\r\n\xff\x00")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        headers = Headers([("X-b", "\xff"), ("x-B", ""), ("host", "elsewhere"), ("content-length", "3")])
        answer = await upstream.exchange(Request("PUT", "//a/%2f?", headers, b"abc"))
        assert answer == Answer(
            201,
            Headers([("x-Id", "caf\xe9"), ("X-id", "2"), ("Content-Length", "2")]),
            b"\xff\x00",
            "Made",
        )
        assert seen == [
            b"PUT //a/%2f? HTTP/1.1\r\nX-b: \xff\r\nx-B: \r\nhost: elsewhere\r\ncontent-length: 3\r\n\r\nabc"
        ]
        await upstream.close()


async def test_a_blob_is_streamed_from_where_it_lies() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.message())
        await peer.send(OK)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        blob = BlobRef("0" * 64, 60_000)
        request = Request("PUT", "/", HOST, blob)
        answer = await upstream.exchange(request, blob=pieces(b"a" * 30_000, b"b" * 30_000))
        assert answer.status == 200
        assert seen[0].endswith(b"\r\nContent-Length: 60000\r\n\r\n" + b"a" * 30_000 + b"b" * 30_000)
        with pytest.raises(ValueError, match="blob"):
            await upstream.exchange(request)
        await upstream.close()


@pytest.mark.parametrize("length", [4, 40_000])
async def test_a_stream_that_does_not_keep_to_its_length_leaves_no_complete_request(length: int) -> None:
    bodies: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.head()
        bodies.append(await peer.rest())

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        for body in (b"x" * (length - 1), b"x" * (length + 1)):
            with pytest.raises((ValueError, ConnectionError), match="declared"):
                await upstream.send("PUT", "/", HOST, pieces(body), length)
        await upstream.close()
    assert all(len(body) < length for body in bodies)


async def test_a_body_that_fails_is_what_the_caller_is_told() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        assert not (await peer.rest()).endswith(b"0\r\n\r\n")

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0.05)
        raise LookupError("no more")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        with pytest.raises(LookupError, match="no more"):
            await upstream.send("PUT", "/", HOST, body())
        await upstream.close()


async def test_nothing_of_a_redirect_or_a_cookie_is_acted_upon() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.message())
            await peer.send(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        for _ in range(2):
            assert (await upstream.send("GET", "/", HOST)).status == 302
        await upstream.close()
    assert seen == [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"] * 2


async def test_the_environments_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(OK)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        assert await get(upstream) == b"ok"
        await upstream.close()


# Connections


async def test_connections_are_pooled_and_as_many_as_needed() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            await asyncio.sleep(0.1)
            await peer.send(OK)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, idle_limit=30)
        for _ in range(2):
            assert await asyncio.gather(*(get(upstream) for _ in range(200))) == [b"ok"] * 200
        assert server.connections == 200
        await upstream.close()


async def test_a_connection_that_idled_too_long_is_not_used_again() -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(OK)
        assert await peer.gone()
        ended.set()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, idle_limit=0.1)
        await get(upstream)
        await asyncio.wait_for(ended.wait(), 60)
        await get(upstream)
        assert server.connections == 2
        await upstream.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("goodbye", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
async def test_a_connection_that_was_closed_in_the_meantime_is_not_used(method: str, goodbye: bytes) -> None:
    """Not even for one turn of the event loop: its end is seen on the socket."""
    seen = 0

    async def script(peer: Peer) -> None:
        nonlocal seen
        await peer.message()
        seen += 1
        peer.writer.write(OK)
        await asyncio.sleep(0.05)
        await peer.send(goodbye)
        peer.close()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        for turn in range(3):
            answer = await upstream.send(method, "/", HOST, b"{}")
            assert await answer.read() == b"ok"
            assert seen == turn + 1
            await asyncio.sleep(0.1)
        await upstream.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_an_idempotent_request_survives_a_connection_that_closes_as_it_is_sent(method: str) -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        number = server.connections
        await peer.message()
        seen.append(number)
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        await peer.message()
        seen.append(number)
        if number > 1:
            await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        assert (await upstream.send(method, "/", HOST, b"{}")).status == 204
        assert (await upstream.send(method, "/", HOST, b"{}")).status == 204
        assert seen == [1, 1, 2]
        await upstream.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_may_have_been_carried_out_is_not_sent_twice(streamed: bool) -> None:
    seen = 0

    async def script(peer: Peer) -> None:
        nonlocal seen
        await peer.message()
        seen += 1
        await peer.send(OK)
        await peer.message()
        seen += 1

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        await (await upstream.send("POST", "/", HOST, b"{}")).read()
        with pytest.raises(AnswerError):
            if streamed:
                await upstream.send("PUT", "/", HOST, pieces(b"{}"))
            else:
                await upstream.send("POST", "/", HOST, b"{}")
        assert seen == 2
        await upstream.close()


async def test_a_fresh_connection_that_breaks_is_no_stale_one() -> None:
    seen = 0

    async def script(peer: Peer) -> None:
        nonlocal seen
        await peer.message()
        seen += 1

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        with pytest.raises(AnswerError):
            await get(upstream)
        assert seen == 1
        await upstream.close()


# Failures


async def test_nobody_there_is_a_connect_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(OK)
        await peer.rest()

    server = RawServer(script)
    await server.start()
    upstream = UpstreamClient(server.url)
    await get(upstream)
    await server.stop()
    await asyncio.sleep(0.05)
    for method in ("GET", "POST"):
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1"):
            await upstream.send(method, "/", HOST, b"{}")
    await server.start()
    assert await get(upstream) == b"ok"
    await upstream.close()
    await server.stop()


async def test_a_name_that_does_not_exist_is_a_connect_error() -> None:
    upstream = UpstreamClient("http://no-such-host.invalid:1", connect_timeout=10)
    with pytest.raises(ConnectError, match=r"no-such-host\.invalid"):
        await get(upstream)


NONSENSE = {
    "no HTTP": b"220 mail.example.org ESMTP\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a megabyte of header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2**20 + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX: ",
    "nothing": b"",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_an_answer_error(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(answer)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        with pytest.raises(AnswerError):
            await get(upstream)
        await upstream.close()


async def test_silence_before_an_answer_ends_at_the_read_timeout() -> None:
    seen = 0

    async def script(peer: Peer) -> None:
        nonlocal seen
        await peer.message()
        seen += 1
        await asyncio.sleep(3600)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=0.2)
        with pytest.raises(AnswerTimeoutError):
            await asyncio.wait_for(get(upstream), 60)
        assert seen == 1
        await upstream.close()


async def test_silence_within_an_answer_ends_at_the_read_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        await asyncio.sleep(3600)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=0.2)
        with pytest.raises(AnswerTimeoutError):
            await asyncio.wait_for(get(upstream), 60)
        await upstream.close()


async def test_a_slow_answer_is_not_silence() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.15)
            await peer.send(b"x")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=1)
        assert await get(upstream) == b"x" * 10
        await upstream.close()


# Giving up


async def cut(act: Callable[[UpstreamClient], Awaitable[None]], answer: bytes) -> None:
    """Whether the server sees its connection cut after `act`."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(answer)
        assert await peer.gone()
        gone.set()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, idle_limit=60)
        await act(upstream)
        await asyncio.wait_for(gone.wait(), 60)
        await upstream.close()


async def test_a_cancelled_request_is_cut() -> None:
    async def act(upstream: UpstreamClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await get(upstream)

    await cut(act, b"")


async def test_a_cancelled_answer_is_cut() -> None:
    async def act(upstream: UpstreamClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await get(upstream)

    await cut(act, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")


async def test_an_answer_that_is_given_up_is_cut() -> None:
    async def act(upstream: UpstreamClient) -> None:
        answer = await upstream.send("GET", "/", HOST)
        await answer.aclose()
        await answer.aclose()
        assert [chunk async for chunk in answer.chunks] == []

    await cut(act, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")


async def test_an_answer_that_is_forgotten_is_cut() -> None:
    async def act(upstream: UpstreamClient) -> None:
        answer = await upstream.send("GET", "/", HOST)
        del answer
        gc.collect()

    await cut(act, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")


async def test_an_early_answer_ends_an_upload_that_nobody_reads() -> None:
    """The emulator answers and closes while the body is still on its way."""
    fed = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal fed
        while True:
            await asyncio.sleep(0.01)
            fed += 1
            yield b"x" * 1000

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await peer.rest()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        answer = await upstream.send("PUT", "/", HOST, body())
        assert answer.status == 403
        assert await answer.read() == b"no"
        before = fed
        await asyncio.sleep(0.1)
        assert fed == before
        await upstream.close()


# Forms of an answer


async def test_an_answer_that_is_there_comes_as_bytes_and_one_that_is_not_as_a_stream() -> None:
    async def script(peer: Peer) -> None:
        while True:
            target = (await peer.message()).split(b" ")[1]
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"ok" if target == b"/now" else b""))
            if target != b"/now":
                await asyncio.sleep(0.1)
                await peer.send(b"ok")

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        now = await upstream.send("GET", "/now", HOST)
        assert now.body == b"ok"
        assert [chunk async for chunk in now.chunks] == [b"ok"]
        later = await upstream.send("GET", "/later", HOST)
        assert not isinstance(later.body, bytes)
        assert later.length == 2
        assert [chunk async for chunk in later.chunks] == [b"ok"]
        assert server.connections == 1
        await upstream.close()


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography", reason="makes the server's certificate")
    certificate = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        try:
            while True:
                await peer.message()
                await peer.send(OK)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    strict = UpstreamClient(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = UpstreamClient(url)
    for _ in range(2):
        assert await get(trusting) == b"ok"
    with pytest.raises(ConnectError):
        await get(strict)
    await trusting.close()
    server.close()


def self_signed(directory: Path) -> Path:
    """A certificate and its key, in one file."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
