"""Decode the lines of a journal (docs/journal-format.md is the contract of format versions 1 and 2).

A line that somebody edited has to lose its checksum, and is then accepted as unverified: with unknown members refused, so
that a flipped bit in the word `crc` is not taken for an edit.

A line with its checksum is as it was written. If it holds no call that could be sent, it is a record with a `flaw`, so that
one such call does not keep all others from being restored.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, Headers, Request
from replay_proxy.journal.format.checksum import LineError, has_right_checksum
from replay_proxy.journal.format.records import (
    FORMAT_NAME,
    FORMAT_VERSION,
    UNSIGNED,
    CompactedRange,
    ControlKind,
    ControlRecord,
    Item,
    Record,
    RecordingHeader,
    RecordKind,
)
from replay_proxy.journal.format.sendable import flaw_of_request, flaw_of_times
from replay_proxy.wire.signing.sigv4 import Credential

_SEQ_START: Final = b'{"seq":'
_SHA256: Final = re.compile(r"[0-9a-f]{64}").fullmatch

_HEAD_MEMBERS: Final = ("service", "operation", "protocol", "account", "region", "access_key")
_RECORD_MEMBERS: Final = frozenset(
    ("seq", "time", "ms", "kind", *_HEAD_MEMBERS, "credential", "request", "answer", "notes")
)
_CONTROL_MEMBERS: Final = frozenset(("seq", "time", "mark", "service", "manual", "reason"))
_HEADER_MEMBERS: Final = frozenset(("format", "version", "id", "created", "emulator"))
_COMPACTED_MEMBERS: Final = frozenset(("through", "removed", "time"))


class NewerFormat(LineError):
    """A header whose version this program does not know."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a line holds. verified: it carried a checksum, and the checksum was right."""

    item: Item
    verified: bool


def decode_line(raw: bytes) -> Decoded:
    """Return the record or the control record of a line (with or without its newline).

    A line that is as it was written, as its checksum tells, and that holds no call that could be sent, is a record with a
    `flaw`. One without a checksum was edited, and is refused with the reason, so that it can be edited again.

    Raises:
        LineError: why it is neither; the message does not say where the line stands.
    """
    line, verified = _parse(raw)
    try:
        if "mark" in line:
            _known(line, _CONTROL_MEMBERS)
            return Decoded(_control(line), verified)
        # Nearly every line: written by this program, as its checksum tells, and without a character that needs a look.
        plain = verified and raw.isascii() and b"\\u" not in raw
        try:
            _known(line, _RECORD_MEMBERS)
            return Decoded(_record(line, plain=plain), verified)
        except (LineError, KeyError) as error:
            if not verified:
                raise
            return Decoded(_unreadable(line, error), verified)
    except KeyError as error:
        raise LineError(f"it has no member {error.args[0]!r}") from error


def scan_line(raw: bytes) -> int:
    """Return the number of a line. A line with a checksum is verified by that alone, which is much cheaper than decoding it.

    Raises:
        LineError: as `decode_line`.
    """
    line = raw.rstrip(b"\r\n")
    if line.startswith(_SEQ_START) and has_right_checksum(line):
        digits = line[len(_SEQ_START) : len(_SEQ_START) + 20].partition(b",")[0]
        if digits.isdigit():
            return int(digits)
    return decode_line(raw).item.seq


def decode_header(raw: bytes) -> tuple[RecordingHeader, bool]:
    """Return the header, and whether its checksum was verified.

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
    verified = has_right_checksum(raw)
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise LineError(f"it is not JSON: {error.msg}, at its byte {error.pos}") from error
    if not isinstance(line, dict):
        raise LineError("it is not a JSON object")
    if line.pop("crc", None) is not None and not verified:
        raise LineError("its checksum is not at its end")
    return line, verified


def _known(line: Mapping[str, Any], members: frozenset[str]) -> None:
    if not members.issuperset(line):
        unknown = ", ".join(sorted(set(line) - members))
        raise LineError(f"it has members that format version {FORMAT_VERSION} does not know: {unknown[:200]}")


def _compacted(value: Any) -> CompactedRange:
    if not isinstance(value, dict):
        raise LineError("its compacted is not an object")
    _known(value, _COMPACTED_MEMBERS)
    for name in ("through", "removed"):
        if not isinstance(value[name], int) or isinstance(value[name], bool) or value[name] < 0:
            raise LineError(f"its {name} is not a number of calls")
    return CompactedRange(value["through"], value["removed"], _text(value, "time"))


def _record(line: Mapping[str, Any], *, plain: bool) -> Record:
    """Return the record of a line's members. plain: all text is ASCII."""
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
        kind = RecordKind(line["kind"])
    except ValueError:
        raise LineError(f"its kind is {str(line['kind'])[:50]!r}") from None
    duration = line["ms"]
    if not isinstance(duration, (int, float)) or isinstance(duration, bool) or not math.isfinite(duration):
        raise LineError("its ms is not a number")
    request, answer = _object(line, "request"), _object(line, "answer")
    status = answer["status"]
    if not isinstance(status, int) or not 100 <= status <= 999:
        raise LineError("its answer's status is not one of HTTP")
    sent = Request(_wire(request["method"]), _wire(request["target"]), _headers(request, plain=plain), _body(request))
    time = _text(line, "time")
    return Record(
        _seq(line),
        time,
        float(duration),
        kind,
        head,
        sent,
        Answer(status, _headers(answer, plain=plain), _body(answer), _wire(answer.get("reason", ""))),
        credential,
        _object(line, "notes") if "notes" in line else {},
        flaw_of_times(time, duration) or flaw_of_request(sent),
    )


def _unreadable(line: Mapping[str, Any], error: LineError | KeyError) -> Record:
    """Return a record that has a flaw and its number, for a line that is as it was written and holds no call.

    Raises LineError where it has no number.
    """
    reason = str(error) if isinstance(error, LineError) else f"it has no member {error.args[0]!r}"
    try:
        kind = RecordKind(line["kind"])
    except ValueError:
        kind = RecordKind.MUTATION
    named = [line.get(name) for name in ("service", "operation", "protocol")]
    texts = [each for each in named if isinstance(each, str)]
    head = CallHead(*texts) if len(texts) == len(named) else None
    return Record(_seq(line), "", 0.0, kind, head, Request("", "", Headers(), b""), Answer(0, Headers()), flaw=reason)


def _control(line: Mapping[str, Any]) -> ControlRecord:
    try:
        kind = ControlKind(line["mark"])
    except ValueError:
        raise LineError(f"its mark is {str(line['mark'])[:50]!r}") from None
    manual = line.get("manual", False)
    if not isinstance(manual, bool):
        raise LineError("its manual is neither true nor false")
    return ControlRecord(
        _seq(line), _text(line, "time"), kind, _text(line, "service", ""), manual, _text(line, "reason", "")
    )


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
