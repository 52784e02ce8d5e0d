"""Encode headers, records and control records as lines (docs/journal-format.md is the contract).

Text of the wire (targets, header fields) is ISO 8859-1 decoded (see `exchange`), and written as that text. A body is
written as text where it is valid UTF-8 without control characters, as base64 otherwise, or as a reference to a blob.
All three are exact: what `decode` reads back is byte for byte what was recorded.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import orjson

from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, Request
from replay_proxy.journal.format.checksum import with_checksum
from replay_proxy.journal.format.records import (
    FORMAT_NAME,
    UNSIGNED,
    ControlKind,
    ControlRecord,
    Record,
    RecordingHeader,
    RecordKind,
)
from replay_proxy.wire.signing.sigv4 import Credential

# Everything below space but tab, line feed and carriage return, and DEL: their presence makes a body binary.
_CONTROLS: Final = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"


def encode_record(record: Record, seq: int) -> bytes:
    """Return the line, newline included, of `record` under the number `seq`.

    Raises:
        ValueError: a record that JSON cannot hold (a lone surrogate, a number that is not finite), or too long a line.
    """
    draft = draft_record(record.kind, record.head, record.request, record.credential)
    return encode_drafted(draft, record.answer, seq, time=record.time, ms=record.duration_ms, notes=record.notes)


def draft_record(kind: RecordKind, head: CallHead | None, request: Request, credential: Credential) -> bytes:
    """Return the part of a record's line that can be written before there is an answer: its members from `kind` to `request`.

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
    """Return the line, newline included, of the record of which `draft_record` made a part.

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
    return with_checksum(b"%s,%s,%s" % (beginning[:-1], draft, _json(rest)[1:-1]))


def encode_control(record: ControlRecord, seq: int) -> bytes:
    """Return the line, newline included, of `record` under the number `seq`."""
    line: dict[str, Any] = {"seq": seq, "time": record.time, "mark": record.kind}
    if record.service:
        line["service"] = record.service
    if record.kind is ControlKind.SESSION:
        line["manual"] = record.manual
    if record.reason:
        line["reason"] = record.reason
    return with_checksum(_json(line)[:-1])


def encode_header(header: RecordingHeader) -> bytes:
    """Return the first line of a journal, newline included."""
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
    return with_checksum(_json(line)[:-1])


def _json(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson's JSONEncodeError is a TypeError
        raise ValueError(f"JSON cannot hold it: {error}") from error


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
