"""What the actions print: JSON, lines, and a progress bar on standard error where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from replay_proxy.wording import size

if TYPE_CHECKING:
    from replay_proxy.pods.store import Version

ProgressBar = Callable[[int, int], None]


def print_json(document: Any) -> None:
    """Print a document on standard output."""
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings, each column as wide as it needs to be."""
    from replay_proxy.reports.plain_text import plain

    lines = [headings, *([plain(cell, 200) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def version_document(version: Version) -> dict[str, Any]:
    """Return what an index tells of a version, as JSON values."""
    from replay_proxy.pods.oci.descriptor import (
        AUTHORS,
        CALLS,
        CREATED,
        EMULATOR,
        MESSAGE,
        PARENT,
        REDACTED,
        RESOURCES,
        SERVICES,
    )

    said = version.annotations
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "state": version.state,
        "created": said.get(CREATED, ""),
        "message": said.get(MESSAGE, ""),
        "author": said.get(AUTHORS, ""),
        "emulator": said.get(EMULATOR, ""),
        "services": [each for each in said.get(SERVICES, "").split(",") if each],
        "calls": _count(said.get(CALLS, "")),
        "resources": _count(said.get(RESOURCES, "")),
        "parent": said.get(PARENT, ""),
        "redacted": said.get(REDACTED) == "true",
        "tags": list(version.tags),
    }


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


@contextmanager
def progress(what: str, *, in_bytes: bool = False) -> Iterator[ProgressBar]:
    """Show a bar while something is under way, where standard error is a terminal: called with what is done, and of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}")]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None, told="")

        def show(done: int, total: int) -> None:
            told = f"{size(done)} of {size(total)}" if in_bytes else f"{done} of {total}"
            bars.update(
                task, completed=done, total=total or None, told=told if total else size(done) if in_bytes else ""
            )

        yield show
