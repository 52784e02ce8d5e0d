"""Operations that set what a creation had set: *updates*. They are derived from the service's model.

One that is called after the kind of the resource (`UpdateTable`), or one that is about just this attribute: it is called after
it, or must be given it, and names the resource (`SetSecurityGroups`, `AttachLoadBalancerTargetGroups`). How it takes the
attribute, `members` says.
What a model cannot say is in `data/readings.json` (`setters`, `updates`), with reasons. Nothing new is to be recorded
of an update: the recorded creation says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from botocore.model import Shape

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.asking import RecordedCall
from replay_proxy.doctor.diagnosis import Update
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.members import placed, shown_once
from replay_proxy.doctor.readings import Names, names_it
from replay_proxy.resources.properties.operation_names import noun_of
from replay_proxy.resources.properties.record_sets import is_record_set, record_set_changes
from replay_proxy.resources.resource import Hidden, Long, Resource
from replay_proxy.wire.models.models import operation_model, service_model

_VERSIONS: Final = {"IfMatch": "ETag", "LockToken": "LockToken"}
"""Members of updates, and of reads what they want."""
_CHANGING: Final = ("Update", "Modify", "Set", "Put")
_ABOUT: Final = ("", "Configuration", "Attributes", "Settings", "Config", "Properties")
_SETTING: Final = (*_CHANGING, "Add", "Attach", "Associate", "Apply", "Enable")
"""Verbs of operations that set one attribute, or add to it."""
_ATTRIBUTES: Final = 4096


def update_of(names: Names, member: str, shown: Mapping[str, Any]) -> Update | None:
    """Return a call that sets a member of a resource to what is recorded; None where no operation does, or its value is not kept.

    member: its path in the attributes; what is set is the whole of its first part. shown: what the emulator says of the resource:
    some updates must name the version that they change.
    """
    resource = names.resource
    top = member.partition(".")[0]
    if top not in resource.attributes:
        return None
    value = _recorded(resource.attributes[top])
    if value is None:
        return None
    for entry in table()["setters"]:
        if (entry["kind"], entry["member"]) == (_kind(resource), top):
            return _reviewed(names, entry, member.partition(".")[2], value)
    for operation in dict.fromkeys(_operations(names, top)):
        shape = operation_model(resource.service, operation).input_shape
        parameter = {} if shape is None else placed(_kind(resource), shape, member, value, shown)
        if shape is None or not parameter:
            continue
        taken = next(iter(parameter))
        given = _given_to(names, shape, taken) | _version_in(shown, shape) | _at_once(shape)
        parameters = {**given, **_also_given(names, operation, top, shown), **parameter}
        if all(each is not None for each in parameters.values()):
            return Update(operation, parameters)
    return None


def _operations(names: Names, top: str) -> Iterator[str]:
    """Return the operations that may set an attribute, the likeliest first."""
    service, kind = names.resource.service, _kind(names.resource)
    offered = service_model(service).operation_names
    called = (f"{verb}{names.resource.key.noun}{more}" for verb in _CHANGING for more in _ABOUT)
    yield from (operation for operation in called if operation in offered)
    yield from (entry["operation"] for entry in table()["updates"] if entry["kind"] == kind)
    for operation in _about_attribute(service, top.lower()):
        shape = operation_model(service, operation).input_shape
        required = [] if shape is None else [each for each in shape.required_members if each.lower() != top.lower()]
        named = [each for each in required if names_it(each, names)]
        # That of what the resource is a part of is not enough.
        is_its_own = any(names.value(each) in names.all for each in named)
        if is_its_own and all(each in named or each in names.resource.attributes for each in required):
            yield operation


@lru_cache(maxsize=_ATTRIBUTES)
def _about_attribute(service: str, top: str) -> tuple[str, ...]:
    """Return the operations of a service that set an attribute: that are called after it, or must be given it.

    Those that need the least come first.
    """
    found: dict[str, int] = {}
    for operation in service_model(service).operation_names:
        shape = operation_model(service, operation).input_shape if noun_of(operation)[0] in _SETTING else None
        is_called_so = noun_of(operation)[1].lower() == top  # `SetSubnets` may be given something else in their place
        offered = () if shape is None else shape.members if is_called_so else shape.required_members
        if shape is not None and top in (member.lower() for member in offered):
            found[operation] = len(shape.required_members)
    return tuple(sorted(found, key=lambda each: (found[each], each)))


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


def record_set_update(resource: Resource, recorded_call: Callable[[int], RecordedCall | None]) -> Update | None:
    """Return the call that makes one record set as it is recorded: the recorded call may be about others, too.

    recorded_call: tells of one, by its number. Values that are too long to be kept are in it alone.
    """
    if not is_record_set(resource.key):
        return None
    records = _recorded(resource.attributes)
    if records is None:
        call = recorded_call(max(resource.made_by, *resource.changed_by, 0))
        changes = record_set_changes(call.parameters) if call is not None else ()
        records = next((what for there, names, what in changes if there and names == resource.key.names), None)
    if records is None:
        return None
    change = {"Action": "UPSERT", "ResourceRecordSet": records}
    zone = resource.key.names[0]
    return Update("ChangeResourceRecordSets", {"HostedZoneId": zone, "ChangeBatch": {"Changes": [change]}})


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


def release_before(kind: str, remains: Mapping[str, Any], linked: list[Description]) -> Update | None:
    """Return the call that takes from what is gone what it still holds (`held_on`); None where it holds nothing.

    remains: what is shown of it. linked: the descriptions of what it had named.
    """
    for entry in table()["held_on"]:
        held = shown_once(remains, entry["by"]) if entry["kind"] == kind else None
        if held and any(each.names(frozenset({str(held)})) for each in linked):
            return Update(entry["operation"], {entry["by"]: held})
    return None


def _also_given(names: Names, operation: str, top: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update needs besides (`updates` in data/readings.json): fixed and shown values, and recorded attributes.

    top: the attribute that it is to set. shown: what the emulator says of the resource.
    """
    found: dict[str, Any] = {}
    for entry in table()["updates"]:
        is_this = (entry["kind"], entry["operation"]) == (_kind(names.resource), operation)
        if is_this and top in entry.get("of", (top,)):
            kept = {
                each: _recorded(names.resource.attributes.get(each)) or names.value(each)
                for each in entry.get("with", ())
            }
            found |= entry.get("fixed", {}) | {member: value for member, value in kept.items() if value}
            found |= {member: shown_once(shown, name) for member, name in entry.get("shown", {}).items()}
    return found


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
