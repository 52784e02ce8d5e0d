"""Lines to records and back: the one definition of format versions 1 and 2 (docs/journal-format.md is its contract).

A line is a JSON object in UTF-8 without spaces, with a fixed order of members, and a checksum as its last one:

    {"seq":7,"time":"...","ms":3.1,"kind":"mutation",...,"crc":"5f0a91d2"}

The checksum is the CRC-32 (the polynomial of zlib, gzip and PNG) of the line's bytes before `,"crc"`. It is looked for
at the very end of the line's *bytes*, before any parsing, so that damage cannot be parsed into something else first. A
line that somebody edited has to lose its checksum, and is then accepted as unverified: with unknown members refused, so
that a flipped bit in the word `crc` is not taken for an edit.

Text of the wire (targets, header fields) is ISO 8859-1 decoded (see `exchange`), and written as that text. A body is
written as text where it is valid UTF-8 without control characters, as base64 otherwise, or as a reference to a blob.
All three are exact: what is read back is byte for byte what was recorded.
"""

from __future__ import annotations

import binascii
import math
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, Headers, Request
from replay_proxy.journal.records import (
    FORMAT_NAME,
    FORMAT_VERSION,
    UNSIGNED,
    Compacted,
    Item,
    Kind,
    Mark,
    MarkKind,
    Record,
    RecordingHeader,
)
from replay_proxy.wire.signing import Credential

MAX_LINE: Final = 256 * 1024 * 1024
"""Bytes; a longer line is no line of a recording (a body of that size belongs into a blob)."""

_CRC_LENGTH: Final = len(b',"crc":"01234567"}')
_CRC_START: Final = b',"crc":"'
_SEQ_START: Final = b'{"seq":'
# Everything below space but tab, line feed and carriage return, and DEL: their presence makes a body binary.
_CONTROLS: Final = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_SHA256: Final = re.compile(r"[0-9a-f]{64}").fullmatch
_HEX8: Final = re.compile(rb"[0-9a-f]{8}").fullmatch

_HEAD_MEMBERS: Final = ("service", "operation", "protocol", "account", "region", "access_key")
_RECORD_MEMBERS: Final = frozenset(
    ("seq", "time", "ms", "kind", *_HEAD_MEMBERS, "credential", "request", "answer", "notes")
)
_MARK_MEMBERS: Final = frozenset(("seq", "time", "mark", "service", "manual", "reason"))
_HEADER_MEMBERS: Final = frozenset(("format", "version", "id", "created", "emulator"))
_COMPACTED_MEMBERS: Final = frozenset(("through", "removed", "time"))


class LineError(ValueError):
    """Why a line is no line of a recording; the reader adds where it stands."""


class NewerFormat(LineError):
    """A header whose version this program does not know."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a line holds; verified: it carried a checksum, and it was right."""

    item: Item
    verified: bool


# -- writing -----------------------------------------------------------------------------------------------------------


def encode_record(record: Record, seq: int) -> bytes:
    """The line, newline included, of `record` under the number `seq`.

    Raises:
        ValueError: a record that JSON cannot hold (a lone surrogate, a number that is not finite), or too long a line.
    """
    draft = draft_record(record.kind, record.head, record.request, record.credential)
    return encode_drafted(draft, record.answer, seq, time=record.time, ms=record.duration_ms, notes=record.notes)


def draft_record(kind: Kind, head: CallHead | None, request: Request, credential: Credential) -> bytes:
    """The part of a record's line that can be written before there is an answer: its members from `kind` to `request`.

    Raises:
        ValueError: as `encode_record`.
    """
    members: dict[str, Any] = {"kind": kind}
    if head is not None:
        members["service"] = head.service
        members["operation"] = head.operation
        members["protocol"] = head.protocol
        if head.account:
            members["account"] = head.account
        if head.region:
            members["region"] = head.region
        if head.access_key != credential.access_key:
            members["access_key"] = head.access_key
    if credential != UNSIGNED:
        members["credential"] = {
            "access_key": credential.access_key,
            "region": credential.region,
            "service": credential.service,
            "kind": credential.kind,
        }
    message: dict[str, Any] = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers.pairs,
    }
    members["request"] = message
    _put_body(message, request.body)
    return _json(members)[1:-1]


def encode_drafted(draft: bytes, answer: Answer, seq: int, *, time: str, ms: float, notes: Mapping[str, Any]) -> bytes:
    """The line, newline included, of the record of which `draft_record` has made a part.

    Raises:
        ValueError: as `encode_record`.
    """
    message: dict[str, Any] = {"status": answer.status}
    if answer.reason:
        message["reason"] = answer.reason
    message["headers"] = answer.headers.pairs
    _put_body(message, answer.body)
    rest: dict[str, Any] = {"answer": message}
    if notes:
        rest["notes"] = dict(notes)
    beginning = _json({"seq": seq, "time": time, "ms": round(ms, 3)})
    return _finish(b"%s,%s,%s" % (beginning[:-1], draft, _json(rest)[1:-1]))


def encode_mark(mark: Mark, seq: int) -> bytes:
    """The line, newline included, of `mark` under the number `seq`."""
    line: dict[str, Any] = {"seq": seq, "time": mark.time, "mark": mark.mark}
    if mark.service:
        line["service"] = mark.service
    if mark.mark is MarkKind.SESSION:
        line["manual"] = mark.manual
    if mark.reason:
        line["reason"] = mark.reason
    return _finish(_json(line)[:-1])


def encode_header(header: RecordingHeader) -> bytes:
    """The first line, newline included."""
    line: dict[str, Any] = {
        "format": FORMAT_NAME,
        "version": header.version,
        "id": header.id,
        "created": header.created,
        "emulator": dict(header.emulator),
    }
    if header.compacted is not None:
        compacted = header.compacted
        line["version"] = max(header.version, 2)
        line["compacted"] = {"through": compacted.through, "removed": compacted.removed, "time": compacted.time}
    return _finish(_json(line)[:-1])


def _json(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson's JSONEncodeError is a TypeError
        raise ValueError(f"JSON cannot hold it: {error}") from error


def _finish(text: bytes) -> bytes:
    """The line of a JSON object that lacks its end."""
    if len(text) >= MAX_LINE:
        raise ValueError(f"a line of {len(text) + 1} bytes is longer than the {MAX_LINE} that a recording may have")
    return b'%s,"crc":"%08x"}\n' % (text, zlib.crc32(text))


def _put_body(message: dict[str, Any], body: Body) -> None:
    if isinstance(body, BlobRef):
        message["body_blob"] = {"sha256": body.sha256, "size": body.size}
        return
    if not body:
        message["body"] = ""
        return
    if len(body.translate(None, _CONTROLS)) == len(body):
        try:
            message["body"] = body.decode("utf-8")
            return
        except UnicodeDecodeError:
            pass
    message["body_base64"] = b64encode(body).decode("ascii")


# -- reading -----------------------------------------------------------------------------------------------------------


def decode_line(raw: bytes) -> Decoded:
    """The record or the mark of a line (with or without its newline).

    Raises:
        LineError: why it is none; the message has no position.
    """
    line, verified = _parse(raw)
    try:
        if "mark" in line:
            _known(line, _MARK_MEMBERS)
            return Decoded(_mark(line), verified)
        _known(line, _RECORD_MEMBERS)
        # Nearly every line: written by this program, as its checksum tells, and without a character that needs a look.
        plain = verified and raw.isascii() and b"\\u" not in raw
        return Decoded(_record(line, plain=plain), verified)
    except KeyError as error:
        raise LineError(f"it has no member {error.args[0]!r}") from error


def scan_line(raw: bytes) -> int:
    """The number of a line, which is verified by its checksum alone where it has one: much cheaper than decoding it.

    Raises:
        LineError: as `decode_line`.
    """
    line = raw.rstrip(b"\r\n")
    if line.startswith(_SEQ_START) and _has_right_checksum(line):
        digits = line[len(_SEQ_START) : len(_SEQ_START) + 20].partition(b",")[0]
        if digits.isdigit():
            return int(digits)
    return decode_line(raw).item.seq


def decode_header(raw: bytes) -> tuple[RecordingHeader, bool]:
    """The header, and whether its checksum was verified.

    Raises:
        NewerFormat: written by a later version of this program.
        LineError: no header of a recording, or a damaged one.
    """
    line, verified = _parse(raw.removeprefix(b"\xef\xbb\xbf"))  # editors on Windows put a byte order mark in front
    if line.get("format") != FORMAT_NAME:
        raise LineError(f'it is no header: it has no "format":"{FORMAT_NAME}"')
    version = line.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise LineError("its version is not a positive number")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"it is of format version {version}; this program knows versions up to {FORMAT_VERSION}")
    _known(line, _HEADER_MEMBERS | {"compacted"} if version > 1 else _HEADER_MEMBERS)
    emulator = line.get("emulator", {})
    if not isinstance(emulator, dict):
        raise LineError("its emulator is not an object")
    try:
        compacted = _compacted(line["compacted"]) if "compacted" in line else None
        return RecordingHeader(_text(line, "id"), _text(line, "created"), emulator, version, compacted), verified
    except KeyError as error:
        raise LineError(f"it has no member {error.args[0]!r}") from error


def _parse(raw: bytes) -> tuple[dict[str, Any], bool]:
    raw = raw.rstrip(b"\r\n")
    verified = _has_right_checksum(raw)
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise LineError(f"it is not JSON: {error.msg}, at its byte {error.pos}") from error
    if not isinstance(line, dict):
        raise LineError("it is not a JSON object")
    if line.pop("crc", None) is not None and not verified:
        raise LineError("its checksum is not at its end")
    return line, verified


def _has_right_checksum(line: bytes) -> bool:
    """False where it has none. Raises LineError where it is wrong."""
    if line[-_CRC_LENGTH : -_CRC_LENGTH + 8] != _CRC_START or not line.endswith(b'"}'):
        return False
    digits = line[-10:-2]
    if not _HEX8(digits) or zlib.crc32(memoryview(line)[:-_CRC_LENGTH]) != int(digits, 16):
        raise LineError("its checksum does not match its content")
    return True


def _known(line: Mapping[str, Any], members: frozenset[str]) -> None:
    if not members.issuperset(line):
        unknown = ", ".join(sorted(set(line) - members))
        raise LineError(f"it has members that format version {FORMAT_VERSION} does not know: {unknown[:200]}")


def _compacted(value: Any) -> Compacted:
    if not isinstance(value, dict):
        raise LineError("its compacted is not an object")
    _known(value, _COMPACTED_MEMBERS)
    for name in ("through", "removed"):
        if not isinstance(value[name], int) or isinstance(value[name], bool) or value[name] < 0:
            raise LineError(f"its {name} is not a number of calls")
    return Compacted(value["through"], value["removed"], _text(value, "time"))


def _record(line: Mapping[str, Any], *, plain: bool) -> Record:
    """plain: all text is ASCII."""
    credential = _credential(line["credential"]) if "credential" in line else UNSIGNED
    head = None
    if "service" in line:
        head = CallHead(
            _text(line, "service"),
            _text(line, "operation"),
            _text(line, "protocol"),
            _text(line, "account", ""),
            _text(line, "region", ""),
            _text(line, "access_key", credential.access_key),
        )
    try:
        kind = Kind(line["kind"])
    except ValueError:
        raise LineError(f"its kind is {str(line['kind'])[:50]!r}") from None
    duration = line["ms"]
    if not isinstance(duration, (int, float)) or isinstance(duration, bool) or not math.isfinite(duration):
        raise LineError("its ms is not a number")
    request, answer = _object(line, "request"), _object(line, "answer")
    status = answer["status"]
    if not isinstance(status, int) or not 100 <= status <= 999:
        raise LineError("its answer's status is not one of HTTP")
    return Record(
        _seq(line),
        _text(line, "time"),
        float(duration),
        kind,
        head,
        Request(_wire(request["method"]), _wire(request["target"]), _headers(request, plain=plain), _body(request)),
        Answer(status, _headers(answer, plain=plain), _body(answer), _wire(answer.get("reason", ""))),
        credential,
        _object(line, "notes") if "notes" in line else {},
    )


def _mark(line: Mapping[str, Any]) -> Mark:
    try:
        mark = MarkKind(line["mark"])
    except ValueError:
        raise LineError(f"its mark is {str(line['mark'])[:50]!r}") from None
    manual = line.get("manual", False)
    if not isinstance(manual, bool):
        raise LineError("its manual is neither true nor false")
    return Mark(_seq(line), _text(line, "time"), mark, _text(line, "service", ""), manual, _text(line, "reason", ""))


def _credential(value: Any) -> Credential:
    if not isinstance(value, dict):
        raise LineError("its credential is not an object")
    return Credential(
        _text(value, "access_key", ""), _text(value, "region", ""), _text(value, "service", ""), _text(value, "kind")
    )


def _seq(line: Mapping[str, Any]) -> int:
    seq = line["seq"]
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq < 1 << 63:
        raise LineError("its seq is not a positive number")
    return seq


def _text(line: Mapping[str, Any], member: str, default: str | None = None) -> str:
    value = line[member] if default is None else line.get(member, default)
    if not isinstance(value, str):
        raise LineError(f"its {member} is not text")
    return value


def _object(line: Mapping[str, Any], member: str) -> dict[str, Any]:
    value = line[member]
    if not isinstance(value, dict):
        raise LineError(f"its {member} is not an object")
    return value


def _wire(value: Any) -> str:
    if not isinstance(value, str):
        raise LineError("a text of its request or answer is not text")
    if not value.isascii() and max(value) > "\xff":
        raise LineError("a header or target holds a character that no byte of the wire stands for")
    return value


def _headers(message: Mapping[str, Any], *, plain: bool) -> Headers:
    pairs = message["headers"]
    if not isinstance(pairs, list):
        raise LineError("its headers are not a list")
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            raise LineError("its headers are not a list of pairs of name and value")
        if not plain or type(pair[0]) is not str or type(pair[1]) is not str:
            _wire(pair[0])
            _wire(pair[1])
    return Headers(cast("list[tuple[str, str]]", map(tuple, pairs)))


def _body(message: Mapping[str, Any]) -> Body:
    text = message.get("body")
    if type(text) is str and "body_base64" not in message and "body_blob" not in message:
        return text.encode("utf-8")
    given = [member for member in ("body", "body_base64", "body_blob") if member in message]
    if len(given) != 1:
        raise LineError("it needs one of body, body_base64 and body_blob in its request and in its answer")
    value = message[given[0]]
    if given[0] == "body_blob":
        sha256, size = (value.get("sha256"), value.get("size")) if isinstance(value, dict) else (None, None)
        if not isinstance(sha256, str) or not _SHA256(sha256) or not isinstance(size, int) or size < 0:
            raise LineError("its body_blob does not name a blob by sha256 and size")
        return BlobRef(sha256, size)
    if not isinstance(value, str):
        raise LineError("its body is not text")
    if given[0] == "body":
        return value.encode("utf-8")
    try:
        return b64decode(value.encode("utf-8"), validate=True)
    except binascii.Error as error:
        raise LineError(f"its body_base64 is not base64: {error}") from error
