"""Kinds of resources: which calls make and end one, and by which members it is named.

Most of it stands in the models: `CreateX` and `DeleteX` belong together, and what `DeleteX` requires is what names an X.
Where it is not so, `data/resource_kinds.json` has an entry with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.wire.models import models

_DATA = Path(__file__).parent / "data" / "resource_kinds.json"
# What is left of a member that names a thing by itself is the end of the thing's name (`GroupId` of a SecurityGroup); where
# no member does, the thing is a part that its whole names (`DeleteRoute` requires a `RouteTableId`).
_STEM = re.compile(r"(?:Id|Arn|ARN|Name|Url|Identifier)s?$|^(?:id|arn|name|url|identifier)$")
_DEPTH = 3
_SERVICES, _OPERATIONS = 1024, 32768
"""What is worked out of services and operations is remembered for so many; a recording may name any, also made-up ones."""
_NO_NAMES = frozenset({"PendingConfirmation", "pending confirmation", ""})
"""What an answer shows in the place of a name: a subscription that was not confirmed has no ARN yet."""


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of resource of a service.

    named: the members that name one in a delete and in other calls; a list member names several. found_at: where the
    answer shows the identifiers, where they are not found by name. unless: request members of the creation that say
    that something outlives it. only_with: members that a delete must have set to be final. made_as: the members of the
    creation and its answer that hold what the delete names, where these are not spelled alike.
    """

    service: str
    name: str
    created_by: tuple[str, ...]
    deleted_by: tuple[str, ...]
    named: tuple[str, ...]
    found_at: str = ""
    unless: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    made_as: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """The reviewed table, as it lies in its file."""
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=_SERVICES)
def kinds_of(service: str) -> tuple[ResourceKind, ...]:
    """The kinds of a service whose end leaves nothing behind; empty where it is excepted as a whole (`kept`)."""
    excepted: set[str] = set()
    for entry in table()["kept"]:
        if entry["service"] == service:
            if "names" not in entry:
                return ()
            excepted.update(entry["names"])
    return tuple(kind for kind in all_kinds_of(service) if kind.name not in excepted)


@lru_cache(maxsize=_SERVICES)
def all_kinds_of(service: str) -> tuple[ResourceKind, ...]:
    """All kinds of a service, also those of which something is left behind; empty where no model describes it."""
    found = [
        ResourceKind(
            service,
            entry["name"],
            tuple(entry["created_by"]),
            tuple(entry["deleted_by"]),
            tuple(members),
            entry.get("found_at", ""),
            tuple(entry.get("unless", ())),
            tuple(entry.get("only_with", ())),
            tuple(entry.get("made_as", ())),
        )
        for entry in table()["kinds"]
        if entry["service"] == service
        for members in entry["named"]
    ]
    reviewed = {kind.name for kind in found}
    return (*found, *(kind for kind in _from_model(service) if kind.name not in reviewed))


@lru_cache(maxsize=_SERVICES)
def kind_names(service: str) -> frozenset[str]:
    """The names of all kinds of a service, in lower case, singular and plural: a member that is called so names one."""
    names = {kind.name.lower() for kind in all_kinds_of(service)}
    return frozenset(names | {f"{name}s" for name in names})


def _from_model(service: str) -> Iterator[ResourceKind]:
    try:
        names = set(models.service_model(service).operation_names)
    except LookupError:
        return
    for delete in sorted(names):
        name = delete.removeprefix("Delete")
        create = f"Create{name}"
        if name == delete or create not in names:
            continue
        if name.endswith("Version"):
            # Versions count: without one that was deleted, those after it would get other numbers.
            continue
        shape = models.operation_model(service, delete).input_shape
        required = list(shape.required_members) if shape is not None else []
        if not all(shape.members[member].type_name == "string" for member in required):
            continue
        if any(name.lower().endswith(_STEM.sub("", member).lower()) for member in required):
            yield ResourceKind(service, name, (create,), (delete,), tuple(required))


@lru_cache(maxsize=_OPERATIONS)
def created_by(service: str, operation: str) -> tuple[ResourceKind, ...]:
    """The kinds that a call makes, once for each way to name them."""
    return tuple(kind for kind in kinds_of(service) if operation in kind.created_by)


@lru_cache(maxsize=_OPERATIONS)
def made_by(service: str, operation: str) -> tuple[ResourceKind, ...]:
    """As `created_by`, of all kinds."""
    return tuple(kind for kind in all_kinds_of(service) if operation in kind.created_by)


@lru_cache(maxsize=_OPERATIONS)
def deleted_by(service: str, operation: str) -> tuple[ResourceKind, ...]:
    """The kinds that a call ends."""
    return tuple(kind for kind in kinds_of(service) if operation in kind.deleted_by)


@lru_cache(maxsize=_OPERATIONS)
def ends(service: str, operation: str) -> bool:
    """Return whether a call ends a resource of any kind, also one of which something is left behind."""
    return any(operation in kind.deleted_by for kind in all_kinds_of(service))


@lru_cache(maxsize=_OPERATIONS)
def token_members(service: str, operation: str) -> tuple[str, ...]:
    """Return the members of a call that make it idempotent (Smithy's `idempotencyToken`); none where no model describes it."""
    try:
        return tuple(models.operation_model(service, operation).idempotent_members)
    except LookupError:
        return ()


@lru_cache(maxsize=_OPERATIONS)
def nameable(service: str, operation: str) -> tuple[ResourceKind, ...]:
    """The kinds whose naming members the call has.

    A member of a general name (`Name`, `GroupName` of a placement group) names such a one only in operations that have the
    kind in their own name; elsewhere it may name another thing.
    """
    try:
        shape = models.operation_model(service, operation).input_shape
    except LookupError:
        return ()
    members = set(shape.members) if shape is not None else set()
    return tuple(
        kind
        for kind in kinds_of(service)
        if members.issuperset(kind.named)
        and (kind.name in operation or any(_STEM.sub("", member).lower() == kind.name.lower() for member in kind.named))
    )


@lru_cache(maxsize=_SERVICES)
def is_global(service: str) -> bool:
    """Are its resources the same in all regions?"""
    return service in table()["global"]["services"]


def names_in(kind: ResourceKind, params: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The names of resources of a kind that parameters give; several where the naming member is a list.

    One out of an ARN is a `NameInArn`.
    """
    values = [params.get(member) for member in kind.named]
    if len(values) == 1 and isinstance(values[0], list):
        return [(own_name(each),) for each in values[0] if isinstance(each, str)]
    if all(isinstance(value, str) and value for value in values):
        return [tuple(own_name(str(value)) for value in values)]
    return []


def names_made(kind: ResourceKind, params: Mapping[str, Any], result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The names under which the resources that a creation made will be known; empty where it cannot be told."""
    if kind.found_at:
        list_member, _, member = kind.found_at.partition(".")
        return [(own_name(each[member]),) for each in result.get(list_member, ()) if isinstance(each.get(member), str)]
    if len(kind.named) == 1 and kind.named[0] not in params:
        spellings = _spellings(kind, kind.named[0])
        own = [params[name] for name in spellings if isinstance(params.get(name), str)]
        own += _found(result, {name.lower() for name in spellings}, _DEPTH)
        return [(name,) for name in dict.fromkeys(str(own_name(value)) for value in own) if name not in _NO_NAMES]
    names = []
    for member in kind.named:
        value = params.get(member)
        if value is None:
            shown = list(_found(result, {member.lower(), member.removeprefix(kind.name).lower()}, _DEPTH))
            value = shown[0] if shown else None
        if not isinstance(value, str):
            return []
        names.append(str(own_name(value)))
    return [tuple(names)]


def _spellings(kind: ResourceKind, member: str) -> list[str]:
    """The members of a creation and its answer that may hold what `member` of the delete names.

    An id is not looked for among names, which need not be unique.
    """
    if kind.made_as:
        return list(kind.made_as)
    bare = member.lower().removeprefix(kind.name.lower())
    single = member.removesuffix("s")
    for ending in ("Id", "Arn", "ARN", "Url"):
        if member.endswith(ending):
            return [
                member,
                bare,
                f"{kind.name}{ending}",
                ending.upper() if ending == "Arn" else ending,
                ending,
            ]
    return [name for name in (member, single, f"{kind.name}Name", f"{kind.name}Arn", "Name", "Arn") if name]


def own_members(kind: ResourceKind) -> tuple[str, ...]:
    """The members of a creation that name what is made, and not what that is a part of."""
    name = kind.name.lower()
    own = [each for each in kind.named if len(kind.named) == 1 or name.endswith(_STEM.sub("", each).lower())]
    return (*own, *own_names(kind))


def own_names(kind: ResourceKind) -> tuple[str, ...]:
    """The members of a creation with which the client names what is made.

    What a kind's id is called after, its name is, too: a `SecurityGroup` has a `GroupId` and a `GroupName`.
    """
    stems = (_STEM.sub("", member) for member in kind.named)
    alike = (f"{stem}Name" for stem in stems if stem and kind.name.lower().endswith(stem.lower()))
    usual = (f"{kind.name}Name", f"{kind.name[0].lower()}{kind.name[1:]}Name", "Name", "name")
    return tuple(dict.fromkeys((*kind.made_as, *alike, *usual)))


def _found(value: Any, names: set[str], depth: int) -> Iterator[str]:
    """The strings in members so called, at the top of an answer or in the one structure that it returns."""
    if isinstance(value, dict):
        for member, below in value.items():
            if isinstance(below, str):
                if member.lower() in names:
                    yield below
            elif depth > 1 and isinstance(below, dict):
                yield from _found(below, names, depth - 1)
            elif depth > 1 and isinstance(below, list) and len(below) == 1:
                yield from _found(below[0], names, depth - 1)
