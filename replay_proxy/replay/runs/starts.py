"""What is begun, run or sent by a call that a restore repeats, and why that does no harm: `data/starts.json`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson

_DATA = Path(__file__).parent / "data" / "starts.json"


@cache
def _table() -> Mapping[str, Any]:
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@cache
def _decisions() -> Mapping[tuple[str, str], str]:
    return {
        (service, operation): decision
        for service, decisions in _table()["services"].items()
        for decision, operations in decisions.items()
        for operation in operations
    }


def begins_something(operation: str) -> bool:
    """Return whether an operation's name says that something is begun, run, sent or carried out."""
    verbs = _table()["verbs"]
    return any(operation.startswith(verb) and not operation[len(verb) :][:1].islower() for verb in verbs)


def why_repeated(service: str, operation: str) -> str:
    """Return why a restore may repeat such an operation; empty where that is not decided here."""
    decision = _decisions().get((service, operation), "")
    return str(_table()["decisions"][decision]) if decision else ""


def repeated() -> frozenset[tuple[str, str]]:
    """Return the services and operations that are decided here."""
    return frozenset(_decisions())
