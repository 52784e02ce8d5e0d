"""Which calls mend a finding.

What is missing is made by the calls that made it, and then set by those that changed it; what is a part of it comes after it. A
lost link, or a changed attribute, is set by the calls that set it; where a creation sets all there is (`PutRule`), by it and what
changed it afterwards. The calls are made again as a restore makes them: so the
identifiers that clients hold stay valid, also those that the emulator draws anew. They are in the recording already, and the next
restore has them.

What a creation had set cannot be set by making it again. Then an operation that changes such a resource sets it (an *update*):
one that is called after its kind, and takes a member of that name. Nothing new is to be recorded of that, either: the recorded
creation says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.model import Shape

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.diagnosis import Problem, Update
from replay_proxy.doctor.readings import Names
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.kinds import switched_by
from replay_proxy.resources.properties.attributes import noun_of
from replay_proxy.resources.properties.record_sets import is_record_set
from replay_proxy.resources.resource import Hidden, Long, Resource
from replay_proxy.wire.models.models import operation_model, service_model

_DEPTH: Final = 16
_VERSIONS: Final = {"IfMatch": "ETag", "LockToken": "LockToken"}
"""Members of updates, and of reads what they want."""
_CHANGING: Final = ("Update", "Modify", "Set", "Put")
_ABOUT: Final = ("", "Configuration", "Attributes", "Settings", "Config", "Properties")


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
    kind = _kind(resource)
    reviewed = any((entry["kind"], entry["operation"]) == (kind, operation) for entry in table()["updates"])
    return operation.startswith("Put") and not reviewed


def members_of(service: str, operation: str) -> frozenset[str]:
    """Return the members of an operation's parameters; empty for an unknown one."""
    try:
        shape = operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    return frozenset(shape.members) if shape is not None else frozenset()


def update_of(names: Names, member: str, shown: Mapping[str, Any]) -> Update | None:
    """Return a call that sets a member of a resource to what is recorded; None where no operation does, or its value is not kept.

    member: its path in the attributes; what is set is the whole of its first part. shown: what the emulator says of the resource:
    some updates must name the version that they change.
    """
    resource = names.resource
    top = member.partition(".")[0]
    if top not in resource.attributes:
        return None
    try:
        value = plain(resource.attributes[top])
    except ValueError:
        return None
    for entry in table()["setters"]:
        if (entry["kind"], entry["member"]) == (_kind(resource), top):
            return _reviewed(names, entry, member.partition(".")[2], value)
    offered = service_model(resource.service).operation_names
    for operation in (f"{verb}{resource.key.noun}{more}" for verb in _CHANGING for more in _ABOUT):
        if operation not in offered:
            continue
        shape = operation_model(resource.service, operation).input_shape
        taken = (
            next((each for each in shape.members if each.lower() == top.lower()), None) if shape is not None else None
        )
        if shape is not None and taken is None and "patchOperations" in shape.members and isinstance(value, str | bool):
            taken, value = "patchOperations", [{"op": "replace", "path": f"/{top}", "value": _word(value)}]
        if shape is None or taken is None:
            continue
        if shape.members[taken].type_name == "map" and isinstance(value, Mapping):
            below = member.split(".")[1:2]
            value = {name: value[name] for name in below if name in value} or value
        parameters = _given_to(names, shape, taken) | _version_in(shown, shape) | _at_once(shape)
        if all(each is not None for each in parameters.values()):
            return Update(operation, {**parameters, **_also_given(names, operation), taken: value})
    return None


def _given_to(names: Names, shape: Shape, taken: str) -> dict[str, Any]:
    """Return what an update is given besides the member that it is for; None for a required one that is not known.

    One that wants attributes again sets all there are (`UpdateSchedule`): so it gets all that are recorded. Others get names.
    """
    recorded = names.resource.attributes
    again = [each for each in shape.required_members if each in recorded]
    found: dict[str, Any] = {}
    for member in shape.required_members:
        found[member] = _recorded(recorded[member]) if member in again else names.value(member) or None
    if any(each != taken for each in again):
        found |= {each: value for each in shape.members if (value := _recorded(recorded.get(each))) is not None}
    found |= _also_naming(names, shape)
    found.pop(taken, None)
    return found


def _also_naming(names: Names, shape: Shape) -> dict[str, str]:
    """Return the members of parameters that may be left out, and without which another resource would be meant: `cluster`."""
    kind = names.kind
    optional = () if kind is None else [each for each in kind.named if each not in shape.required_members]
    found = {each: names.value(each) for each in optional if each in shape.members}
    return {each: value for each, value in found.items() if value and value != kind.defaults.get(each)} if kind else {}


def _version_in(shown: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Return the members of an update that say which version of a resource it changes, as the read of it shows them."""
    return {member: shown[name] for member, name in _VERSIONS.items() if member in shape.members and name in shown}


def _at_once(shape: Shape) -> dict[str, Any]:
    """Return the member by which an update of a database is not put off until its next maintenance."""
    return {"ApplyImmediately": True} if "ApplyImmediately" in shape.members else {}


def _recorded(value: Any) -> Any:
    """Return a recorded attribute as it was sent; None where it is not kept."""
    try:
        return plain(value)
    except ValueError:
        return None


def record_set_update(resource: Resource) -> Update | None:
    """Return the call that makes one record set as it is recorded: the recorded call may be about others, too."""
    if not is_record_set(resource.key):
        return None
    change = {"Action": "UPSERT", "ResourceRecordSet": plain(resource.attributes)}
    zone = resource.key.names[0]
    return Update("ChangeResourceRecordSets", {"HostedZoneId": zone, "ChangeBatch": {"Changes": [change]}})


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _kind(resource: Resource) -> str:
    return f"{resource.service}:{resource.key.noun}"


def named_by_call(names: Names, operation: str, left_out: str = "") -> dict[str, Any] | None:
    """Return the required parameters of an operation, those that name a resource; None where one is not known."""
    shape = operation_model(names.resource.service, operation).input_shape
    found: dict[str, Any] = {} if shape is None else dict(_also_naming(names, shape))
    for member in shape.required_members if shape is not None else ():
        value = names.value(member)
        if member == left_out:
            continue
        if not value or shape is None:
            return None
        found[member] = [value] if shape.members[member].type_name == "list" else value
    return found


def _reviewed(names: Names, entry: Mapping[str, Any], below: str, value: Any) -> Update | None:
    """Return the call that an entry of `setters` has. below: the path in the member, which such a call sets alone."""
    parameters = named_by_call(names, entry["operation"], entry["as"])
    if parameters is None:
        return None
    if "value" not in entry:
        return Update(entry["operation"], {**parameters, entry["as"]: value})
    name = below.partition(".")[0]
    if not isinstance(value, Mapping) or name not in value:
        return None
    return Update(entry["operation"], {**parameters, entry["as"]: name, entry["value"]: value[name]})


def removal_before(names: Names) -> Update | None:
    """Return the call that takes away what can only be made anew as recorded (`remade`); None where it can be changed."""
    entry = next((each for each in table()["remade"] if each["kind"] == _kind(names.resource)), None)
    parameters = named_by_call(names, entry["operation"]) if entry is not None else None
    return Update(entry["operation"], parameters) if entry is not None and parameters else None


def _also_given(names: Names, operation: str) -> dict[str, Any]:
    """Return what an update needs besides (`updates` in data/readings.json): fixed values, and recorded attributes."""
    for entry in table()["updates"]:
        if (entry["kind"], entry["operation"]) == (_kind(names.resource), operation):
            kept = {member: names.value(member) for member in entry.get("with", ())}
            return {**entry["fixed"], **{member: value for member, value in kept.items() if value}}
    return {}


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
