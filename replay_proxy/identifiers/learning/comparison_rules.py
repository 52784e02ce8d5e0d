"""When values that are not equal mean the same: the rules of `data/comparison.json`, which has their reasons and sources."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.identifiers.learning.identifier_pairs import without_authority
from replay_proxy.wire.models.models import service_model

_AUTHORITY = re.compile(
    r"(?P<host>localhost|[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?P<path>/.*)?", re.IGNORECASE
)
_SPACE = re.compile(r"\s")


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = orjson.loads((Path(__file__).parent / "data" / "comparison.json").read_bytes())
    return data


@cache
def _pattern(*path: str) -> re.Pattern[str]:
    found: Any = _data()
    for name in path:
        found = found[name]
    return re.compile(found["pattern"], re.IGNORECASE)


@lru_cache(maxsize=4096)
def holds_address(member: str) -> bool:
    """Tell whether a member holds addresses, in which the host and port are those of the emulator of the day."""
    return any(re.fullmatch(rule["match"], member, re.IGNORECASE) for rule in _data()["addresses"])


def same_address(recorded: str, replayed: str) -> bool:
    """Tell whether two addresses are the same but for the port, or, in URLs, for the authority."""
    return _without_port(recorded) == _without_port(replayed)


def _without_port(text: str) -> str:
    bare = without_authority(text)
    found = _AUTHORITY.fullmatch(bare)
    return f"{found['host']}{found['path'] or ''}" if found is not None else bare


class Agreement(StrEnum):
    """What two states that are not equal have to do with each other.

    MOVED: the same thing is further on its way in one of them. TOLD: no states, but what is told of one (a sentence, a
    number), which is another where the state has moved. NONE: one of them is another state, or none that any model knows.
    """

    MOVED = "moved"
    TOLD = "told"
    NONE = "none"


def agreement(service: str, recorded: Any, replayed: Any) -> Agreement:
    """Return whether two states differ in no more than how far something has come."""
    if not isinstance(recorded, str) or not isinstance(replayed, str):
        return Agreement.NONE if isinstance(recorded, bool) or isinstance(replayed, bool) else Agreement.TOLD
    if recorded.lower() == replayed.lower():
        return Agreement.MOVED
    if _has("failed", replayed) != _has("failed", recorded) or _has("ended", replayed) != _has("ended", recorded):
        return Agreement.NONE
    passing = _has("passing", recorded), _has("passing", replayed)
    if _SPACE.search(recorded) or _SPACE.search(replayed):
        return Agreement.TOLD if passing[0] != passing[1] else Agreement.NONE
    known = _are_states(service, recorded, replayed)
    return Agreement.MOVED if known and any(passing) else Agreement.NONE


def _are_states(service: str, recorded: str, replayed: str) -> bool:
    """Tell whether both are words for states: of the model of the service, where the recorded one is of that. Nothing is none."""
    own = _enumerated(service)
    known = own if recorded.lower() in own else own | _state_words()
    return all(not each or each.lower() in known for each in (recorded, replayed))


@cache
def _state_words() -> frozenset[str]:
    """Return the words that any model knows for states, in small letters (scripts/build-state-words)."""
    return frozenset(orjson.loads((Path(__file__).parent / "data" / "state_words.json").read_bytes())["words"])


@lru_cache(maxsize=64)
def _enumerated(service: str) -> frozenset[str]:
    """Return the members of all enumerations of a service, in small letters."""
    try:
        model = service_model(service)
    except LookupError:
        return frozenset()
    shapes = (model.shape_for(name) for name in model.shape_names)
    enums = (getattr(shape, "enum", None) or () for shape in shapes if shape.type_name == "string")
    return frozenset(value.lower() for values in enums for value in values)


def _has(what: str, state: str) -> bool:
    return _pattern("states", what).search(state) is not None


def same_but_for_times(recorded: str, replayed: str) -> bool:
    """Tell whether two texts differ in points of time alone, and have some."""
    times = _pattern("texts_with_times")
    bare = times.sub("", recorded)
    return bare != recorded and bare == times.sub("", replayed)


@lru_cache(maxsize=1024)
def is_history(operation: str) -> bool:
    """Tell whether an operation lists what happened, and not what there is."""
    return any(re.fullmatch(rule["operation"], operation, re.IGNORECASE) for rule in _data()["histories"])


def same_documents(head: CallHead, recorded: bytes, replayed: bytes) -> bool:
    """Tell whether two blobs are JSON documents that differ in members alone that differ at every call, by their names."""
    try:
        one, two = orjson.loads(recorded), orjson.loads(replayed)
    except orjson.JSONDecodeError:
        return False
    return isinstance(one, dict) and _same_values(head, one, two)


def _same_values(head: CallHead, one: Any, two: Any) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(
            role_by_name(head.service, head.operation, key) is Role.VOLATILE or _same_values(head, one[key], two[key])
            for key in one
        )
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(_same_values(head, *each) for each in zip(one, two, strict=True))
    return bool(one == two)
