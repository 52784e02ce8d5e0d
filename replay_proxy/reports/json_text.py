"""Documents as JSON that is harmless on a terminal, too: what controls one, or the direction of writing, is an escape.

Lists that are iterators are written element by element, so that a large document is never in memory as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

_CONTROLS: Final = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0001-\U000e007f]"
)


def json_text(document: Any) -> str:
    """Return a document as indented JSON with a newline at its end."""
    return _indented(document, "") + "\n"


def json_pieces(document: Mapping[str, Any]) -> Iterator[str]:
    """Return the same in pieces; members of the document may be iterators, which are lists."""
    opening = "{\n"
    for member, value in document.items():
        yield f"{opening}  {orjson.dumps(member).decode()}: "
        opening = ",\n"
        if not isinstance(value, Iterator):
            yield _indented(value, "  ")
            continue
        separator = "["
        for each in value:
            yield f"{separator}\n    {_indented(each, '    ')}"
            separator = ","
        yield "[]" if separator == "[" else "\n  ]"
    yield "\n}\n"


def _indented(value: Any, indent: str) -> str:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    text = escaped_controls(text)
    # A line feed inside a text is an escape in JSON: these are between members.
    return text.replace("\n", f"\n{indent}") if indent else text


def escaped_controls(text: str) -> str:
    """Return JSON in which what controls a terminal, or the direction of writing, is an escape."""
    return _CONTROLS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
