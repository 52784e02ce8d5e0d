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

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.replay.issued.issuing_calls import OtherCall, document_of
from replay_proxy.wire.codecs.answers import Outcome

_DATA = Path(__file__).parent / "data" / "put_back.json"


@dataclass(frozen=True, slots=True)
class _Write:
    members: tuple[str, ...]
    call: OtherCall


@cache
def _writes() -> Mapping[tuple[str, str], _Write]:
    return {
        (entry["service"], entry["operation"]): _Write(
            tuple(entry["members"]), OtherCall(entry["write"], "", entry["parameters"])
        )
        for entry in orjson.loads(_DATA.read_bytes())["reads"]
    }


def put_back(
    head: CallHead, request: Request, answer: Answer, recorded: Outcome, replayed: Outcome
) -> tuple[CallHead, Request] | None:
    """Return the call that writes what a recorded read showed, in client ids; None where the emulator shows the same.

    request, answer: as recorded. recorded, replayed: the outcomes.
    """
    write = _writes().get((head.service, head.operation))
    if write is None or not recorded.ok or not replayed.ok:
        return None
    if all(recorded.parsed.get(name) == replayed.parsed.get(name) for name in write.members):
        return None
    asked, answered = document_of(request), document_of(answer)
    if asked is None or answered is None:
        return None
    return replace(head, operation=write.call.operation), write.call.request(request, asked, answered, {})
