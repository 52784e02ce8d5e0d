"""Which members of answers are points in time: by their type in the model, and by their name where that is a text or a number."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from replay_proxy.exchange import Answer, CallHead
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.identifiers.rewriting.body import bodies
from replay_proxy.identifiers.rewriting.body.body_values import body_values
from replay_proxy.identifiers.rewriting.times.time_texts import parse_time

_DEPTH_MAX = 10
_ONE_MOMENT_S = 0.001
_TIME_NAME = re.compile(
    r"date|time|creat|modif|updat|chang|At$|since|expir|^valid(From|Until|To)$|^not_?(After|Before)$|^deletes$",
    re.IGNORECASE,
)
_OF_CHANGE = re.compile(r"modif|updat|chang|rotat|renew", re.IGNORECASE)


def is_time_name(member: str) -> bool:
    """Tell whether the name of a member says that it is a point in time."""
    return _TIME_NAME.search(member) is not None


def tells_of_change(member: str) -> bool:
    """Tell whether a member says when something was changed, and not when it was made."""
    return _OF_CHANGE.search(member) is not None


def may_be_time(head: CallHead, member: str) -> bool:
    """Tell whether a member of an answer may be a point in time: by its name, or by a type of the model that has that name."""
    return is_time_name(member) or member.lower() in _timestamps(head.service, head.operation, head.protocol)


@lru_cache(maxsize=1024)
def _timestamps(service: str, operation: str, protocol: str) -> frozenset[str]:
    """Return the names, in lower case, of members of the type of points in time: their own, and those on the wire."""
    found: set[str] = set()
    _take_timestamps(output_shape(CallHead(service, operation, protocol)), found, _DEPTH_MAX)
    return frozenset(found)


def _take_timestamps(shape: Any, found: set[str], depth: int) -> None:
    if shape is None or not depth:
        return
    if shape.type_name == "structure":
        for name, part in shape.members.items():
            if part.type_name == "timestamp":
                found.update((name.lower(), str(part.serialization.get("name", name)).lower()))
            else:
                _take_timestamps(part, found, depth - 1)
    elif shape.type_name == "list":
        _take_timestamps(shape.member, found, depth - 1)
    elif shape.type_name == "map":
        _take_timestamps(shape.value, found, depth - 1)


@lru_cache(maxsize=1024)
def _shows_times(service: str, operation: str, protocol: str) -> bool:
    if service == "s3" and operation in ("GetObject", "HeadObject"):
        return True
    return _has_time(output_shape(CallHead(service, operation, protocol)), _DEPTH_MAX)


def shows_times(head: CallHead) -> bool:
    """Return whether an answer to this call can say when something was made or changed, by its model."""
    return _shows_times(head.service, head.operation, head.protocol)


def _has_time(shape: Any, depth: int) -> bool:
    if shape is None or not depth:
        return False
    if shape.type_name == "structure":
        return any(
            _has_time(part, depth - 1)
            if part.type_name in ("structure", "list", "map")
            else part.type_name == "timestamp" or (part.type_name != "blob" and is_time_name(name))
            for name, part in shape.members.items()
        )
    if shape.type_name == "list":
        return shape.member.type_name == "timestamp" or _has_time(shape.member, depth - 1)
    if shape.type_name == "map":
        named = any(is_time_name(each) for each in getattr(shape.key, "enum", ()))
        return named or _has_time(shape.value, depth - 1)
    return False


def original_in(answer: Answer, head: CallHead, earliest: float, latest: float) -> float | None:
    """Return the time that an answer says for what the call made: the only one from `earliest` to `latest`, else None.

    Emulators that read their clock for each member show several, which lie within less than a moment; the first of these it is.
    """
    readable_body = bodies.readable_body(answer, head) if shows_times(head) else None
    if readable_body is None or readable_body[1] not in ("json", "xml"):
        return None

    def is_wanted(name: str, text: str) -> bool:
        seconds = parse_time(text)
        return is_time_name(name) and seconds is not None and earliest <= seconds <= latest

    values = body_values(readable_body[0], readable_body[1], is_wanted)
    found = {seconds for each in values if (seconds := parse_time(each.text)) is not None}
    return min(found) if found and max(found) - min(found) < _ONE_MOMENT_S else None


def has_time(head: CallHead, answer: Answer) -> bool:
    """Return whether an answer shows a point in time in a member that tells one."""
    readable_body = bodies.readable_body(answer, head) if shows_times(head) else None
    if readable_body is None or readable_body[1] not in ("json", "xml"):
        return False
    wanted = body_values(
        readable_body[0], readable_body[1], lambda name, text: may_be_time(head, name) and parse_time(text) is not None
    )
    return bool(wanted)


def seconds_of(iso: str) -> float:
    """Return the seconds since the epoch of a time as a journal writes it."""
    return datetime.fromisoformat(iso).timestamp()
