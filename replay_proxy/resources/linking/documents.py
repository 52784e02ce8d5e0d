"""Documents inside texts: policies, templates, definitions, which services keep as JSON in a string."""

from __future__ import annotations

from typing import Any, Final

import orjson

DEPTH_MAX: Final = 64
"""A document that is nested deeper is a text like any other: nobody reads it, and whoever walks through it has a bound."""


def document(text: str) -> Any:
    """Return what a text says as a JSON object or array; None for any other text."""
    if text[:1] not in ("{", "["):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) and _is_shallow(found) else None


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            below
            for each in level
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, dict | list)
        ]
        if not level:
            return True
    return False
