"""What the fast parser frames is what aiohttp's parser finds, and nothing is plain that could be read in two ways.

The compiled functions and those in Python are both tested.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import HOP_BY_HOP, Headers
from replay_proxy.proxy.http import fast_parser, fast_parser_py
from replay_proxy.proxy.http.fast_parser import is_compiled, read_answer, read_request, without_connection
from replay_proxy.proxy.http.fast_parser_py import AnswerFrame, RequestFrame
from replay_proxy.proxy.http.limits import HEADER_FIELDS_MAX
from tests.proxy import fuzz_fast_parser

LIMIT = 64 * 1024
REQUEST = b"POST /a/b?x=%20 HTTP/1.1\r\nHost: h:1\r\nX-Amz-Target: S.O\r\nContent-Length: 3\r\n\r\nabc"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nX-Odd: caf\xe9 x\r\nContent-Length: 3\r\n\r\nabc"


def frame_of_request(data: bytes) -> RequestFrame | None:
    """What both say."""
    frame = fast_parser_py.frame_request(data)
    if is_compiled():
        seen = fast_parser.frame_request(data)
        assert (seen and tuple(seen)) == frame
        if seen is not None:
            assert RequestFrame(seen.target, seen.missing, seen.cut_from, seen.cut_to, seen.body_at) == frame
    return frame


def frame_of_answer(data: bytes, limit: int) -> AnswerFrame | None:
    """What both say."""
    frame = fast_parser_py.frame_answer(data, limit)
    if is_compiled():
        seen = fast_parser.frame_answer(data, limit)
        assert (seen and tuple(seen)) == frame
        if seen is not None:
            assert (
                AnswerFrame(seen.status, seen.missing, seen.closes, seen.cut_from, seen.cut_to, seen.body_at) == frame
            )
    return frame


@pytest.mark.parametrize(("fields", "plain"), [(HEADER_FIELDS_MAX, True), (HEADER_FIELDS_MAX + 1, False)])
def test_a_head_of_more_fields_than_the_server_takes_is_not_plain(fields: int, plain: bool) -> None:
    short = b"X: a\r\n" * (fields - 2)
    request = b"GET / HTTP/1.1\r\nHost: h\r\n" + short + b"Content-Length: 0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nA: b\r\n" + short + b"Content-Length: 0\r\n\r\n"
    assert (frame_of_request(request) is not None) is plain
    assert (frame_of_answer(answer, LIMIT) is not None) is plain


@pytest.mark.skipif(
    not is_compiled(), reason="replay_proxy/proxy/http/_fast_parser.c was not compiled when this was installed"
)
def test_compiled_functions_are_compared_with_those_in_python() -> None:
    assert fast_parser.frame_request is not fast_parser_py.frame_request
    with pytest.raises(TypeError):
        fast_parser.frame_request("text")  # type: ignore[arg-type]
    for odd in (b"", ANSWER[:-5], ANSWER.replace(b"X-Odd: ", b"X-Odd:")):
        with pytest.raises(ValueError, match="no plain message"):
            fast_parser.split_message(odd)


def test_a_request_and_an_answer_are_read_as_they_are() -> None:
    frame = frame_of_request(REQUEST)
    assert frame is not None
    assert (frame.target, frame.missing) == ("/a/b?x=%20", 0)
    request = read_request(REQUEST)
    assert (request.method, request.target, request.body) == ("POST", "/a/b?x=%20", b"abc")
    assert request.headers == Headers([("Host", "h:1"), ("X-Amz-Target", "S.O"), ("Content-Length", "3")])
    seen = frame_of_answer(ANSWER, LIMIT)
    assert seen is not None
    assert (seen.status, seen.missing, seen.closes, seen.cut_to) == (200, 0, False, 0)
    assert ANSWER[seen.body_at :] == b"abc"
    answer = read_answer(ANSWER)
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"abc")
    assert answer.headers.get("x-odd") == "caf\xe9 x"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"POST", b"HEAD"),
        (b"POST", b"CONNECT"),
        (b"POST /a", b"POST http://h/a"),
        (b"/a/b", b"/a b"),
        (b"/a/b", b'/a"b'),
        (b"/a/b", b"/caf\xe9"),
        (b"Host: h:1", b"Host: h:1 "),
        (b"Host: h:1", b"Host: h:1\t"),
        (b"Host: h:1", b"Host:  h:1"),
        (b"Host: h:1", b"Host: \th:1"),
        (b"Host: h:1", b"Host:h:1"),
        (b"Host: h:1", b"Host : h:1"),
        (b"Host: h:1", b"Host: h\r:1"),
        (b"Host: h:1", b"Host: h\n:1"),
        (b"Host: h:1", b"Host: h:1\nX: y"),
        (b"Host: h:1", b"Host: h\x00:1"),
        (b"Host: h:1", b"Host: h:1\r\n folded"),
        (b"Host: h:1", b"Host: "),
        (b"Host: h:1", b": h:1"),
        (b"Host: h:1\r\n", b""),
        (b"X-Amz-Target: ", b"Host: "),
        (b"Host: ", b"Hosts: "),
        (b"X-Amz-Target: ", b"Expect: "),
        (b"X-Amz-Target: ", b"Connection: "),
        (b"X-Amz-Target: ", b"connection: "),
        (b"X-Amz-Target: ", b"Transfer-Encoding: "),
        (b"X-Amz-Target: ", b"tRANSFER-eNCODING: "),
        (b"X-Amz-Target: ", b"Proxy-Anything: "),
        (b"X-Amz-Target: ", b"Content-Length: "),
        (b"X-Amz-Target: S.O", b"content-length: 3"),
        (b"Length: 3", b"Length: +3"),
        (b"Length: 3", b"Length: 03"),
        (b"Length: 3", b"Length: 0x3"),
        (b"Length: 3", b"Length: 3, 3"),
        (b"Length: 3", b"Length: 9999999999"),
    ],
)
def test_what_is_odd_is_not_plain(old: bytes, new: bytes) -> None:
    assert REQUEST.count(old) == 1
    assert frame_of_request(REQUEST.replace(old, new)) is None


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP | {"expect"}))
def test_nothing_of_the_connection_is_plain(name: str) -> None:
    field = f"{name.title()}: x\r\n".encode()
    assert frame_of_request(REQUEST.replace(b"Host", field + b"Host")) is None
    assert frame_of_answer(ANSWER.replace(b"X-Odd", field + b"X-Odd"), LIMIT) is None
    assert frame_of_request(REQUEST.replace(b"Host", b"X-" + field + b"Host")) is not None


@pytest.mark.parametrize(
    "odd",
    [
        ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ANSWER.replace(b"200", b"204"),
        ANSWER.replace(b"200", b"304"),
        ANSWER.replace(b"200", b"101"),
        ANSWER.replace(b"200", b"100"),
        ANSWER.replace(b"200 OK", b"2000 OK"),
        ANSWER.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        ANSWER.replace(b"Content-Length: 3", b"Content-Size: 3"),
        ANSWER.replace(b"Content-Length: 3", b"Content-Length: 2"),
        ANSWER.replace(b"Content-Length: 3", f"Content-Length: {LIMIT + 1}".encode()),
        ANSWER.replace(b"Content-Length: 3", b"Connection: close\r\nConnection: close\r\nContent-Length: 3"),
        ANSWER.replace(b"Content-Length: 3", b"Connection: close, x-odd\r\nContent-Length: 3"),
        b"x" * 20000,
    ],
)
def test_no_odd_answer_is_plain(odd: bytes) -> None:
    assert frame_of_answer(odd, LIMIT) is None


def test_the_one_field_of_the_connection_can_be_cut_out_of_a_request() -> None:
    for before in (b"Host", b"X-Amz", b"Content-Length"):
        data = REQUEST.replace(before, b"Connection: Keep-Alive\r\n" + before)
        frame = frame_of_request(data)
        assert frame is not None
        assert frame.missing == 0
        assert without_connection(data, frame) == (REQUEST, REQUEST.index(b"abc"))
    twice = REQUEST.replace(b"Host", b"Connection: keep-alive\r\nConnection: keep-alive\r\nHost")
    assert frame_of_request(twice) is None
    assert frame_of_request(REQUEST.replace(b"Host", b"Connection: keep-alive, host\r\nHost")) is None
    assert frame_of_request(REQUEST.replace(b"Host", b"Connection: close\r\nHost")) is None


@pytest.mark.parametrize("field", [b"Connection: close\r\n", b"connection: Keep-Alive\r\n"])
def test_the_one_field_of_the_connection_can_be_cut_out_of_an_answer(field: bytes) -> None:
    for before in (b"Content-Type", b"X-Odd", b"Content-Length"):
        data = ANSWER.replace(before, field + before)
        frame = frame_of_answer(data, LIMIT)
        assert frame is not None
        assert frame.closes is (b"close" in field)
        assert without_connection(data, frame) == (ANSWER, ANSWER.index(b"abc"))


def test_a_message_in_pieces_says_how_much_is_missing() -> None:
    head = REQUEST.index(b"\r\n\r\n") + 4
    for end in range(head, len(REQUEST) + 1):
        frame = frame_of_request(REQUEST[:end])
        assert frame is not None
        assert frame.missing == len(REQUEST) - end
    assert frame_of_request(REQUEST[: head - 1]) is None
    more = frame_of_request(REQUEST + b"GET")
    assert more is not None
    assert more.missing == -3
    for end in range(1, len(ANSWER)):
        seen = frame_of_answer(ANSWER[:end], LIMIT)
        assert seen is not None
        assert 0 < seen.missing <= len(ANSWER) - end


# What aiohttp's parser makes of the same bytes.

_PIECES = st.sampled_from(fuzz_fast_parser.PIECES)


@st.composite
def _mangled(draw: st.DrawFn, message: bytes) -> bytes:
    data = bytearray(message)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(_PIECES)
    return bytes(data)


_CONNECTION = st.sampled_from([b"", b"Connection: keep-alive\r\n", b"CONNECTION: Close\r\n", b"connection: close\r\n"])
_ANY = st.one_of(
    _mangled(REQUEST),
    _mangled(ANSWER),
    st.builds(lambda field, data: data.replace(b"X-", field + b"X-"), _CONNECTION, _mangled(REQUEST)),
    st.builds(lambda field, data: data.replace(b"X-", field + b"X-"), _CONNECTION, _mangled(ANSWER)),
    st.lists(st.one_of(_PIECES, st.binary(max_size=3), st.just(REQUEST), st.just(ANSWER[:60])), max_size=6).map(
        b"".join
    ),
    st.integers(fast_parser_py.PLAIN_HEAD_BYTES_MAX - 40, fast_parser_py.PLAIN_HEAD_BYTES_MAX + 40).map(
        lambda size: ANSWER.replace(b"x\r\n", b"x" * (size - ANSWER.index(b"x\r\n")) + b"\r\n")
    ),
)


@given(_ANY)
def test_both_say_the_same_of_any_bytes(data: bytes) -> None:
    fuzz_fast_parser.compare(fast_parser, data, LIMIT)


@given(_mangled(REQUEST))
def test_what_is_plain_is_to_aiohttp_the_very_same_request(data: bytes) -> None:
    frame = frame_of_request(data)
    if frame is None or frame.missing or frame.cut_to:
        return
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
        messages, upgraded, tail = parser.feed_data(data)
    finally:
        loop.close()
    assert (len(messages), upgraded, tail) == (1, False, b"")
    ((message, payload),) = messages
    request = read_request(data)
    assert (message.method, message.path) == (request.method, request.target)
    assert Headers.from_raw(message.raw_headers) == request.headers
    assert not message.should_close
    assert payload.is_eof()
    assert (payload.read_nowait() if request.body else b"") == request.body


@given(_mangled(ANSWER))
def test_what_is_plain_is_to_aiohttp_the_very_same_answer(data: bytes) -> None:
    frame = frame_of_answer(data, LIMIT)
    if frame is None or frame.missing or frame.cut_to:
        return
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, read_until_eof=True, auto_decompress=False)
        messages, upgraded, tail = parser.feed_data(data)
    except HttpProcessingError as error:  # pragma: no cover - the failure that this test is for
        raise AssertionError(data) from error
    finally:
        loop.close()
    assert (len(messages), upgraded, tail) == (1, False, b"")
    ((message, payload),) = messages
    answer = read_answer(data)
    assert (message.code, message.reason) == (answer.status, answer.reason)
    assert Headers.from_raw(message.raw_headers) == answer.headers
    assert payload.is_eof()
    assert (payload.read_nowait() if answer.body else b"") == answer.body
