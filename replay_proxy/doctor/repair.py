"""Which calls mend a finding.

What is missing is made by the calls that made it, and then set by those that changed it; what is a part of it comes after it. A
lost link, or a changed attribute, is set by the calls that set it. The calls are made again as a restore makes them: so the
identifiers that clients hold stay valid, also those that the emulator draws anew. They are in the recording already, and the next
restore has them.

What a creation had set cannot be set by making it again. Then an operation that changes such a resource sets it (an *update*):
one that is called after its kind, and takes a member of that name. Nothing new is to be recorded of that, either: the recorded
creation says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.diagnosis import Problem, Update
from replay_proxy.doctor.readings import Names
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.attributes import noun_of
from replay_proxy.resources.resource import Hidden, Long, Resource
from replay_proxy.wire.models.models import operation_model, service_model

_DEPTH: Final = 16
_CHANGING: Final = ("Update", "Modify", "Set", "Put")
_ABOUT: Final = ("", "Configuration", "Attributes", "Settings", "Config", "Properties")


def repair_of(model: ResourceModel, resource: Resource, problem: Problem, member: str) -> tuple[int, ...]:
    """Return the numbers of the calls, in order; empty where no recorded call can mend it."""
    if problem is Problem.MISSING:
        return tuple(sorted(_all_calls(model, resource, 0)))
    if problem in (Problem.LINK_LOST, Problem.CHANGED, Problem.SWITCHED_OFF):
        return _setters_of(model, resource, member)
    return ()


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
    noun = next((noun for noun, members in resource.set_by.items() if top in members), "")
    changing = dict.fromkeys(operations[seq] for seq in resource.changed_by if seq in operations)
    nouns = [noun_of(operation)[1] for operation in changing]
    takes = {operation: members_of(resource.service, operation) for operation in changing}
    wanted = noun or next((n for n in nouns if top in (n, f"{n}s", n.removesuffix("s"))), "")
    if wanted:
        return tuple(seq for seq in resource.changed_by if noun_of(operations.get(seq, ""))[1] == wanted)
    return tuple(seq for seq in resource.changed_by if top in takes.get(operations.get(seq, ""), ()))


def members_of(service: str, operation: str) -> frozenset[str]:
    """Return the members of an operation's parameters; empty for an unknown one."""
    try:
        shape = operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    return frozenset(shape.members) if shape is not None else frozenset()


def update_of(names: Names, member: str) -> Update | None:
    """Return a call that sets a member of a resource to what is recorded; None where no operation does, or its value is not kept.

    member: its path in the attributes; what is set is the whole of its first part.
    """
    resource = names.resource
    top = member.partition(".")[0]
    if top not in resource.attributes:
        return None
    try:
        value = plain(resource.attributes[top])
    except ValueError:
        return None
    offered = service_model(resource.service).operation_names
    for operation in (f"{verb}{resource.key.noun}{more}" for verb in _CHANGING for more in _ABOUT):
        if operation not in offered:
            continue
        shape = operation_model(resource.service, operation).input_shape
        taken = (
            next((each for each in shape.members if each.lower() == top.lower()), None) if shape is not None else None
        )
        if shape is None or taken is None:
            continue
        parameters = {each: names.value(each) for each in shape.required_members if each != taken}
        if all(parameters.values()):
            return Update(operation, {**parameters, **_also_given(names, operation), taken: value})
    return None


def _also_given(names: Names, operation: str) -> dict[str, Any]:
    """Return what an update needs besides (`updates` in data/readings.json): fixed values, and recorded attributes."""
    kind = f"{names.resource.service}:{names.resource.key.noun}"
    for entry in table()["updates"]:
        if (entry["kind"], entry["operation"]) == (kind, operation):
            kept = {member: names.value(member) for member in entry.get("with", ())}
            return {**entry["fixed"], **{member: value for member, value in kept.items() if value}}
    return {}


def switched_on(names: Names, switch: Mapping[str, Any]) -> Update | None:
    """Return the call that switches something on again (`switches` in data/readings.json); None where none is known."""
    entry = switch.get("on")
    if entry is None:
        return None
    shape = operation_model(names.resource.service, entry["operation"]).input_shape
    required = shape.required_members if shape is not None else ()
    parameters = {member: names.value(member) for member in required}
    return Update(entry["operation"], {**parameters, **entry.get("fixed", {})}) if all(parameters.values()) else None


def plain(value: Any) -> Any:
    """Return an attribute as it was sent. Raises ValueError where it is not kept as a whole."""
    if isinstance(value, Hidden):
        return value.raw
    if isinstance(value, Long):
        raise ValueError("too long to be kept")
    if isinstance(value, Mapping):
        return {member: plain(below) for member, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    return value
