"""Which members of parameters name something, and the texts in them, in the spelling of all protocols."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from replay_proxy.footprint.resource_kinds import table

_NAMING: Final = re.compile(r"(?:name|identifier|id|arn|url|alias|bucket|domain|resource)s?$", re.IGNORECASE)
_REFERRING: Final = re.compile(r"(?:id|arn|url)s?$", re.IGNORECASE)
_SUBJECT: Final = re.compile(r"resource(?:arn|id|identifier)?(?:s|list)?$", re.IGNORECASE)
# Members of that spelling that name no resource: an attribute, a header, a series of numbers, a member of an enumeration.
_NOT_NAMING: Final = frozenset(
    {"AttributeName", "attributeName", "HeaderName", "StatusCodeId", "DeviceName", "MetricName", "Namespace"}
)


_ACCOUNT: Final = re.compile(r"(?:[a-z0-9]*(?:owner|account)(?:id|identifier|number)?s?|registryid)$", re.IGNORECASE)

_REGION: Final = re.compile(r"(?:^r|R)egion(?:s|Names?)?$")


def names_account(member: str, shape: str = "") -> bool:
    """Tell whether a member, or the shape of its value, says that it holds an account: the owner of a resource, say."""
    return _ACCOUNT.match(member) is not None or _ACCOUNT.match(shape) is not None


def names_region(member: str) -> bool:
    """Tell whether a member says that it holds a region: `RegionName`, or the `ReplicaRegion` of a copy."""
    return _REGION.search(member) is not None


def names_range(member: str) -> bool:
    """Tell whether a member holds a range of addresses, which many resources share, and which names none."""
    return "cidr" in member.lower()


def names_attribute(shape: str, member: str) -> bool:
    """Tell whether a member of the structure `shape` names an attribute by which a list is filtered."""
    return shape.endswith("Filter") and member.lower() in ("name", "key")


@cache
def labels() -> frozenset[str]:
    """Return the members that hold texts for people, and refer to nothing."""
    return frozenset(table()["not_references"]["members"])


def names_something(member: str) -> bool:
    """Tell whether the value of a member names a resource."""
    return _NAMING.search(member) is not None and member not in _NOT_NAMING


def refers_by_identifier(member: str) -> bool:
    """Tell whether a member names its resource by an id, an ARN or a URL."""
    return _REFERRING.search(member) is not None


@lru_cache(maxsize=4096)
def names_subject(member: str) -> bool:
    """Tell whether a member of parameters names the resource that a call is about, of whatever service: `ResourceArn`."""
    return _SUBJECT.match(member) is not None


def naming_at_top(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the members at the top of parameters that name something, each with a value."""
    found = []
    for member, value in params.items():
        if _NAMING.search(member) and member not in labels():
            if isinstance(value, str):
                found.append((member, value))
            elif isinstance(value, list):
                found += [(member, each) for each in value if isinstance(each, str)]
    return found
