"""What is not HTTP/2 ends its connection with a GOAWAY and one line in the log; what is no request is answered 400.

And what a client may make the proxy do in vain is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import pairwise

import pytest
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.http2.limits import FrameBoundary
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.http2_peer import Http2Client, dial_http2
from tests.proxy.raw_peer import Peer, dial, serving
from tests.proxy.test_server_bodies import MIB, Memory

BOTH_LOOPS = True

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/")]
PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11


def headers(fields: list[tuple[str, str]], stream: int = 1, *flags: str) -> HeadersFrame:
    """A head in one frame, with nothing in the table of names."""
    return HeadersFrame(stream, data=Encoder().encode(fields), flags=["END_HEADERS", *flags])


def get(*more: tuple[str, str], without: str = "") -> bytes:
    return headers([*(field for field in GET if field[0] != without), *more], 1, "END_STREAM").serialize()


def flooded_head() -> bytes:
    first = HeadersFrame(1, data=b"\x82")
    return first.serialize() + ContinuationFrame(1, data=b"\x82").serialize() * 100


def large_head() -> bytes:
    block = Encoder().encode([*GET, *((f"x-{at}", "a" * 30_000) for at in range(30))], huffman=False)
    pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
    frames = [HeadersFrame(1, data=pieces[0]), *(ContinuationFrame(1, data=piece) for piece in pieces[1:])]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)


BROKEN = {
    "no frames": b"hello, is there anybody? " * 10,
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "a frame too large": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(20_000),
    "a head that is no HPACK": HeadersFrame(1, data=b"\xff" * 40, flags=["END_HEADERS"]).serialize(),
    "an even stream": headers(GET, 2, "END_STREAM").serialize(),
    "data without a head": DataFrame(1, data=b"x").serialize(),
    "a promise": PushPromiseFrame(1, promised_stream_id=2, flags=["END_HEADERS"]).serialize(),
    "settings out of range": SettingsFrame(0, settings={4: 2**31}).serialize(),
    "settings of half a size": b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(5),
    "a window beyond its size": WindowUpdateFrame(0, window_increment=2**31 - 1).serialize() * 2,
    "a stream that depends on itself": PriorityFrame(1, depends_on=1).serialize(),
    "a continuation of nothing": ContinuationFrame(1, data=b"\x82", flags=["END_HEADERS"]).serialize(),
    "a head that never ends": flooded_head(),
    "a head of a megabyte": large_head(),
    "padding longer than its frame": b"\x00\x00\x02\x00\x08\x00\x00\x00\x01\xffx",
    "no path": get(without=":path"),
    "no method": get(without=":method"),
    "a name in upper case": HeadersFrame(
        1, data=Encoder().encode([*GET, ("X-A", "1")]), flags=["END_HEADERS", "END_STREAM"]
    ).serialize(),
    "a field of the connection": get(("connection", "close")),
    "chunks": get(("transfer-encoding", "chunked")),
    "another TE": get(("te", "gzip")),
    "an unknown pseudo-field": get((":mood", "1")),
    "a pseudo-field at the end": get(("x", "1"), (":scheme", "http")),
    "two hosts": get(("host", "h"), ("host", "i")),
    "another host": get(("host", "i")),
}


async def answer_all(incoming: Incoming) -> Outgoing:
    size = 0
    if incoming.body is not None:
        async for chunk in incoming.body:
            size += len(chunk)
    return Outgoing(200, "OK", Headers(), b"%d" % size)


async def refuse_all(incoming: Incoming) -> Outgoing:
    raise AssertionError(f"it was taken for a request: {incoming}")


@asynccontextmanager
async def raw_client(door: ReverseDoor) -> AsyncIterator[Peer]:
    peer = await dial(door.address)
    await peer.send(PREFACE + SettingsFrame(0).serialize())
    try:
        yield peer
    finally:
        peer.abort()
        await door.stop(0.1)


def frames_of(data: bytes) -> Iterator[Frame]:
    """All of them, which must be whole and well-formed."""
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        assert len(data) >= 9 + length
        frame.parse_body(memoryview(data[9 : 9 + length]))
        yield frame
        data = data[9 + length :]


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
async def test_what_breaks_the_protocol_ends_the_connection(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with raw_client(await serving(refuse_all)) as peer:
        await peer.send(sent + get())
        goodbye = [frame for frame in frames_of(await peer.rest()) if isinstance(frame, GoAwayFrame)]
    assert len(goodbye) == 1
    assert goodbye[0].error_code
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "Traceback" not in caplog.text


MALFORMED = {
    "a path that is none": [*GET[:3], (":path", "x")],
    "a space in the path": [*GET[:3], (":path", "/ HTTP/1.1")],
    "a method of two words": [(":method", "GET /"), *GET[1:]],
    "a space in the host": [*GET[:2], (":authority", "h h"), GET[3]],
    "a control character": [*GET, ("x", "a\x01b")],
    "a name that is no token": [*GET, ("x(y)", "1")],
    "a length without a body": [*GET, ("content-length", "3")],
    "too many fields": [*GET, *[("x", "1")] * 1001],
}
SMUGGLING = {
    "a line break in a value": [*GET, ("x", "a\r\nY: 1")],
    "a request in a value": [*GET, ("x", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h")],
    "a line feed in the path": [*GET[:3], (":path", "/\nX: 1")],
    "a line break in the method": [(":method", "GET\r\n"), *GET[1:]],
    "a line break in the host": [*GET[:2], (":authority", "h\r\nX: 1"), GET[3]],
    "two lengths": [*GET, ("content-length", "0"), ("content-length", "4")],
    "a length that is none": [*GET, ("content-length", "+0")],
    "a colon in a name": [*GET, ("x: 1\r\ny", "1")],
}


@pytest.mark.parametrize("fields", [*MALFORMED.values(), *SMUGGLING.values()], ids=[*MALFORMED, *SMUGGLING])
async def test_what_is_no_request_is_never_forwarded(
    fields: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    async with raw_client(await serving(refuse_all)) as peer:
        await peer.send(headers(fields, 1, "END_STREAM").serialize())
        await peer.send(GoAwayFrame(0).serialize())
        answer = await peer.rest()
    heads = [frame for frame in frames_of(answer) if isinstance(frame, HeadersFrame)]
    if fields in MALFORMED.values():
        assert b"the request is malformed: " in answer
    else:
        assert heads or any(isinstance(frame, GoAwayFrame) for frame in frames_of(answer))
    assert "Traceback" not in caplog.text


# Floods


def resets() -> bytes:
    return b"".join(
        headers(GET, number, "END_STREAM").serialize() + RstStreamFrame(number, error_code=8).serialize()
        for number in range(1, 6001, 2)
    )


FLOODS = {
    "resets": resets,
    "pings": lambda: PingFrame(0, opaque_data=b"12345678").serialize() * 3000,
    "settings": lambda: SettingsFrame(0, settings={4: 65535}).serialize() * 3000,
    "empty data": lambda: headers(GET, 1).serialize() + DataFrame(1).serialize() * 3000,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_frames_in_vain_are_bounded(flood: Callable[[], bytes], caplog: pytest.LogCaptureFixture) -> None:
    async with raw_client(await serving(answer_all)) as peer:
        reading = asyncio.create_task(peer.rest())
        with suppress(ConnectionError):
            await peer.send(flood())
        goodbye = [frame for frame in frames_of(await reading) if isinstance(frame, GoAwayFrame)]
    assert [frame.error_code for frame in goodbye] == [ENHANCE_YOUR_CALM]
    assert len(caplog.records) == 1


async def test_resets_of_a_busy_client_are_none(caplog: pytest.LogCaptureFixture) -> None:
    """All streams at once, a few times: a program that gives up waits."""
    done = asyncio.Event()

    async def handler(incoming: Incoming) -> Outgoing:
        if incoming.target == "/":
            await done.wait()
        return Outgoing(200, "OK", Headers(), b"ok")

    door = await serving(handler)
    client = await dial_http2(door.address)
    for _ in range(5):
        numbers = [await client.request("GET", "/") for _ in range(100)]
        for number in numbers:
            await client.reset(number)
        assert (await client.exchange("GET", "/quick")).body == b"ok"
    client.abort()
    await door.stop(0.1)
    assert not caplog.records


async def test_what_is_asked_for_and_not_read_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Heads of answers, and what the protocol answers by itself."""
    huge = Headers([(f"X-{at}", "a" * 60_000) for at in range(4)])

    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", huge)

    door = await serving(handler)
    client = await dial_http2(door.address)
    await client.until(lambda: client.settings)
    await client.stop_reading()
    memory = Memory()
    for _ in range(100):
        await client.request("GET", "/")
    await asyncio.sleep(0.5)
    assert memory.growth() < 24 * MIB
    assert not caplog.records, "answers that wait are no reason to cut a connection"
    client.abort()
    await door.stop(0.1)


async def test_an_ever_larger_table_of_an_answers_fields_is_not_kept() -> None:
    seen = 0

    async def handler(incoming: Incoming) -> Outgoing:
        nonlocal seen
        seen += 1
        return Outgoing(200, "OK", Headers([("X", f"{seen}" * 2000)]))

    door = await serving(handler)
    client = Http2Client(*await asyncio.open_connection(*door.address))
    client.h2.local_settings.header_table_size = 2**30
    client.h2.local_settings.acknowledge()
    client.h2.decoder.max_allowed_table_size = 2**30
    await client.begin()
    for _ in range(200):
        await client.exchange("GET", "/")
    assert client.h2.decoder.header_table_size <= 4096
    client.abort()
    await door.stop(0.1)


# Anything at all


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """What is logged meanwhile, whoever does."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger().removeHandler(handler)


NUMBERS = st.sampled_from([1, 1, 1, 3, 3, 5, 7, 2, 0])
FIELDS = st.lists(
    st.sampled_from(
        [
            *GET,
            (":method", "PUT"),
            (":path", "/a?b"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("cookie", "a"),
            ("te", "trailers"),
            ("x", "\r\n"),
        ]
    ),
    max_size=8,
)
HEADS = st.builds(
    lambda stream, fields, flags: HeadersFrame(stream, data=Encoder().encode(fields), flags=flags),
    NUMBERS.filter(bool),
    st.just(GET) | FIELDS.map(lambda more: [*GET, *more]) | FIELDS,
    st.sampled_from([["END_HEADERS", "END_STREAM"], ["END_HEADERS"], ["END_STREAM"], []]),
)
FRAMES = st.one_of(
    HEADS,
    HEADS,
    st.builds(
        lambda stream, data, flags: DataFrame(stream, data=data, flags=flags),
        NUMBERS.filter(bool),
        st.binary(max_size=40),
        st.sampled_from([["END_STREAM"], []]),
    ),
    st.builds(
        lambda stream, data: ContinuationFrame(stream, data=data, flags=["END_HEADERS"]),
        NUMBERS.filter(bool),
        st.just(Encoder().encode(GET)) | st.binary(max_size=20),
    ),
    st.builds(lambda stream, code: RstStreamFrame(stream, error_code=code), NUMBERS.filter(bool), st.integers(0, 20)),
    st.builds(
        lambda stream, step: WindowUpdateFrame(stream, window_increment=step),
        NUMBERS,
        st.sampled_from([1, 1000, 2**31 - 1]),
    ),
    st.builds(
        lambda changes: SettingsFrame(0, settings=changes),
        st.dictionaries(st.integers(1, 9), st.sampled_from([0, 1, 100, 16384, 65535, 2**31 - 1]), max_size=3),
    ),
    st.builds(lambda: SettingsFrame(0, flags=["ACK"])),
    st.builds(lambda data: PingFrame(0, opaque_data=data), st.binary(min_size=8, max_size=8)),
    st.builds(lambda code: GoAwayFrame(0, error_code=code), st.sampled_from([0, 0, 2])),
    st.builds(lambda stream, on: PriorityFrame(stream, depends_on=on), NUMBERS.filter(bool), NUMBERS),
).map(lambda frame: frame.serialize())
ODDITIES = st.binary(min_size=1, max_size=30) | FRAMES.flatmap(
    lambda data: st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)).map(
        lambda change: data[: change[0]] + bytes([change[1]]) + data[change[0] + 1 :]
    )
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    frames=st.lists(st.one_of(FRAMES, FRAMES, FRAMES, ODDITIES), max_size=12),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
@example(frames=[get(), DataFrame(1, data=b"x").serialize()], cuts=[])
@example(frames=[get(), RstStreamFrame(1, error_code=8).serialize(), get()], cuts=[30])
def test_whatever_comes_has_one_of_the_documented_ends(frames: list[bytes], cuts: list[int]) -> None:
    """Frames in any order, garbage among them, cut anywhere: well-formed frames come back, and the log has a line at most."""
    data = PREFACE + SettingsFrame(0).serialize() + b"".join(frames)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    asyncio.run(one_connection(pieces))


async def one_connection(pieces: list[bytes]) -> None:
    with logged() as records:
        door = await serving(answer_all)
        peer = await dial(door.address)
        reading = asyncio.create_task(peer.rest())
        try:
            for piece in pieces:
                await peer.send(piece)
                await asyncio.sleep(0.001)
            peer.writer.write_eof()
        except OSError:
            pass
        answer = await reading
        while door.connections:
            await asyncio.sleep(0.001)
        await door.stop(0.1)
    if answer[:9].startswith(b"HTTP/1.1 "):
        return
    said = list(frames_of(answer))
    assert isinstance(said[0], SettingsFrame)
    assert sum(isinstance(frame, GoAwayFrame) for frame in said) <= 1
    assert len(records) <= 1
    assert not any(record.exc_info or record.levelno > logging.WARNING for record in records)


@given(
    frames=st.lists(FRAMES, max_size=8),
    cuts=st.lists(st.integers(1, 400), max_size=6),
)
def test_where_frames_end_is_told_however_they_are_cut(frames: list[bytes], cuts: list[int]) -> None:
    data = PREFACE + b"".join(frames)
    whole, cut = FrameBoundary(), FrameBoundary()
    whole.feed(data)
    edges = sorted({0, len(data), *(at for at in cuts if at < len(data))})
    for a, b in pairwise(edges):
        cut.feed(data[a:b])
    assert cut.is_at_rest == whole.is_at_rest
    cut.feed(b"\x00")
    assert not cut.is_at_rest
