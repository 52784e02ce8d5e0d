"""What a call of ours would set otherwise than the pod has: told by the rules by which calls become attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.resources.properties.attributes import fold, tree
from replay_proxy.resources.properties.tags import without_tags
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model


def settings_of(resource: Resource) -> dict[str, Any]:
    """Return the attributes of a resource by the members that set them, those below an operation's noun included."""
    found = dict(resource.attributes)
    for nouns in resource.set_by:
        below = resource.attributes.get(nouns)
        if isinstance(below, Mapping):
            found |= below
    return found


def given_by(head: CallHead, params: Mapping[str, Any]) -> frozenset[str]:
    """Return the attributes that a call with these parameters sets. The others of a resource are the emulator's own."""
    return frozenset(tree(operation_model(head.service, head.operation).input_shape, without_tags(params)))


def overwritten(head: CallHead, params: Mapping[str, Any], names: Collection[str], pod: Resource) -> list[str]:
    """Return the paths of attributes of the pod's resource that a call with these parameters would change or remove.

    names: what names the resource.
    """
    after = replace(pod, attributes=deepcopy(pod.attributes), set_by=deepcopy(pod.set_by))
    given = tree(operation_model(head.service, head.operation).input_shape, without_tags(params))
    naming = {member for member, value in params.items() if names_one_of(value, names)}
    fold(after, head.operation, given, naming=naming, made=False)
    return list(_lost(pod.attributes, after.attributes, ""))


def names_one_of(value: Any, names: Collection[str]) -> bool:
    """Return whether a value is one of these names, or a list of them."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) and each in names for each in value)
    return isinstance(value, str) and value in names


def _lost(before: Mapping[str, Any], after: Mapping[str, Any], above: str) -> Iterator[str]:
    for member, value in before.items():
        path, now = f"{above}{member}", after.get(member)
        if member not in after:
            yield path
        elif isinstance(value, Mapping) and isinstance(now, Mapping):
            yield from _lost(value, now, f"{path}.")
        elif isinstance(value, list) and isinstance(now, list):
            if any(each not in now for each in value):
                yield path
        elif now != value:
            yield path
