"""What the emulator chose where the client had left the choice to it.

A client that does not say in which zone its subnet is to be is told in which zone it is, and may rely on that from then on. An
emulator that chooses at random would choose another zone at the next start. So the replayed call asks for what was chosen the
first time. The members in question are in `data/choices.json`, each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.codecs.answers import Outcome

_DATA = Path(__file__).parent / "data" / "choices.json"


@dataclass(frozen=True, slots=True)
class PinnedChoice:
    """One member to ask for. request: its name. answer: where the recorded answer shows what was chosen.

    unless: request members of which any one says that the client made the choice.
    """

    unless: frozenset[str]
    request: str
    answer: tuple[str, ...]


@cache
def _choices() -> Mapping[tuple[str, str], tuple[PinnedChoice, ...]]:
    table: dict[tuple[str, str], tuple[PinnedChoice, ...]] = {}
    for entry in orjson.loads(_DATA.read_bytes())["choices"]:
        key = (entry["service"], entry["operation"])
        choice = PinnedChoice(frozenset(entry["unless"]), entry["request"], tuple(entry["answer"].split(".")))
        table[key] = (*table.get(key, ()), choice)
    return table


def with_choices(request: Request, head: CallHead, recorded: Outcome, parameters: Mapping[str, Any]) -> Request:
    """Return `request`, asking for what `recorded` shows to have been chosen; the identical object where there is nothing to ask.

    parameters: of the request, parsed. Members can be added to forms and to JSON documents, the protocols in question.
    """
    wanted = {}
    for choice in _choices().get((head.service, head.operation), ()):
        value: Any = recorded.parsed
        for name in choice.answer:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value and choice.unless.isdisjoint(parameters):
            wanted[choice.request] = value
    if not wanted or not isinstance(request.body, bytes):
        return request
    if head.protocol in ("query", "ec2"):
        body = request.body + b"".join(f"&{name}={quote(value, safe='')}".encode() for name, value in wanted.items())
    else:
        body = orjson.dumps({**orjson.loads(request.body or b"{}"), **wanted})
    return replace(request, body=body, headers=request.headers.replaced("Content-Length", str(len(body))))


def has_choices(head: CallHead) -> bool:
    """Return whether there is anything that `with_choices` could ask for."""
    return (head.service, head.operation) in _choices()
