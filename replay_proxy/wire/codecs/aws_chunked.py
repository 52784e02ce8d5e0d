r"""`aws-chunked`: S3's own framing of an upload inside the HTTP body, so that each piece can carry a signature.

    5;chunk-signature=<64 hex>\r\n          the size in hex, then extensions (none where the payload is unsigned)
    hello\r\n
    0;chunk-signature=<64 hex>\r\n
    x-amz-checksum-crc32:NhCmhg==\r\n       trailers, in the variants `STREAMING-…-TRAILER` only
    \r\n

Two clients are looser than the description
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html): some leave out the last line break, some the
terminating chunk. Both are accepted; a piece that is cut off in the middle of its data is not.

`ChunkedDecoder` takes the body in pieces of any size, for uploads that never lie in memory whole.
"""

from __future__ import annotations

from enum import StrEnum

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Headers, Request
from replay_proxy.wording import counted

_LINE_BYTES_MAX = 16 * 1024
_TRAILERS_MAX = 64


def is_aws_chunked(headers: Headers) -> bool:
    """Return whether the body of a request with these headers is in `aws-chunked` framing."""
    if headers.get("x-amz-content-sha256").startswith("STREAMING-"):
        return True
    if "content-encoding" not in headers:
        return False
    codings = ",".join(headers.get_all("content-encoding")).lower().split(",")
    return any(coding.strip() == "aws-chunked" for coding in codings)


class _State(StrEnum):
    """What a decoder expects next.

    | state | expects | goes on to |
    |---|---|---|
    | SIZE | the line with the size of a piece | DATA, or TRAILER after the piece of size 0 |
    | DATA | bytes of a piece | DATA_END when the piece is whole |
    | DATA_END | the line break after a piece | SIZE |
    | TRAILER | a trailer, or the empty line after the last one | TRAILER, or FINISHED after the empty line |
    | FINISHED | nothing; what follows is ignored | |
    """

    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILER = "trailer"
    FINISHED = "finished"


class ChunkedDecoder:
    """Takes framed bytes, gives payload bytes; `trailers` are complete once `finished` is true."""

    def __init__(self) -> None:
        self.trailers: list[tuple[str, str]] = []
        self._pending = bytearray()
        self._left = 0
        self._state = _State.SIZE

    def __repr__(self) -> str:
        return f"<ChunkedDecoder {self._state}, {counted(self._left, 'byte')} of a piece left>"

    @property
    def finished(self) -> bool:
        """Return whether the end of the framing has come."""
        return self._state is _State.FINISHED

    def feed(self, data: bytes) -> bytes:
        """Return the payload that `data` completes. Raises MalformedMessage where the framing is broken."""
        pending = self._pending
        pending += data
        out = []
        start = 0
        while not self.finished:
            if self._state is _State.DATA:
                piece = bytes(pending[start : start + self._left])
                if not piece:
                    break
                out.append(piece)
                start += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = _State.DATA_END
                continue
            end = pending.find(b"\n", start, start + _LINE_BYTES_MAX)
            if end < 0:
                if len(pending) - start >= _LINE_BYTES_MAX:
                    raise MalformedMessage("aws-chunked: a line without an end")
                break
            line = bytes(pending[start:end]).rstrip(b"\r")
            start = end + 1
            self._line(line)
        del pending[:start]
        if self.finished:
            pending.clear()
        return b"".join(out)

    def close(self) -> None:
        """End the body. Raises MalformedMessage where that is in the middle of a piece."""
        self._require_whole_piece()
        rest = bytes(self._pending).strip()
        self._pending.clear()
        if rest and not self.finished:  # a last line without its end
            self._line(rest)
            self._require_whole_piece()
        self._state = _State.FINISHED

    def _require_whole_piece(self) -> None:
        if self._state is _State.DATA:
            raise MalformedMessage(f"aws-chunked: ends {counted(self._left, 'byte')} early")

    def _line(self, line: bytes) -> None:
        if self._state is _State.DATA_END:
            if line:
                raise MalformedMessage("aws-chunked: a piece is longer than its size")
            self._state = _State.SIZE
        elif self._state is _State.SIZE:
            size = line.partition(b";")[0].strip()
            if not 0 < len(size) <= 16 or size.strip(b"0123456789abcdefABCDEF"):
                raise MalformedMessage(f"aws-chunked: not the size of a piece: {line[:80]!r}")
            self._left = int(size, 16)
            self._state = _State.DATA if self._left else _State.TRAILER
        elif not line:
            self._state = _State.FINISHED
        else:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(self.trailers) >= _TRAILERS_MAX:
                raise MalformedMessage(f"aws-chunked: not a trailer: {line[:80]!r}")
            self.trailers.append((name.strip(), value.strip()))


def decode_aws_chunked(body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """Return a whole framed body as payload and trailers. Raises MalformedMessage where the framing is broken."""
    decoder = ChunkedDecoder()
    payload = decoder.feed(body)
    decoder.close()
    return payload, decoder.trailers


def without_aws_chunked(request: Request) -> Request:
    """Return an upload without framing: its payload as the body, its trailers as headers, no chunk signatures.

    Returns the request itself where it is not framed, lies in a blob, or where a server before us removed the
    framing already. Raises MalformedMessage where the framing is broken.
    """
    headers = request.headers
    if not isinstance(request.body, bytes) or not is_aws_chunked(headers):
        return request
    payload = request.body
    trailers: list[tuple[str, str]] = []
    if headers.get("x-amz-decoded-content-length") != str(len(request.body)):
        payload, trailers = decode_aws_chunked(request.body)
    return Request(
        request.method, request.target, headers_without_aws_chunked(headers, trailers, len(payload)), payload
    )


def headers_without_aws_chunked(headers: Headers, trailers: list[tuple[str, str]], size: int) -> Headers:
    """Return the header fields of an upload whose framing is gone and whose payload has `size` bytes.

    The hash of the payload becomes `UNSIGNED-PAYLOAD`: nothing but a signature needs it.
    """
    dropped = {"content-encoding", "transfer-encoding", "x-amz-decoded-content-length", "x-amz-trailer"}
    fields: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower == "content-encoding":
            codings = [coding.strip() for coding in value.split(",")]
            kept = [coding for coding in codings if coding and coding.lower() != "aws-chunked"]
            if kept:
                fields.append((name, ",".join(kept)))
        elif lower == "x-amz-content-sha256":
            fields.append((name, "UNSIGNED-PAYLOAD" if value.startswith("STREAMING-") else value))
        elif lower not in dropped:
            fields.append((name, value))
    present = {name.lower() for name, _ in fields}
    fields += [
        (name, value)
        for name, value in trailers
        if name.lower() not in present and name.lower() != "x-amz-trailer-signature"
    ]
    return Headers(fields).replaced("Content-Length", str(size))
