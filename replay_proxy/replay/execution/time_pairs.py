"""Which times an answer showed at first, and which it shows now: what no moment of a call tells."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.additions import makes
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.members.member_roles import Role
from replay_proxy.footprint.members.naming_members import names_account, names_something, naming_at_top
from replay_proxy.identifiers.learning.align import AlignedValue, AmbiguousAlignment, walk
from replay_proxy.identifiers.learning.learn import known_from
from replay_proxy.identifiers.rewriting.times.rewrite import Pair, Times
from replay_proxy.identifiers.rewriting.times.time_members import may_be_time, seconds_of, shows_times
from replay_proxy.identifiers.rewriting.times.time_owners import parameters
from replay_proxy.identifiers.rewriting.times.time_places import TimePlace
from replay_proxy.identifiers.rewriting.times.time_texts import parse_time
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.wire.codecs.answers import Outcome

_ROUNDED = 1.0
"""Seconds by which a time that is shown may differ from when it was."""
_BY_ADMIN = "Admin"
"""With this, Cognito's names of operations begin where an administrator does what a user could."""
_LEVELS = 3
"""How far out a name may stand from a time that belongs to it, where two answers are compared."""
_MILLISECONDS_MIN = 1e11
_EPOCH_DIGITS = 10
_INDEX = re.compile(r"\[[^\]]*\]")
_LEVEL = re.compile(r"(?:\.[^.\[\]]*|\[[^\]]*\])$")


def note_pairs(
    times: Times,
    record: Record,
    head: CallHead,
    original: Request,
    recorded: Outcome,
    replayed: Outcome,
    aliases: AliasTable,
) -> None:
    """Note in `times` which times an answer showed at first, and which it shows now: what no moment of a call tells.

    Of a read, these are all: what it shows was made by nobody's call. Of a change, those that lie outside of it: when a key will
    be deleted, until when a certificate is valid. Also those of elements of lists, since a change of the whole may change each of
    them, or not: the deployments of a service.
    """
    if not recorded.ok or not replayed.ok or not shows_times(head):
        return
    is_read = record.kind is RecordKind.WITNESS
    taken = seconds_of(record.time)
    latest = taken + record.duration_ms / 1000 + _ROUNDED
    changes = not is_read and not makes(head.operation.removeprefix(_BY_ADMIN))

    def is_told_by_call(seconds: float, *, listed: bool) -> bool:
        return not is_read and taken - _ROUNDED <= seconds <= latest and not (listed and changes)

    if all(is_told_by_call(each, listed=listed) for each, listed in _times_in(head, "", recorded.parsed)):
        return
    names: dict[str, list[str]] = {}
    found: list[tuple[str, Pair]] = []
    for place in walk(head, output_shape(head), recorded.parsed, replayed.parsed, known_from(aliases, scope_of(head))):
        if isinstance(place, AmbiguousAlignment):
            continue
        around = _LEVEL.sub("", place.path) if "." in place.path else ""
        client, emulator = _seconds(place.recorded), _seconds(place.replayed)
        if client is not None and emulator is not None:
            if (
                client != emulator
                and may_be_time(head, place.member)
                and not is_told_by_call(client, listed="[" in place.path)
            ):
                within = tuple(_INDEX.sub("", each) for each in reversed(around.split(".")))
                words = TimePlace(head.service, head.operation, place.member, within).words()
                found.append((around, Pair(place.member.lower(), emulator, client, next(iter(words), ""))))
        elif isinstance(place.recorded, str) and _is_name(place):
            names.setdefault(around, []).append(place.recorded)
    asked = [value for _, value in naming_at_top(parameters(head, original))] if found else []
    for around, pair in found:
        nearest = _nearest(around, names) or asked
        times.pair(head, nearest, pair._replace(names=_digest(nearest), seq=record.seq))


def _digest(names: Collection[str]) -> str:
    """Return a text that stands for these names, in whichever order."""
    return blake2b("\0".join(sorted(names)).encode(), digest_size=6).hexdigest() if names else ""


def _is_name(place: AlignedValue) -> bool:
    return (place.role is Role.IDENTIFIER or names_something(place.member)) and not names_account(place.member)


def _nearest(around: str, names: Mapping[str, list[str]]) -> list[str]:
    """Return the names in a structure, or in the one around it that has some."""
    for _ in range(_LEVELS):
        if around in names:
            return names[around]
        if not around:
            break
        around = _LEVEL.sub("", around) if _LEVEL.search(around) else ""
    return []


def _times_in(head: CallHead, member: str, value: Any, *, listed: bool = False) -> Iterator[tuple[float, bool]]:
    """Yield the times in an answer, and whether each stands in a list."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _times_in(head, key, each, listed=listed)
    elif isinstance(value, list):
        for each in value:
            yield from _times_in(head, member, each, listed=True)
    elif (seconds := _seconds(value)) is not None and may_be_time(head, member):
        yield seconds, listed


def _seconds(value: Any) -> float | None:
    """Return a point in time of an answer as seconds since the epoch; None for everything else."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if value > _MILLISECONDS_MIN else float(value)
    return seconds if len(str(int(seconds))) == _EPOCH_DIGITS else None
