"""Times that a client left to the service: those of records that were sent without one.

A metric's value without a time is of the moment in which it was sent. Sent again at a restore, it would be of the moment of
the restore, and the values of an hour would become one. So the time of the recorded call is filled in: by the clock of the
emulator, as the `Date` of its answer shows it, which a note of the record keeps (`ANSWERED`). The members in
which a missing time means "now" stand in `data/implied_times.json`, each with its reason: the models do not tell them from
times whose absence means "never".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.wire.codecs.build_request import build_request

ANSWERED = "answered"
"""The note of a record that says when the emulator answered: the `Date` of its answer, which is told in whole seconds."""
_LAST_OF_SECOND = timedelta(seconds=1, microseconds=-1)
_DATA = Path(__file__).parent / "data" / "implied_times.json"


@cache
def _members() -> Mapping[tuple[str, str], tuple[str, ...]]:
    entries = orjson.loads(_DATA.read_bytes())["times"]
    return {(entry["service"], entry["operation"]): tuple(entry["members"]) for entry in entries}


def has_implied_times(head: CallHead) -> bool:
    """Return whether a call of this operation may leave a time to the service."""
    return (head.service, head.operation) in _members()


def notes_of_time(answer: Answer) -> Mapping[str, str]:
    """Return the note that keeps when the emulator answered; none where it does not say so."""
    date = answer.headers.get("date")
    return {ANSWERED: date} if date else {}


def with_implied_times(
    request: Request,
    head: CallHead,
    parameters: Mapping[str, Any],
    time: str,
    took_ms: float = 0.0,
    answered: str = "",
) -> Request:
    """Return `request` with the time of its call in every record that has none; the identical object where none lacks one.

    parameters: of the request, parsed; they are not changed. time: when the recorded call began, ISO 8601; where it cannot
    be read, the request stays as it is. took_ms: how long it took; what takes long is mostly what an emulator loads before it
    looks at its clock. answered: the `Date` of the answer, in whose second the moment is then; empty where it is not known.
    """
    try:
        moment = datetime.fromisoformat(time) + timedelta(milliseconds=took_ms)
    except (ValueError, OverflowError):
        return request
    with suppress(ValueError, OverflowError, TypeError):  # a date that cannot be read tells nothing
        second = parsedate_to_datetime(answered)
        moment = min(max(moment, second), second + _LAST_OF_SECOND)
    filled = dict(parameters)
    lacking = [_fill(filled, path.split("."), moment) for path in _members()[head.service, head.operation]]
    if not any(lacking) or not isinstance(request.body, bytes):
        return request
    body = build_request(head, filled, request.headers.get("host")).body
    assert isinstance(body, bytes)
    headers = request.headers.replaced("Content-Length", str(len(body))).without("content-encoding")
    return replace(request, body=body, headers=headers)


def _fill(record: dict[str, Any], path: Sequence[str], moment: datetime) -> bool:
    """Set the member at the end of `path` where it is missing, in copies of the lists on the way. Was it anywhere?"""
    name, *rest = path
    if not rest:
        missing = record.get(name) is None
        if missing:
            record[name] = moment
        return missing
    copies = list(_copies(record.get(name.removesuffix("[]"))))
    if not copies:
        return False
    record[name.removesuffix("[]")] = copies
    lacking = [_fill(each, rest, moment) for each in copies]
    return any(lacking)


def _copies(records: Any) -> Iterator[dict[str, Any]]:
    if isinstance(records, list):
        yield from (dict(each) for each in records if isinstance(each, dict))
