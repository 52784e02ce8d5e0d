"""Values cut to a size, and JSON that is harmless inside HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from replay_proxy.reports.json_text import escaped_controls

_ELEMENTS_MAX: Final = 200
_LOW: Final = 16


class Preview:
    """Cuts one document. text_max: characters of a text. total_max: about the characters of all of it."""

    def __init__(self, text_max: int, total_max: int) -> None:
        self._text_max = text_max
        self._left = total_max

    def of(self, value: Any) -> Any:
        """Return a value, what is too long in it by its beginning, and what is too much by its number."""
        if isinstance(value, str):
            limit = max(min(self._text_max, self._left), _LOW)
            self._left -= min(len(value), limit) + 4
            return value if len(value) <= limit else f"{value[:limit]}… ({len(value):,} characters)"
        if isinstance(value, Mapping):
            kept: dict[str, Any] = {}
            for member, below in value.items():
                if self._left <= 0 or len(kept) >= _ELEMENTS_MAX:
                    kept["…"] = f"{len(value) - len(kept)} more members"
                    break
                kept[self.of(str(member))] = self.of(below)
            return kept
        if isinstance(value, list | tuple):
            listed: list[Any] = []
            for below in value:
                if self._left <= 0 or len(listed) >= _ELEMENTS_MAX:
                    listed.append(f"… {len(value) - len(listed)} more")
                    break
                listed.append(self.of(below))
            return listed
        self._left -= 6
        return value


def preview_json(value: Mapping[str, Any], text_max: int, total_max: int) -> str:
    """Return a document as JSON for the page, cut as `Preview` cuts."""
    text = page_json(value)
    # Whatever is shorter as a whole has nothing in it that is too long. Most documents are.
    return text if len(text) <= min(text_max, total_max) else page_json(Preview(text_max, total_max).of(value))


def page_json(value: Any) -> str:
    """Return JSON in which nothing is markup, ends a script, controls anything or turns the direction of writing."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:  # half of a surrogate pair, or a number beyond 64 bits
        text = json.dumps(value, default=str, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text if text.isprintable() else escaped_controls(text)
