"""mitmproxy's flow files (`mitmdump -w FILE`), as exchanges.

A file is one dictionary per flow (`tnetstring`). Of those with `type` `http` are taken: `request` (`method`, `path`,
`headers`, `content`, and where it went: `authority`, `host`, `port`) and `response` (`status_code`, `reason`,
`headers`, `content`). Contents are the bytes of the wire, compression included. Format versions before mitmproxy 4
(2018) spell keys as bytes and are read as well, where the rest is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.interchange.foreign.source_files import opened
from replay_proxy.journal.interchange.foreign.tnetstring import NotTagged, values


@dataclass(frozen=True, slots=True)
class Flow:
    """One exchange. answer is None where there was none, or where it was cut off. began: ISO 8601, empty if unknown.

    offset: where it begins in its file.
    """

    request: Request
    answer: Answer | None
    complete: bool
    began: str
    duration_ms: float
    offset: int = 0


def looks_like_flows(start: bytes) -> bool:
    """Whether a file that begins with `start` could be a flow file."""
    digits, colon, rest = start[:24].partition(b":")
    return bool(colon) and digits.isdigit() and rest[:1].isdigit()


def flows(path: Path) -> Iterator[Flow]:
    """Yield the HTTP flows of a file, in its order. Raises RecordingError with the place, StorageError."""
    with opened(path) as source:
        states = values(source)
        while True:
            try:
                offset, state = next(states)
            except StopIteration:
                return
            except NotTagged as error:
                raise _damaged(path, str(error)) from error
            try:
                flow = _flow(state)
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                told = f"it has no {error}" if isinstance(error, KeyError) else str(error)
                raise _damaged(path, f"the flow at byte {offset} cannot be read: {told[:200]}") from error
            if flow is not None:
                yield replace(flow, offset=offset)


def _damaged(path: Path, reason: str) -> RecordingError:
    return RecordingError(
        f"{path} cannot be read as a flow file of mitmproxy: {reason}",
        hint="if mitmproxy itself reads it, turn it into HAR: mitmdump -nr FILE --set hardump=OUT.har",
    )


def _flow(state: Any) -> Flow | None:
    state = _texts(state)
    if state.get("type") != "http" or not isinstance(state.get("request"), Mapping):
        return None
    sent = _texts(state["request"])
    headers = _headers(sent["headers"])
    if "host" not in headers:
        authority = _wire(sent.get("authority") or b"") or f"{_wire(sent['host'])}:{int(sent['port'])}"
        headers = Headers([("Host", authority), *headers])
    content = sent.get("content")
    request = Request(_wire(sent["method"]).upper(), _wire(sent["path"]) or "/", headers, _bytes(content))
    answer = None
    if isinstance(state.get("response"), Mapping) and not state.get("error"):
        received = _texts(state["response"])
        status = int(received["status_code"])
        reason = _wire(received.get("reason") or b"")
        answer = Answer(status, _headers(received["headers"]), _bytes(received.get("content")), reason)
        complete = content is not None and received.get("content") is not None
        ended = received.get("timestamp_end")
    else:
        complete, ended = False, None
    return Flow(request, answer, complete, *_times(sent.get("timestamp_start"), ended))


def _texts(value: Any) -> dict[str, Any]:
    """Return a dictionary whose keys are text, as all but old versions write them."""
    if not isinstance(value, Mapping):
        raise TypeError("no dictionary where one is due")
    return {key if isinstance(key, str) else key.decode("latin-1"): each for key, each in value.items()}


def _headers(pairs: Any) -> Headers:
    out = []
    for pair in pairs:
        name, value = pair
        # HTTP/2's pseudo-fields are kept elsewhere; nothing with a colon in front is a field.
        if not name.startswith(b":"):
            out.append((_wire(name), _wire(value)))
    return Headers(out)


def _wire(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value.encode("utf-8").decode("latin-1")
    raise TypeError("no text where one is due")


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, bytes):
        raise TypeError("a content is not bytes")
    return value


def _times(start: Any, end: Any) -> tuple[str, float]:
    """Return when a flow began (empty where that is no time), and how many milliseconds it took (0 where unknown)."""
    if not _is_number(start):
        return "", 0.0
    try:
        began = datetime.fromtimestamp(start, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return "", 0.0
    duration = (end - start) * 1000.0 if _is_number(end) else 0.0
    return began, round(duration, 3) if 0 < duration < 1e12 else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18
