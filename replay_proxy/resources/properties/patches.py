"""Patch operations (API Gateway): what each changes in the attributes of a resource.

`{"op": "replace", "path": "/variables/stage", "value": "prod"}` sets one value. An entry of a list is named by the value
(`add` to `/apiStages`), or by the last part of the path (`/binaryMediaTypes/image~1png`); where it is a structure, by one text
(`patched_lists` in `data/kinds.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replay_proxy.resources.kinds import PatchedList, patched_list
from replay_proxy.wire.models import models


def patch(service: str, noun: str, operation: str, attributes: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Apply one patch operation to the attributes of a resource. given: its `op`, `path` and `value`."""
    path = str(given.get("path", "")).strip("/")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")] if path else []
    if steps:
        form = patched_list(service, noun, steps[0])
        _apply(attributes, steps, given, form, is_list=steps[0] in _lists(service, operation))


def _lists(service: str, operation: str) -> frozenset[str]:
    """Return the members of an operation's answer, which is the resource as it is now, that are lists."""
    shape = models.operation_model(service, operation).output_shape
    members = shape.members.items() if shape is not None else ()
    return frozenset(member for member, part in members if part.type_name == "list")


def _apply(
    at: dict[str, Any], steps: list[str], given: Mapping[str, Any], form: PatchedList | None, *, is_list: bool = False
) -> None:
    step, *below = steps
    held = at.get(step)
    if is_list or isinstance(held, list):
        at[step] = _in_list(held if isinstance(held, list) else [], below, given, form)
        if not at[step]:
            del at[step]
    elif below:
        inner = at[step] = held if isinstance(held, dict) else {}
        _apply(inner, below, given, None)
    elif given.get("op") == "remove":
        at.pop(step, None)
    else:
        at[step] = given.get("value")


def _in_list(held: list[Any], below: list[str], given: Mapping[str, Any], form: PatchedList | None) -> list[Any]:
    """Return the entries of a list after a patch. below: what of the path comes after the list."""
    operation, value = given.get("op"), given.get("value")
    named = _entry(below[0] if below else value, form)
    if len(below) > 1:
        for each in held:
            if isinstance(each, dict) and _is_it(each, named):
                _apply(each, below[1:], given, None)
        return held
    if operation == "remove":
        return [each for each in held if not _is_it(each, named)] if named is not None else []
    if operation == "replace":
        new = _entry(value, form)
        return [new if _is_it(each, named) else each for each in held] if below else [new]
    return held if any(_is_it(each, named) for each in held) else [*held, named]


def _entry(text: Any, form: PatchedList | None) -> Any:
    """Return the entry that a text names."""
    if form is None or not form.names or not isinstance(text, str):
        return text
    return dict(zip(form.names, text.split(form.between, len(form.names) - 1), strict=False))


def _is_it(entry: Any, named: Any) -> bool:
    if isinstance(entry, Mapping) and isinstance(named, Mapping):
        return all(entry.get(member) == value for member, value in named.items())
    return bool(entry == named)
