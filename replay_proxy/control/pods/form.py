"""The pod in a form (RFC 7578), as clients of LocalStack's document send it: `multipart/form-data`, in the field `pod`."""

from __future__ import annotations

import mmap
from email.message import Message
from email.parser import BytesParser
from typing import IO, Final

from replay_proxy.errors import UsageError

FIELD: Final = "pod"
_HEADERS_BYTES_MAX: Final = 64 << 10
_CHUNK: Final = 1 << 20


def boundary_of(content_type: str) -> bytes:
    """Return what separates the fields of a body of this type; empty where it is no form."""
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != "multipart/form-data":
        return b""
    return (message.get_boundary() or "").encode("latin-1", "replace")


def take_field(form: IO[bytes], boundary: bytes, sink: IO[bytes]) -> None:
    """Write the field with the pod into another file, and go to its beginning. Blocking. form: with a name of its own.

    Raises:
        UsageError: there is no such field. OSError: a file cannot be read or written.
    """
    for start, end in _parts(form, b"--" + boundary):
        form.seek(start)
        headers = form.read(min(end - start, _HEADERS_BYTES_MAX))
        length = headers.find(b"\r\n\r\n")
        if length < 0 or _name_of(headers[:length]) != FIELD:
            continue
        form.seek(start + length + 4)
        _copy(form, sink, end - form.tell())
        sink.seek(0)
        return
    raise UsageError(f"the form has no field `{FIELD}` with a file", hint="send the file that `pod save FILE` writes")


def _parts(form: IO[bytes], delimiter: bytes) -> list[tuple[int, int]]:
    """Return where each field begins, after the line of its delimiter, and ends."""
    if not form.seek(0, 2):
        return []
    found: list[int] = []
    with mmap.mmap(form.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = 0 if data[: len(delimiter)] == delimiter else data.find(b"\r\n" + delimiter)
        while place >= 0:
            found.append(place)
            place = data.find(b"\r\n" + delimiter, place + 1)
        starts = [data.find(b"\r\n", each + 2) + 2 for each in found]
    return list(zip(starts, found[1:], strict=False))


def _name_of(headers: bytes) -> object:
    return BytesParser().parsebytes(headers, headersonly=True).get_param("name", header="content-disposition")


def _copy(source: IO[bytes], sink: IO[bytes], length: int) -> None:
    """Copy so many bytes."""
    while length > 0 and (chunk := source.read(min(length, _CHUNK))):
        sink.write(chunk)
        length -= len(chunk)
