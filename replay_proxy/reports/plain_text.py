"""Texts for terminals and Markdown: what could control either is shown as an escape, what is long is cut."""

from __future__ import annotations

from typing import Final

CUT: Final = 400
_MARKDOWN: Final = {ord(char): f"\\{char}" for char in "\\`*_{}[]()#+-.!|~>"} | {ord("<"): "&lt;", ord("&"): "&amp;"}
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def plain(text: str, limit: int = CUT) -> str:
    """Return a text in which nothing controls a terminal, or the direction of writing, cut to `limit` characters.

    Controls, escapes, marks of direction and characters without width are shown as Python writes them (`\\x1b`, `\\u202e`).
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)
    return shown if len(text) <= limit else f"{shown}… ({len(text):,} characters)"


def plain_lines(text: str) -> str:
    """Return a text of several lines in which nothing controls a terminal."""
    return "\n".join(plain(line, len(line)) for line in text.split("\n"))


def size(count: int) -> str:
    """Return a number of bytes for people."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def clock(time: str) -> str:
    """Return the time of day of a record's time; the date, too, is in documents."""
    return time[11:19] if len(time) > 19 else time


def moment(time: str) -> str:
    """Return date and time of a record's time, to the second."""
    return time[:19].replace("T", " ") if len(time) > 19 else time


def markdown_cell(text: str) -> str:
    """Return a text in which nothing is Markdown or HTML."""
    return plain(text, 1000).translate(_MARKDOWN)
