"""Putting back what an emulator drew by itself inside of a resource, where an API call can write it.

A template may ask for a secret to be generated. No recorded call says which; a read showed it (a witness). When the stack is
made again, another one is generated, and the same read shows that. Then what was shown at first is written. The calls are in
`data/put_back.json`, each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
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


@cache
def _writes() -> Mapping[tuple[str, str], _Write]:
    return {
        (entry["service"], entry["operation"]): _Write(
            tuple(entry["members"]), OtherCall(entry["write"], "", entry["parameters"]), _then(entry["then"])
        )
        for entry in orjson.loads(_DATA.read_bytes())["reads"]
    }


def _then(entry: Mapping[str, Any]) -> _Then:
    call = OtherCall(entry["write"], "", entry["parameters"])
    return _Then(call, entry["constants"], entry["drawn"], (entry["only"][0], entry["only"][1]))


def put_back(
    head: CallHead, request: Request, answer: Answer, recorded: Outcome, replayed: Outcome
) -> list[tuple[CallHead, Request]]:
    """Return the calls that write what a recorded read showed, in client ids; none where the emulator shows the same.

    The first one writes it; a second one takes away what was drawn, where it would be shown beside that.

    request, answer: as recorded. recorded, replayed: the outcomes.
    """
    write = _writes().get((head.service, head.operation))
    if write is None or not recorded.ok or not replayed.ok:
        return []
    if all(recorded.parsed.get(name) == replayed.parsed.get(name) for name in write.members):
        return []
    asked, answered = document_of(request), document_of(answer)
    if asked is None or answered is None:
        return []
    calls = [(replace(head, operation=write.call.operation), write.call.request(request, asked, answered, {}))]
    then = write.then
    drawn, (member, value) = replayed.parsed.get(then.drawn), then.only
    if drawn and drawn != recorded.parsed.get(then.drawn) and value in (recorded.parsed.get(member) or ()):
        notes = {**then.constants, "drawn": drawn}
        calls.append((replace(head, operation=then.call.operation), then.call.request(request, asked, answered, notes)))
    return calls
