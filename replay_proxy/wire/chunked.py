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

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Headers, Request

_MAX_LINE = 16 * 1024
_MAX_TRAILERS = 64


def is_aws_chunked(headers: Headers) -> bool:
    """Whether the body of a request with these headers is framed."""
    if headers.get("x-amz-content-sha256").startswith("STREAMING-"):
        return True
    if "content-encoding" not in headers:
        return False
    codings = ",".join(headers.get_all("content-encoding")).lower().split(",")
    return any(coding.strip() == "aws-chunked" for coding in codings)


class ChunkedDecoder:
    """Takes framed bytes, gives payload bytes; `trailers` are complete once `finished` is true."""

    def __init__(self) -> None:
        self.trailers: list[tuple[str, str]] = []
        self.finished = False
        self._pending = bytearray()
        self._left = 0
        self._state = "size"

    def feed(self, data: bytes) -> bytes:
        """The payload that `data` completes. Raises MalformedMessage where the framing is broken."""
        pending = self._pending
        pending += data
        out = []
        start = 0
        while not self.finished:
            if self._state == "data":
                piece = bytes(pending[start : start + self._left])
                if not piece:
                    break
                out.append(piece)
                start += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = "data end"
                continue
            end = pending.find(b"\n", start, start + _MAX_LINE)
            if end < 0:
                if len(pending) - start >= _MAX_LINE:
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
        """The body is over. Raises MalformedMessage where that was in the middle of a piece."""
        if self._state == "data":
            raise MalformedMessage(f"aws-chunked: ends {self._left} bytes early")
        rest = bytes(self._pending).strip()
        self._pending.clear()
        if rest and not self.finished:  # a last line without its end
            self._line(rest)
            if self._state == "data":
                raise MalformedMessage(f"aws-chunked: ends {self._left} bytes early")
        self.finished = True

    def _line(self, line: bytes) -> None:
        if self._state == "data end":
            if line:
                raise MalformedMessage("aws-chunked: a piece is longer than its size")
            self._state = "size"
        elif self._state == "size":
            size = line.partition(b";")[0].strip()
            if not 0 < len(size) <= 16 or size.strip(b"0123456789abcdefABCDEF"):
                raise MalformedMessage(f"aws-chunked: not the size of a piece: {line[:80]!r}")
            self._left = int(size, 16)
            self._state = "data" if self._left else "trailer"
        elif not line:
            self.finished = True
        else:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(self.trailers) >= _MAX_TRAILERS:
                raise MalformedMessage(f"aws-chunked: not a trailer: {line[:80]!r}")
            self.trailers.append((name.strip(), value.strip()))


def decode_aws_chunked(body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """A whole framed body as payload and trailers. Raises MalformedMessage where the framing is broken."""
    decoder = ChunkedDecoder()
    payload = decoder.feed(body)
    decoder.close()
    return payload, decoder.trailers


def unframe(request: Request) -> Request:
    """The same upload without framing: its payload as the body, its trailers as headers, no chunk signatures.

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
    return Request(request.method, request.target, unframed_headers(headers, trailers, len(payload)), payload)


def unframed_headers(headers: Headers, trailers: list[tuple[str, str]], size: int) -> Headers:
    """The header fields of an upload whose framing is gone and whose payload has `size` bytes.

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
