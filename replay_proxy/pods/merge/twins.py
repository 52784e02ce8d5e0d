"""One resource that both sides know under other identifiers, since each emulator drew its own.

A resource is the same where its key is: then its drawn identifiers (the ARN of a secret) may differ. And it is the same where a
service allows one only of what its creation says (`data/natural_keys.json`): it would refuse the second request, or answer it
with the first one's identifier. So ours becomes the pod's: everything that ours says of it is said of the pod's.

The account of clients that name none is one, too: each emulator calls it by a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.identifiers.table.tokens import index_word
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.recorded_call import call_of
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.call_facts import texts_in
from replay_proxy.resources.resource import Resource, shown

_DATA: Final = Path(__file__).parent / "data" / "natural_keys.json"
_DEPTH: Final = 16
_Told = tuple[str, ...]


@lru_cache(maxsize=1)
def natural_keys() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Return the members that tell a resource from every other of its kind, by service and noun."""
    entries = orjson.loads(_DATA.read_bytes())["kinds"]
    return {(each["service"], each["name"]): tuple(each["members"]) for each in entries}


def twins(ours: Side, pod: Side) -> dict[str, str]:
    """Return our identifiers of resources that the pod has under other ones, each with the pod's. Blocking, for long."""
    its = pod.resources()
    theirs = {told: each for each in its.values() if (told := _told(pod, each, {}))}
    found: dict[str, str] = {}
    pairs: list[tuple[Resource, Resource]] = []
    # In the order in which they were made: what a resource is told by may be another one that is a twin.
    for key, each in ours.resources().items():
        other = its.get(key)
        if other is None:
            other = theirs.get(_told(ours, each, found))
            if other is not None:
                names = zip(each.key.names, other.key.names, strict=False)
                found |= {one: two for one, two in names if one != two and _is_findable(one, two)}
        if other is not None and each.made_by and other.made_by:
            pairs.append((each, other))
            found |= dict(_identifiers(each, other))
    return _drawn(ours, pairs, found)


def default_accounts(ours: Side, pod: Side) -> dict[str, str]:
    """Return our number of the emulator's own account with the pod's, where they differ.

    Not where clients name one of them themselves: they mean an account of that number by it.
    """
    own, its = ours.model.default_account, pod.model.default_account
    if not own or not its or own == its or its in ours.accounts or own in ours.accounts | pod.accounts:
        return {}
    return {own: its}


def _identifiers(ours: Resource, pods: Resource) -> Iterator[tuple[str, str]]:
    """Yield the identifiers in which the sides differ: those of a resource, and of parts of it in its ARN (a stream's label)."""
    for member, value in ours.identifiers.items():
        other = pods.identifiers.get(member)
        if other is not None and other != value and _is_findable(value, other):
            yield value, other
    if not ours.arn or not pods.arn:
        return
    for member, value in ours.attributes.items():
        other = pods.attributes.get(member)
        if not isinstance(value, str) or not isinstance(other, str) or value == other:
            continue
        if value.startswith(f"{ours.arn}/") and other.startswith(f"{pods.arn}/"):
            yield value, other


def _drawn(ours: Side, pairs: list[tuple[Resource, Resource]], found: Mapping[str, str]) -> dict[str, str]:
    """Return those identifiers that no client chose: that the creation did not say.

    Two resources of one name that both emulators drew are two, which happen to be called alike (`collisions`).
    """
    held: dict[int, list[tuple[str, set[str]]]] = {}
    for each, other in pairs:
        names = {*each.key.names, *each.identifiers.values(), *filter(_is_text, each.attributes.values())}
        if names & found.keys():
            shared = each.key.names[-1] if each.key.names == other.key.names else ""
            held.setdefault(each.made_by, []).append((shared, names & found.keys()))
    drawn: dict[str, str] = {}
    for number, record in ours if held else ():
        call = call_of(record, ours.load) if number in held else None
        if call is not None:
            sent = {*texts_in(call.params, _DEPTH)}
            for shared, names in held[number]:
                if not shared or any(shared in text for text in sent):
                    drawn |= {name: found[name] for name in names if name not in sent}
    return drawn


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_findable(*names: str) -> bool:
    """Tell whether names can be found in messages: a number that the emulator counts stands in too many places."""
    try:
        return all(name.isascii() and bool(index_word(name.encode())) for name in names)
    except ValueError:
        return False


def _told(side: Side, resource: Resource, same: Mapping[str, str]) -> _Told:
    """Return what tells a resource; empty where it is of no such kind, or where something is not known.

    same: identifiers in whose place others are meant.
    """
    key = side.key(resource)
    members = natural_keys().get((key.service, key.noun))
    if members is None or not resource.made_by:
        return ()
    kind = kinds.kind_named(key.service, key.noun)
    named = dict(zip(kind.named[:-1], key.names, strict=False)) if kind is not None else {}
    values = [_value(member, resource, named) for member in members]
    if any(each is None for each in values):
        return ()
    texts = (_canonical(member, value, same) for member, value in zip(members, values, strict=True))
    return key.service, key.noun, key.account, key.region, *texts


def _value(member: str, resource: Resource, named: Mapping[str, str]) -> Any:
    if member in named:
        return named[member]
    value: Any = {**resource.attributes, **resource.identifiers}
    for part in member.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _canonical(member: str, value: Any, same: Mapping[str, str]) -> str:
    if not isinstance(value, str):
        return orjson.dumps(shown(value)).decode()
    value = same.get(value, value)
    return value if member.endswith("Arn") else same.get(own_name(value), own_name(value))
