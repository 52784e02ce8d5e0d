"""HAR 1.2 files, as browsers and proxies save them: `log.entries`, one entry at a time.

Headers and texts are taken as they are written; the content of an answer is decoded already, whatever its headers say of the
wire. A time that is none, and a duration that is none, are left out: they are information only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, Headers
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.localstack_legacy import NEVER, wire
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.interchange.foreign.foreign_calls import body_of, record_of, refuse_fields
from replay_proxy.journal.interchange.foreign.source_files import EventSource, opened, value_of

_PATH: Final = ["log", "entries"]
_CODED: Final = ("content-encoding", "content-length")


def har_records(path: Path, failed: Callable[[], None]) -> Iterator[Record]:
    """Yield the calls of a HAR file. failed: called for each that was answered with an error, or not at all.

    Raises:
        RecordingError: it is no HAR file, or an entry is none, with its number (from 0) and place.
        StorageError: it cannot be read.
    """
    with opened(path) as source:
        events = EventSource(source)
        number = -1
        try:
            for entry in _entries(events):
                number += 1
                record = _record(entry)
                if record is None:
                    failed()
                else:
                    yield record
        except ValueError as error:
            where = (
                f"log.entries[{number}], before byte {events.offset},"
                if number >= 0
                else f"before byte {events.offset}: it"
            )
            if not isinstance(error, LineError):
                where = f"before byte {events.offset}, in what follows log.entries[{number}]: it"
            raise RecordingError(
                f"{path} is no HAR file that can be read: {where} cannot be taken: {str(error)[:300]}",
                hint="remove the entry if its call is not needed, or export the file again",
            ) from error


def _entries(source: EventSource) -> Iterator[Any]:
    """Yield the items of `log.entries`; what else is in the document is passed over. Raises ValueError."""
    events = iter(source)
    keys: list[str] = []
    depth = 0
    seen = False
    for kind, value in events:
        if kind == "map_key":
            if depth <= len(_PATH):
                keys[depth - 1 :] = [value]
        elif kind.startswith("start_"):
            if depth == len(_PATH) and keys == _PATH:
                if kind != "start_array" or seen:
                    raise LineError("log.entries is no list" if kind != "start_array" else "log.entries is there twice")
                seen = True
                yield from _items(source, events)
                continue
            if depth < len(_PATH) and kind == "start_array":
                # Whatever is in a list has no name.
                keys[depth:] = [""]
            depth += 1
        elif kind.startswith("end_"):
            depth -= 1
            del keys[depth:]
        elif keys == _PATH and depth == len(_PATH):
            raise LineError("log.entries is no list")
    if not seen:
        raise LineError("it has no log.entries")


def _items(source: EventSource, events: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    for event in events:
        if event[0] == "end_array":
            return
        source.begin()
        value = value_of(event, events)
        source.end()
        yield value


def _record(entry: Any) -> Record | None:
    """Return the record of an entry; None where the call failed. Raises LineError."""
    sent, received = _object(entry, "request"), _object(entry, "response")
    status = _status(received.get("status"))
    if not 200 <= status < 400:
        return None
    content = _object(received, "content", optional=True)
    text = content.get("text")
    if text is not None and not isinstance(text, str):
        raise LineError("the text of its response is not text")
    answered = Headers(
        (name, line)
        for name, value in _pairs(received)
        if name.lower() not in _CODED and not name.startswith(":")
        # Browsers write the values of fields that came several times (Set-Cookie) as lines of one.
        for line in value.split("\n")
    )
    refuse_fields(answered.pairs, "answer's field")
    reason = received.get("statusText") or ""
    if not isinstance(reason, str) or "\n" in reason or "\r" in reason:
        raise LineError("its statusText is not a line of text")
    answer = Answer(
        status, answered, body_of(text, encoded=content.get("encoding") == "base64") if text else b"", wire(reason)
    )
    known = "complete" if text is not None or not content.get("size") else "missing"
    record = record_of(
        "har", _text(sent, "method"), _text(sent, "url"), _pairs(sent), _body(sent), answer, {"answer": known}
    )
    return replace(record, time=_time(entry.get("startedDateTime")), duration_ms=_duration(entry.get("time")))


def _body(sent: dict[str, Any]) -> bytes:
    posted = _object(sent, "postData", optional=True)
    if "text" in posted:
        text = posted["text"] or ""
        if not isinstance(text, str):
            raise LineError("the text of its postData is not text")
        return body_of(text, encoded=posted.get("encoding") == "base64")
    params = posted.get("params") or []
    if not isinstance(params, list):
        raise LineError("the params of its postData are no list")
    pairs = []
    for pair in params:
        value = _object_itself(pair, "params").get("value", "")
        if not isinstance(value, str):
            raise LineError("a value of its params is not text")
        pairs.append((_text(pair, "name"), value))
    return urlencode(pairs, errors="surrogatepass").encode()


def _pairs(message: dict[str, Any]) -> list[tuple[str, str]]:
    headers = message.get("headers")
    if not isinstance(headers, list):
        raise LineError("its headers are no list")
    return [(wire(_text(each, "name")), wire(_text(each, "value"))) for each in headers]


def _object(holder: Any, member: str, *, optional: bool = False) -> dict[str, Any]:
    value = _object_itself(holder, "entry").get(member)
    return {} if optional and value is None else _object_itself(value, member)


def _object_itself(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LineError(f"its {what} is no object")
    return value


def _text(holder: Any, member: str) -> str:
    value = _object_itself(holder, "field").get(member)
    if not isinstance(value, str):
        raise LineError(f"its {member} is not text")
    return value


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or abs(value) > 999:
        raise LineError("its status is no number of HTTP")
    return int(value)


def _time(text: object) -> str:
    if isinstance(text, str) and len(text) < 50:
        # OverflowError: at the ends of the calendar there is no such moment in UTC.
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return NEVER


def _duration(value: object) -> float:
    """Return a duration in milliseconds; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value < 1e12 and math.isfinite(value) else 0.0
