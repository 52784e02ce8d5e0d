"""Which observed writes need not be made, because something else has made the thing already, as it was.

The proxy observes what a store of values holds, and cannot tell whether a stack or a function has put it there. A stack that is
made again puts its own there again. To write the same once more would make one more version. So before the first write of a
thing that no recorded call has written, the emulator is asked for it. The calls are in `data/made_already.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.format.records import RecordKind
from replay_proxy.replay.issued.issuing_calls import OtherCall, document_of, value_at

_DATA = Path(__file__).parent / "data" / "made_already.json"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    read: OtherCall
    same: Mapping[str, str]


@cache
def _rules() -> Mapping[tuple[str, str], _Rule]:
    return {
        (entry["service"], entry["operation"]): _Rule(
            entry["name"], OtherCall(entry["read"], "", entry["parameters"]), entry["same"]
        )
        for entry in orjson.loads(_DATA.read_bytes())["writes"]
    }


class MadeAlready:
    """Remembers, for one restore, what its calls have written."""

    def __init__(self) -> None:
        self._written: set[tuple[str, str, str, str]] = set()

    def question(self, kind: RecordKind, head: CallHead, request: Request) -> tuple[CallHead, Request] | None:
        """Note a write, and return the read that shows whether it is needed; None where it is, and for every other call.

        request: as recorded. The read is in client ids, too.
        """
        rule = _rules().get((head.service, head.operation))
        document = document_of(request) if rule is not None else None
        if rule is None or document is None:
            return None
        written = (head.service, head.account, head.region, str(document.get(rule.name)))
        is_first = written not in self._written
        self._written.add(written)
        if kind is not RecordKind.OBSERVATION or not is_first:
            return None
        return replace(head, operation=rule.read.operation), rule.read.request(request, document, {}, {})


def is_made(head: CallHead, request: Request, shown: Answer) -> bool:
    """Return whether what a write would put down is there. request: in emulator ids. shown: the emulator's answer to the read."""
    rule = _rules()[head.service, head.operation]
    document = document_of(request)
    if shown.status != 200 or document is None:
        return False
    return all(document.get(member) == value_at(document_of(shown), path) for member, path in rule.same.items())
