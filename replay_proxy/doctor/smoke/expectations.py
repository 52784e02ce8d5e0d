"""Whether what came is what is expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jmespath
import orjson
from jmespath.exceptions import JMESPathError


def failure_of(came: Any, expected: Mapping[str, Any]) -> str:
    """Return why something is not as expected (`expect` in the file); empty where it is."""
    looked_at, about = came, "it"
    if "query" in expected:
        about = f"{expected['query']!r}"
        try:
            looked_at = jmespath.search(expected["query"], came)
        except JMESPathError as error:
            return f"{about} is no JMESPath expression: {error}"
    text = looked_at if isinstance(looked_at, str) else _json(looked_at)
    if "is" in expected and not _same(looked_at, expected["is"]):
        return f"{about} is {short(text)}, and not {short(_json(expected['is']))}"
    for member, value in expected.get("has", {}).items():
        there = looked_at.get(member) if isinstance(looked_at, Mapping) else None
        if not _same(there, value):
            return f"{about} has {member} {short(_json(there))}, and not {short(_json(value))}"
    if "contains" in expected and expected["contains"] not in text:
        return f"{about} does not contain {expected['contains']!r}: {short(text)}"
    if "matches" in expected:
        try:
            if re.search(expected["matches"], text[:100_000]) is None:
                return f"{about} does not match {expected['matches']!r}: {short(text)}"
        except re.error as error:
            return f"{expected['matches']!r} is no regular expression: {error}"
    return ""


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")


def _same(one: Any, two: Any) -> bool:
    """Are two values of JSON equal? `true` is no number, though Python's is."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(_same(value, two[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two) and isinstance(one, bool) is isinstance(two, bool)


def short(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= 200 else f"{text[:200]}…"
