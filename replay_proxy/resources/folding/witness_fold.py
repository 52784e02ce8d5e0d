"""What reads add to the resources that are known: those that something made by itself, more identifiers, and who made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.inventory import Inventory
from replay_proxy.resources.folding.witnesses import Shown, described_in, shown_in
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.properties.identifiers import identifiers_in, other_attributes
from replay_proxy.resources.properties.tags import tags_in
from replay_proxy.resources.resource import Resource


class WitnessFold:
    """Takes witnesses into an inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def see(self, call: Call) -> dict[int, None]:
        """Take in a witness; return the numbers of the resources that it shows."""
        touched: dict[int, None] = {}
        for shown in shown_in(call):
            resource = self._shown(call, shown)
            if resource is not None:
                touched[resource.number] = None
        for noun, structure in described_in(call):
            self._note_more_names(call, noun, structure)
        return touched

    def _note_more_names(self, call: Call, noun: str, structure: Mapping[str, Any]) -> None:
        """Note the identifiers of a resource that a read shows under a shorter noun: a `HttpNamespace` as `Namespace`."""
        name = structure.get("Name")
        for number in self._inventory.references.named(call.service, name) if isinstance(name, str) else ():
            resource = self._inventory.resources[number]
            if resource.key.noun.lower().endswith(noun.lower()) and self._inventory.is_near(call.head, resource):
                found = {
                    m: v
                    for m, v in structure.items()
                    if m in ("Id", "Arn", f"{noun}Id", f"{noun}Arn") and isinstance(v, str)
                }
                self._inventory.identify(resource, found, found.values())

    def _shown(self, call: Call, shown: Shown) -> Resource | None:
        kind = kinds.kind_named(shown.service, shown.noun)
        kind = kind or Kind(shown.service, shown.noun, (), (), (f"{shown.noun}Name",))
        resource = self._inventory.live(call.head, kind, shown.names)
        if resource is None and shown.stack:
            resource = self._by_identifier(shown)
        if shown.gone:
            if resource is not None and resource.maker and shown.stack:
                self._inventory.remove(resource, call.seq)
            return resource
        identifiers = identifiers_in(kind, {}, shown.structure) if shown.structure else {}
        if shown.identifier.startswith(("arn:", "http")):
            identifiers.setdefault("PhysicalResourceId", shown.identifier)
        if resource is None:
            resource = self._inventory.new(call.head, shown.service, shown.noun, shown.names)
            # It was drawn for something else: whatever it stands in, it means this one.
            self._inventory.identify(resource, identifiers, _drawn(kind, shown))
            self._inventory.name(resource, kind, {})
            self._inventory.place_below(call, resource, kind)
            resource.attributes = other_attributes(call.head, shown.shape, shown.structure, identifiers, {})
            resource.tags = tags_in(shown.structure)
        else:
            self._inventory.identify(resource, identifiers, ())
        if not resource.made_by and not resource.maker:
            self._note_maker(resource, shown, kind)
        if not resource.made_by and not resource.maker:
            self._inventory.note_stack(resource)
        if shown.logical_id:
            resource.attributes.setdefault("LogicalResourceId", shown.logical_id)
        return resource

    def _by_identifier(self, shown: Shown) -> Resource | None:
        for number in self._inventory.references.named(shown.service, shown.identifier):
            if self._inventory.resources[number].key.noun == shown.noun:
                return self._inventory.resources[number]
        return None

    def _note_maker(self, resource: Resource, shown: Shown, kind: Kind) -> None:
        """Note which resource made one by itself: the stack that lists it, what its tags say, or what always brings one."""
        named = [("cloudformation", shown.stack)] if shown.stack else []
        tags = tags_in(shown.structure)
        named += [(service, tags[tag]) for tag, service in kinds.maker_tags() if tag in tags]
        if kind.brought_by is not None:
            named += [(kind.service, text) for text in _at(shown.structure, kind.brought_by[1])]
        for service, text in named:
            for number in self._inventory.references.named(service, text):
                maker = self._inventory.resources[number]
                if maker is not resource and (kind.brought_by is None or service != kind.service or maker.made_by):
                    resource.maker = maker.number
                    self._inventory.hang(resource, maker)
                    return


def _drawn(kind: Kind, shown: Shown) -> tuple[str, ...]:
    """Return the identifier that a read shows, where nobody chose it: a number counts, and a name may be any word."""
    chosen = not kind.is_by_id and not (
        shown.logical_id and f"-{shown.logical_id.lower()}-" in shown.identifier.lower()
    )
    return () if chosen or shown.identifier.isdecimal() else (shown.identifier,)


def _at(value: Any, path: str) -> Iterator[str]:
    """Return the texts at a path of members in a description; of lists, those of all elements."""
    member, _, rest = path.partition(".")
    below = value.get(member) if isinstance(value, Mapping) else None
    for each in below if isinstance(below, list) else [below]:
        if rest:
            yield from _at(each, rest)
        elif isinstance(each, str):
            yield each
