"""`aws-chunked`: fed whole, byte by byte, and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import BlobRef, Headers, Request
from replay_proxy.wire.codecs.aws_chunked import ChunkedDecoder, decode_aws_chunked, is_aws_chunked, without_aws_chunked

SIGNATURE = b";chunk-signature=" + b"a" * 64


def framed(pieces: list[bytes], *, signed: bool, trailers: list[tuple[str, str]]) -> bytes:
    extension = SIGNATURE if signed else b""
    out = b"".join(b"%x" % len(piece) + extension + b"\r\n" + piece + b"\r\n" for piece in pieces)
    out += b"0" + extension + b"\r\n"
    for name, value in trailers:
        out += f"{name}:{value}\r\n".encode()
    return out + b"\r\n"


PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
TRAILERS = st.sampled_from(
    [[], [("x-amz-checksum-crc32", "NhCmhg==")], [("a", "1"), ("x-amz-trailer-signature", "f" * 64)]]
)


@given(PIECES, st.booleans(), TRAILERS)
def test_what_was_framed_comes_out(pieces: list[bytes], signed: bool, trailers: list[tuple[str, str]]) -> None:
    body = framed(pieces, signed=signed, trailers=trailers)
    assert decode_aws_chunked(body) == (b"".join(pieces), trailers)


@given(PIECES, st.booleans(), TRAILERS, st.integers(1, 7))
def test_the_pieces_in_which_it_arrives_do_not_matter(
    pieces: list[bytes], signed: bool, trailers: list[tuple[str, str]], step: int
) -> None:
    body = framed(pieces, signed=signed, trailers=trailers)
    decoder = ChunkedDecoder()
    out = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step))
    decoder.close()
    assert (out, decoder.trailers, decoder.finished) == (b"".join(pieces), trailers, True)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"5\r\nhello\r\n0\r\n", b"hello"),
        (b"5\r\nhello\r\n0", b"hello"),
        (b"5\r\nhello\r\n", b"hello"),
        (b"5\r\nhello", b"hello"),
        (b"0\r\n\r\n", b""),
        (b"", b""),
        (b"0\r\na:b", b""),
        (b"00005\nhello\n0\n\n", b"hello"),
        (b"5\r\nhello\r\n0\r\n\r\nand more", b"hello"),
    ],
)
def test_what_loose_clients_leave_out_is_not_missed(body: bytes, payload: bytes) -> None:
    assert decode_aws_chunked(body)[0] == payload


@pytest.mark.parametrize(
    "body",
    [
        b"7\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhel",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"hello",
        b"-1\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"0x5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"1" * 20_000,
        b"0\r\n" + b"a:b\r\n" * 100,
    ],
)
def test_broken_framing_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_aws_chunked(body)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_malformed(body: bytes) -> None:
    try:
        payload, _ = decode_aws_chunked(body)
    except MalformedMessage:
        return
    assert len(payload) <= len(body)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], True),
        ([("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")], True),
        ([("Content-Encoding", "gzip, AWS-Chunked")], True),
        ([("Content-Encoding", "gzip"), ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")], False),
        ([], False),
    ],
)
def test_headers_say_whether_a_body_is_framed(fields: list[tuple[str, str]], expected: bool) -> None:
    assert is_aws_chunked(Headers(fields)) is expected


def test_an_unframed_upload_is_a_plain_one() -> None:
    trailers = [("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-trailer-signature", "f" * 64)]
    fields = [
        ("Host", "h"),
        ("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        ("Content-Encoding", "gzip,aws-chunked"),
        ("X-Amz-Decoded-Content-Length", "5"),
        ("X-Amz-Trailer", "x-amz-checksum-crc32"),
        ("Transfer-Encoding", "chunked"),
    ]
    request = Request("PUT", "/b/k", Headers(fields), framed([b"hel", b"lo"], signed=True, trailers=trailers))
    assert without_aws_chunked(request) == Request(
        "PUT",
        "/b/k",
        Headers(
            [
                ("Host", "h"),
                ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
                ("Content-Encoding", "gzip"),
                ("x-amz-checksum-crc32", "NhCmhg=="),
                ("Content-Length", "5"),
            ]
        ),
        b"hello",
    )


def test_what_is_not_framed_or_lies_in_a_blob_is_left_alone() -> None:
    plain = Request("PUT", "/b/k", Headers(), b"5\r\nhello\r\n")
    blob = Request("PUT", "/b/k", Headers([("Content-Encoding", "aws-chunked")]), BlobRef("0" * 64, 9))
    assert without_aws_chunked(plain) is plain
    assert without_aws_chunked(blob) is blob
