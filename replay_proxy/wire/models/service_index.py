"""Which services there are, and by what a request gives them away: the index over all of botocore's services.

A proxy must not read four hundred models to start. `data/services.json` holds, for each service, the few
facts that recognition needs before it knows the service: names in credential scopes, hosts, target prefixes,
API versions. It is generated from botocore (`scripts/build-service-index`) and a test compares it with the
botocore that is installed. What depends on operations (their names, their routes) is read from the one model
that a request points to.

A botocore newer than the index, or a model of the user's own (`AWS_DATA_PATH`), may hold services that the
index does not know. The first request that the index cannot place makes it look, once in the life of the
process, for such services and take them up (`extended_index`): 1 to 2 ms for each new service, and nothing
for requests that it can place. What the index leaves out then is only the additional host names that come
from endpoint rules.

Rules that no model states (which of several services that share a wire format to name; signing names that
appear in endpoint rules only; paths that clients older than the models still use) are data with reasons:
`data/recognition.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.wire.models import models

_DATA = Path(__file__).parent / "data"
_DATE_SEGMENT = re.compile(r"v?\d{4}-?\d{2}-?\d{2}")
_NOT_IN_AN_ID = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Service:
    """What the index knows of one service.

    name: botocore's name. signing_name: the service in its credential scope. hosts: the labels that its
    endpoints begin with, less region and domain (`api.ecr`). target_prefix: before the dot of `X-Amz-Target`,
    and the service of a Smithy RPC path; may be empty. protocols: those that the model lists, the preferred
    first. query_compatible: accepts `query` though the model does not list it (the `awsQueryCompatible`
    trait). api_version: `Version` of a query. service_id: in user agents. dated_paths: first path segments
    that are a date (`2015-03-31`), which no bucket and hardly any web site has.
    """

    name: str
    signing_name: str
    hosts: tuple[str, ...]
    target_prefix: str
    protocols: tuple[str, ...]
    query_compatible: bool
    api_version: str
    service_id: str
    dated_paths: tuple[str, ...]

    @property
    def speaks_query(self) -> bool:
        """Return whether a request may name its operation in an `Action` parameter."""
        return self.query_compatible or "query" in self.protocols or "ec2" in self.protocols

    @property
    def is_rest(self) -> bool:
        """Return whether method and path name the operation."""
        return self.protocols[0].startswith("rest-")


class ServiceIndex:
    """Services by each of the things that give them away. The tuples are in order of preference."""

    def __init__(self, services: Iterable[Service], rules: Mapping[str, Any]) -> None:
        ranks = {name: rank for rule in rules["preferred"] for rank, name in enumerate(rule["services"])}
        ordered = sorted(services, key=lambda service: (ranks.get(service.name, 0), service.name))
        self.services: dict[str, Service] = {service.name: service for service in ordered}
        self.by_signing_name = _group((s.signing_name, s.name) for s in ordered)
        self.by_target_prefix = _group((s.target_prefix, s.name) for s in ordered if s.target_prefix)
        self.by_host = _group((host, s.name) for s in ordered for host in s.hosts)
        self.by_query_version = _group((s.api_version, s.name) for s in ordered if s.speaks_query)
        self.by_service_id = _group((plain_id(s.service_id), s.name) for s in ordered)
        self.by_dated_path = _group((path, s.name) for s in ordered for path in s.dated_paths)
        self.ranks = ranks
        for rule in rules["signing_names"]:
            known = tuple(name for name in rule["services"] if name in self.services)
            self.by_signing_name[rule["signing_name"]] = known
        for rule in rules["hosts"]:
            known = tuple(name for name in rule["services"] if name in self.services)
            self.by_host[rule["host"]] = known

    def queryable(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of these services that accept the query protocol."""
        return tuple(name for name in names if self.services[name].speaks_query)

    def rest(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of these services that are called by method and path."""
        return tuple(name for name in names if self.services[name].is_rest)


@lru_cache(maxsize=1)
def service_index() -> ServiceIndex:
    """Return the generated index."""
    return ServiceIndex((_from_json(name, entry) for name, entry in _generated().items()), recognition_rules())


@lru_cache(maxsize=1)
def extended_index() -> ServiceIndex:
    """Return the generated index and every service that is installed and not in it. Reads the models of those."""
    known = service_index()
    new = [name for name in models.service_names() if name not in known.services]
    if not new:
        return known
    found = [service for service in map(_from_model, new) if service is not None]
    return ServiceIndex([*known.services.values(), *found], recognition_rules())


def generated_from() -> str:
    """Return the version of botocore that the index was generated from."""
    version: str = _document()["botocore"]
    return version


def describe_model(name: str, description: Mapping[str, Any], hosts: Iterable[str] = ()) -> dict[str, Any]:
    """Return the index entry of a service, as plain data, from its model and the host labels of its endpoint rules."""
    metadata = description["metadata"]
    entry: dict[str, Any] = {
        "signing_name": metadata.get("signingName") or metadata["endpointPrefix"],
        "hosts": sorted({metadata["endpointPrefix"], *hosts}),
        "target_prefix": metadata.get("targetPrefix", ""),
        "protocols": metadata.get("protocols") or [metadata["protocol"]],
        "query_compatible": "awsQueryCompatible" in metadata,
        "api_version": metadata["apiVersion"],
        "service_id": metadata["serviceId"],
        "dated_paths": [],
    }
    if entry["protocols"][0].startswith("rest-"):
        paths = (operation["http"]["requestUri"] for operation in description["operations"].values())
        first = {path.partition("?")[0].split("/", 2)[1] for path in paths if path.startswith("/")}
        entry["dated_paths"] = sorted(segment for segment in first if _DATE_SEGMENT.fullmatch(segment))
    return entry


def plain_id(service_id: str) -> str:
    """Return a service id in one spelling: SDKs write `API Gateway`, `api_gateway`, `apigateway` and `api-gateway`."""
    return _NOT_IN_AN_ID.sub("", service_id.lower())


def _from_json(name: str, entry: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        signing_name=entry["signing_name"],
        hosts=tuple(entry["hosts"]),
        target_prefix=entry["target_prefix"],
        protocols=tuple(entry["protocols"]),
        query_compatible=entry["query_compatible"],
        api_version=entry["api_version"],
        service_id=entry["service_id"],
        dated_paths=tuple(entry["dated_paths"]),
    )


def _from_model(name: str) -> Service | None:
    try:
        return _from_json(name, describe_model(name, models.load_description(name)))
    except (LookupError, OSError, ValueError, EOFError):
        # A model of the user's that cannot be read must not take recognition of all other services with it.
        return None


def _group(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return {key: tuple(names) for key, names in groups.items()}


def _generated() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _document()["services"]
    return services


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((_DATA / "services.json").read_bytes())
    return document


@lru_cache(maxsize=1)
def recognition_rules() -> dict[str, Any]:
    """Return the rules of `data/recognition.json`."""
    rules: dict[str, Any] = orjson.loads((_DATA / "recognition.json").read_bytes())
    return rules
