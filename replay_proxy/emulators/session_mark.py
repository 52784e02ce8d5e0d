"""The session mark: what tells whether the emulator still holds what was restored into it.

The proxy may be restarted while the emulator goes on, and the emulator may be restarted behind the proxy's back. In the
first case a restore would make everything twice, in the second its absence would lose everything. So the proxy leaves a
*mark* in the emulator's own state, in the first place that keeps it (`mark_places`), and reads it back.
A mark that is gone means: the emulator has forgotten. A mark that says "restoring" means: a restore was interrupted;
"partly": it holds whole parts of the recording, and the others can still be restored.

An emulator that has no place for a mark is asked for what was recorded instead (`replay/presence_probes.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import chain

from replay_proxy.emulators.mark_places import NAME, PLACES, MarkPlace, Step, place_named, shown_at
from replay_proxy.errors import AnswerError, MalformedMessage
from replay_proxy.exchange import Answer, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer

Send = Callable[[Request], Awaitable[Answer]]
Hints = Callable[[], Awaitable[Iterable[str]]]

_ANYTHING = "replay-proxy-tries-this-place-now"
"""A text that is no mark: left to find out whether a place keeps it."""
_PAUSES_S = (0.05, 0.2, 0.5, 1.0)
"""Seconds between tries where something was made that may not be ready yet (a stream); for all places together."""


class MarkPhase(StrEnum):
    """What the mark says of the emulator's state: a restore is under way, whole parts are back, everything is."""

    RESTORING = "restoring"
    PARTLY = "partly"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class SessionMark:
    """One reading of the mark: the session that left it, and how far that session had come."""

    session: str
    phase: MarkPhase


class _Put(Enum):
    """What came of putting a text into a place: it was there already, it was made for it, or it did not take the text."""

    THERE = "there"
    MADE = "made"
    NOT = ""

    def __bool__(self) -> bool:
        return self is not _Put.NOT


class SessionMarks:
    """Leaves and reads the mark through `send`; errors of that pass through, the first broken connection of a step aside.

    secret_key: to sign with, for an emulator that verifies signatures; else empty.
    hints: asked for the services that the emulator is likely to have, where it has no SQS.
    place: the service that keeps the mark; empty where none is known.
    """

    def __init__(self, send: Send, secret_key: str = "", hints: Hints | None = None) -> None:
        self._send = send
        self._secret_key = secret_key
        self._hints = hints
        self.place = ""
        self._nowhere = False

    async def read(self) -> SessionMark | None:
        """Return the mark in the emulator, or None where there is none (or none can be kept)."""
        async for place in self._places():
            outcome = await self._ask(place, place.get)
            if outcome is None:
                continue
            for text in shown_at(outcome.parsed, place.get.shows) if outcome.ok else ():
                if (mark := _mark_of(text)) is not None:
                    self.place = place.service
                    return mark
            if place.service == self.place or outcome.error_code in place.absent:
                return None
        return None

    async def leave(self, mark: SessionMark) -> bool:
        """Leave `mark` in the emulator. Return whether it can be kept."""
        return await self._keep(f"{mark.session}:{mark.phase.value}")

    async def can_leave(self) -> bool:
        """Return whether there is a place for a mark. Leaves a text there that is none."""
        return await self._keep(_ANYTHING)

    def look_again(self) -> None:
        """Look for a place anew: it may be another emulator now."""
        self._nowhere = False

    async def _keep(self, text: str) -> bool:
        if self._nowhere:
            return False
        # Shared by all places: an emulator that says yes to everything and shows nothing must not hold up every start.
        pauses = iter(_PAUSES_S)
        async for place in self._places():
            put = await self._put(place, text, pauses)
            if not put:
                continue
            if place.service == self.place or await self._shows(place, text, pauses if put is _Put.MADE else iter(())):
                self.place = place.service
                return True
        self.place, self._nowhere = "", True
        return False

    async def _places(self) -> AsyncIterator[MarkPlace]:
        """Yield the places to try: the one that is known, SQS, those in the services that are likely, all others."""
        first = [place for place in (place_named(self.place), PLACES[0]) if place is not None]
        for place in first:
            yield place
        likely = frozenset(await self._hints()) if self._hints is not None else frozenset()
        for place in sorted(PLACES, key=lambda place: place.service not in likely):
            if place not in first:
                yield place

    async def _put(self, place: MarkPlace, text: str, pauses: Iterator[float]) -> _Put:
        outcome = await self._ask(place, place.put, text)
        if outcome is not None and outcome.ok:
            return _Put.THERE
        if place.make is None:
            return _Put.NOT
        made = await self._ask(place, place.make, text)
        if made is None or not made.ok:
            return _Put.NOT
        for pause in chain((0.0,), pauses):
            await asyncio.sleep(pause)
            outcome = await self._ask(place, place.put, text)
            if outcome is None:
                break  # what was made is not even listed: to wait for it would hold up each start
            if outcome.ok:
                return _Put.MADE
        return _Put.NOT

    async def _shows(self, place: MarkPlace, text: str, pauses: Iterator[float]) -> bool:
        for pause in chain((0.0,), pauses):
            await asyncio.sleep(pause)
            outcome = await self._ask(place, place.get)
            if outcome is None or not outcome.ok:
                return False
            if text in shown_at(outcome.parsed, place.get.shows):
                return True
        return False

    async def _ask(self, place: MarkPlace, step: Step, text: str = "") -> Outcome | None:
        """Return what came of a step; None where it cannot be made, or its answer cannot be read."""
        found = ""
        if place.find is not None and step is not place.make:
            outcome = await self._send_step(place, place.find, "", "")
            if outcome is None or not outcome.ok:
                return outcome
            found = next((each for each in shown_at(outcome.parsed, place.find.shows) if _is_called(each, NAME)), "")
            if not found:
                return None
        return await self._send_step(place, step, text, found)

    async def _send_step(self, place: MarkPlace, step: Step, text: str, found: str) -> Outcome | None:
        request = place.request(step, self._secret_key, text=text, found=found)
        try:
            answer = await self._send(request)
        except AnswerError as error:
            if not error.may_help_to_repeat:
                raise
            answer = await self._send(request)  # each step may be made twice
        try:
            return parse_answer(place.head(step), answer, request)
        except MalformedMessage:
            return None


def _is_called(text: str, name: str) -> bool:
    """Is `text` the name, or a URL or an ARN that ends with it?"""
    return text == name or text.endswith((f"/{name}", f":{name}"))


def _mark_of(text: str) -> SessionMark | None:
    session, _, phase = text.partition(":")
    try:
        return SessionMark(session, MarkPhase(phase))
    except ValueError:
        return None
