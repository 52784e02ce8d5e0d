"""The tokens that clients hold, and what takes their place when the emulator has forgotten them.

What answers give is noted beside the requests, and written down (`held_file`). Tokens of an earlier life of the emulator are
*stale*. While there are any, a request that presents one takes the full path: its reading is opened once more, at the place where
it was, and goes on with the token of today (`sessions`). Where that is not possible the request stays as it is, and the emulator
says that it does not know the token.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import jmespath

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, UpstreamError
from replay_proxy.exchange import CallHead, DeferredAnswer, Headers, Request
from replay_proxy.proxy.requests.held.held_file import DELAY_S, LOST, HeldFile
from replay_proxy.proxy.requests.held.sessions import (
    Reading,
    Tokens,
    advanced,
    hands_out,
    opened,
    position_of,
    tokens_of,
)
from replay_proxy.proxy.requests.held.stream_records import RECORDS_FILE, Learn, StreamRecords, Writes
from replay_proxy.proxy.requests.receipts.renewal import Ask
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

_log = log.get("held")

TOKENS_FILE = "held_tokens.jsonl"
"""Where tokens are written down."""
TOKENS_MAX = 10_000
"""Of the tokens that are remembered; the oldest go first."""
UNREAD_BYTES_MAX = 4 << 20
"""Of the answers that wait to be parsed."""
HOLD_S_MAX = 24 * 3600.0
"""How long a client can hold a token: AppConfig's, which hold longest."""
_PAGES_MAX, _ENDS_MAX = 100, 1_000
_CONTENT_HEADERS = frozenset(
    {"content-length", "content-type", "content-md5", "x-amz-target", "x-amz-content-sha256", "host"}
)


class _Token(NamedTuple):
    """What is known of a token. given_at: in seconds since 1970. generation: of the emulator that gave it."""

    service: str
    reading: Reading
    given_at: float
    generation: int


class HeldTokens:
    """The tokens of one proxy. held_place: where they are written down; None where nothing is recorded, and nothing noted.

    on_learned: called when aliases were learned of what clients hold.
    """

    def __init__(self, held_place: Path | None, ask: Ask, learn: Learn, writes: Writes) -> None:
        """ask: asks the emulator something. learn: told what of today stands for what clients were shown.

        writes: when items of a table were written, whose stream shows it.
        """
        self.on_learned: Callable[[], None] = lambda: None
        self._file = None if held_place is None else HeldFile(held_place, TOKENS_FILE)
        self._ask = ask
        self._records = StreamRecords(None if held_place is None else HeldFile(held_place, RECORDS_FILE), learn, writes)
        self._tokens: OrderedDict[bytes, _Token] = OrderedDict()
        self._unread: deque[tuple[CallHead, Request, DeferredAnswer, float]] = deque()
        self._unread_bytes = 0
        self._delay: asyncio.TimerHandle | None = None
        self._generation = 0
        self._today: dict[bytes, str] = {}
        self._ends: dict[str, str] = {}
        self._taker_names: tuple[bytes, ...] = ()
        """How requests call the stale tokens that there are; `_stale_takers` finds these themselves."""
        self._stale_takers: re.Pattern[bytes] | None = None
        for line in () if self._file is None else self._file.read():
            with suppress(ValueError):  # a digest that is none
                self._take(line)
        self._prepare()

    # What answers give.

    def _take(self, line: list[Any]) -> None:
        """Take up a line that an earlier proxy has written down. Raises `ValueError`."""
        match line:
            case ["token", str(key), str(service), str(operation), dict(parameters), float(given_at)]:
                tokens = tokens_of(service) if given_at > time.time() - HOLD_S_MAX else None
                if tokens is not None and operation in tokens.opens:
                    token = _Token(service, Reading(operation, parameters), given_at, self._generation)
                    self._keep(bytes.fromhex(key), token)
            case ["lost"]:
                self._generation += 1

    def are_given_by(self, head: CallHead) -> bool:
        """Return whether the answer to a call gives a token that is noted. Quick."""
        return self._file is not None and hands_out(head)

    def note(self, head: CallHead, request: Request, body: bytes, answer: DeferredAnswer) -> None:
        """Note an answer that gives a token, as the client saw it. Cheap."""
        self._unread.append((head, request, answer, time.time()))
        self._unread_bytes += len(body)
        if self._unread_bytes > UNREAD_BYTES_MAX:
            self._read()
        elif self._delay is None:
            self._delay = asyncio.get_running_loop().call_later(DELAY_S, self._read)

    def _read(self) -> None:
        if self._delay is not None:
            self._delay.cancel()
            self._delay = None
        while self._unread:
            head, request, answer, given_at = self._unread.popleft()
            try:
                parameters, result = parse_parameters(head, request), parse_answer(head, answer(), request).parsed
            except MalformedMessage:
                continue  # of an emulator that answers something else
            self._note_parsed(head, parameters, result, given_at)
        self._unread_bytes = 0
        if self._file is not None:
            self._file.flush()

    def _note_parsed(
        self, head: CallHead, parameters: Mapping[str, Any], result: Mapping[str, Any], given_at: float
    ) -> None:
        tokens = tokens_of(head.service)
        if tokens is None:
            return
        if head.operation == tokens.reads:
            before = self._tokens.get(_key(str(parameters.get(tokens.takes, ""))))
            token = result.get(tokens.gives)
            reading = None if before is None else advanced(head.service, before.reading, result)
            if before is not None:
                self._records.note(head, before.reading, result)
        else:
            token = result.get(tokens.opens[head.operation])
            reading = opened(head, parameters, given_at, self._ends.pop(_place(head, parameters), None))
        if reading is None or not isinstance(token, str):
            return
        self._keep(_key(token), _Token(head.service, reading, given_at, self._generation))
        if self._file is not None:
            said = [head.service, reading.operation, dict(reading.parameters)]
            self._file.add("token", _key(token).hex(), *said, given_at)

    def _keep(self, key: bytes, token: _Token) -> None:
        self._tokens.pop(key, None)
        self._tokens[key] = token
        if len(self._tokens) > TOKENS_MAX:
            self._tokens.popitem(last=False)

    def begin_generation(self) -> None:
        """Make all tokens stale: the emulator has lost its memory."""
        self._read()
        self._generation += 1
        self._today.clear()
        self._ends.clear()
        self._records.begin_generation()
        if self._file is not None and self._tokens:
            self._file.add(*LOST)
        self._prepare()

    def _prepare(self) -> None:
        """Prepare to find the stale tokens that there are in requests."""
        services = {token.service for token in self._tokens.values() if token.generation < self._generation}
        names = sorted({tokens.spelled for service in services if (tokens := tokens_of(service)) is not None})
        self._taker_names = tuple(name.encode() for name in names)
        # A name, and what follows it up to the end of a value in JSON, in a form or in a query.
        found = rf'(?:{"|".join(map(re.escape, names))})"?\s*[:=]\s*"?([^"&\s]+)'
        self._stale_takers = re.compile(found.encode()) if names else None

    # What requests present.

    def may_be_presented(self, data: bytes, body_at: int) -> bool:
        """Return whether a request of these bytes may present a stale token, or begin to read the stream of a table. Quick.

        body_at: the offset of its body.
        """
        if (
            (b".GetShardIterator" in data or self._records.any_pending)
            and self._file is not None
            and b"DynamoDBStreams" in data
        ):
            return True
        if self._stale_takers is None:
            return False
        begin = body_at if data.startswith(b"POST") else 0  # where the body says what is asked, the query does not
        for name in self._taker_names:
            if data.find(name, begin) >= 0:
                break
        else:
            return False
        for found in self._stale_takers.finditer(data, begin):
            value = found[1]
            if b"\\" in value or b"%" in value or self._is_stale(_key_of_bytes(value)):
                return True
        return False

    def _is_stale(self, key: bytes) -> bool:
        token = self._tokens.get(key)
        return token is not None and token.generation < self._generation

    async def in_request(self, request: Request, head: CallHead) -> Request:
        """Return `request` with the token of today in the place of a stale one; the same object where it presents none.

        Raises `UpstreamError`.
        """
        tokens = tokens_of(head.service) if self._file is not None else None
        if tokens is None or "cbor" in request.headers.get("content-type"):
            return request
        if head.operation not in (tokens.reads, *tokens.opens) and not self._records.any_pending:
            return request
        try:
            parameters = parse_parameters(head, request)
            if self._records.any_pending and await self._records.learn(head, partial(self._call, request, head)):
                self.on_learned()
            await self._learn_times(head, request, parameters, tokens)
            if head.operation in tokens.opens:
                await self._look_for_end(head, request, parameters, tokens)
                return request
            if head.operation != tokens.reads:
                return request
            today = await self._of_today(str(parameters.get(tokens.takes, "")), request, head, tokens)
        except MalformedMessage:
            return request
        return request if not today else _like(request, head, {**parameters, tokens.takes: today})

    async def _learn_times(
        self, head: CallHead, request: Request, parameters: Mapping[str, Any], tokens: Tokens
    ) -> None:
        """Learn when the records were made that are about to be read: where a reading begins, or goes on from before."""
        if head.operation in tokens.opens:
            reading = Reading(head.operation, parameters)
        else:
            key = _key(str(parameters.get(tokens.takes, "")))
            if head.operation != tokens.reads or not self._is_stale(key):
                return
            reading = self._tokens[key].reading
        if await self._records.learn_times(head, reading, partial(self._call, request, head)):
            self.on_learned()

    async def _of_today(self, presented: str, request: Request, head: CallHead, tokens: Tokens) -> str:
        """Return the token that stands in for a stale one; empty where none does."""
        self._read()
        key = _key(presented)
        if not self._is_stale(key):
            return ""
        if key not in self._today:
            stale = self._tokens[key]
            reading = stale.reading
            result = await self._call(request, head, reading.operation, reading.parameters)
            token = result.get(tokens.opens[reading.operation])
            if not isinstance(token, str):
                _log.warning(
                    "a token that was given out before a restart cannot be made again; the emulator will refuse it",
                    call=f"{head.service}:{head.operation}",
                )
                return ""
            self._today[key] = token
            self._keep(_key(token), stale._replace(generation=self._generation))
        return self._today[key]

    async def _look_for_end(
        self, head: CallHead, request: Request, parameters: Mapping[str, Any], tokens: Tokens
    ) -> None:
        """Look up the last record of a stream whose end is asked for: later, its end will be another place."""
        position = position_of(head.service)
        if position is None or "at" in position or parameters.get(position["type"]) != position["end"]:
            return
        if len(self._ends) >= _ENDS_MAX:  # of calls that were refused
            self._ends.clear()
        start = {**parameters, position["type"]: position["start"]}
        token = (await self._call(request, head, head.operation, start)).get(tokens.opens[head.operation])
        last = ""
        for _ in range(_PAGES_MAX):
            if not isinstance(token, str):
                break
            result = await self._call(request, head, tokens.reads, {tokens.takes: token})
            self._records.note(head, Reading(head.operation, start), result)
            number = jmespath.search(position["last"], result)
            if not isinstance(number, str):
                self._ends[_place(head, parameters)] = last
                return
            last, token = number, result.get(tokens.gives)
        if token is None:
            self._ends[_place(head, parameters)] = last

    async def _call(
        self, request: Request, head: CallHead, operation: str, parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        other = replace(head, operation=operation)
        try:
            asked = _like(request, other, parameters)
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}  # a file that somebody changed: no parameters of this operation
        try:
            outcome = parse_answer(other, await self._ask(asked, other), asked)
        except (MalformedMessage, UpstreamError):
            return {}
        return outcome.parsed


def _like(request: Request, head: CallHead, parameters: Mapping[str, Any]) -> Request:
    """Return a request for this call, with the credentials and the address of `request`."""
    made = build_request(head, parameters, request.headers.get("host"))
    own = [(name, value) for name, value in request.headers if name.lower() not in _CONTENT_HEADERS]
    names = {name.lower() for name, _ in own}
    headers = [(name, value) for name, value in made.headers if name.lower() not in names]
    return Request(made.method, made.target, Headers((*headers, *own)), made.body)


def _key(token: str) -> bytes:
    return _key_of_bytes(token.encode("utf-8", "surrogatepass"))


def _key_of_bytes(token: bytes) -> bytes:
    return blake2b(token, digest_size=16).digest()


def _place(head: CallHead, parameters: Mapping[str, Any]) -> str:
    return f"{head.account} {head.region} {sorted((name, str(value)) for name, value in parameters.items())}"
