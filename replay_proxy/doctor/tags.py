"""Tags: which read shows those of a resource, which of the recorded ones it lacks, and which call sets them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from botocore.model import Shape

from replay_proxy.doctor.diagnosis import Update
from replay_proxy.doctor.readings import Names, Reading, reading_of, reads_of_service
from replay_proxy.resources.properties.tags import can_hold_tags, is_tag_member, tags_in
from replay_proxy.wire.models.models import operation_model, service_model

_OWN_PREFIX: Final = "aws:"
"""Of tags that AWS sets by itself."""
_LISTING: Final = ("ListTagsForResource", "ListTagsOfResource", "ListResourceTags", "ListTags", "GetTags")
_SETTING: Final = ("TagResource", "AddTags", "AddTagsToResource", "CreateTags")


def shown_tags(answer: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the tags that an answer shows, at its top or in the one structure in it; None where it shows no tags at all."""
    structures = [answer, *(each for each in answer.values() if isinstance(each, Mapping))]
    for each in structures:
        held = [value for member, value in each.items() if can_hold_tags(str(member), value)]
        if held:
            found = tags_in(each)
            # Where there is something in another form, nothing is known.
            return found if found or not any(held) else None
    return None


def answered_tags(reading: Reading, answer: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the tags in the answer to the read of just these: none where it leaves out the member that would hold them."""
    found = shown_tags(answer)
    if found is not None or any(is_tag_member(str(member)) for member in answer):
        return found
    shape = operation_model(reading.service, reading.operation).output_shape
    return {} if shape is not None and any(map(is_tag_member, shape.members)) else None


def tags_reading(names: Names) -> Reading | None:
    """Return the read of just the tags of a resource; None where the service has none, or it is not known how to ask."""
    noun = names.resource.key.noun
    service = names.resource.service
    for operation in (f"Get{noun}Tagging", f"List{noun}Tags", f"ListTagsFor{noun}", *_LISTING):
        if operation in reads_of_service(service):
            reading = reading_of(names, operation)
            if reading is not None:
                return reading
    return None


def lost_tags(recorded: Mapping[str, str], shown: Mapping[str, str]) -> Iterator[str]:
    """Return the keys of recorded tags that are not shown, or with another value."""
    for key, value in recorded.items():
        if not key.startswith(_OWN_PREFIX) and shown.get(key) != value:
            yield key


def tags_update(names: Names) -> Update | None:
    """Return the call that sets the recorded tags of a resource; None where no operation is known that does."""
    service = names.resource.service
    offered = service_model(service).operation_names
    noun = names.resource.key.noun
    for operation in (f"Put{noun}Tagging", f"Tag{noun}", *_SETTING):
        if operation not in offered:
            continue
        shape = operation_model(service, operation).input_shape
        members: Mapping[str, Shape] = shape.members if shape is not None else {}
        holder = next((each for each in members if is_tag_member(each)), None)
        if shape is None or holder is None:
            continue
        value = _as_shape(members[holder], names.resource.tags)
        parameters = {
            each: _named(members[each], names.value(each)) for each in shape.required_members if each != holder
        }
        if value is not None and all(parameters.values()):
            return Update(operation, {**parameters, holder: value})
    return None


def _named(shape: Shape, value: str | None) -> Any:
    return [value] if value and shape.type_name == "list" else value


def _as_shape(shape: Shape, tags: Mapping[str, str]) -> Any:
    """Return tags as a shape holds them: a map, a list of keys and values, or a structure with such a list."""
    if shape.type_name == "map":
        return dict(tags)
    if shape.type_name == "list" and shape.member.type_name == "structure":
        key, value = _members_of_tag(shape.member)
        return [{key: name, value: text} for name, text in tags.items()] if key and value else None
    if shape.type_name == "structure":
        holder = next((each for each in shape.members if is_tag_member(each)), None)
        return {holder: _as_shape(shape.members[holder], tags)} if holder is not None else None
    return None


@lru_cache(maxsize=256)
def _members_of_tag(shape: Shape) -> tuple[str, str]:
    plain = {member.lower().removeprefix("tag"): member for member in shape.members}
    return plain.get("key", ""), plain.get("value", "")
