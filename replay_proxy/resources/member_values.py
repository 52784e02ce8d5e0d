"""Finding members in parameters and answers, whatever capitals their names have, and however deep they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def folded_get(params: Mapping[str, Any], member: str) -> Any:
    """Return the value of a member, whatever capitals its name has; None where there is none."""
    if member in params:
        return params[member]
    lower = member.lower()
    return next((value for name, value in params.items() if name.lower() == lower), None)


def members_shown(shape: Any, depth: int) -> Iterator[str]:
    """Yield the members of an answer that are texts, at its top and in the structures below, in lower case."""
    for member, below in getattr(shape, "members", {}).items():
        if below.type_name == "string":
            yield member.lower()
        elif depth > 1:
            yield from members_shown(below, depth - 1)


def texts(value: Any) -> Iterator[str]:
    """Yield a value, where it is a text."""
    if isinstance(value, str):
        yield value


def texts_of(value: Any, member: str, depth: int) -> Iterator[str]:
    """Yield the texts and numbers in members so called, at the top of an answer or in the one structure that it returns."""
    lower = member.lower()
    if isinstance(value, Mapping):
        for name, below in value.items():
            if name.lower() == lower:
                if isinstance(below, str):
                    yield below
                elif isinstance(below, int) and not isinstance(below, bool):
                    yield str(below)
                elif isinstance(below, list):
                    yield from (each for each in below if isinstance(each, str))
        if depth > 1:
            for below in value.values():
                if isinstance(below, Mapping):
                    yield from texts_of(below, member, depth - 1)
                elif isinstance(below, list) and len(below) == 1:
                    yield from texts_of(below[0], member, depth - 1)


def holders(result: Mapping[str, Any], noun: str) -> Iterator[Mapping[str, Any]]:
    """Yield the structures in an answer that describe what was made. noun: what that is called."""
    structures = [below for below in result.values() if isinstance(below, Mapping)]
    structures += [
        below[0]
        for below in result.values()
        if isinstance(below, list) and len(below) == 1 and isinstance(below[0], Mapping)
    ]
    if len(structures) == 1:
        yield structures[0]
    else:
        yield from (
            below for name, below in result.items() if isinstance(below, Mapping) and name.lower() == noun.lower()
        )
