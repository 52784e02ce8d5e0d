from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import HOP_BY_HOP, Headers
from replay_proxy.proxy.http.framing import (
    answer_head,
    asks_for_websocket,
    connection_options,
    declared_length,
    end_to_end,
    expects_continue,
    head_bytes,
    origin_form,
    request_head,
    without_vain_upgrade,
)

KEY = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NAMES = st.text(TOKEN, min_size=1, max_size=12)
# What RFC 9110 allows in a field value: VCHAR, obs-text, and spaces or tabs between them.
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40).map(
    str.strip
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20))
def test_a_head_keeps_order_case_duplicates_and_every_byte(pairs: list[tuple[str, str]]) -> None:
    head = answer_head(200, "fine", Headers(pairs), None, frame=False)
    lines = head[: -len(b"\r\n\r\n")].split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 fine"
    assert lines[1:] == [f"{name}: {value}".encode("latin-1") for name, value in pairs]


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20))
def test_the_fields_of_the_message_survive_and_the_fields_of_the_connection_do_not(
    pairs: list[tuple[str, str]],
) -> None:
    dropped = HOP_BY_HOP | connection_options(Headers(pairs)) - {"host", "content-length"}
    kept = end_to_end(Headers(pairs)).pairs
    assert kept == tuple(pair for pair in pairs if pair[0].lower() not in dropped)


@given(
    st.lists(st.tuples(st.sampled_from(["Content-Length", "transfer-encoding", "X"]), st.just("1")), max_size=6),
    st.none() | st.integers(0, 10**12),
)
def test_a_framed_head_has_exactly_one_framing_field(pairs: list[tuple[str, str]], length: int | None) -> None:
    head = answer_head(200, "", Headers(pairs), length, frame=True).lower()
    lengths, codings = head.count(b"\r\ncontent-length: "), head.count(b"\r\ntransfer-encoding: ")
    assert (lengths, codings) == ((0, 1) if length is None else (1, 0))
    assert head.count(b"\r\nx: 1") == sum(name == "X" for name, _ in pairs)


def test_fields_named_by_connection_are_dropped_but_not_those_that_make_the_message() -> None:
    headers = Headers(
        [
            ("Host", "h"),
            ("Connection", "x-one, Host"),
            ("X-One", "1"),
            ("connection", "X-TWO"),
            ("x-two", "2"),
            ("Y", "3"),
        ]
    )
    assert end_to_end(headers).pairs == (("Host", "h"), ("Y", "3"))


def test_nothing_to_drop_gives_the_same_object() -> None:
    headers = Headers([("Host", "h"), ("X", "1")])
    assert end_to_end(headers) is headers


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/", "/"),
        ("*", "*"),
        ("//a//b", "//a//b"),
        ("/http://x/y", "/http://x/y"),
        ("http://other:1/a//b?c=http://d", "/a//b?c=http://d"),
        ("HTTP://other", "/"),
        ("http://other?x=1/2", "/?x=1/2"),
        ("/a/../b/./%2e%2F?", "/a/../b/./%2e%2F?"),
    ],
)
def test_origin_form(target: str, wanted: str) -> None:
    assert origin_form(target) == wanted


def test_a_length_keeps_the_place_and_the_spelling_of_its_field() -> None:
    headers = Headers([("Host", "h"), ("content-LENGTH", "99"), ("X", "1")])
    head = request_head("PUT", "/", headers, 3, body=True, host="e")
    assert head == b"PUT / HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: 3\r\nX: 1\r\n\r\n"


def test_a_chunked_request_keeps_its_codings_in_place() -> None:
    headers = Headers([("Transfer-encoding", "gzip, chunked"), ("Host", "h")])
    head = request_head("PUT", "/", headers, None, body=True, host="e")
    assert head == b"PUT / HTTP/1.1\r\nTransfer-encoding: gzip, chunked\r\nHost: h\r\n\r\n"


def test_a_request_without_a_body_says_so_only_if_it_said_so() -> None:
    said = request_head("POST", "/", Headers([("Host", "h"), ("Content-Length", "0")]), None, body=False, host="e")
    assert said == b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    silent = request_head("POST", "/", Headers([("Host", "h")]), None, body=False, host="e")
    assert silent == b"POST / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_request_without_host_gets_the_emulators() -> None:
    assert request_head("GET", "/", Headers(), None, body=False, host="e:1") == b"GET / HTTP/1.1\r\nHost: e:1\r\n\r\n"


def test_an_expectation_is_met_here_and_not_passed_on() -> None:
    headers = Headers([("Host", "h"), ("Expect", "100-Continue"), ("Content-Length", "1")])
    assert expects_continue(headers)
    assert b"xpect" not in request_head("PUT", "/", headers, 1, body=True, host="e")
    assert expects_continue(Headers([("expect", "a-pony, 100-continue")]))
    assert expects_continue(Headers([("expect", "a-pony"), ("Expect", "100-continue")]))
    other = Headers([("Host", "h"), ("Expect", "a-pony")])
    assert not expects_continue(other)
    assert b"Expect: a-pony" in request_head("PUT", "/", other, None, body=False, host="e")


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([("Upgrade", "websocket"), ("Connection", "Upgrade"), KEY], True),
        ([("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade"), KEY], True),
        ([("upgrade", "WebSocket"), ("connection", "Upgrade"), KEY, ("Content-Length", "0")], True),
        ([("Upgrade", "websocket"), ("Connection", "Upgrade")], False),
        ([("Upgrade", "websocket"), KEY], False),
        ([("Upgrade", "websocket"), ("Connection", "Upgrade"), KEY, ("Content-Length", "1")], False),
        ([("Upgrade", "websocket"), ("Connection", "Upgrade"), KEY, ("Transfer-Encoding", "chunked")], False),
        ([("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")], False),
        ([("Connection", "Upgrade")], False),
    ],
)
def test_only_websocket_is_an_upgrade(pairs: list[tuple[str, str]], wanted: bool) -> None:
    assert asks_for_websocket("GET", Headers(pairs)) is wanted
    assert not asks_for_websocket("POST", Headers(pairs))


HANDSHAKE = b"GET /a HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"POST / HTTP/1.1\r\nUpgrade: a\r\nA: b\r\n\r\nx\r\nUpgrade: a", b"POST / HTTP/1.1\r\nA: b\r\n\r\nx\r\nUpgrade: a"),
        (b"GET / HTTP/1.1\r\nA: b\r\nuPGRADE:a\r\nUpgrade: \xe9\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\r\n\r\n"),
        (HANDSHAKE.replace(b"GET", b"POST"), b"POST /a HTTP/1.1\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n"),
        (HANDSHAKE.replace(b"1.1", b"1.0"), b"GET /a HTTP/1.0\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n"),
        (HANDSHAKE, HANDSHAKE),
        (HANDSHAKE[:-1], HANDSHAKE[:-1]),
        (b"GET / HTTP/1.1\r\nUpgrade: a\r\n folded\r\n\r\n", b"GET / HTTP/1.1\r\nUpgrade: a\r\n folded\r\n\r\n"),
        (b"the middle: of a head\r\nUpgrade: a\r\n\r\n", b"the middle: of a head\r\nUpgrade: a\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nA: b\r\n\r\n\r\nUpgrade: a\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\r\n\r\n\r\nUpgrade: a\r\n\r\n"),
    ],
)  # fmt: skip
def test_an_upgrade_that_is_to_be_ignored_is_taken_out(data: bytes, wanted: bytes) -> None:
    assert without_vain_upgrade(data) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [("0", 0), ("12", 12), ("", None), ("-1", None), ("1x", None), ("²", None)]
)
def test_declared_length(value: str, wanted: int | None) -> None:
    assert declared_length(Headers([("Content-Length", value)])) == wanted


@pytest.mark.parametrize("bad", ["a\r\nX: 1", "a\nb", "a\rb"])
def test_a_line_break_cannot_smuggle_a_field(bad: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        head_bytes("HTTP/1.1 200 OK", [("X", bad)])
    with pytest.raises(ValueError, match="line break"):
        request_head("GET", f"/{bad}", Headers([("Host", "h")]), None, body=False, host="e")
    with pytest.raises(ValueError, match="line break"):
        answer_head(200, bad, Headers(), None, frame=False)


def test_a_space_cannot_split_a_target() -> None:
    with pytest.raises(ValueError, match="space"):
        request_head("GET", "/ HTTP/1.1", Headers([("Host", "h")]), None, body=False, host="e")


def test_text_that_is_no_wire_text_is_refused() -> None:
    with pytest.raises(ValueError, match="latin-1"):
        head_bytes("HTTP/1.1 200 OK", [("X", "\u20ac")])
