"""Which services have to be back before a request can be answered as if everything were.

Its own, with those that show the same state under another name, and those that make its resources (a VPC may be a
stack's). A call that changes something may name resources of other services, which the emulator may want to find: by
ARN, which says whose it is, or in members and identifiers that are known by their form. What shows or takes resources
of any service needs everything, and so does what is no AWS call, such as the invocation of an API.

To ask for too much costs time only. Some reads can be answered before their service is back as a whole: those that only
show which queues, buckets or tables there are (`needs_outline`). What is tabulated stands in `data/relatives.json`, each
with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.mutability import Effect, is_data, judge
from replay_proxy.wire.services import service_index

_DATA = Path(__file__).parent / "data" / "relatives.json"
# In text, and as it is percent-encoded in forms.
_ARN = re.compile(rb"arn(?::|%3A)aws[a-z-]*(?::|%3A)([a-z0-9-]+)(?::|%3A)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Tables:
    together: Mapping[str, frozenset[str]]
    makers: Mapping[str, frozenset[str]]
    everything: frozenset[str]
    anything: frozenset[str]
    outlines: frozenset[tuple[str, str]]
    named: tuple[tuple[re.Pattern[bytes], frozenset[str]], ...]


@cache
def _tables() -> _Tables:
    written: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    makers: dict[str, frozenset[str]] = {}
    for entry in written["makers"]:
        for made in entry["of"]:
            makers[made] = makers.get(made, frozenset()).union(entry["services"])
    return _Tables(
        {service: frozenset(entry["services"]) for entry in written["together"] for service in entry["services"]},
        makers,
        frozenset(service for entry in written["everything"] for service in entry["services"]),
        frozenset(service for entry in written["anything"] for service in entry["services"]),
        frozenset((entry["service"], operation) for entry in written["outlines"] for operation in entry["operations"]),
        tuple((re.compile(entry["pattern"].encode()), frozenset(entry["services"])) for entry in written["named"]),
    )


@cache
def relatives(service: str) -> frozenset[str]:
    """A service, with those that show the same state, and those that make resources of it."""
    tables = _tables()
    family = tables.together.get(service, frozenset({service}))
    makers = (tables.makers.get(each, frozenset()) for each in family)
    return family.union(tables.makers.get("*", frozenset()), *makers)


def needs_outline(head: CallHead | None) -> bool:
    """Does this call show nothing of a service but which resources there are, whatever was done to them and put into them?"""
    return head is not None and (head.service, head.operation) in _tables().outlines


def services_needed(head: CallHead | None, request: Request) -> frozenset[str] | None:
    """The services that have to be restored before this request is let through; None for all of them."""
    if head is None or head.service in _tables().everything:
        return None
    found = relatives(head.service)
    if judge(head.service, head.operation).effect is not Effect.MUTATES or is_data(head.service, head.operation):
        return found
    if head.service in _tables().anything:
        return None
    return found.union(*map(relatives, _named_by(request)))


def _named_by(request: Request) -> set[str]:
    """The services of which a request names resources."""
    body = request.body if isinstance(request.body, bytes) else b""
    text = request.target.encode("latin-1", "replace") + b"\n" + body
    found: set[str] = set()
    for name in {match.lower().decode() for match in _ARN.findall(text)}:
        found.update(service_index().by_signing_name.get(name, (name,)))
    for pattern, services in _tables().named:
        if pattern.search(text):
            found |= services
    return found
