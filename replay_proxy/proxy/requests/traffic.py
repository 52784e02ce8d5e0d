"""Requests as they pass, for people who look on.

There is a `Traffic` only while somebody looks (`RequestPolicy.traffic`); else a request pays for one comparison. The latest
entries are kept, and whoever is slower than they come misses some: nothing ever waits for a viewer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.proxy.http.streams import printable_target
from replay_proxy.wire.codecs.answers import ERROR_STATUS_MIN
from replay_proxy.wire.codecs.error_bodies import read_error
from replay_proxy.wire.mutability.judge import Effect, judge_call

ENTRIES_MAX: Final = 2000
_ERROR_CHARACTERS_MAX: Final = 100


class Fate(StrEnum):
    """What became of a request.

    RECORDED: a change that is in the journal. READ, TRANSIENT: a known call that is not worth recording. REFUSED: a change that
    the emulator refused. SWITCHED_OFF: a change that a setting leaves out of the recording. UNRECORDED: a change that was let
    through although it could not be recorded. UNRECOGNISED: forwarded, but no known AWS API call. UNAVAILABLE: answered with
    a 503 by the proxy itself.
    """

    RECORDED = "recorded"
    READ = "read"
    TRANSIENT = "transient"
    REFUSED = "refused"
    SWITCHED_OFF = "switched_off"
    UNRECORDED = "unrecorded"
    UNRECOGNISED = "unrecognised"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Passing:
    """A request that was answered.

    time: when it came, as in records. ms: until its answer. what: the operation, or method and path of what is no known call.
    error: the code of a refusal. seq: its number in the journal; 0 where it is not there.
    """

    time: str
    ms: float
    service: str
    what: str
    account: str
    region: str
    status: int
    fate: Fate
    error: str = ""
    seq: int = 0


class Traffic:
    """The latest requests. count: all that were noted."""

    def __init__(self) -> None:
        self.count = 0
        self._entries: deque[Passing] = deque(maxlen=ENTRIES_MAX)

    def note(
        self, head: CallHead | None, request: Request, status: int, answer: Callable[[], Answer] | None, begun_s: float
    ) -> None:
        """Note a request that is not recorded. answer: as the client sees it; None where it is not at hand."""
        self._add(_fate(head, request), head, request, status, answer, begun_s)

    def note_change(
        self,
        head: CallHead,
        request: Request,
        status: int,
        answer: Callable[[], Answer] | None,
        begun_s: float,
        *,
        seq: int,
    ) -> None:
        """Note a change. seq: its number in the journal; 0 where it was refused, or could not be recorded."""
        lost = Fate.UNRECORDED if status < ERROR_STATUS_MIN else Fate.REFUSED
        self._add(Fate.RECORDED if seq else lost, head, request, status, answer, begun_s, seq)

    def note_unavailable(self, head: CallHead | None, request: Request, message: str) -> None:
        """Note a request that the proxy answered with a 503 by itself."""
        self._add(Fate.UNAVAILABLE, head, request, 503, None, time.monotonic(), error=message)

    def since(self, position: int, limit: int) -> tuple[list[Passing], int]:
        """Return the entries after the first `position`, `limit` of them at most and the latest, and how many are left out."""
        new = min(self.count - position, len(self._entries), limit)
        entries = list(islice(reversed(self._entries), new))
        return entries[::-1], self.count - position - new

    def _add(
        self,
        fate: Fate,
        head: CallHead | None,
        request: Request,
        status: int,
        answer: Callable[[], Answer] | None,
        begun_s: float,
        seq: int = 0,
        error: str = "",
    ) -> None:
        if status >= ERROR_STATUS_MIN and head is not None and answer is not None:
            found = answer()
            error = read_error(head.protocol, found, found.body)[0] if isinstance(found.body, bytes) else ""
        seconds = time.monotonic() - begun_s
        begun = datetime.fromtimestamp(time.time() - seconds, UTC)
        self.count += 1
        self._entries.append(
            Passing(
                begun.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                round(seconds * 1000, 1),
                "" if head is None else head.service,
                f"{request.method} {printable_target(request.target)}" if head is None else head.operation,
                "" if head is None else head.account,
                "" if head is None else head.region,
                status,
                fate,
                error[:_ERROR_CHARACTERS_MAX],
                seq,
            )
        )


def _fate(head: CallHead | None, request: Request) -> Fate:
    if head is None:
        return Fate.UNRECOGNISED
    match judge_call(head, request).effect:
        case Effect.READS:
            return Fate.READ
        case Effect.MUTATES:
            return Fate.SWITCHED_OFF
    return Fate.TRANSIENT
