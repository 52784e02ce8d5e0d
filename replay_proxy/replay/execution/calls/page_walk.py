"""Reading a page of a listing again: all pages are walked from the first, and what was on the page is found among them.

The token of a page is of no use to another emulator, or to the same one after a restart, and what was on the second page then
may be on the first now: emulators sort by identifiers, and these are new. So the lists of all pages are joined. What the
recorded page did not show is no difference; what it showed and no page shows is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.members.answer_identifiers import all_texts
from replay_proxy.identifiers.learning.compare import Comparison, Severity
from replay_proxy.identifiers.rewriting.rewrite import request_to_emulator
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.journal.format.records import RecordKind
from replay_proxy.replay.execution.calls.call_in_progress import CallInProgress
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.pagination import Pagination, pagination_of

PAGES_MAX = 1_000
"""Of one walk. An emulator that gives more, or the same token again, is asked no further."""
_DEPTH = 12


@dataclass(frozen=True)
class _Walk:
    """The latest walk: what was asked where, and the result with the joined lists."""

    key: tuple[Any, ...]
    outcome: Outcome


class PageWalks:
    """Walks the pages of listings, for the witnesses of one restore. Remembers the latest walk: pages follow each other."""

    def __init__(self, target: RestoreTarget, sender: EmulatorSender) -> None:
        self._sender = sender
        self._aliases = target.known.aliases
        self._endpoints = target.endpoints
        self._latest: _Walk | None = None

    @staticmethod
    def pagination(call: CallInProgress) -> Pagination | None:
        """Return how the listing goes on of which a recorded read is a page; None where it is no page, or the only one."""
        if call.record.kind is not RecordKind.WITNESS:
            return None
        pagination = pagination_of(call.head.service, call.head.operation)
        if pagination is None:
            return None
        try:
            if pagination.is_continued(call.parameters) or pagination.next(call.recorded.parsed):
                return pagination
        except MalformedMessage:
            pass
        return None

    async def outcomes(
        self, call: CallInProgress, pagination: Pagination, limit: asyncio.Timeout
    ) -> tuple[Outcome, Outcome]:
        """Return the recorded outcome of a page, and what of all pages of today may be the same.

        The second is an error where one of the pages was refused. Raises as `EmulatorSender.send_call`.
        """
        recorded = call.recorded
        walked = await self._walked(call, pagination, limit)
        if not walked.ok:
            return recorded, walked
        parsed = deepcopy(walked.parsed)
        _take_over_numbers(pagination, recorded.parsed, parsed)
        shown = set(all_texts(recorded.parsed))
        for key, elements in pagination.lists(parsed).items():
            pagination.put(parsed, key, self._candidates(call.head, elements, shown))
        return recorded, Outcome(walked.status, parsed)

    async def _walked(self, call: CallInProgress, pagination: Pagination, limit: asyncio.Timeout) -> Outcome:
        assert call.original is not None
        head, host = call.head, call.original.headers.get("host")
        params = pagination.first(call.parameters)
        first = build_request(head, params, host)
        key = (head, first.target, first.body, call.record.credential.access_key, call.record.notes.get("after"))
        if self._latest is not None and self._latest.key == key:
            return self._latest.outcome
        outcome = await self._send(call, first, limit)
        lists, token = pagination.lists(outcome.parsed), pagination.next(outcome.parsed)
        for _ in range(PAGES_MAX):
            if not token or not outcome.ok:
                break
            page = await self._send(call, build_request(head, {**params, **token}, host), limit)
            if not page.ok:
                return page
            for where, elements in pagination.lists(page.parsed).items():
                lists.setdefault(where, []).extend(elements)
            following = pagination.next(page.parsed)
            token = following if following != token else {}
        parsed = outcome.parsed
        for where, elements in lists.items():
            pagination.put(parsed, where, elements)
        self._latest = _Walk(key, outcome)
        return outcome

    async def _send(self, call: CallInProgress, request: Request, limit: asyncio.Timeout) -> Outcome:
        to_emulator = request_to_emulator(request, call.head, self._aliases, self._endpoints)
        signed = self._sender.signed(to_emulator, call.record.credential)
        return (await self._sender.send_call(signed, call.head, limit, call.doubt)).outcome

    def _candidates(self, head: CallHead, elements: list[Any], shown: set[str]) -> list[Any]:
        """Return the elements that may have been on the page that showed these texts.

        Not those whose own identifier is known to stand for one that the page did not show. Its own is one that no other
        element has in the same place.
        """
        scope = scope_of(head)
        texts = [dict(_placed(element)) for element in elements]
        counts = Counter((place, text) for each in texts for place, text in each.items())
        shared = {place for (place, _), count in counts.items() if count > 1}

        def may_be_there(each: Mapping[str, str]) -> bool:
            for place, text in each.items():
                if place not in shared:
                    client = translated(text, self._aliases, scope, to_client=True)
                    if client != text and client not in shown:
                        return False
            return True

        return [element for element, each in zip(elements, texts, strict=True) if may_be_there(each)]


def without_other_elements(verdict: Comparison) -> Comparison:
    """Return how a page compares, without what stands on other pages."""
    kept = tuple(each for each in verdict.differences if not each.path.endswith("[+]"))
    return Comparison(all(each.severity is Severity.NOTE for each in kept), kept)


def _take_over_numbers(pagination: Pagination, recorded: Any, parsed: Any) -> None:
    """Give the structures around joined lists the numbers and truth values of the recorded page: they tell of a page."""
    for key in pagination.result_keys:
        inside = key.split(".")
        for depth in range(len(inside)):
            one, two = (_inside(side, inside[:depth]) for side in (recorded, parsed))
            if isinstance(one, dict) and isinstance(two, dict):
                for name in {*one, *two}:
                    if isinstance(two.get(name, one.get(name)), int):
                        _copy(name, one, two)


def _copy(name: str, source: Mapping[str, Any], target: dict[str, Any]) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _inside(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _placed(value: Any, place: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """Yield the texts of an element, each with its place in it; not those in lists, of which there are several."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict) and depth:
        for key, each in value.items():
            yield from _placed(each, f"{place}.{key}", depth - 1)
