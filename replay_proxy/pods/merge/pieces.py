"""Taking a call apart that is about several things: each piece is the call with one entry of the list that names them.

Which list that is follows from the models: the one whose entries, each alone, let the call be about something else. So one batch
of record sets, or one setting of tags for several resources, is judged entry by entry. What is left is one call again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.merge.call_edits import with_parameters
from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources.resource import Key

_ENTRIES_MAX: Final = 1000
_Named = Callable[[Call], Sequence[Key]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A call with one entry. keys: what it is about."""

    record: Record
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A call, and what it consists of. path: of the list whose entries name what the call is about."""

    record: Record
    params: Mapping[str, Any]
    path: tuple[str, ...]
    entries: Sequence[Any]
    pieces: Sequence[Piece]

    def joined(self, left: Sequence[Record | None]) -> Iterator[Record]:
        """Yield the calls that are left, by what is left of each piece: those as they were in one call, the others alone."""
        whole = [at for at, piece in enumerate(self.pieces) if left[at] is piece.record]
        if len(whole) == len(self.pieces):
            yield self.record
            return
        if whole:
            kept = [self.entries[at] for at in whole]
            yield with_parameters(self.record, _with_entries(self.params, self.path, kept))
        changed = [each for at, each in enumerate(left) if each is not None and at not in whole]
        for number, each in enumerate(changed, bool(whole)):
            yield replace(each, time=_later(each.time, number))


def pieces_of(record: Record, call: Call, named: _Named) -> Pieces | None:
    """Take a call apart; None where it is about one thing, or cannot be taken apart.

    named: tells what a call is about.
    """
    for path, entries in _lists(call.params):
        found: list[Piece] = []
        for entry in entries:
            params = _with_entries(call.params, path, [entry])
            alone = with_parameters(record, params)
            try:
                keys = tuple(named(replace(call, params=params)))
            except (KeyError, TypeError, AttributeError, ValueError, MalformedMessage):
                keys = ()
            if not keys or alone is record:
                break
            found.append(Piece(alone, keys))
        if len(found) == len(entries) and len({each.keys for each in found}) > 1:
            return Pieces(record, call.params, path, entries, found)
    return None


def _lists(params: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield path and entries of each list of several entries, at the top of parameters or in a structure there."""
    for member, value in params.items():
        if isinstance(value, list) and 1 < len(value) <= _ENTRIES_MAX:
            yield (member,), value
        elif isinstance(value, Mapping):
            for below, inner in value.items():
                if isinstance(inner, list) and 1 < len(inner) <= _ENTRIES_MAX:
                    yield (member, below), inner


def _with_entries(params: Mapping[str, Any], path: tuple[str, ...], entries: list[Any]) -> dict[str, Any]:
    member, *below = path
    value = {**params[member], below[0]: entries} if below else entries
    return {**params, member: value}


def _later(time: str, microseconds: int) -> str:
    """Return a point in time as many microseconds later, so that no two calls of a recording were taken in at one moment."""
    if not microseconds:
        return time
    try:
        moment = datetime.fromisoformat(time) + timedelta(microseconds=microseconds)
    except ValueError:
        return time
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
