"""Where an operation takes what a creation had set, and in which form.

The models say it: in the member of the same name; in one that only adds (`AddRouteTableIds`); in one for updates
(`ConfigurationUpdates`, `ExtendedS3DestinationUpdate` of `ExtendedS3DestinationConfiguration`); as an entry to be made in a list
of changes (`GlobalSecondaryIndexUpdates`); or, for API Gateway, as patches by path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.model import Shape

from replay_proxy.resources.kinds import PatchedList, patched_list
from replay_proxy.resources.resource import leaves

_PATCHES: Final = "patchOperations"
_CONFIGURATION: Final = "Configuration"
_MAKING, _TAKING_OFF = "Create", "Delete"
"""Members of an entry in a list of changes."""


def placed(kind: str, shape: Shape, member: str, value: Any, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameter of an operation that sets an attribute; empty where the operation takes it in no form.

    kind: of the resource. shape: of the operation's parameters. member: the path of what is broken; what is set is the whole of
    its first part, of a map the one entry. value: of the first part. shown: what the emulator says of the resource.
    """
    top, *below = member.split(".")
    for taken in _taking(shape, top):
        part = shape.members[taken]
        wanted = value
        if part.type_name == "map" and isinstance(value, Mapping):
            wanted = {name: value[name] for name in below[:1] if name in value} or value
        elif isinstance(value, list) and taken.lower() == f"add{top}".lower():
            wanted = _not_shown(value, shown_in(shown, top))
        found = _changes(part, value, shown_in(shown, top)) if _is_of_changes(part) else fitted(part, wanted)
        if found not in (None, [], {}):
            return {taken: found}
    if _PATCHES not in shape.members:
        return {}
    patches = list(_patches(kind, member, value, shown_in(shown, top)))
    return {_PATCHES: patches} if patches else {}


def fitted(shape: Shape, value: Any) -> Any:
    """Return a recorded value as a shape takes it, without members that it does not know; None where it is of another type."""
    if shape.type_name == "structure":
        if not isinstance(value, Mapping):
            return None
        places = ((next(iter(_taking(shape, member)), ""), below) for member, below in value.items())
        return {
            place: inner
            for place, below in places
            if place and (inner := fitted(shape.members[place], below)) is not None
        }
    if shape.type_name == "list":
        return [fitted(shape.member, each) for each in value] if isinstance(value, list) else None
    return None if isinstance(value, list) or (isinstance(value, Mapping) and shape.type_name != "map") else value


def shown_in(shown: Mapping[str, Any], name: str) -> Any:
    """Return what a description has in the member of this name, at its top or in the structure in it; None where it has none."""
    structures = [shown, *(each for each in shown.values() if isinstance(each, Mapping))]
    return next((v for each in structures for member, v in each.items() if str(member).lower() == name.lower()), None)


def values_called(shown: Any, name: str) -> Iterator[Any]:
    """Return the values that a description has under this name, wherever they are."""
    return (value for path, value in leaves(shown) if path.rpartition(".")[2].lower() == name.lower())


def shown_once(shown: Mapping[str, Any], name: str) -> Any:
    """Return the value that a description has under this name, wherever it is; None where it has none, or several."""
    values = {value for value in values_called(shown, name) if isinstance(value, str | int)}
    return values.pop() if len(values) == 1 else None


def _taking(shape: Shape, top: str) -> Iterator[str]:
    offered = {each.lower(): each for each in shape.members}
    stems = (top, top.removesuffix(_CONFIGURATION), top.removesuffix("s"), top.removesuffix("es"))
    forms = (top, f"Add{top}", *(f"{stem}{ending}" for stem in stems if stem for ending in ("Updates", "Update")))
    yield from dict.fromkeys(offered[form.lower()] for form in forms if form.lower() in offered)


def _not_shown(entries: list[Any], shown: Any) -> list[Any]:
    """Return the recorded entries that are not shown; all of them where that cannot be told."""
    held = shown if isinstance(shown, list) else []
    return [entry for entry in entries if not any(_has(each, entry) for each in held)] or entries


def _has(shown: Any, entry: Any) -> bool:
    if isinstance(shown, Mapping) and isinstance(entry, Mapping):
        return all(shown.get(member) == value for member, value in entry.items())
    return bool(shown == entry)


def _is_of_changes(shape: Shape) -> bool:
    """Is this a list of changes, each of which makes an entry, or takes one off?"""
    return shape.type_name == "list" and shape.member.type_name == "structure" and _MAKING in shape.member.members


def _changes(shape: Shape, value: Any, shown: Any) -> list[Any] | None:
    """Return the change that makes the first entry that is not shown: services take one at a time.

    Entries are told apart by what taking one off must name.
    """
    parts = shape.member.members
    names = parts[_TAKING_OFF].required_members if _TAKING_OFF in parts else ()
    held = [tuple(map(each.get, names)) for each in shown or () if isinstance(each, Mapping)]
    lost = [each for each in value if isinstance(each, Mapping) and tuple(map(each.get, names)) not in held]
    return [{_MAKING: fitted(parts[_MAKING], lost[0])}] if names and lost else None


def _patches(kind: str, member: str, value: Any, shown: Any) -> Iterator[dict[str, str]]:
    """Return the patches that set an attribute: each value by its path, of entries of lists those that are not shown."""
    top, *below = member.split(".")
    if isinstance(value, list):
        service, _, noun = kind.partition(":")
        form = patched_list(service, noun, top)
        if form is not None and form.names and not isinstance(shown, list):
            return  # an emulator that does not keep it as a list would put the text in its place, which no client can read
        texts = [_in_words(each, form) for each in _not_shown(value, shown)] if form is not None else []
        for text in texts:
            if form is not None and form.by_path:
                yield {"op": "add", "path": _path(top, text)}
            else:
                yield {"op": "add", "path": _path(top), "value": text}
        return
    if not isinstance(value, Mapping):
        yield from _replacing((top,), value)
        return
    names = [name for name in below[:1] if name in value] or list(value)
    for name in names:
        yield from _replacing((top, str(name)), value[name])


def _replacing(steps: tuple[str, ...], value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _replacing((*steps, str(name)), inner)
    elif isinstance(value, str | bool | int | float):
        yield {
            "op": "replace",
            "path": _path(*steps),
            "value": str(value).lower() if isinstance(value, bool) else str(value),
        }


def _in_words(entry: Any, form: PatchedList) -> str:
    return (
        form.between.join(str(entry.get(name, "")) for name in form.names) if isinstance(entry, Mapping) else str(entry)
    )


def _path(*steps: str) -> str:
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
