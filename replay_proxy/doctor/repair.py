"""Which calls mend a finding.

What is missing is made by the calls that made it, and then set by those that changed it; what is a part of it comes after it. A
lost link, or a changed attribute, is set by the calls that set it; where a creation sets all there is (`PutRule`), by it and what
changed it afterwards. The calls are made again as a restore makes them: so the
identifiers that clients hold stay valid, also those that the emulator draws anew. They are in the recording already, and the next
restore has them.

What a creation had set cannot be set by making it again. Then an operation that changes such a resource sets it (`updates`).
"""

from __future__ import annotations

from typing import Final

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.diagnosis import Problem
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.kinds import switched_by
from replay_proxy.resources.properties.attributes import noun_of
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model

_DEPTH: Final = 16


def repair_of(model: ResourceModel, resource: Resource, problem: Problem, member: str) -> tuple[int, ...]:
    """Return the numbers of the calls, in order; empty where no recorded call can mend it."""
    if problem is Problem.MISSING:
        if is_numbered(resource):
            return ()
        return tuple(sorted(_all_calls(model, resource, 0)))
    if problem in (Problem.LINK_LOST, Problem.CHANGED, Problem.SWITCHED_OFF):
        return _setters_of(model, resource, member)
    return ()


def is_numbered(resource: Resource) -> bool:
    """Is a resource told by a number that the emulator counted? Made again, it would have the next one."""
    return resource.key.noun.endswith("Version") and resource.key.names[-1].isdecimal()


def _all_calls(model: ResourceModel, resource: Resource, depth: int) -> set[int]:
    """Return the calls that made, changed and filled a resource, and what is a part of it."""
    if not resource.made_by or depth > _DEPTH:
        return set()
    found = {resource.made_by, *resource.changed_by, *resource.data_calls}
    for other in model.resources.values():
        if resource.number in other.parents:
            found |= _all_calls(model, other, depth + 1)
    return found


def _setters_of(model: ResourceModel, resource: Resource, member: str) -> tuple[int, ...]:
    """Return the calls that set a member: those of the noun that holds it, else all changes that take it."""
    operations = {entry.seq: entry.operation for entry in model.calls}
    top = member.partition(".")[0]
    changes = {seq: operations.get(seq, "") for seq in resource.changed_by}
    if any(top in switched_by(resource.service, operation) for operation in changes.values()):
        service = resource.service
        setting = (
            seq for seq, op in changes.items() if top in switched_by(service, op) or top in members_of(service, op)
        )
        return (max(setting),)
    noun = next((noun for noun, members in resource.set_by.items() if top in members), "")
    changing = dict.fromkeys(operations[seq] for seq in resource.changed_by if seq in operations)
    nouns = [noun_of(operation)[1] for operation in changing]
    takes = {operation: members_of(resource.service, operation) for operation in changing}
    wanted = noun or next((n for n in nouns if top in (n, f"{n}s", n.removesuffix("s"), f"{n}Enabled")), "")
    maker = operations.get(resource.made_by, "")
    if not wanted and top in members_of(resource.service, maker) and _sets_all(resource, maker):
        return (resource.made_by, *resource.changed_by)
    if wanted:
        return tuple(seq for seq in resource.changed_by if noun_of(operations.get(seq, ""))[1] == wanted)
    return tuple(seq for seq in resource.changed_by if top in takes.get(operations.get(seq, ""), ()))


def _sets_all(resource: Resource, operation: str) -> bool:
    """Does a creation set all of what is there already (`PutRule`)? A call with one member alone would take the others away."""
    kind = f"{resource.service}:{resource.key.noun}"
    reviewed = any((entry["kind"], entry["operation"]) == (kind, operation) for entry in table()["updates"])
    return operation.startswith("Put") and not reviewed


def members_of(service: str, operation: str) -> frozenset[str]:
    """Return the members of an operation's parameters; empty for an unknown one."""
    try:
        shape = operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    return frozenset(shape.members) if shape is not None else frozenset()
