"""Types of resources as CloudFormation names them (`AWS::SQS::Queue`), and the ARNs that no answer shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

_DATA = Path(__file__).parent / "data" / "types.json"


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=1)
def _by_folded_name() -> dict[str, dict[str, str]]:
    return {space: {name.lower(): name for name in names} for space, names in _table()["types"].items()}


@lru_cache(maxsize=4096)
def type_of(service: str, noun: str) -> str:
    """Return the type of a kind of resource; `SERVICE: NOUN` where CloudFormation has no name for it."""
    noun_there = _table()["names"].get(service, {}).get(noun, noun)
    for space in _table()["namespaces"].get(service, ()):
        found = _by_folded_name().get(space, {}).get(noun_there.lower())
        if found is not None:
            return f"AWS::{space}::{found}"
    return f"{service}: {noun}"


@lru_cache(maxsize=4096)
def service_and_noun(cloudformation_type: str) -> tuple[str, str]:
    """Return service and noun of a type that CloudFormation named: the reverse of `type_of`.

    Of a type that no service of botocore has (`Custom::Thing`), the service is `cloudformation`.
    """
    parts = cloudformation_type.split("::")
    if len(parts) == 3 and parts[0] == "AWS":
        services = [service for service, spaces in _table()["namespaces"].items() if parts[1] in spaces]
        for service in services:
            for noun, there in _table()["names"].get(service, {}).items():
                if there == parts[2]:
                    return service, noun
        for service in sorted(services, key=lambda name: (name.lower() != parts[1].lower(), name)):
            return service, parts[2]
    return "cloudformation", cloudformation_type


def arn_of(service: str, noun: str, account: str, region: str, name: str, parents: Sequence[str] = ()) -> str:
    """Return the ARN of a resource whose answers show none; empty where its form is not known.

    parents: the names of what it is a part of.
    """
    form = _table()["arns"].get(f"{service} {noun}", "")
    if not form or (not account and "{account}" in form) or (not region and "{region}" in form):
        return ""
    if "/{name}" in form:
        name = name.lstrip("/")
    if "{parents" in form and not (parents and all(parents)):
        return ""
    return str(form.format(account=account, region=region, name=name, parents=parents))


def names_in_arn(service: str, noun: str, arn: str) -> dict[str, str]:
    """Return the names of a resource that several members name, by member, as they stand in its ARN; empty where they do not."""
    form = _named_in_arn(service, noun)
    parts = arn.split(":", 5)
    found = form.fullmatch(parts[5]) if form is not None and len(parts) == 6 and parts[0] == "arn" else None
    return found.groupdict() if found is not None else {}


@lru_cache(maxsize=1024)
def _named_in_arn(service: str, noun: str) -> re.Pattern[str] | None:
    form = _table()["named_in_arns"].get(f"{service} {noun}")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^:/]+)", form)) if form is not None else None
