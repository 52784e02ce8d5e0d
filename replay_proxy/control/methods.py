"""Which methods an endpoint takes, by the list of the endpoints: for requests with another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLACEHOLDER: Final = re.compile(r"<\w+>")


def methods_of(path: str, endpoints: Iterable[str]) -> list[str]:
    """Return the methods that are taken at a path, in the order of the endpoints; empty where there is no such endpoint.

    endpoints: each `METHOD /path`, with a placeholder `<name>` for what is different. One that names the path itself tells
    what it takes, and not those by whose placeholders the path could be meant, too.
    """
    found: dict[int, list[str]] = {}
    for each in endpoints:
        method, _blank, pattern = each.partition(" ")
        literal = _PLACEHOLDER.split(pattern)
        if re.fullmatch("[^/]+".join(map(re.escape, literal)), path):
            found.setdefault(len(literal), []).append(method)
    return list(dict.fromkeys(found[min(found)])) if found else []
