"""A relay in front of a real emulator that lies: it changes one value in some of the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from replay_proxy.emulators.mark_places import ACCOUNT
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.mutability.judge import Effect, judge
from replay_proxy.wire.recognition.recognise import recognise
from tests.support.relay import Relay

_TEXT = re.compile(r">([^<>]+)</")


@dataclass(frozen=True)
class Lie:
    """One value that was changed. call: service and operation. member: the innermost that holds it."""

    call: str
    member: str
    before: str
    after: str


class CorruptingRelay(Relay):
    """Changes a value in one of `one_in` answers to changes, once `lying` is set. lies: what it changed.

    Not where the proxy leaves its mark, nor in what no client would see.
    """

    def __init__(self, port: int, random: Random, one_in: int) -> None:
        self.lying = False
        self.lies: list[Lie] = []
        self._random = random
        self._one_in = one_in
        super().__init__(port)

    def pass_on(  # type: ignore[override]
        self, port: int, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """As Relay does, and lie now and then."""
        status, given, answer = Relay.pass_on(port, method, target, headers, body)
        head = recognise(Request(method, target, Headers(headers.items()), body))
        if (
            self.lying
            and head is not None
            and ACCOUNT not in headers.get("Authorization", "")
            and 200 <= status < 300
            and judge(head.service, head.operation).effect is Effect.MUTATES
            and self._random.randrange(self._one_in) == 0
        ):
            answer = self._lie(head, Answer(status, Headers(given), answer))
        return status, given, answer

    def _lie(self, head: CallHead, told: Answer) -> bytes:
        answer = told.body
        assert isinstance(answer, bytes)
        text = answer.decode("utf-8", "surrogateescape")
        places = _json_places(text) if text[:1] in ("{", "[") else _xml_places(text)
        if not places:
            return answer
        member, start, end = self._random.choice(places)
        before = text[start:end]
        after = _otherwise(before, self._random)
        other = (text[:start] + after + text[end:]).encode("utf-8", "surrogateescape")
        if _outcome(head, told) == _outcome(head, replace(told, body=other)):
            return answer  # in a member that the model does not have, so that no client sees it
        self.lies.append(Lie(f"{head.service}:{head.operation}", member, before, after))
        return other


def _outcome(head: CallHead, answer: Answer) -> Outcome | None:
    try:
        return parse_answer(head, answer)
    except MalformedMessage:
        return None


def _xml_places(text: str) -> list[tuple[str, int, int]]:
    found = []
    for match in _TEXT.finditer(text):
        if match[1].strip():
            member = re.match(r"\w+", text[match.end() :])
            found.append((member[0] if member else "", match.start(1), match.end(1)))
    return found


_JSON_MEMBER = re.compile(r'"(\w+)"\s*:\s*(?:"((?:[^"\\]|\\.)+)"|(-?\d+(?:\.\d+)?|true|false))')


def _json_places(text: str) -> list[tuple[str, int, int]]:
    return [
        (match[1], match.start(2 if match[2] else 3), match.end(2 if match[2] else 3))
        for match in _JSON_MEMBER.finditer(text)
    ]


def _otherwise(value: str, random: Random) -> str:
    """Another value of the same form."""
    if value in ("true", "false"):
        return "false" if value == "true" else "true"
    places = [index for index, letter in enumerate(value) if letter.isascii() and letter.isalnum()]
    if not places:
        return value + "x"
    index = random.choice(places)
    letter = value[index]
    other = str((int(letter) + 1) % 10 or 1) if letter.isdigit() else "b" if letter in "aA" else "a"
    return value[:index] + other + value[index + 1 :]
