"""Attributes of a resource, folded from the calls that set them.

What a creation was given, and each change in its order. A change overwrites the members that it names, with these exceptions:

- `Set…` and `Modify…` change single keys of a map (`SetQueueAttributes`), or one that two members name (`AttributeName`,
  `AttributeValue`).
- What switches something on or off (`DisableRule`) sets the member that says so (`switches` in `data/kinds.json`).
- `patchOperations` (API Gateway) change one path each (`patches`).
- `Attach…`, `Associate…`, `Add…`, `Register…`, `Authorize…` add an entry to a list that is called like the operation's noun;
  `Detach…` and the others take off the entries that they name (`operation_names` tells which undoes which), or what the creation
  had set.
- `Enable…` of one of several (`EnableKinesisStreamingDestination`) adds an entry, too; `Disable…` takes it off. Otherwise the two
  set `…Enabled`, beside what the first is given (`EnableKeyRotation` with a period).
- `Put…` of something that is no resource by itself sets the members that it gives; `Delete…` of the same noun removes them.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from replay_proxy.exchange import BlobRef
from replay_proxy.footprint.members.handed_out import is_condition
from replay_proxy.resources.kinds import no_attributes, relations, switched_by
from replay_proxy.resources.properties.operation_names import has_operation, noun_added, noun_of
from replay_proxy.resources.properties.patches import patch
from replay_proxy.resources.resource import LONG_CHARACTERS, PREVIEW_CHARACTERS, Hidden, Long, Resource, leaves
from replay_proxy.wire.models import models
from replay_proxy.wire.sensitive.masking import HIDDEN, masked

_DEPTH: Final = 48
_ADDING: Final = ("Attach", "Associate", "Add", "Register", "Authorize", "AdminAdd")
_ENDING: Final = ("Delete", "Disable")
"""Verbs that end something of its own, and do not name what is to be taken off."""
_MERGING: Final = ("Set", "Modify")
_DEFAULT_VERSION: Final = re.compile("Default.*Version")
_LIST_ITEMS_MAX: Final = 10_000


def tree(shape: Any, value: Any) -> Any:
    """Return parsed parameters or answers as attributes: JSON values, and `Hidden` and `Long` where they are that."""
    return _tree(value, masked(shape, value), 0)


def _tree(raw: Any, mask: Any, depth: int) -> Any:
    if isinstance(mask, str) and mask == HIDDEN and raw != HIDDEN:
        return Hidden(raw)
    if depth > _DEPTH:
        return str(type(raw).__name__)
    if isinstance(raw, dict):
        if not isinstance(mask, dict) or len(mask) != len(raw) or HIDDEN in mask:
            return Hidden(raw)
        return {str(name): _tree(below, mask[name], depth + 1) for name, below in raw.items()}
    if isinstance(raw, list):
        if not isinstance(mask, list):
            return Hidden(raw)
        return [_tree(one, hidden, depth + 1) for one, hidden in zip(raw[:_LIST_ITEMS_MAX], mask, strict=False)]
    return leaf(raw)


def leaf(value: Any) -> Any:
    """Return a single value as attributes hold it."""
    if isinstance(value, str):
        if len(value) <= LONG_CHARACTERS:
            return value
        content = value.encode("utf-8", "surrogatepass")
        return Long(value[:PREVIEW_CHARACTERS], len(content), hashlib.sha256(content).hexdigest())
    if isinstance(value, BlobRef):
        return Long("", value.size, value.sha256)
    if isinstance(value, bytes | bytearray):
        try:
            if len(value) <= LONG_CHARACTERS:
                return value.decode("utf-8")
        except UnicodeDecodeError:
            pass
        return Long(b64encode(bytes(value[:48])).decode(), len(value), hashlib.sha256(value).hexdigest())
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def fold(resource: Resource, operation: str, given: Mapping[str, Any], *, naming: Iterable[str], made: bool) -> None:
    """Take a call into the attributes of a resource.

    given: its parameters as attributes (see `tree`), without tags. naming: those that name the resource. made: the call made it.
    """
    verb, noun = noun_of(operation)
    left_out = {each.lower() for each in naming}
    left_out |= no_attributes()
    values = {
        member: value
        for member, value in given.items()
        if member.lower() not in left_out and not is_condition(resource.service, member)
    }
    attributes = resource.attributes
    if not made:
        resource.unsure -= values.keys()
    if made:
        attributes.update(values)
    elif switched := switched_by(resource.service, operation):
        _overlay(resource, values, merge=False)
        attributes.update(switched)
    elif verb == "Set" and _DEFAULT_VERSION.fullmatch(noun):
        return  # which version counts is told by `default_version`
    elif "patchOperations" in values:
        for each in values["patchOperations"] if isinstance(values["patchOperations"], list) else ():
            if isinstance(each, Mapping):
                patch(resource.service, resource.key.noun, operation, attributes, each)
    elif isinstance(values.get("AttributeName"), str) and "AttributeValue" in values:
        held = attributes.setdefault("Attributes", {})
        if isinstance(held, dict):
            held[values["AttributeName"]] = values["AttributeValue"]
    elif verb == "Enable" and (keys := _named_to_end(resource.service, f"Disable{noun}", values)):
        _add_entries(attributes, noun, values, replace=True, keys=keys)
        resource.set_by[noun] = [noun]
    elif verb in ("Enable", "Disable") and (not values or _is_switched_off(resource.service, noun)):
        _overlay(resource, values, merge=False)
        attributes[f"{noun}Enabled"] = verb == "Enable"
    elif verb in _ADDING or (verb == "Put" and has_operation(resource.service, f"Remove{noun}")):
        _add_entries(attributes, noun, values, replace=verb == "Put")
    elif verb in relations():
        _take_off(resource, operation, values)
    elif verb == "Create" and noun.endswith("Version"):
        # A new version of what it is about, such as the text of a policy.
        if values.get("SetAsDefault", True):
            _overlay(resource, {each: value for each, value in values.items() if each in attributes}, merge=False)
    elif verb in ("Put", "Create"):
        _put(resource, noun, values)
    else:
        _overlay(resource, values, merge=verb in _MERGING)


def doubt(
    resource: Resource, operation: str, given: Iterable[str], before: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """Note what is not known of a resource after a creation of what was there already.

    One may be answered with what is there, as it is, or change it (`Create…`). One that puts it anew changes what it gives; what
    it does not give stays, or becomes what is usual.
    given: the members that it gave. before, tags: its attributes and tags before it.
    """
    sent = set(given)
    after = resource.attributes
    if operation.startswith("Put"):
        resource.unsure = (resource.unsure | before.keys()) - sent
        return
    resource.unsure |= {each for each in (*before, *after) if before.get(each) != after.get(each) or each not in sent}
    resource.unsure |= {f"Tags.{key}" for key, value in resource.tags.items() if tags.get(key) != value}


def default_version(
    resource: Resource, operation: str, given: Mapping[str, Any], result: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attribute that says which version of a resource counts, where a call chose one: a new one, or by its number.

    given: its parameters. result: its answer.
    """
    verb, noun = noun_of(operation)
    member = next((each for each in resource.attributes if each.lower() == "defaultversionid"), "")
    is_new = verb == "Create" and noun.endswith("Version") and any(map(given.get, ("SetAsDefault", "setAsDefault")))
    if not member or not (is_new or (verb == "Set" and _DEFAULT_VERSION.fullmatch(noun))):
        return {}
    told = leaves(result if is_new else given)
    numbers = [value for path, value in told if path.lower().endswith("versionid") and isinstance(value, str)]
    return {member: numbers[0]} if len(numbers) == 1 else {}


@lru_cache(maxsize=4096)
def _home_of(service: str, noun: str, member: str) -> str:
    """Return the structure in which a creation holds a member that a change has at its top (`Code` of a function)."""
    try:
        shape = models.operation_model(service, f"Create{noun}").input_shape
    except LookupError:
        return ""
    if shape is None or member in shape.members:
        return ""
    homes = [name for name, part in shape.members.items() if part.type_name == "structure" and member in part.members]
    return homes[0] if len(homes) == 1 else ""


def _overlay(resource: Resource, values: Mapping[str, Any], *, merge: bool) -> None:
    attributes = resource.attributes
    homes: dict[str, dict[str, Any]] = {}
    for member, value in values.items():
        home = _home_of(resource.service, resource.key.noun, member)
        if home:
            homes.setdefault(home, {})[member] = value
            continue
        before = attributes.get(member)
        if merge and isinstance(before, dict) and isinstance(value, Mapping):
            attributes[member] = {**before, **value}
        elif merge and isinstance(before, list) and isinstance(value, list) and _by_key(value):
            attributes[member] = list({**_by_key(before), **_by_key(value)}.values())
        else:
            attributes[member] = value
    attributes.update(homes)


def _by_key(entries: list[Any]) -> dict[str, Any]:
    """Return entries of `Key` and `Value` by their key; empty where they are none."""
    found = {each["Key"]: each for each in entries if isinstance(each, Mapping) and isinstance(each.get("Key"), str)}
    return found if len(found) == len(entries) else {}


def _put(resource: Resource, noun: str, values: Mapping[str, Any]) -> None:
    """Set the members of something that is no resource by itself, under its noun where it has several."""
    attributes = resource.attributes
    if len(values) == 1:
        attributes.update(values)
        resource.set_by[noun] = list(values)
        return
    keys = [key for key in _deleted_by(resource.service, noun) if key in values]
    if keys:
        _add_entries(attributes, noun, values, replace=True, keys=keys)
    else:
        attributes[noun] = dict(values)
    resource.set_by[noun] = [noun]


def _deleted_by(service: str, noun: str) -> list[str]:
    return _required_by(service, f"Delete{noun}")


def _named_to_end(service: str, operation: str, values: Mapping[str, Any]) -> list[str]:
    """Return the members by which an operation names one of several that were enabled, as these values do; empty for none."""
    keys = [key for key in _required_by(service, operation) if key in values]
    return keys if all(isinstance(values[key], str) for key in keys) else []


def _is_switched_off(service: str, noun: str) -> bool:
    """Is `Disable…` of a noun told of what it is about, and of nothing else?"""
    members = {member.lower() for member in _members(service, f"Disable{noun}")} - no_attributes()
    return bool(members) and members == {member.lower() for member in _required_by(service, f"Disable{noun}")}


def _required_by(service: str, operation: str) -> list[str]:
    return _members(service, operation, required=True)


def _members(service: str, operation: str, *, required: bool = False) -> list[str]:
    try:
        shape = models.operation_model(service, operation).input_shape
    except LookupError:
        return []
    return list(shape.required_members if required else shape.members) if shape is not None else []


def _entries(values: Mapping[str, Any]) -> list[Any]:
    """Return the entries that a call adds: the elements of its one list of structures, else the parameters themselves."""
    lists = [value for value in values.values() if isinstance(value, list) and value and isinstance(value[0], Mapping)]
    return list(lists[0]) if len(lists) == 1 else [dict(values)]


def _add_entries(
    attributes: dict[str, Any], noun: str, values: Mapping[str, Any], *, replace: bool, keys: Iterable[str] = ()
) -> None:
    held = attributes.get(noun)
    entries = list(held) if isinstance(held, list) else []
    for entry in _entries(values):
        same = tuple(keys) or tuple(key for key in ("Id", "StatementId", "Label", "Sid") if key in entry)
        if same and (replace or not tuple(keys)):
            entries = [each for each in entries if any(each.get(key) != entry.get(key) for key in same)]
        if entry not in entries:
            entries.append(entry)
    attributes[noun] = entries


def _take_off(resource: Resource, operation: str, values: Mapping[str, Any]) -> None:
    """Take off what a call names: entries of the list that is called after the call that adds them, else what a call had set.

    What is in no such list may be what the creation had set: the network of a hosted zone. Nothing is set.
    """
    attributes = resource.attributes
    verb, noun = noun_of(operation)
    added = noun_added(resource.service, operation)
    names = (added, noun, f"{noun}s", noun.removesuffix("s"))
    name = next((each for each in names if isinstance(attributes.get(each), list)), None)
    if name is not None:
        attributes[name] = _entries_left(attributes[name], values, _required_by(resource.service, operation))
        if not attributes[name]:
            del attributes[name]
    elif added in resource.set_by:
        for member in resource.set_by.pop(added):
            attributes.pop(member, None)
    elif verb not in _ENDING:
        for member, value in values.items():
            held = attributes.get(member)
            if isinstance(held, list) and isinstance(value, list):
                attributes[member] = [each for each in held if each not in value]
            elif member in attributes and held == value:
                del attributes[member]


def _entries_left(held: list[Any], values: Mapping[str, Any], required: Iterable[str]) -> list[Any]:
    """Return the entries that a call does not take off: all of them go where it names none.

    required: the members that it must be given. They tell an entry where the others are only said of the call (a comment).
    """
    texts = {each for value in values.values() if isinstance(value, list) for each in value if isinstance(each, str)}
    structures = [
        each for value in values.values() if isinstance(value, list) for each in value if isinstance(each, Mapping)
    ]
    if not values:
        return []
    if structures:
        return [each for each in held if not any(_has_all(each, one) for one in structures)]
    if texts:
        return [left for each in held if (left := _without(each, texts)) is not None]
    single = {member: value for member, value in values.items() if not isinstance(value, list)}
    told = {member: single[member] for member in required if member in single}
    for wanted in (single, told):
        left = [each for each in held if not (wanted and _has_all(each, wanted))]
        if left != held:
            return left
    return held


def _has_all(entry: Any, values: Mapping[str, Any]) -> bool:
    return isinstance(entry, Mapping) and all(entry.get(member) == value for member, value in values.items())


def _without(entry: Any, texts: set[str]) -> Any:
    """Return an entry without these texts: what is left of those that were added together; None where nothing is."""
    if not isinstance(entry, Mapping):
        return None if entry in texts else entry
    if any(isinstance(value, str) and value in texts for value in entry.values()):
        return None
    lists = {member: value for member, value in entry.items() if isinstance(value, list)}
    left = {member: [each for each in value if each not in texts] for member, value in lists.items()}
    return None if lists != left and not any(left.values()) else {**entry, **left}
