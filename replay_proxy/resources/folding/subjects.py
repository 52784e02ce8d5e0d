"""Which resources a call is about, told from its parameters and from what is known, without taking it in."""

from __future__ import annotations

from collections.abc import Iterator

from replay_proxy.footprint.data_parts import items_written, writes_items
from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.inventory import Inventory, named_at_top
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.properties.record_sets import record_set_changes
from replay_proxy.resources.properties.tags import is_tagging
from replay_proxy.resources.resource import Key


def resources_named(inventory: Inventory, call: Call) -> dict[int, None]:
    """Return the numbers of the resources that exist and that a call names, by members of its kinds, else by any."""
    found: dict[int, None] = {}
    for kind in kinds.nameable(call.service, call.operation):
        for names in kind.names_in(call.params):
            resource = inventory.live(call.head, kind, names)
            if resource is not None:
                found[resource.number] = None
    return found or {resource.number: None for _member, resource in inventory.named_things(call)}


def keys_named(inventory: Inventory, call: Call) -> list[Key]:
    """Return the keys of what a call is about: of those that exist, and, where the parameters tell it, of what does not.

    Raises KeyError, TypeError, AttributeError, ValueError for parameters that are not what their model promises.
    """
    found = {
        (
            resource.key
            if (resource := inventory.live(call.head, kind, names))
            else inventory.key_of(call.head, kind, names)
        ): None
        for kind, names in _by_content(call)
    }
    if not found:
        found = {inventory.resources[number].key: None for number in resources_named(inventory, call)}
    if not found and not is_tagging(call.operation):
        found = {inventory.key_of(call.head, kind, names): None for kind, names in _by_members(call)}
    return list(found or _gone(inventory, call))


def _gone(inventory: Inventory, call: Call) -> dict[Key, None]:
    """Return the keys of what is gone, and named by members of a call."""
    named = {value for _member, value in named_at_top(call.params)}
    return {
        each.key: None
        for each in inventory.gone.values()
        if each.key.names[-1] in named or not named.isdisjoint(each.identifiers.values())
    }


def _by_members(call: Call) -> Iterator[tuple[Kind, tuple[str, ...]]]:
    first = 0
    for kind in kinds.nameable(call.service, call.operation):
        names = kind.names_in(call.params)
        # The subject of a call is the kind that is named most particularly; others are what it hangs on.
        if names and len(kind.named) < first:
            return
        first = len(kind.named) if names else first
        yield from ((kind, each) for each in names)


def _by_content(call: Call) -> list[tuple[Kind, tuple[str, ...]]]:
    """Return what is named inside a batch: record sets, tables."""
    if call.service == "route53" and call.operation == "ChangeResourceRecordSets":
        kind = kinds.kind_named("route53", "ResourceRecordSet")
        return [(kind, names) for _there, names, _what in record_set_changes(call.params)] if kind is not None else []
    if call.service == "dynamodb" and writes_items(call.operation):
        kind = kinds.kind_named("dynamodb", "Table")
        tables = dict.fromkeys(name for name, _item in items_written(call.operation, call.params))
        return [(kind, (own_name(each),)) for each in tables] if kind is not None else []
    return []
