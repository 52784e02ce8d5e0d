"""Tags of resources: in creations, and in the operations that tag and untag, in the spellings of all services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TAGGING: Final = ("Tag", "AddTags", "CreateTags", "CreateOrUpdateTags", "ChangeTags", "UpdateTags")
_UNTAGGING: Final = ("Untag", "RemoveTags", "DeleteTags", "DeleteTag")


def is_tagging(operation: str) -> bool:
    """Tell whether an operation does nothing but to set or remove tags."""
    return operation.startswith((*_TAGGING, *_UNTAGGING)) or operation.endswith("Tagging")


def replaces_tags(operation: str) -> bool:
    """Tell whether an operation sets all tags at once, or removes all: `PutBucketTagging`, `DeleteBucketTagging`."""
    return operation.endswith("Tagging") and not operation.startswith(_TAGGING)


def sets_all_tags(operation: str, params: Mapping[str, Any]) -> bool:
    """Tell whether an update of something sets all its tags, beside what else it sets (`UpdateStack`)."""
    return operation.startswith("Update") and any(can_hold_tags(*each) for each in params.items())


def arn_in(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the member at the top of parameters that holds an ARN, and the ARN; None where there is none, or several."""
    found = [(member, value) for member, value in params.items() if isinstance(value, str) and value.startswith("arn:")]
    return found[0] if len(found) == 1 else None


def is_untagging(operation: str) -> bool:
    """Tell whether an operation removes the tags whose keys it names."""
    return operation.startswith(_UNTAGGING)


def is_tag_member(member: str) -> bool:
    """Tell whether a member holds tags."""
    lower = member.lower()
    return lower.endswith(("tags", "taglist", "tagset", "tagging", "tagspecifications"))


def can_hold_tags(member: str, value: Any) -> bool:
    """Tell whether a value may be tags: `propagateTags` and `enableECSManagedTags` say what is done with them."""
    return is_tag_member(member) and isinstance(value, Mapping | list)


def tags_in(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that parameters give."""
    found: dict[str, str] = {}
    for member, value in params.items():
        if is_tag_member(member):
            found |= _tags(value)
    return found


def without_tags(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without those that hold tags."""
    return {member: value for member, value in params.items() if not (can_hold_tags(member, value) and _is_tags(value))}


def apply_tagging(tags: dict[str, str], operation: str, params: Mapping[str, Any]) -> None:
    """Change the tags of a resource by an operation that sets or removes tags."""
    if replaces_tags(operation):
        tags.clear()
        if not operation.startswith("Delete"):
            tags |= tags_in(params)
        return
    if not operation.startswith(_UNTAGGING):
        tags |= tags_in(params)
    for member, value in params.items():
        lower = member.lower()
        if lower.endswith(("tagkeys", "tagkeylist")) or (operation.startswith(_UNTAGGING) and "tag" in lower):
            for each in value if isinstance(value, list) else ():
                key = each if isinstance(each, str) else next(iter(_tags([{"Value": "", **each}])), None)
                if key is not None:
                    tags.pop(key, None)


def _is_tags(value: Any) -> bool:
    return not value or bool(_tags(value))


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        if set(value) & {"TagSet", "Tags", "Items"}:
            return _tags(value.get("TagSet") or value.get("Tags") or value.get("Items"))
        return {str(key): _text(each) for key, each in value.items()}
    found: dict[str, str] = {}
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, Mapping):
            continue
        if "Tags" in each:
            found |= _tags(each["Tags"])
            continue
        members = {member.lower().removeprefix("tag"): below for member, below in each.items()}
        if isinstance(members.get("key"), str):
            found[members["key"]] = _text(members.get("value"))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
