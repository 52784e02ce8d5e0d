"""Containers of data (queues, tables, buckets, streams), and the names by which calls and ARNs name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.footprint.names.resource_names import arn_resource_parts, pieces, short_name
from replay_proxy.footprint.statements import item_statements
from replay_proxy.replay.recorded_call import Call

_DATA = Path(__file__).parent / "data" / "effects.json"
_UNTYPED: Final = frozenset({"sqs", "sns", "s3"})
"""Namespaces whose ARNs name the thing without its type: `arn:aws:sqs:us-east-1:000000000000:orders`."""
_LOGS: Final = "logs"
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Container:
    """A container of data, as clients know it.

    service: botocore's name of its service, which tells its kind. account: as calls give it, empty for the emulator's default.
    """

    service: str
    account: str
    region: str
    name: str

    @property
    def node(self) -> str:
        """Return the container as `nodes_of` names it."""
        return f"{kind_of(self.service).namespace} {self.name}"

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who named a container: reads of it are asked as that client would. host: of its request. access_key: its id.

    account: that its request named in a field of its own, as clients of moto do; empty for most.
    """

    host: str
    access_key: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class ContainerKind:
    """A kind of containers, by its service. See `data/effects.json`."""

    service: str
    namespace: str
    write: str
    members: tuple[str, ...]
    creates: tuple[str, str]
    deletes: str
    lists: tuple[str, str, str]
    pages: tuple[str, str]
    store: str


@dataclass(frozen=True, slots=True)
class _Naming:
    namespace: str
    members: frozenset[str]
    default: str = field(default="")


@cache
def effects() -> dict[str, Any]:
    """Return the table `data/effects.json`."""
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@cache
def container_kinds() -> Mapping[str, ContainerKind]:
    """Return all kinds of containers by their service."""
    return {
        each["service"]: ContainerKind(
            each["service"],
            each["namespace"],
            each["write"],
            tuple(each.get("members", ())),
            _pair(each.get("creates", ("", ""))),
            each.get("deletes", ""),
            _triple(each.get("lists", ("", "", ""))),
            _pair(each.get("pages", ("", ""))),
            each.get("store", ""),
        )
        for each in effects()["containers"]
    }


def _pair(values: Sequence[str]) -> tuple[str, str]:
    first, second = values
    return first, second


def _triple(values: Sequence[str]) -> tuple[str, str, str]:
    first, second, third = values
    return first, second, third


def kind_of(service: str) -> ContainerKind:
    """Return the kind of containers that a service has. Raises KeyError where it has none."""
    return container_kinds()[service]


@cache
def _namings() -> Mapping[str, _Naming]:
    return {
        each["service"]: _Naming(
            each.get("namespace", each["service"]), frozenset(each["members"]), each.get("default", "")
        )
        for each in effects()["named"]
    }


@cache
def _apart() -> frozenset[str]:
    return frozenset(effects()["apart"])


def containers_of(call: Call) -> set[Container]:
    """Return the containers that a call to their own service names."""
    kind = container_kinds().get(call.service)
    if kind is None:
        return set()
    if kind.store:
        return {Container(call.service, call.head.account, call.head.region, kind.store)}
    members = (*kind.members, kind.creates[1])
    names = {call.params[member] for member in members if isinstance(call.params.get(member), str)}
    if call.service == "dynamodb":
        names |= _tables_of(call)
    head = call.head
    region = "" if call.service == "s3" else head.region
    names = {_own_name_of(call.service, name) for name in names}
    return {Container(call.service, head.account, region, name) for name in names if name}


def _own_name_of(service: str, text: str) -> str:
    """Return the name of a container in a name, an ARN or a URL of it. Names of log groups hold slashes."""
    return _own_name(_LOGS, text) if service == _LOGS else short_name(text)


def _tables_of(call: Call) -> set[str]:
    params = call.params
    found = set(params["RequestItems"]) if isinstance(params.get("RequestItems"), Mapping) else set()
    for entry in params.get("TransactItems") or ():
        found |= {action["TableName"] for action in entry.values() if "TableName" in action}
    if "Statement" in params or "Statements" in params or "TransactStatements" in params:
        found |= {each.table for each in item_statements(params) if each is not None}
    return found


def nodes_of(call: Call, *, whole: bool) -> set[str]:
    """Return what a call names, as texts of namespace and name that are equal for equal things.

    whole: look into all texts of the parameters, and not only at the members that name what the call is about.
    """
    found: set[str] = set()
    naming = _namings().get(call.service)
    if naming is not None:
        for member, value in _members(call.params, _DEPTH):
            if member in naming.members:
                found.add(f"{naming.namespace} {_own_name(naming.namespace, value)}")
        if call.service == "dynamodb":
            found |= {f"dynamodb {short_name(name)}" for name in _tables_of(call)}
        if naming.default and not any(node.startswith(f"{naming.namespace} ") for node in found):
            found.add(f"{naming.namespace} {naming.default}")
    if whole:
        for text in _texts(call.params, _DEPTH):
            for namespace, resource in pieces(text) if "arn:" in text else ():
                name = _name_in(namespace, resource) if namespace and namespace not in _apart() else ""
                if name:
                    found.add(f"{namespace} {name}")
    return found


def _own_name(namespace: str, value: str) -> str:
    if value.startswith("arn:"):
        return _name_in(namespace, value.split(":", 5)[-1])
    return value if namespace == _LOGS else short_name(value)


def _name_in(namespace: str, resource: str) -> str:
    """Return the name in the resource part of an ARN: without its type, and without what is inside of it."""
    if namespace == _LOGS:
        kind, _, rest = resource.partition(":")
        return rest.partition(":")[0] or kind
    parts = [part for part in arn_resource_parts(f"arn:::::{resource}") if part]
    if not parts:
        return ""
    return parts[0] if namespace in _UNTYPED or len(parts) == 1 else parts[1]


def _members(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Return the members of parameters that are texts, at any level."""
    if isinstance(value, Mapping) and depth:
        for member, each in value.items():
            if isinstance(each, str):
                yield member, each
            else:
                yield from _members(each, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _members(each, depth - 1)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and depth:
        for name, each in value.items():
            yield str(name)
            yield from _texts(each, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _texts(each, depth - 1)
