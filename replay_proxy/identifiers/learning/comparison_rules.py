"""When values that are not equal mean the same: the rules of `data/comparison.json`, which has their reasons and sources."""

from __future__ import annotations

import re
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


def states_agree(recorded: Any, replayed: Any) -> bool:
    """Tell whether two states differ in no more than how far something has come."""
    if not isinstance(recorded, str) or not isinstance(replayed, str):
        return True  # the number of a state follows its name; where only the number is told, it says how far
    if recorded.lower() == replayed.lower():
        return True
    if _has("failed", replayed) != _has("failed", recorded) or _has("ended", replayed) != _has("ended", recorded):
        return False
    passing = _has("passing", recorded), _has("passing", replayed)
    if _SPACE.search(recorded) or _SPACE.search(replayed):
        # A sentence for people says why. Of one state two sentences are the same, but for when it came about.
        return passing[0] != passing[1] or same_but_for_times(recorded, replayed)
    return any(passing)


def is_no_state_any_more(service: str, recorded: Any, replayed: Any) -> bool:
    """Tell whether a state was one that the model of its service knows, and is now a word that no model of it has."""
    if not isinstance(recorded, str) or not isinstance(replayed, str):
        return False
    known = _enumerated(service)
    return recorded.lower() in known and bool(replayed) and replayed.lower() not in known


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
