"""Putting back what an emulator drew by itself inside of a resource, where an API call can write it.

A template may ask for a secret to be generated. No recorded call says which; a read showed it (a witness). When the stack is
made again, another one is generated, and the same read shows that. Then what was shown at first is written. The calls are in
`data/put_back.json`, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.identifiers.learning.align import AlignedValue, KnownIdentifiers, walk
from replay_proxy.replay.issued.issuing_calls import OtherCall, document_of
from replay_proxy.wire.codecs.answers import Outcome

_DATA = Path(__file__).parent / "data" / "put_back.json"


@dataclass(frozen=True, slots=True)
class _Then:
    call: OtherCall
    constants: Mapping[str, str]
    drawn: str
    only: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Write:
    members: tuple[str, ...]
    call: OtherCall
    then: _Then
    elements: str
    named_by: str


@cache
def _writes() -> Mapping[tuple[str, str], _Write]:
    return {
        (entry["service"], entry["operation"]): _Write(
            tuple(entry["members"]),
            OtherCall(entry["write"], "", entry["parameters"]),
            _then(entry["then"]),
            entry.get("elements", ""),
            entry.get("named_by", ""),
        )
        for entry in orjson.loads(_DATA.read_bytes())["reads"]
    }


def _then(entry: Mapping[str, Any]) -> _Then:
    call = OtherCall(entry["write"], "", entry["parameters"])
    return _Then(call, entry["constants"], entry["drawn"], (entry["only"][0], entry["only"][1]))


def put_back(
    head: CallHead, request: Request, answer: Answer, recorded: Outcome, replayed: Outcome, known: KnownIdentifiers
) -> Iterator[list[tuple[CallHead, Request]]]:
    """Yield the calls that write what a recorded read showed, for each thing of which the emulator shows something else.

    The first one writes it; a second one takes away what was drawn, where it would be shown beside that.

    request, answer: as recorded. recorded, replayed: the outcomes. known: finds which elements of their lists are the same thing.
    """
    write = _writes().get((head.service, head.operation))
    if write is None or not recorded.ok or not replayed.ok:
        return
    asked, answered = document_of(request), document_of(answer)
    if asked is None or answered is None:
        return
    for shown, one, two in _things(head, write, answered, recorded.parsed, replayed.parsed, known):
        if all(one.get(name) == two.get(name) for name in write.members):
            continue
        notes = {"thing": two.get(write.named_by)}
        calls = [(replace(head, operation=write.call.operation), write.call.request(request, asked, shown, notes))]
        then = write.then
        drawn, (member, value) = two.get(then.drawn), then.only
        if drawn and drawn != one.get(then.drawn) and value in (one.get(member) or ()):
            notes |= {**then.constants, "drawn": drawn}
            calls.append(
                (replace(head, operation=then.call.operation), then.call.request(request, asked, shown, notes))
            )
        yield calls


_Thing = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
"""What an answer shows of one thing: as its document spells it, as recorded, as replayed."""


def _things(
    head: CallHead, write: _Write, answered: Any, recorded: Any, replayed: Any, known: KnownIdentifiers
) -> Iterator[_Thing]:
    if not write.elements:
        yield answered, recorded, replayed
        return
    place_of = re.compile(rf"{write.elements}\[(\d+)]\.{write.named_by}")
    by_name = {each.get(write.named_by): each for each in replayed.get(write.elements, ())}
    for place in walk(head, output_shape(head), recorded, replayed, known, use_position=False):
        if isinstance(place, AlignedValue) and (found := place_of.fullmatch(place.path)) and place.replayed in by_name:
            at = int(found[1])
            yield answered[write.elements][at], recorded[write.elements][at], by_name[place.replayed]
