"""Identifiers of what is made along with a resource: the root of an API, the default group of a network, the volume of a launch.

No call makes such a thing, so no call tells whether it is the same on both sides. It is the same where what it was made with
is; where that gets a fresh identifier, so does it. It is told by what the resources hang on, and for parts that are no resources
by `data/made_along.json`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.identifiers.table.tokens import index_word
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.recorded_call import call_of
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.call_facts import texts_in
from replay_proxy.resources.resource import Resource

_DATA: Final = Path(__file__).parent / "data" / "made_along.json"
_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Parts:
    """The members of one service that hold what is made along with something.

    beside: by a member that names something, the members beside it or below. made: by kind, those in the answer of its creation.
    """

    beside: dict[str, frozenset[str]] = field(default_factory=dict)
    made: dict[str, frozenset[str]] = field(default_factory=dict)


@lru_cache(maxsize=1)
def parts() -> Mapping[str, Parts]:
    """Return by service what is made along with something."""
    found: dict[str, Parts] = defaultdict(Parts)
    for entry in orjson.loads(_DATA.read_bytes())["parts"]:
        its, member = found[entry["service"]], frozenset((entry["member"],))
        its.made[entry["name"]] = its.made.get(entry["name"], frozenset()) | member
        its.beside[entry["named"]] = its.beside.get(entry["named"], frozenset()) | member
    return found


def made_along(ours: Side, pod: Side, renamed: dict[str, str], fresh: Callable[[str], str]) -> None:
    """Add to the renamed identifiers of the pod those of what was made along with what has them. Blocking, for long.

    fresh: draws another one.
    """
    mine = ours.resources()
    for key, each in pod.resources().items():
        if key in mine and not each.made_by and _is_drawn(each) and not renamed.keys().isdisjoint(owners(pod, each)):
            renamed.setdefault(each.key.names[-1], fresh(each.key.names[-1]))
    services = {each.service for each in pod.model.resources.values() if each.key.names[-1] in renamed} & parts().keys()
    shown = set(_parts_in(ours, services, None)) if services else set()
    made = {each.key.names[-1] for each in pod.model.resources.values() if each.made_by}
    for name in _parts_in(pod, services, renamed) if shown else ():
        if name in shown and name not in made and name not in renamed and _is_findable(name):
            renamed[name] = fresh(name)


def owners(side: Side, resource: Resource) -> set[str]:
    """Return the identifiers of what a resource was made along with: of its maker, and of what its own name lies in."""
    maker = side.model.resources.get(resource.maker)
    return {*resource.key.names[:-1], *(maker.key.names[-1:] if maker is not None else ())}


def _is_drawn(resource: Resource) -> bool:
    kind = kinds.kind_named(resource.service, resource.key.noun)
    name = resource.key.names[-1]
    return kind is not None and kind.is_by_id and not name.isdecimal() and _is_findable(name)


def _is_findable(name: str) -> bool:
    """Tell whether a name can be found in messages."""
    try:
        return name.isascii() and bool(index_word(name.encode()))
    except ValueError:
        return False


def _parts_in(side: Side, services: Collection[str], renamed: Mapping[str, str] | None) -> Iterator[str]:
    """Yield the identifiers of parts in the answers of a side which no request says.

    renamed: identifiers of what the parts are of; None for any.
    """
    makers: dict[int, set[str]] = defaultdict(set)
    for each in side.model.resources.values():
        if each.made_by and each.service in services and (renamed is None or each.key.names[-1] in renamed):
            makers[each.made_by] |= parts()[each.service].made.get(each.key.noun, frozenset())
    for number, record in side:
        if record.head is None or record.head.service not in services:
            continue
        try:
            call = call_of(record, side.load)
        except MalformedMessage:
            continue
        if call is not None:
            sent = {*texts_in(call.params, _DEPTH)}
            beside = parts()[call.service].beside
            found = _found(call.result, beside, renamed, frozenset(makers.get(number, ())), _DEPTH)
            yield from (each for each in found if each not in sent)


def _found(
    value: Any,
    beside: Mapping[str, frozenset[str]],
    renamed: Mapping[str, str] | None,
    within: frozenset[str],
    depth: int,
) -> Iterator[str]:
    """Yield the values of the members `within`, and of those that belong to a renamed identifier beside or above them."""
    if isinstance(value, Mapping) and depth:
        for name in beside.keys() & value.keys():
            if renamed is None or value[name] in renamed:
                within |= beside[name]
        for name, each in value.items():
            if not isinstance(each, str):
                yield from _found(each, beside, renamed, within, depth - 1)
            elif name in within:
                yield each
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _found(each, beside, renamed, within, depth - 1)
