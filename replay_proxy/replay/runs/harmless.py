"""Does a state machine touch anything? One that only waits, chooses and passes on may run again without harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_HARMLESS = frozenset({"Pass", "Wait", "Choice", "Succeed", "Fail"})
_DEPTH_MAX = 20


def touches_nothing(definition: str) -> bool:
    """Return whether no state of a definition (Amazon States Language) calls anything; False where it cannot be read."""
    try:
        return _is_harmless(orjson.loads(definition), _DEPTH_MAX)
    except (orjson.JSONDecodeError, TypeError, AttributeError):
        return False


def _is_harmless(machine: Any, depth: int) -> bool:
    states = machine.get("States") if isinstance(machine, Mapping) else None
    if not isinstance(states, Mapping) or not states or not depth:
        return False
    for state in states.values():
        kind = state.get("Type")
        if kind in _HARMLESS:
            continue
        inside = {"Parallel": state.get("Branches"), "Map": [state.get("ItemProcessor") or state.get("Iterator")]}.get(
            kind
        )
        if not inside or "ItemReader" in state or "ResultWriter" in state:
            return False
        if not all(_is_harmless(each, depth - 1) for each in inside):
            return False
    return True
