"""Calls that only begin something: what to ask, and how long, before the next call is replayed.

A client waited for a stack before it used what the stack made, and its polls are not in the journal. So a restore waits by
itself. What it asks is in `data/waits.json`. The states are those of botocore's waiters for the same resources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.wire.codecs.answers import Outcome

_DATA = Path(__file__).parent / "data" / "waits.json"


@dataclass(frozen=True, slots=True)
class Waiter:
    """What to ask after a call. ask: the operation. sources: for each parameter, the members that may hold its value, best first.

    status, told_at: where the status stands in the answer to the question, and in the answer to the call itself (empty: nowhere).
    is_internal: what was begun is of use to its own service alone. optional: parameters that need not be known.
    """

    ask: str
    sources: Mapping[str, tuple[str, ...]]
    status: tuple[str | int, ...]
    pending: re.Pattern[str]
    is_internal: bool = False
    told_at: tuple[str | int, ...] = ()
    optional: frozenset[str] = frozenset()

    def question(
        self, head: CallHead, answer: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> WaiterRequest | None:
        """Return the call to make, with its parameters; None where they are not known."""
        found = {}
        for name, members in self.sources.items():
            value = next((source[m] for m in members for source in (answer, parameters) if source.get(m)), None)
            if value is None and name in self.optional:
                continue
            if not isinstance(value, str):
                return None
            found[name] = value
        return WaiterRequest(replace(head, operation=self.ask), found, self)

    def goes_on(self, outcome: Outcome) -> bool:
        """Return whether the work goes on; not where the question is refused, since what is deleted cannot be described."""
        status = _at(outcome.parsed, self.status)
        return outcome.ok and status is not None and self.pending.search(status) is not None

    def is_over_at_once(self, answer: Mapping[str, Any]) -> bool:
        """Return whether the answer to the call itself says that there is nothing to wait for."""
        status = _at(answer, self.told_at) if self.told_at else None
        return status is not None and self.pending.search(status) is None


def _at(answer: Mapping[str, Any], path: tuple[str | int, ...]) -> str | None:
    value: Any = answer
    try:
        for step in path:
            value = value[step]
    except (LookupError, TypeError):
        return None
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class WaiterRequest:
    """A call to make until its answer says that the wait is over."""

    head: CallHead
    parameters: Mapping[str, str]
    wait: Waiter


@cache
def _waits() -> Mapping[tuple[str, str], Waiter]:
    table = {}
    for entry in orjson.loads(_DATA.read_bytes())["waits"]:
        sources = {name: tuple(members) for name, members in entry["parameters"].items()}
        pending, is_internal = re.compile(entry["while"]), entry.get("within", False)
        told_at, optional = tuple(entry.get("told", ())), frozenset(entry.get("optional", ()))
        wait = Waiter(entry["ask"], sources, tuple(entry["status"]), pending, is_internal, told_at, optional)
        for operation in entry["operations"]:
            table[entry["service"], operation] = wait
    return table


def waiter_after(head: CallHead) -> Waiter | None:
    """Return what to wait for after this call; None for most calls."""
    return _waits().get((head.service, head.operation))
