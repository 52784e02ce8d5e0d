"""What recognition needs of one service's operations: their names, and for REST services the routes to them.

Both are taken from the service model at the first request that points to the service (1 to 30 ms), and the
model is let go: a table of routes is some kilobytes, the model of EC2 is 60 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from replay_proxy.wire.models import models
from replay_proxy.wire.models.service_index import recognition_rules


@dataclass(frozen=True, slots=True)
class Route:
    """How a REST request reaches an operation.

    method, path: of the model's `requestUri`, its query constants removed. constants: those, the value None
    where the name alone must be there. queries, headers: names (headers in lower case) of the required
    members that are bound to the query string and to headers.
    """

    service: str
    operation: str
    protocol: str
    method: str
    path: str
    constants: tuple[tuple[str, str | None], ...] = ()
    queries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    deprecated: bool = False


@lru_cache(maxsize=1024)
def operation_names(service: str) -> frozenset[str]:
    """Return the operations of a service; empty where its model is not installed or cannot be read."""
    return frozenset(_description(service).get("operations", ()))


@lru_cache(maxsize=1024)
def routes(service: str) -> tuple[Route, ...]:
    """Return the routes to the operations of a REST service, and those that older clients take.

    Empty where its model is not installed or cannot be read.
    """
    description = _description(service)
    if not description:
        return ()
    protocol = description["metadata"]["protocol"]
    shapes = description["shapes"]
    today = tuple(
        _route(service, name, protocol, operation, shapes) for name, operation in description["operations"].items()
    )
    former = tuple(
        Route(service, rule["operation"], protocol, rule["method"], rule["path"])
        for rule in recognition_rules()["former_routes"]
        if rule["service"] == service
    )
    return today + former


def _description(service: str) -> dict[str, Any]:
    try:
        return models.load_description(service)
    except (LookupError, OSError, ValueError, EOFError):
        return {}


def _route(service: str, name: str, protocol: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    path, _, constants = operation["http"]["requestUri"].partition("?")
    queries, headers = [], []
    if "input" in operation:
        shape = shapes[operation["input"]["shape"]]
        for member_name in shape.get("required", ()):
            member = shape["members"][member_name]
            location = member.get("location")
            if location == "querystring" and shapes[member["shape"]]["type"] not in {"list", "map"}:
                queries.append(member.get("locationName", member_name))
            elif location == "header":
                headers.append(member.get("locationName", member_name).lower())
    return Route(
        service=service,
        operation=name,
        protocol=protocol,
        method=operation["http"]["method"],
        path=path,
        constants=tuple(_constant(pair) for pair in constants.split("&")) if constants else (),
        queries=tuple(queries),
        headers=tuple(headers),
        deprecated=bool(operation.get("deprecated")),
    )


def _constant(pair: str) -> tuple[str, str | None]:
    name, equals, value = pair.partition("=")
    return name, value if equals else None
