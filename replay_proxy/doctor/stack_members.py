"""The resources of a stack (CloudFormation): each that the stack lists is asked for by its own reads.

They are in no recording: the stack made them by itself, and a restore makes the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from replay_proxy.doctor.answers import Refusal, refusal_of
from replay_proxy.doctor.asking import Asker
from replay_proxy.doctor.readings import Names, Reading, readings_of
from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.kinds import Kind, kinds_of
from replay_proxy.resources.resource import Key, Resource
from replay_proxy.resources.resource_types import names_in_arn
from replay_proxy.wire.models.models import service_names

_MEMBERS: Final = ("StackResources", "StackResourceSummaries")


async def absent_members(model: ResourceModel, asker: Asker, stack: Resource) -> list[tuple[str, str]]:
    """Return the logical id of each resource of a stack that is not there, and what the emulator said. Raises as `read`."""
    reading = Reading("cloudformation", "DescribeStackResources", {"StackName": stack.key.names[-1]}, search=False)
    answered = await asker.read(stack, reading)
    if answered.outcome is None or not answered.outcome.ok:
        return []
    absent = []
    for logical_id, member in _members(stack, answered.outcome.parsed):
        said = await _absence(asker, Names(model, member))
        if said:
            absent.append((logical_id, said))
    return absent


async def _absence(asker: Asker, names: Names) -> str:
    """Return what the emulator says where it does not know a resource; empty where it does, or where nothing tells."""
    for reading in readings_of(names):
        answered = await asker.read(names.resource, reading)
        outcome = answered.outcome
        if outcome is None:
            continue
        if outcome.ok:
            listed = not reading.search or answered.listing.texts.mention(names.all)
            return "" if listed else f"{reading.operation} does not list it"
        refusal = refusal_of(answered.head, outcome)
        if refusal is Refusal.ABSENT:
            return answered.said
    return ""


def _members(stack: Resource, answer: Mapping[str, Any]) -> Iterator[tuple[str, Resource]]:
    for name in _MEMBERS:
        for entry in answer.get(name, ()):
            kind = _kinds_by_type().get(str(entry.get("ResourceType")))
            physical = entry.get("PhysicalResourceId")
            if kind is None or not isinstance(physical, str) or not physical:
                continue
            # What is named by several members is told by one where that is an ARN in which all stand.
            told = names_in_arn(kind.service, kind.name, physical)
            if len(kind.named) > 1 and not told:
                continue
            identifiers = told or {kind.named[-1]: physical}
            names = tuple(told[each] for each in kind.named) if told else (own_name(physical),)
            key = Key(stack.key.account, stack.key.region, kind.service, kind.name, names)
            yield str(entry.get("LogicalResourceId")), Resource(0, key, kind.type, physical, identifiers)


@lru_cache(maxsize=1)
def _kinds_by_type() -> Mapping[str, Kind]:
    found: dict[str, Kind] = {}
    for service in service_names():
        for kind in kinds_of(service):
            if kind.type.startswith("AWS::"):
                found.setdefault(kind.type, kind)
    return found
