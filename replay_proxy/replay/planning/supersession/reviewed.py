"""What was reviewed about the ends of resources and values: what goes with a resource, what is set again.

The table is `data/superseded.json`; every entry has its reason. Which kinds of resources there are says
`replay_proxy.footprint.resource_kinds`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

_DATA = Path(__file__).parent / "data" / "superseded.json"
_VERB = re.compile(r"[A-Z][a-z]+")
_MADE_BY = ("Create", "Put")
_LATER = ("Update", "Delete")
_OPERATIONS = 32768
"""What is worked out of operations is remembered for so many; a recording may name any, also made-up ones."""


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """Return the reviewed table, as it is in its file."""
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=_OPERATIONS)
def owned_by(service: str, operation: str) -> tuple[str, ...]:
    """Return the members that name the resource with which the result of a call ends, as far as that was reviewed.

    What changes or deletes a part leaves nothing else behind than what made it (`DeleteMetricFilter`, `PutMetricFilter`).
    """
    verb = _VERB.match(operation)
    made_by = verb is not None and verb[0] in _LATER and {f"{each}{operation[verb.end() :]}" for each in _MADE_BY}
    for entry in table()["owned"]:
        if entry["service"] == service and (
            operation in entry["operations"] or (made_by and not made_by.isdisjoint(entry["operations"]))
        ):
            return tuple(entry["by"])
    return ()


@lru_cache(maxsize=_OPERATIONS)
def only_concerns_what_it_names(service: str, operation: str) -> bool:
    """Return whether a call of this verb leaves nothing behind but in the resources that it names."""
    verb = _VERB.match(operation)
    own = table()["own_verbs"]
    return (verb is not None and verb[0] in own["verbs"]) or f"{service}:{operation}" in own["operations"]
