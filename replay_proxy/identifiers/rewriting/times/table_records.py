"""Which write of an item a record in the stream of a table tells of, so that it shows when that was at first.

A record says which item was changed, how, and when; the writes of a table with a stream were made again one after the other.
So the writes of an item are gone through in their order. Where an emulator tells whole seconds only, several may fit: then it is
the first one that is not taken, and that wrote what the record shows. A write that changed nothing has made no record; mostly it
repeats what the write before it wrote, so it is the later one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.rewriting.times.moments import CLOCK_SLACK_S, Moment
from replay_proxy.identifiers.rewriting.times.time_owners import PART

STREAMED_TABLES = f"{PART}streamed tables"
"""Under this name it is remembered that there is any table with a stream."""
_MILLISECOND = 0.001
_SETS = frozenset({"SS", "NS", "BS"})


class Change(NamedTuple):
    """What a record tells. key, image: as `key_of` and `digest_of` say them; image is empty where the record shows none."""

    key: str
    removes: bool
    image: str
    seconds: float


def writes_of(table: object) -> str:
    """Return the name of the writes of a table, as `Times` knows it. table: its name or ARN."""
    return f"{short_name(str(table))}{PART}writes"


def stream_of(table: object) -> str:
    """Return the name of the stream of a table, as `Times` knows it. Its moment is within the names of the table's key."""
    return f"{short_name(str(table))}{PART}stream"


def written(item: Mapping[str, Any], key_names: Collection[str], *, is_whole: bool) -> tuple[str, ...]:
    """Return what the moment of a write is within: the key, and a digest of the item where the write says all of it."""
    key = key_of({name: item[name] for name in key_names if name in item})
    return (key, digest_of(item)) if is_whole else (key,)


def key_of(key: Mapping[str, Any]) -> str:
    """Return the key of an item as a text that equal keys share."""
    return orjson.dumps(_plain(key), default=repr, option=orjson.OPT_SORT_KEYS).decode()


def digest_of(item: Mapping[str, Any]) -> str:
    """Return a digest that equal items share."""
    return blake2b(key_of(item).encode(), digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value in a form that equal values share: `1` and `1.0` are one number, and a set has no order."""
    if isinstance(value, Mapping):
        return {name: _number(each) if name == "N" else _set(name, each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _set(name: str, value: Any) -> Any:
    if name in _SETS and isinstance(value, list | tuple):
        return sorted(map(repr, map(_number, value) if name == "NS" else value))
    return _plain(value)


def _number(value: Any) -> Any:
    try:
        return str(Decimal(value).normalize()) if isinstance(value, str) else _plain(value)
    except InvalidOperation:
        return value


def original_times(changes: Iterable[Change], moments: Iterable[Moment]) -> list[float | None]:
    """Return when the change that each record tells of was made at first; None where no write of a restore made it.

    changes: the records of a stream, from its beginning, in order. moments: of the writes to its table.
    """
    writes: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda each: each.begun):
        if moment.within:
            writes.setdefault(moment.within[0], []).append(moment)
    taken: dict[str, int] = {}
    found: list[float | None] = []
    for change in changes:
        index = _write_of(change, writes.get(change.key, ()), taken.get(change.key, 0))
        if index is None:
            found.append(None)
        else:
            taken[change.key] = index + 1
            found.append(writes[change.key][index].original_of(change.seconds))
    return found


def _write_of(change: Change, writes: Sequence[Moment], first: int) -> int | None:
    """Return the place of the write that a record tells of, among those of its item; the first that can be it.

    first: the place behind the write of the record before. One write may make two records: moto adds an item, and changes it.
    """
    if first and writes[first - 1].surely_covers(change.seconds):
        return first - 1
    able = []
    for index in range(first, len(writes)):
        if writes[index].begun > change.seconds + CLOCK_SLACK_S:
            break
        if writes[index].creates != change.removes and _covers(writes[index], change.seconds):
            able.append(index)
    if change.image and any(change.image in writes[index].within[1:] for index in able):
        able = [index for index in able if change.image in writes[index].within[1:] or not writes[index].within[1:]]
    return able[0] if able else None


def _covers(moment: Moment, seconds: float) -> bool:
    """Return whether a record of this time may be of a write: the time may be cut to milliseconds, or to whole seconds."""
    if seconds % 1:
        return moment.begun - _MILLISECOND <= seconds <= moment.ended + _MILLISECOND
    return moment.begun - CLOCK_SLACK_S < seconds <= moment.ended
