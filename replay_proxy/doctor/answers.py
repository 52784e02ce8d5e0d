"""What an answer to a reading says of a resource: that it is there, that it is not, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.models.models import operation_model

_DATA = Path(__file__).parent / "data" / "readings.json"
_NOT_FOUND: Final = 404
_DEPTH: Final = 8
"""`Reservations`, `Instances`, and what is in them."""
_SERVER_ERROR_MIN: Final = 500


class Refusal(Enum):
    """Why a reading was refused."""

    ABSENT = auto()
    NOT_OFFERED = auto()
    FAILED = auto()
    OTHER = auto()


def refusal_of(head: CallHead, outcome: Outcome) -> Refusal:
    """Return what an error says. The models tell which errors of an operation mean that something is not there; where a code is
    in no model, the words of codes do (`data/readings.json`).
    """
    code = outcome.error_code
    if _matches("not_offered", code) or outcome.status == 501:
        return Refusal.NOT_OFFERED
    try:
        shapes = operation_model(head.service, head.operation).error_shapes
    except LookupError:
        shapes = []
    for shape in shapes:
        error = shape.metadata.get("error", {})
        if code in (shape.name, error.get("code")) and error.get("httpStatusCode") == _NOT_FOUND:
            return Refusal.ABSENT
    if _matches("absent", code):
        return Refusal.ABSENT
    if outcome.status == _NOT_FOUND:
        # Without a code of its own, it may be the path that is unknown. A HEAD has no body, and so no code.
        is_head = operation_model(head.service, head.operation).http.get("method") == "HEAD"
        return Refusal.ABSENT if is_head else Refusal.NOT_OFFERED
    return Refusal.FAILED if outcome.status >= _SERVER_ERROR_MIN else Refusal.OTHER


def status_in(value: Any, depth: int = 3) -> str:
    """Return the state that an answer tells, where nothing can be used in it: on its way, or failed; else ""."""
    if depth == 0:
        return ""
    if isinstance(value, Mapping):
        for member, below in value.items():
            if isinstance(below, str) and member.lower() in _status_members() and _matches("not_ready", below):
                return below
        for below in value.values():
            found = status_in(below, depth - 1) if isinstance(below, Mapping | list) else ""
            if found:
                return found
    elif isinstance(value, list) and len(value) == 1:
        return status_in(value[0], depth - 1)
    return ""


def end_in(kind: str, described: Mapping[str, Any]) -> str:
    """Return the state by which a description says that such a resource is gone (`ended` in data/readings.json); else ""."""
    entry = next((each for each in table()["ended"] if each["kind"] == kind), None)
    return "" if entry is None else _state_in(described, frozenset(entry["states"]), _DEPTH)


def _state_in(value: Any, states: frozenset[str], depth: int) -> str:
    """Return the first of these states in a description: a read of one thing may show it as the only one in lists."""
    if isinstance(value, list):
        return _state_in(value[0], states, depth - 1) if len(value) == 1 and depth else ""
    if not isinstance(value, Mapping) or not depth:
        return ""
    own = (below for member, below in value.items() if member.lower() in _status_members())
    # The state of an instance is a structure with its name, that of a peering one with its code.
    names = [
        text
        for each in own
        for text in ((each.get("Name"), each.get("Code")) if isinstance(each, Mapping) else (each,))
        if isinstance(text, str)
    ]
    found = next((name for name in names if name in states), "")
    below = (_state_in(each, states, depth - 1) for each in value.values() if isinstance(each, Mapping | list))
    return found if names else next((each for each in below if each), "")


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """Return the reviewed data (`data/readings.json`)."""
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=1)
def listed_by_some() -> frozenset[str]:
    """Return the kinds of which some emulator lists none: that one is not listed says nothing where none was seen before."""
    return frozenset(entry["kind"] for entry in table()["listed_by_some"])


@lru_cache(maxsize=1)
def _status_members() -> frozenset[str]:
    return frozenset(member.lower() for member in table()["status_members"]["members"])


@lru_cache(maxsize=8)
def _pattern(what: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in table()[what]["patterns"]))


def _matches(what: str, text: str) -> bool:
    return _pattern(what).search(text) is not None
