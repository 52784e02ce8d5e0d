"""Which identifiers a call mentions, found as runs of identifier characters in any text of its parameters.

A run is what no encoding touches: in an ARN, a URL, a policy document or a template the name of a resource stands as a run
of its own. What has several runs (`/app/db`, `a.b`) is looked for by its longest. To find one by chance costs nothing but a
call that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from replay_proxy.replay.compaction.kinds import table

_RUN = re.compile(r"[A-Za-z0-9_-]+")
_GENERATED = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_-]{8,}")
_NOT_GENERATED = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d[a-z]?|\d{12}|\d{4}-\d\d-\d\d.*|[a-z0-9]+-az\d+")
NAMING = re.compile(r"(?:name|identifier|id|arn|url|alias|bucket|domain|resource)s?$", re.IGNORECASE)
REFERRING = re.compile(r"(?:id|arn|url)s?$", re.IGNORECASE)
_DEPTH = 24


def runs(text: str) -> list[str]:
    """All runs of a text."""
    return _RUN.findall(text)


def mark(name: str) -> str:
    """The run by which a name is looked for; empty where it has none."""
    return max(_RUN.findall(name), key=len, default="")


def generated(text: str) -> Iterator[str]:
    """The runs that an emulator may have made up: they have a digit and some length, and are no account or zone."""
    for run in _RUN.findall(text):
        if _GENERATED.fullmatch(run) and not _NOT_GENERATED.fullmatch(run):
            yield run


def is_common(run: str) -> bool:
    """Is it an account, a region, a zone or a date, which stand in many texts that have nothing in common?"""
    return _NOT_GENERATED.fullmatch(run) is not None


@cache
def _labels() -> frozenset[str]:
    return frozenset(table()["not_references"]["members"])


def strings(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """All texts in parameters or in an answer, keys of maps included, but for labels."""
    if isinstance(value, str):
        yield value
    elif depth <= 0:
        return
    elif isinstance(value, Mapping):
        for member, below in value.items():
            if member not in _labels():
                yield str(member)
                yield from strings(below, depth - 1)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each, depth - 1)


def naming(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Members at the top of parameters that name something, each with a value."""
    found = []
    for member, value in params.items():
        if NAMING.search(member) and member not in _labels():
            if isinstance(value, str):
                found.append((member, value))
            elif isinstance(value, list):
                found += [(member, each) for each in value if isinstance(each, str)]
    return found
