"""The template, the style and the scripts of the page, also for the console, which adds to them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from itertools import chain
from typing import Final

SCRIPTS: Final = ("text", "store", "list", "values", "layout", "charts", "views", "doctor", "router")
"""What every page of these views has, in this order."""


def script_of(own: Iterable[str]) -> str:
    """Return the script of a page: the shared files, then those of its own, in a scope of theirs."""
    script = "\n".join(chain((shared_file(f"script/{name}.js") for name in SCRIPTS), own))
    return f'"use strict";\n(() => {{\n{script}\n}})();\n'


def shared_file(name: str) -> str:
    """Return a file of the page."""
    return files("replay_proxy.reports.page").joinpath(name).read_text(encoding="utf-8")
