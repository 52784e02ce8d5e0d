"""The metamodel of a version: what people read of it without loading it. Resources, what lies in them, their links, counts.

It is worked out from the calls that the version holds, so it says nothing that these do not, and never a sensitive value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource, shown

FORMAT: Final = "replay-proxy-metamodel"
VERSION: Final = 1
ATTRIBUTE_BYTES_MAX: Final = 64 << 10
"""Attributes of one resource that are longer are left out: the calls have them."""


def metamodel_of(model: ResourceModel) -> dict[str, Any]:
    """Return the metamodel as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "services": services_of(model),
        "resources": [_resource(model, each) for each in model.resources.values()],
    }


def services_of(model: ResourceModel) -> dict[str, dict[str, Any]]:
    """Return by service how many calls and resources of which types there are."""
    calls = Counter(each.service for each in model.calls if each.service)
    types: dict[str, Counter[str]] = {}
    for resource in model.resources.values():
        types.setdefault(resource.service, Counter())[resource.type] += 1
    return {
        name: {
            "calls": calls[name],
            "resources": types.get(name, Counter()).total(),
            "types": dict(sorted(types.get(name, Counter()).items())),
        }
        for name in sorted(calls.keys() | types.keys())
    }


def encoded(document: dict[str, Any]) -> Iterator[bytes]:
    """Yield a metamodel as JSON, with one resource a line."""
    rest = {name: value for name, value in document.items() if name != "resources"}
    yield orjson.dumps(rest)[:-1] + b',"resources":['
    for number, each in enumerate(document["resources"]):
        yield (b",\n" if number else b"\n") + orjson.dumps(each)
    yield b"]}\n"


def _resource(model: ResourceModel, resource: Resource) -> dict[str, Any]:
    attributes = shown(resource.attributes)
    try:
        too_long = len(orjson.dumps(attributes)) > ATTRIBUTE_BYTES_MAX
    except TypeError:  # of what JSON cannot hold, nothing is shown
        too_long = True
    data = resource.data
    return {
        "id": model.id(resource),
        "type": resource.type,
        "service": resource.service,
        "account": model.account_of(resource),
        "region": resource.key.region,
        "name": resource.label,
        "arn": model.arn(resource),
        "identifiers": resource.identifiers,
        "attributes": {} if too_long else attributes,
        "tags": resource.tags,
        "data": None if data is None else {"unit": data.unit, "count": data.count, "bytes": data.bytes},
        "links": list(_links(model, resource)),
    }


def _links(model: ResourceModel, resource: Resource) -> Iterable[dict[str, str]]:
    for link in model.links(resource):
        target = model.resources.get(link.target)
        yield {"member": link.member, "target": model.id(target) if target is not None else link.text[:2048]}
