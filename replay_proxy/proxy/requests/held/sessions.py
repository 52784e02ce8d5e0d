"""Tokens of readings: one call opens a reading and gives a token, another takes the token and gives the next one.

The place in a stream (`ShardIterator`) is such a token, and that of a client that polls its configuration. The models tell them:
exactly one operation requires a string of that shape and answers with another one of the same shape, others answer with the first
one, and none of them changes state. So a token stands for the call that opened its reading, and for how far that has come.

What stands behind a token is said as the parameters of the opening call (`Reading`), in the identifiers of clients, so that it
can be opened again by another emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jmespath
import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, judge

_DATA = Path(__file__).parent / "data" / "stream_positions.json"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a service. opens: by operation that opens a reading, the member of its answer.

    reads: the operation that takes a token in its parameter `takes`, which requests call `spelled`, and answers with the next
    one in `gives`.
    """

    opens: Mapping[str, str]
    reads: str
    takes: str
    spelled: str
    gives: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a token stands for: the call that opens the reading at this place."""

    operation: str
    parameters: Mapping[str, Any]


@cache
def _positions() -> Mapping[str, Mapping[str, Any]]:
    services: Mapping[str, Mapping[str, Any]] = orjson.loads(_DATA.read_bytes())["services"]
    return services


def position_of(service: str) -> Mapping[str, Any] | None:
    """Return how a service says a place in a stream (`data/stream_positions.json`); None where it has no streams."""
    return _positions().get(service)


@lru_cache(maxsize=512)
def tokens_of(service: str) -> Tokens | None:
    """Return the tokens of readings of a service; None where it has none."""
    try:
        model = models.description(service)
    except LookupError:
        return None
    taken: dict[str, list[tuple[str, str, bool]]] = {}
    given: dict[str, list[tuple[str, str]]] = {}
    for name, operation in model["operations"].items():
        for member, shape, required in _strings(model["shapes"], operation.get("input")):
            taken.setdefault(shape, []).append((name, member, required))
        for member, shape, _ in _strings(model["shapes"], operation.get("output")):
            given.setdefault(shape, []).append((name, member))
    for shape, takers in taken.items():
        if len(takers) != 1 or not takers[0][2]:
            continue
        reads, takes, _ = takers[0]
        nexts = [member for name, member in given.get(shape, ()) if name == reads and member != takes]
        opens = {name: member for name, member in given.get(shape, ()) if name != reads}
        transient = all(judge(service, name).effect is Effect.TRANSIENT for name in (reads, *opens))
        if len(nexts) == 1 and opens and transient:
            said = model["shapes"][model["operations"][reads]["input"]["shape"]]["members"][takes]
            return Tokens(opens, reads, takes, said.get("locationName", takes), nexts[0])
    return None


def _strings(shapes: Mapping[str, Any], reference: Mapping[str, Any] | None) -> list[tuple[str, str, bool]]:
    """Return the members of a request or an answer that are strings: name, shape, and whether it is required."""
    shape = shapes[reference["shape"]] if reference is not None else {}
    required = shape.get("required", ())
    return [
        (name, member["shape"], name in required)
        for name, member in shape.get("members", {}).items()
        if shapes[member["shape"]]["type"] == "string"
    ]


def hands_out(head: CallHead) -> bool:
    """Return whether the answer to a call gives a token of a reading."""
    tokens = tokens_of(head.service)
    return tokens is not None and (head.operation == tokens.reads or head.operation in tokens.opens)


def opened(head: CallHead, parameters: Mapping[str, Any], now_s: float, last: str | None) -> Reading:
    """Return what the token stands for that a call has given which opens a reading.

    now_s: the time of its answer, in seconds since 1970. last: the number of the last record of the stream then; empty where it
    had none, None where that is not known.
    """
    position = position_of(head.service)
    if position is None or parameters.get(position["type"]) != position["end"]:
        return Reading(head.operation, parameters)
    if "at" in position:
        return Reading(head.operation, {**parameters, position["type"]: position["at"], position["time"]: now_s})
    if last is None:
        return Reading(head.operation, parameters)
    if not last:
        return Reading(head.operation, {**parameters, position["type"]: position["start"]})
    return _behind(Reading(head.operation, parameters), position, last)


def advanced(service: str, reading: Reading, result: Mapping[str, Any]) -> Reading:
    """Return what the next token stands for, after an answer with this result."""
    position = position_of(service)
    last = None if position is None else jmespath.search(position["last"], result)
    return reading if position is None or not isinstance(last, str) else _behind(reading, position, last)


def _behind(reading: Reading, position: Mapping[str, Any], number: str) -> Reading:
    said = {position["type"]: position["after"], position["number"]: number}
    kept = {name: value for name, value in reading.parameters.items() if name != position.get("time")}
    return Reading(reading.operation, {**kept, **said})
