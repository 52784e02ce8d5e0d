"""Make a record of a call as another tool wrote it, and refuse a call that cannot be sent.

A recording is replayed: what would be no HTTP request, or another one than it seems (a line feed in a target begins a new
line of the head), is refused where it is taken in, with its place, and not at each start that follows. What a browser
would mend (a space in a URL, letters beyond ASCII) is mended in the same way: percent-encoded.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.localstack_legacy import NEVER, wire
from replay_proxy.journal.format.recorded_headers import answer_to_keep, request_to_keep
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.sigv4 import scrub

TARGET_BYTES_MAX: Final = 64 << 10
"""The most bytes of a path with its query; servers take less."""

# RFC 9110, section 5.6.2 (token), and 5.5: a field's value has no control characters but tabs.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_NO_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_NO_TARGET: Final = re.compile(r"[\x00-\x20\x7f]").search
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]").search
# What stands in targets as it is: all of ASCII that is no control character and no space. Signed as it came.
_AS_IT_IS: Final = "".join(chr(code) for code in range(0x21, 0x7F))


def refuse_unsendable(request: Request) -> None:
    """Raises LineError where a request cannot be sent as HTTP/1.1, naming what is wrong with it."""
    if not _TOKEN(request.method):
        raise LineError(f"its method {request.method[:50]!r} is no HTTP method")
    found = _NO_TARGET(request.target)
    if found is not None:
        raise LineError(f"its target has the character {found[0]!r} at {found.start()}, which no target may have")
    if not request.target.startswith("/") and request.target != "*":
        raise LineError(f"its target {request.target[:50]!r} does not begin with a slash")
    if len(request.target) > TARGET_BYTES_MAX:
        raise LineError(f"its target has more than {TARGET_BYTES_MAX} bytes")
    refuse_fields(request.headers.pairs, "field")


def refuse_fields(pairs: tuple[tuple[str, str], ...], what: str) -> None:
    """Raises LineError where something is no header field."""
    for name, value in pairs:
        if not _TOKEN(name):
            raise LineError(f"its {what} {name[:50]!r} has a name that no field may have")
        found = _NO_VALUE(value)
        if found is not None:
            raise LineError(f"its {what} {name[:50]!r} has the character {found[0]!r}, which no field may have")


def record_of(
    tool: str,
    method: str,
    url: str,
    pairs: list[tuple[str, str]],
    body: bytes,
    answer: Answer,
    notes: Mapping[str, Any],
) -> Record:
    """Return the record of a call whose URL is whole. pairs: fields as wire text. Raises LineError."""
    # urlsplit drops line feeds and tabs without a word.
    found = _CONTROLS(url)
    if found is not None:
        raise LineError(f"its URL has the character {found[0]!r} at {found.start()}, which no URL may have")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise LineError(f"{url[:100]!r} is no URL: {error}") from error
    target = _mended(parts.path or "/") + (f"?{_mended(parts.query)}" if parts.query else "")
    headers = Headers((name, value.strip(" \t")) for name, value in pairs if not name.startswith(":"))
    if "host" not in headers and parts.netloc:
        headers = Headers([("Host", wire(parts.netloc.rpartition("@")[2])), *headers])
    return record_of_messages(tool, Request(method.upper(), target, headers, body), answer, notes)


def record_of_messages(tool: str, sent: Request, answer: Answer, notes: Mapping[str, Any]) -> Record:
    """Return the record of an exchange. Raises LineError where it cannot be sent."""
    refuse_unsendable(sent)
    kept, credential = scrub(sent)
    return Record(
        seq=0,
        time=NEVER,
        duration_ms=0.0,
        kind=RecordKind.MUTATION,
        head=recognise(sent),
        request=request_to_keep(kept),
        answer=answer_to_keep(answer),
        credential=credential,
        notes={"imported_from": tool, **notes},
    )


def body_of(text: str, *, encoded: bool) -> bytes:
    """Return the bytes of a body as JSON files hold it. encoded: in base64. Raises LineError."""
    try:
        return b64decode(text, validate=True) if encoded else text.encode("utf-8", "surrogatepass")
    except ValueError as error:  # binascii.Error is one
        raise LineError(f"its body is not base64: {error}") from error


def _mended(part: str) -> str:
    if part.isascii() and " " not in part:
        return part
    try:
        return quote(part, safe=_AS_IT_IS)
    except UnicodeEncodeError:
        raise LineError("its URL holds half a surrogate pair, which is no character") from None
