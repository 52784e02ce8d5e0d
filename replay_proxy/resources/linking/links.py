"""The links of a resource: which other resources its attributes name, and by which member."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from replay_proxy.footprint.members.naming_members import labels, names_account
from replay_proxy.footprint.names.resource_names import arn_place
from replay_proxy.resources.kinds import kind_named
from replay_proxy.resources.linking.documents import document
from replay_proxy.resources.linking.references import References
from replay_proxy.resources.resource import Hidden, Link, Long, Resource

_DEPTH = 32
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_LINKS_MAX = 2000
_NAMING = re.compile(r"(?:s|name|id|identifier|arn)s?$")
_COMMON = ("key", "group", "rule", "version", "user", "alias", "domain", "policy", "stage", "model", "resource")
"""Nouns that mean something else in every service: there a plain name stays within its own."""


def links_of(resource: Resource, resources: Mapping[int, Resource], references: References) -> list[Link]:
    """Return the links of a resource, each target once for each member that holds it."""
    found: dict[tuple[str, int, str], Link] = {}
    for number, member in _parents(resource, resources):
        found[member, number, ""] = Link(member, number, resources[number].name)
    for path, number, part in resource.template_links:
        if number in resources:
            found[path, number, ""] = Link(path, number, part)
    kind = kind_named(resource.service, resource.key.noun)
    for number, part in references.in_text(resource.key.names[-1]):
        # It is named by another one, as the tie of a gateway and a network is by both.
        if number != resource.number and number and kind is not None and len(kind.named) > 1:
            found[kind.named[-1], number, ""] = Link(kind.named[-1], number, part)
    for path, text, variable in _texts(resource.attributes, "", 0):
        for number, part in _named(resource, path, text, variable, resources, references):
            if number == resource.number or (number and number == resource.maker):
                continue
            if not number and (not _is_missing(part) or resource.arn.startswith(part)):
                continue
            found.setdefault((path, number, "" if number else part), Link(path, number, part))
            if len(found) >= _LINKS_MAX:
                return list(found.values())
    return list(found.values())


def _parents(resource: Resource, resources: Mapping[int, Resource]) -> Iterator[tuple[int, str]]:
    kind = kind_named(resource.service, resource.key.noun)
    for at, number in enumerate(resource.parents):
        if number in resources:
            member = kind.named[at] if kind is not None and at < len(kind.named) - 1 else "part of"
            if member == "part of" and kind is not None and kind.part_of is not None:
                member = kind.part_of[1]
            yield number, member


def _texts(value: Any, path: str, depth: int) -> Iterator[tuple[str, str, str]]:
    """Return path and text of every leaf that may refer, and the name of the variable where it is one of an environment."""
    if depth > _DEPTH:
        return
    if isinstance(value, Hidden):
        value = value.raw
    if isinstance(value, Long):
        yield path, value.preview, ""
    elif isinstance(value, Mapping):
        for member, below in value.items():
            if member in labels():
                continue
            inner = f"{path}.{member}" if path else str(member)
            yield from _texts(below, inner, depth + 1)
            if ":" in member:
                yield inner, member, ""
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below, path, depth + 1)
    elif isinstance(value, bytes | bytearray):
        return
    elif isinstance(value, str):
        inside = document(value)
        if inside is not None:
            yield from _texts(inside, path, depth + 1)
        else:
            yield path, value, _variable(path)


def _variable(path: str) -> str:
    holder, _, name = path.rpartition(".")
    return name if holder.lower().endswith(("variables", "environment", "environmentvariables")) else ""


def _named(
    resource: Resource,
    path: str,
    text: str,
    variable: str,
    resources: Mapping[int, Resource],
    references: References,
) -> Iterator[tuple[int, str]]:
    exact = False
    for number, part in references.in_text(text):
        exact = True
        yield number, part
    member = path.rpartition(".")[2]
    if exact or names_account(member) or len(text) > 1024:
        return
    if variable:
        owners = references.owners(text)
        said = set(map(str.lower, _WORDS.findall(variable)))
        chosen = [number for number in owners if said & _nouns(resources[number])]
        whole = [number for number in owners if len(resources[number].key.names) == 1]
        yield from ((number, text) for number in chosen or (whole if len(owners) == 1 else ()))
    else:
        folded = _NAMING.sub("", member.lower())
        for number in references.owners(text):
            other = resources[number]
            noun = other.key.noun.lower()
            near = other.service == resource.service or noun not in _COMMON
            if folded.endswith(noun) and near and _is_near(resource, other) and _is_beside(resource, other):
                yield number, text


def _is_near(resource: Resource, other: Resource) -> bool:
    """Can a plain name mean the other one? Not where it is in another region, or another account."""
    regions = (resource.key.region, other.key.region)
    return (regions[0] == regions[1] or not all(regions)) and (resource.key.account == other.key.account)


def _is_beside(resource: Resource, other: Resource) -> bool:
    """Can a plain name mean the other one, which may be a part of something? Only beside it: the version of one function."""
    whole = other.key.names[:-1]
    return not whole or (other.service == resource.service and resource.key.names[: len(whole)] == whole)


def _nouns(resource: Resource) -> set[str]:
    return {*map(str.lower, _WORDS.findall(resource.key.noun)), resource.service.lower()}


def _is_missing(arn: str) -> bool:
    """Does an ARN that names nothing known name something that should be there? Not what AWS owns, nor a pattern."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or "*" in arn or "${" in arn or "{" in arn:
        return False
    account = arn_place(arn)[1]
    return (account.isdecimal() and len(account) == 12) or (parts[2] == "s3" and not account)
