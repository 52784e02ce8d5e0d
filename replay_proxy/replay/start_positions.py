"""What begins to act after a restore as if it had acted before: mappings, pipes, and schedules for one moment.

A mapping that was created with `TRIM_HORIZON` has processed what its stream holds. Created again with it, after the data is back,
it would process everything once more. So it is asked to begin at the end. Where it began at first is remembered, and shown in
every answer, because it is what its client said. A schedule for one moment that has passed is made again, and switched off:
an emulator would take it for overdue, and act at once. It is shown as its client made it, until a client makes or changes it
anew. `data/start_positions.json` says which members that concerns.

Identifiers are the emulator's: answers are changed as the emulator gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from replay_proxy.exchange import Answer, CallHead, Request

_DATA = Path(__file__).parent / "data" / "start_positions.json"
END = "LATEST"
_FROM_THE_PAST = frozenset({"TRIM_HORIZON", "AT_TIMESTAMP"})
_ONCE = re.compile(r"\s*at\(\s*([0-9T:.-]+)\s*\)\s*")


@cache
def _table() -> Mapping[str, Any]:
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@cache
def _readers(service: str, operation: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(each for each in _table()["readers"] if each["service"] == service and each["operation"] == operation)


@cache
def stream_services() -> frozenset[str]:
    """Return the services whose ARNs are those of streams, which are read from a position."""
    return frozenset(_table()["streams"])


class StartPositions:
    """What was asked to begin otherwise: by its identifier, where its client had it begin.

    enabled: whether what reads a stream is to begin at the end. first: as `listing` gives it.
    """

    def __init__(self, first: Mapping[str, list[Any]] | None = None, *, enabled: bool = True) -> None:
        self._first: dict[str, list[Any]] = dict(first or {})
        self._services = {str(each[0]) for each in self._first.values()}
        self._enabled = enabled

    def __len__(self) -> int:
        return len(self._first)

    @property
    def at_end(self) -> bool:
        """Return whether what reads a stream is to begin behind what is restored."""
        return self._enabled

    def listing(self) -> dict[str, list[Any]]:
        """Return all of it as JSON values: the service, the position, and the time that goes with it or None."""
        return dict(self._first)

    def asked(self, request: Request, head: CallHead) -> Request:
        """Return the request of a creation that begins otherwise; the same object where it is none, or begins so anyway."""
        reader, body = self._reader_of(request, head)
        if reader is None or body is None:
            return request
        holder, name = _holder(body, reader["position"])
        holder[name] = reader.get("end", END)
        if "time" in reader:
            holder, name = _holder(body, reader["time"])
            holder.pop(name, None)
        content = orjson.dumps(body)
        return replace(request, body=content, headers=request.headers.replaced("Content-Length", str(len(content))))

    def learn(self, request: Request, head: CallHead, answer: Answer) -> None:
        """Remember where what a creation has made began at first. request: as it was recorded; answer: the emulator's."""
        self.forget(head, answer)
        reader, body = self._reader_of(request, head)
        made = _json(answer.body)
        if (
            reader is None
            or body is None
            or not 200 <= answer.status < 300
            or not isinstance(made.get(reader["id"]), str)
        ):
            return
        holder, name = _holder(body, reader["position"])
        position, time = holder.get(name, reader.get("first")), None
        if "time" in reader:
            holder, name = _holder(body, reader["time"])
            time = holder.get(name)
        self._first[made[reader["id"]]] = [head.service, position, time]
        self._services.add(head.service)

    def forget(self, head: CallHead, answer: Answer) -> None:
        """Forget what a creation or a change, made anew, has taken the place of. answer: the emulator's."""
        for reader in _readers(head.service, head.operation) if self._first else ():
            made = _json(answer.body).get(reader["id"])
            if isinstance(made, str) and 200 <= answer.status < 300:
                self._first.pop(made, None)

    def may_change(self, head: CallHead | None) -> bool:
        """Return whether `shown` might change an answer to this call. Quick."""
        return head is not None and head.service in self._services

    def shown(self, head: CallHead, answer: Answer) -> Answer:
        """Return an answer of the emulator that shows the first positions; the same object where it shows none."""
        if not self.may_change(head) or not isinstance(answer.body, bytes):
            return answer
        body = _json(answer.body)
        changed = [self._show(each, head.service) for each in _objects(body)]
        if True not in changed:
            return answer
        content = orjson.dumps(body)
        return replace(answer, body=content, headers=answer.headers.replaced("Content-Length", str(len(content))))

    def _show(self, shown: dict[str, Any], service: str) -> bool:
        """Put the first position into the description of one mapping or pipe. Return whether it is one."""
        for reader in _table()["readers"]:
            if reader["service"] != service:
                continue
            named = shown.get(reader.get("shown_id", reader["id"]))
            first = self._first.get(named) if isinstance(named, str) else None
            if first is None:
                continue
            holder, name = _holder(shown, reader["position"])
            if holder.get(name) != reader.get("end", END):
                continue
            holder[name] = first[1]
            if first[2] is not None:
                holder, name = _holder(shown, reader["time"])
                holder[name] = first[2]
            return True
        return False

    def _reader_of(self, request: Request, head: CallHead) -> tuple[Mapping[str, Any] | None, dict[str, Any] | None]:
        """Return what is known of the creation that a request is, and its parameters, where it begins in the past."""
        for reader in _readers(head.service, head.operation):
            body = _json(request.body)
            holder, name = _holder(body, reader["position"])
            if "schedule" in reader:
                if holder.get(name, reader["first"]) == reader["first"] and _has_passed(body, reader):
                    return reader, body
                continue
            if not self._enabled:
                continue
            source = str(body.get(reader["source"], ""))
            off, value = reader["off"]
            is_stream = (
                source.startswith("arn:") and source.split(":")[2:3] and source.split(":")[2] in stream_services()
            )
            if is_stream and holder.get(name) in _FROM_THE_PAST and body.get(off) != value:
                return reader, body
        return None, None


def _has_passed(body: Mapping[str, Any], reader: Mapping[str, Any]) -> bool:
    """Return whether the one moment of a schedule lies in the past; not where it has no such moment."""
    once = _ONCE.fullmatch(str(body.get(reader["schedule"], "")))
    try:
        zone = ZoneInfo(str(body.get(reader["zone"]) or "UTC"))
        return once is not None and datetime.fromisoformat(once[1]).replace(tzinfo=zone) < datetime.now(UTC)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def _holder(body: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Return the object that holds the member at the end of a path, and the member's name; an empty one where there is none."""
    *way, name = path.split(".")
    holder: Any = body
    for each in way:
        holder = holder.get(each) if isinstance(holder, dict) else None
    return (holder if isinstance(holder, dict) else {}), name


def _objects(value: Any, depth: int = 4) -> Iterator[dict[str, Any]]:
    """Yield the objects of an answer that may describe a mapping or a pipe."""
    if isinstance(value, dict):
        yield value
    if depth and isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _objects(each, depth - 1)


def _json(body: Any) -> dict[str, Any]:
    try:
        content = orjson.loads(body) if isinstance(body, bytes) and body else {}
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
