"""Which services have to be back before a request can be answered as if all of them were.

A request needs its own service, the services that show the same state under another name, and those that make resources of it (a
VPC may be a stack's). A call that changes something may also name resources of other services, which the emulator may want to
find: by ARN, which says whose it is, or by identifiers of a known form. A request with temporary credentials
needs those that give such, because they say for which account it is meant. A service that shows or takes resources of any
other needs everything, and so does a request that is no AWS call, such as the invocation of an API.

To ask for too much costs time only. Some reads can be answered before their service is back as a whole: those that only show
which queues, buckets or tables there are (`shows_resource_list`). The tables are in `data/relatives.json`, each entry with its
reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.mutability.judge import Effect, is_data, judge
from replay_proxy.wire.signing.credentials import has_session_token

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
    credentials: frozenset[str]
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
        frozenset(service for entry in written["credentials"] for service in entry["services"]),
        tuple((re.compile(entry["pattern"].encode()), frozenset(entry["services"])) for entry in written["named"]),
    )


@lru_cache(maxsize=1024)
def dependent_services(service: str) -> frozenset[str]:
    """Return a service, with those that show the same state, and those that make resources of it."""
    tables = _tables()
    family = tables.together.get(service, frozenset({service}))
    makers = (tables.makers.get(each, frozenset()) for each in family)
    return family.union(tables.makers.get("*", frozenset()), *makers)


def shows_resource_list(head: CallHead | None) -> bool:
    """Return whether a call shows only which resources there are, and nothing of what was done to them or put into them."""
    return head is not None and (head.service, head.operation) in _tables().outlines


def services_needed(head: CallHead | None, request: Request) -> frozenset[str] | None:
    """Return the services that have to be restored before this request is let through; None for all of them."""
    if head is None or head.service in _tables().everything:
        return None
    found = dependent_services(head.service)
    if has_session_token(request):
        found = found.union(_tables().credentials)
    if judge(head.service, head.operation).effect is not Effect.MUTATES or is_data(head.service, head.operation):
        return found
    if head.service in _tables().anything:
        return None
    return found.union(*map(dependent_services, _named_by(request)))


def _named_by(request: Request) -> set[str]:
    """Return the services of which a request names resources."""
    body = request.body if isinstance(request.body, bytes) else b""
    text = request.target.encode("latin-1", "replace") + b"\n" + body
    found: set[str] = set()
    for name in {match.lower().decode() for match in _ARN.findall(text)}:
        found.update(service_index().by_signing_name.get(name, (name,)))
    for pattern, services in _tables().named:
        if pattern.search(text):
            found |= services
    return found
