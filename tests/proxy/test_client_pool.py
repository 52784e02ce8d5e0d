"""What `connection` relies on in aiohttp's inner layer: a new version that changes it fails here, by name."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

from replay_proxy.proxy.http.client import connection
from replay_proxy.proxy.http.client.pool import Pool
from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX
from tests.proxy.raw_peer import Peer, RawServer

BOTH_LOOPS = True

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def pool_for(server: RawServer, **settings: float) -> Pool:
    times = {"connect_timeout": 5.0, "idle_limit": 30.0} | settings
    return Pool("127.0.0.1", server.port, tls=None, **times)


async def echo(peer: Peer) -> None:
    while True:
        await peer.message()
        await peer.send(OK)


def test_every_parameter_that_is_set_is_still_known() -> None:
    known = inspect.signature(ResponseHandler.set_response_params).parameters
    assert set(connection._PARAMETERS) >= {
        "auto_decompress",
        "read_until_eof",
        "read_bufsize",
        "max_line_size",
        "max_field_size",
    }
    assert {"skip_payload", "read_timeout"} <= set(known)
    if "max_headers" in known:
        assert connection._PARAMETERS["max_headers"] == HEADER_FIELDS_MAX


async def test_the_protocol_and_the_writer_do_what_is_asked_of_them() -> None:
    loop = asyncio.get_running_loop()
    async with RawServer(echo) as server:
        pool = pool_for(server)
        used = await pool.connect(loop)
        used.protocol.expect_answer()
        writer = used.writer(loop)
        assert isinstance(writer, StreamWriter)
        writer.enable_chunking()
        used.transport.write(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.write(b"abc")
        await writer.write_eof()
        message, payload = await used.protocol.read()
        assert message.raw_headers == ((b"Content-Length", b"2"),)
        assert (message.code, message.reason) == (200, "OK")
        assert await payload.readany() == b"ok"
        assert payload.is_eof()
        assert not used.protocol.should_close
        pool.release(used, loop)
        assert pool.take_idle(loop) is used
        used.abort()
        pool.close()


async def test_a_field_as_large_as_the_limit_is_read() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nX: " + b"a" * (HEAD_BYTES_MAX - 100) + b"\r\nContent-Length: 0\r\n\r\n")

    loop = asyncio.get_running_loop()
    async with RawServer(script) as server:
        pool = pool_for(server)
        used = await pool.connect(loop)
        used.protocol.expect_answer()
        used.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        message, _ = await used.protocol.read()
        assert len(message.raw_headers[0][1]) == HEAD_BYTES_MAX - 100
        used.abort()


async def test_a_reader_of_a_body_is_told_when_its_chunks_are_malformed() -> None:
    """aiohttp tells only whoever waits for a head; without `ClientProtocol` this read would wait for ever."""

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await asyncio.sleep(0.05)
        await peer.send(b"zz\r\n")
        await peer.rest()

    loop = asyncio.get_running_loop()
    async with RawServer(script) as server:
        used = await pool_for(server).connect(loop)
        used.protocol.expect_answer()
        used.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        _, payload = await used.protocol.read()
        with pytest.raises(Exception, match="chunk size"):
            while await asyncio.wait_for(payload.readany(), 5):
                pass


async def test_a_pool_closes_what_idles_and_what_comes_back_after_its_end() -> None:
    loop = asyncio.get_running_loop()
    async with RawServer(echo) as server:
        pool = pool_for(server, idle_limit=0.1)
        first, second = await pool.connect(loop), await pool.connect(loop)
        pool.release(first, loop)
        await asyncio.sleep(0.3)
        assert not first.protocol.is_connected()
        pool.close()
        pool.release(second, loop)
        assert not second.protocol.is_connected()
