"""LocalStack's legacy `recorded_api_calls.json`: one JSON object a line, written until LocalStack 0.14.

| member | meaning |
|---|---|
| `a` | the service, as LocalStack called it (`dynamodb`, `s3`, `cloudwatch` ...) |
| `m` | HTTP method; only PUT, POST, DELETE and PATCH were recorded |
| `p` | path and query; a space is percent-encoded when it is read |
| `d` | the request's body in base64; null or empty where there was none |
| `h` | the request's headers, one value a name |
| `rd` | the answer's body in base64; absent from older files. Its status and headers were never kept |

A call that HTTP cannot carry (a line break in a path or a field) is a record with a `flaw`: a restore counts it as failed
and goes on with the others. `replay-proxy import` refuses it, and names its line.

The answer's status is taken to be 200, since only successful calls were recorded. The note `"answer"` says what is
known of an answer: `body only`, or `missing`. With `PERSISTENCE_SINGLE_FILE=0` there was a file for each service, of
the same lines. Source: LocalStack's `localstack/utils/persistence.py` of 2018 to 2022, and files in its issue tracker.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.recorded_headers import request_to_keep
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.journal.format.sendable import flaw_of_request, with_spaces_encoded
from replay_proxy.wire.mutability.judge import Effect, judge_call
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.sigv4 import scrub

NEVER = "1970-01-01T00:00:00.000000Z"
"""The time of calls whose time was not recorded."""

# What LocalStack's edge and its Werkzeug server added to a request's headers; the client never sent them.
_ADDED = frozenset({"remote-addr", "x-forwarded-for", "x-localstack-edge", "x-localstack-tgt-api"})


def is_legacy_line(line: bytes) -> bool:
    """Whether this is a line of LocalStack's legacy file."""
    if not line.lstrip().startswith(b'{"a"') and b'"a":' not in line:
        return False
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and {"a", "m", "p"} <= value.keys() and "format" not in value


def legacy_record(line: bytes, seq: int) -> Record:
    """Return the record of a legacy line.

    Raises:
        LineError: why it is none.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LineError(f"it is not JSON: {error.msg}, at its byte {error.pos}") from error
    if not isinstance(value, dict):
        raise LineError("it is not a JSON object")
    return legacy_record_of(value, seq)


def legacy_record_of(value: dict[str, Any], seq: int) -> Record:
    """Return the record of a legacy line's object. Raises LineError."""
    api, method, target = (value.get(member) for member in "amp")
    if not isinstance(api, str) or not isinstance(method, str) or not isinstance(target, str):
        raise LineError("it is no line of LocalStack's: a, m and p must be text")
    headers = value.get("h") or {}
    if not isinstance(headers, dict):
        raise LineError("its h is not an object")
    pairs = [
        (wire(name), wire(text))
        for name, text in headers.items()
        if isinstance(text, str) and name.lower() not in _ADDED
    ]
    answer = _base64(value, "rd")
    sent = Request(method.upper(), with_spaces_encoded(wire(target)) or "/", Headers(pairs), _base64(value, "d") or b"")
    request, credential = scrub(sent)
    kept = request_to_keep(request)
    return Record(
        seq=seq,
        time=NEVER,
        duration_ms=0.0,
        kind=RecordKind.MUTATION,
        head=recognise(sent),
        request=kept,
        answer=Answer(200, Headers(), answer or b""),
        credential=credential,
        notes={
            "imported_from": "localstack",
            "api": api,
            "answer": "missing" if answer is None else "body only",
        },
        flaw=flaw_of_request(kept),
    )


def changes_state(record: Record) -> bool:
    """Whether a record of another tool's file is worth replaying: such files hold long polls and reads, too."""
    return record.head is None or bool(record.flaw) or judge_call(record.head, record.request).effect is Effect.MUTATES


def _base64(value: dict[str, Any], member: str) -> bytes | None:
    text = value.get(member)
    if text is None:
        return None
    if not isinstance(text, str):
        raise LineError(f"its {member} is not text")
    try:
        return b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise LineError(f"its {member} is not base64: {error}") from error


def wire(text: str) -> str:
    """Return text of a JSON file as wire text: what is no ISO 8859-1 was UTF-8 on the wire. Raises LineError."""
    if text.isascii() or max(text) <= "\xff":
        return text
    try:
        return text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError:
        raise LineError("a text holds half a surrogate pair, which is no character") from None
