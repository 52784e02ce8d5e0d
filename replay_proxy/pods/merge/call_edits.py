"""Calls of a merge that are not as they were recorded: what the pod sets is taken out of ours, what only ours had is added.

Only keyed collections are united (attribute maps, tags): two structures that exclude each other would make a call that no
emulator takes. A call in a form that cannot be written anew stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import CallHead
from replay_proxy.footprint.resource_kinds import is_global
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.merge.overwriting import names_one_of, overwritten, settings_of
from replay_proxy.replay.recorded_call import BlobLoader, call_of
from replay_proxy.resources.kinds import no_attributes
from replay_proxy.resources.properties.operation_names import has_operation, noun_of
from replay_proxy.resources.properties.tags import is_tag_member, is_untagging, replaces_tags
from replay_proxy.resources.resource import Hidden, Resource
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.models import operation_model

_KEY_MEMBERS: Final = ("Key", "TagKey", "key", "tagKey")
_VALUE_MEMBERS: Final = ("Value", "TagValue", "value", "tagValue")
_TAG_LISTS: Final = ("TagSet", "Tags", "Items")


@dataclass(slots=True)
class Reduced:
    """What is left of a call. record: None where nothing is. taken: members that the pod sets otherwise; equal: to the same."""

    record: Record | None
    taken: list[str] = field(default_factory=list)
    equal: list[str] = field(default_factory=list)


def reduced(record: Record, load: BlobLoader, pods: Collection[Resource]) -> Reduced:
    """Return a change without what the pod says of these resources, which are all that it changes.

    Nothing is left of a call that replaces something as a whole which the pod has set, that would miss a member that its
    operation requires, or that would still set something of the pod's. Tags that are replaced as a whole become those of both.
    """
    call = call_of(record, load)
    if call is None or record.head is None:
        return Reduced(record)
    service, operation = record.head.service, record.head.operation
    if replaces_tags(operation):
        return _with_all_tags(record, call.params, pods)
    if is_untagging(operation):
        return _without_their_tags(record, call.params, pods)
    names = {text for each in pods for text in (*each.key.names, *each.identifiers.values(), each.name)}
    left, result = dict(call.params), Reduced(record)
    lost = False
    for member, value in call.params.items():
        if names_one_of(value, names):
            continue
        kept = value
        for path, key, below, now in _said(member, value, pods):
            (result.equal if _same(below, now) else result.taken).append(path)
            kept = _without(kept, key) if key else None
            if kept is None:
                break
        if kept is None or (kept != value and not _is_filled(kept)):
            del left[member]
            lost = True
        else:
            left[member] = kept
    model = operation_model(service, operation)
    shape = model.input_shape
    if shape is None:
        return result
    silent = {*model.idempotent_members, *(each for each in shape.members if each.lower() in no_attributes())}
    content = {member for member, value in left.items() if member not in silent and not names_one_of(value, names)}
    verb, noun = noun_of(operation)
    adds_entries = has_operation(service, f"Remove{noun}")
    if verb == "Put" and not adds_entries and (lost or _is_set(shape, silent, names, pods)):
        result.taken = result.taken or ([] if result.equal else sorted(content))
        result.record = None
        return result
    # Whether what is left takes the place of something of the pod's is told by the rules that make attributes of calls.
    found = _overwritten(record.head, left, names, pods)
    if found:
        result.taken += found
        member = _entries_of(left)
        if member:
            kept = [
                each for each in left[member] if not _overwritten(record.head, {**left, member: [each]}, names, pods)
            ]
            left[member] = kept
        if not member or not left[member] or _overwritten(record.head, left, names, pods):
            result.record = None
            return result
    if left == call.params:
        return result
    missing = set(shape.required_members) - left.keys()
    result.record = with_parameters(record, left) if content and not missing else None
    return result


def said(record: Record, load: BlobLoader) -> bytes | None:
    """Return a digest of what a call says of what; of two that say the same it is the same. None where it cannot be read."""
    call = call_of(record, load)
    head = record.head
    if call is None or head is None:
        return None
    tokens = operation_model(head.service, head.operation).idempotent_members
    params = sorted((member, value) for member, value in call.params.items() if member not in tokens)
    place = (head.service, head.operation, head.account, "" if is_global(head.service) else head.region)
    text = repr((place, params))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _overwritten(head: CallHead, params: Mapping[str, Any], names: set[str], pods: Collection[Resource]) -> list[str]:
    return [path for each in pods for path in overwritten(head, params, names, each)]


def _entries_of(params: Mapping[str, Any]) -> str:
    """Return the one member that is a list of structures; empty where there is none, or several."""
    found = [member for member, value in params.items() if _is_entries(value)]
    return found[0] if len(found) == 1 else ""


def _is_entries(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _is_set(shape: Any, silent: set[str], names: set[str], pods: Collection[Resource]) -> bool:
    """Return whether the pod has set any content that a call of this shape sets: a secret as a text, or as bytes."""
    content = {member for member, part in shape.members.items() if part.type_name != "boolean"} - silent
    return any(
        not names_one_of(value, names)
        for each in pods
        for member, value in settings_of(each).items()
        if member in content and member not in each.identifiers
    )


def _with_all_tags(record: Record, params: Mapping[str, Any], pods: Collection[Resource]) -> Reduced:
    """Return a call that replaces all tags as one that sets those of both sides; the pod's where both have a key."""
    result = Reduced(record)
    theirs = {key: value for each in pods for key, value in each.tags.items()}
    if not theirs:
        return result
    member = next((each for each in params if is_tag_member(each)), None)
    if member is None:
        # It removes all tags.
        result.record = None
        return result
    for key, value in _tags(params[member]):
        if key in theirs:
            (result.equal if theirs[key] == value else result.taken).append(f"Tags.{key}")
    entries = {**dict(_tags(params[member])), **theirs}
    result.record = with_parameters(record, {**params, member: _tags_like(params[member], entries)})
    return result


def _without_their_tags(record: Record, params: Mapping[str, Any], pods: Collection[Resource]) -> Reduced:
    """Return a call that removes tags without those that the pod has."""
    result, left = Reduced(record), dict(params)
    theirs = {key for each in pods for key in each.tags}
    for member, value in params.items():
        if not isinstance(value, list) or "tag" not in member.lower():
            continue
        keys = [each if isinstance(each, str) else _tag_key(each) for each in value]
        result.taken += [f"Tags.{key}" for key in keys if key in theirs]
        left[member] = [each for each, key in zip(value, keys, strict=True) if key not in theirs]
        if not left[member]:
            result.record = None
            return result
    if result.taken:
        result.record = with_parameters(record, left)
    return result


def _tags_like(value: Any, tags: Mapping[str, Any]) -> Any:
    """Return tags in the form of a member: a map, a list, or a structure that holds a list."""
    if isinstance(value, Mapping):
        for name in _TAG_LISTS:
            if name in value:
                return {**value, name: _tags_like(value[name], tags)}
        return dict(tags)
    key = next((name for each in value for name in _KEY_MEMBERS if name in each), _KEY_MEMBERS[0])
    text = _VALUE_MEMBERS[_KEY_MEMBERS.index(key)]
    return [{key: name, text: each} for name, each in tags.items()]


def united(record: Record, load: BlobLoader, ours: Record, our_load: BlobLoader) -> tuple[Record, list[str]]:
    """Return the creation of the pod with the keys of attribute maps and tags that only ours gave, and their paths."""
    call, other = call_of(record, load), call_of(ours, our_load)
    if call is None or other is None or record.head is None or ours.head is None:
        return record, []
    if record.head.operation != ours.head.operation:
        return record, []
    params, added = dict(call.params), []
    for member, value in other.params.items():
        if isinstance(value, Mapping) and _is_map(member, value) and isinstance(params.get(member, {}), Mapping):
            mine = dict(params.get(member, {}))
            new = {key: each for key, each in value.items() if key not in mine}
            if new:
                params[member] = {**mine, **new}
                added += [f"{member}.{key}" for key in new]
        elif is_tag_member(member) and isinstance(value, list) and isinstance(params.get(member, []), list):
            tags = list(params.get(member, []))
            known = {_tag_key(each) for each in tags}
            fresh = [each for each in value if _tag_key(each) and _tag_key(each) not in known]
            if fresh:
                params[member] = [*tags, *fresh]
                added += [f"{member}.{_tag_key(each)}" for each in fresh]
    return (with_parameters(record, params), added) if added else (record, [])


def _is_map(member: str, value: Mapping[str, Any]) -> bool:
    """Tell whether a value is a map with keys of its own, and not a structure whose members belong together."""
    lower = member.lower()
    return (
        lower.endswith(("attributes", "tags")) and all(isinstance(each, str) for each in value.values())
    ) or not value


def _said(member: str, value: Any, pods: Collection[Resource]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield path, key in the member (empty for all of it), our value and the pod's of what both say in a member."""
    for pod in pods:
        settings = settings_of(pod)
        if is_tag_member(member):
            for key, text in _tags(value):
                if key in pod.tags:
                    yield f"Tags.{key}", key, text, pod.tags[key]
        elif isinstance(value, Mapping) and _is_map(member, value):
            known = settings.get(member)
            for key, text in value.items():
                found = known.get(key) if isinstance(known, Mapping) else settings.get(key)
                if found is not None:
                    yield f"{member}.{key}", key, text, found
        elif member in settings and not _is_entries(value):
            yield member, "", value, settings[member]


def _tags(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name in _TAG_LISTS and isinstance(each, list):
                yield from _tags(each)
            else:
                yield name, each
    elif isinstance(value, list):
        for each in value:
            if key := _tag_key(each):
                yield key, next((each[name] for name in _VALUE_MEMBERS if name in each), "")


def _tag_key(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return next((entry[name] for name in _KEY_MEMBERS if isinstance(entry.get(name), str)), "")


def _without(value: Any, key: str) -> Any:
    """Return a map or a list of tags without one key."""
    if isinstance(value, Mapping):
        left = {name: each for name, each in value.items() if name != key}
        for name in _TAG_LISTS:
            if isinstance(left.get(name), list):
                left[name] = _without(left[name], key)
        return left
    if isinstance(value, list):
        return [each for each in value if _tag_key(each) != key]
    return value


def _is_filled(value: Any) -> bool:
    """Return whether a map or a list of tags has anything left."""
    if isinstance(value, Mapping):
        return any(_is_filled(each) if name in _TAG_LISTS else True for name, each in value.items())
    return bool(value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == (other.raw if isinstance(other, Hidden) else other))


def with_parameters(record: Record, params: Mapping[str, Any]) -> Record:
    """Return a record whose request gives these parameters; as it is where they cannot be written."""
    head = record.head
    assert head is not None
    try:
        request = build_request(head, params, record.request.headers.get("host") or "localhost")
    except (ReplayProxyError, LookupError, ValueError, TypeError):
        return record
    return replace(record, request=request)
