"""Which observed writes need not be made, because something else has made the thing already, as it was.

The proxy observes what a store of values holds, and cannot tell whether a stack or a function has put it there. A stack that is
made again puts its own there again, and changes it where it is changed again. To write the same once more would make one more
version. So before an observed write of a thing that no recorded call has written, the emulator is asked for the version that the
write has made at first: where it shows the same, nothing is written. The calls are in `data/made_already.json`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.format.records import RecordKind
from replay_proxy.replay.issued.issuing_calls import OtherCall, document_of, value_at

_WORD = re.compile(r"([A-Za-z0-9_-]{4,})")
_DATA = Path(__file__).parent / "data" / "made_already.json"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    numbered: str
    read: OtherCall
    same: Mapping[str, str]
    version: str
    made_at: str


@dataclass(frozen=True, slots=True)
class Question:
    """A read that shows whether an observed write is needed, in client ids. version: the number of what it has made."""

    head: CallHead
    request: Request
    version: int


@cache
def _rules() -> Mapping[tuple[str, str], _Rule]:
    return {
        (entry["service"], entry["operation"]): _Rule(
            entry["name"],
            entry["numbered"],
            OtherCall(entry["read"], "", entry["parameters"]),
            entry["same"],
            entry["version"],
            entry["made_at"],
        )
        for entry in orjson.loads(_DATA.read_bytes())["writes"]
    }


class MadeAlready:
    """Remembers, for one restore, what its calls have written, and how often each thing was observed to be."""

    def __init__(self) -> None:
        self._written: set[tuple[str, str, str, str]] = set()
        self._observed: Counter[tuple[str, str, str, str]] = Counter()

    def question(self, kind: RecordKind, head: CallHead, request: Request) -> Question | None:
        """Note a write, and return what shows whether it is needed; None where it is, and for every other call.

        request: as recorded.
        """
        rule = _rules().get((head.service, head.operation))
        document = document_of(request) if rule is not None else None
        if rule is None or document is None:
            return None
        name = str(document.get(rule.name))
        thing = (head.service, head.account, head.region, name)
        if kind is not RecordKind.OBSERVATION:
            self._written.add(thing)
        if thing in self._written:
            return None
        self._observed[thing] += 1
        version = self._observed[thing]
        asked = {**document, rule.name: rule.numbered.format(name=name, version=version)}
        read = rule.read.request(request, asked, {}, {})
        return Question(replace(head, operation=rule.read.operation), read, version)


def is_made(head: CallHead, request: Request, shown: Answer, version: int) -> bool:
    """Return whether what a write would put down is there, in this version.

    request: in emulator ids. shown: the emulator's answer to the read.
    """
    rule = _rules()[head.service, head.operation]
    document, answer = document_of(request), document_of(shown)
    if shown.status != 200 or document is None or answer is None:
        return False
    is_same = all(document.get(member) == value_at(answer, path) for member, path in rule.same.items())
    return is_same and value_at(answer, rule.version) == version


def drawn_within(head: CallHead, original: Request, shown: Answer) -> list[tuple[Answer, Answer]]:
    """Return what an emulator has drawn anew in what is there: pairs of answers to the read, as it was and as it is now.

    Each shows one word that is another one now, and nothing else of the texts in which these stand. Empty where more differs.
    The first observed write of a thing is what something else had made, in its first version. So where the emulator shows a
    first version, this is the same one, made again. original: the write, in client ids.
    """
    rule = _rules()[head.service, head.operation]
    document, answer = document_of(original), document_of(shown)
    if shown.status != 200 or document is None or answer is None or value_at(answer, rule.version) != 1:
        return []
    found: list[tuple[Answer, Answer]] = []
    for member, path in rule.same.items():
        was, now = (_WORD.split(str(text)) for text in (document.get(member), value_at(answer, path)))
        if len(was) != len(now) or was[::2] != now[::2]:
            return []
        for old, new in zip(was[1::2], now[1::2], strict=True):
            if old != new:
                found.append((_showing(shown, path, old), _showing(shown, path, new)))
    return found


def _showing(shown: Answer, path: str, text: str) -> Answer:
    document = document_of(shown) or {}
    parent, _, name = path.rpartition(".")
    place = value_at(document, parent)
    if isinstance(place, dict):
        place[name] = text
    return replace(shown, body=orjson.dumps(document))


def made_at(head: CallHead, shown: Answer) -> float:
    """Return when the emulator says that it was made, in seconds since the epoch; 0 where it does not."""
    moment = value_at(document_of(shown), _rules()[head.service, head.operation].made_at)
    return float(moment) if isinstance(moment, int | float) else 0.0
