"""Which reads are worth keeping as witnesses.

A client learns most identifiers from the answers of its own mutations. Some it learns otherwise: the default VPC, the
physical ids of a stack, the root resource of an API. No recorded mutation produced them, so no replayed one could teach
what they are called today. The reads that showed them can: such a read is recorded as a *witness*, and is repeated in a
restore at the place where it was made.

A read is a witness when its answer shows an identifier that nothing in the recording explains: no answer to a mutation,
no earlier witness, and nothing that a client sent. An answer explains what can be learned from it, which is what its shape
describes; emulators also say things that the models do not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers import tokens
from replay_proxy.identifiers.learn import identifiers_in
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.mutability import is_data

_SHORTEST = 6
_TELLING = re.compile(rb"\d|.{9}")
_PAGE = re.compile(rb"(?:NextToken|nextToken|Marker|PaginationToken|StartingToken|continuation-token)\W")


class Sightings:
    """The tokens that the recording explains, as far as they could belong to identifiers."""

    def __init__(self) -> None:
        self._explained: set[bytes] = set()

    def explain(self, head: CallHead | None, request: Request, answer: Answer) -> None:
        """Take in a recorded exchange: what it shows is explained."""
        self._explained.update(_tokens_of(request))
        if head is None or is_data(head.service, head.operation):
            # Their answers name messages, versions and the like, in members that the models know.
            self._explained.update(_tokens_of(answer))
        else:
            self._explained.update(_telling(_shown_by(head, request, answer)))

    def is_witness(self, head: CallHead, request: Request, answer: Answer) -> bool:
        """Does this read show an identifier that nothing explains? Parses the answer only where it might."""
        if _PAGE.search(_text_of(request)):
            return False
        unexplained = _tokens_of(answer) - self._explained
        if not unexplained:
            return False
        return not unexplained.isdisjoint(_shown_by(head, request, answer))


def _shown_by(head: CallHead, request: Request, answer: Answer) -> list[bytes]:
    """The tokens in those members of an answer that are identifiers; none where it cannot be read."""
    try:
        outcome = parse_answer(head, answer, request)
    except MalformedMessage:
        return []
    if not outcome.ok:
        return []
    return [run for text in identifiers_in(head, outcome) for run in tokens.runs(text.encode("ascii", "replace"))]


def _tokens_of(message: Request | Answer) -> set[bytes]:
    return _telling(tokens.runs(_text_of(message)))


def _telling(found: Iterable[bytes]) -> set[bytes]:
    """Those that could belong to an identifier."""
    return {run for run in found if len(run) >= _SHORTEST and _TELLING.search(run)}


def _text_of(message: Request | Answer) -> bytes:
    body = message.body if isinstance(message.body, bytes) else b""
    if isinstance(message, Request):
        return message.target.encode("latin-1", "replace") + b"\n" + body
    return "\n".join(value for _name, value in message.headers).encode("latin-1", "replace") + b"\n" + body
