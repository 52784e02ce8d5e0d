"""The numbers of records in a stream that no call has numbered, over a restart.

DynamoDB numbers the records of a table's stream by itself, and only readings show the numbers. A consumer holds the last one as
its checkpoint, and knows records by their `eventID`. A restore writes the same items in the same order, so the stream has the
same records then, under other numbers. So of each record that a client was shown, its number, what else the emulator drew of it,
and a digest of the rest are kept, and written down. When somebody comes to the streams after a restart, the stream of today is
read once beside what clients were shown, and the numbers become aliases.

Records are told apart by their contents. Of several that are alike, the place beside one that is not decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

import jmespath
import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.proxy.requests.held.held_file import LOST, HeldFile
from replay_proxy.proxy.requests.held.sessions import Reading, position_of, tokens_of

RECORDS_FILE = "held_records.jsonl"
"""Where the numbers of records are written down."""
RECORDS_MAX = 20_000
"""Of all streams that are remembered; the oldest go first."""
_PAGES_MAX = 1_000

Call = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Makes a call of this operation with these parameters, in client ids. Returns its result; empty where it failed."""
Learn = Callable[[CallHead, str, str], None]
"""Takes what a client and the emulator of today call the same thing."""


class Shown(NamedTuple):
    """A record as it was shown: its number, what else was drawn, and a digest of the rest."""

    number: str
    drawn: tuple[str, ...]
    digest: str


class _Stream(NamedTuple):
    """Of which reading something was shown. parameters: of the opening call, without the place, as JSON."""

    service: str
    account: str
    region: str
    operation: str
    parameters: str


class StreamRecords:
    """What clients were shown of streams, for one proxy. learn: told of the pairs that are found."""

    def __init__(self, held_file: HeldFile | None, learn: Learn) -> None:
        self._file = held_file
        self._learn = learn
        self._shown: dict[_Stream, dict[str, Shown]] = {}
        self._pending: set[_Stream] = set()
        self._count = 0
        for line in () if held_file is None else held_file.read():
            with suppress(ValueError, TypeError):  # something else than records
                self._take(line)

    def _take(self, line: list[Any]) -> None:
        """Take up a line that an earlier proxy has written down. Raises `ValueError`, `TypeError`."""
        match line:
            case ["records", [str(), str(), str(), str(), str()] as said, list(records)]:
                stream = _Stream(*said)
                tokens, position = tokens_of(stream.service), position_of(stream.service) or {}
                drawn_count = len(position.get("records", {}).get("drawn", ()))
                if tokens is None or stream.operation not in tokens.opens:
                    return
                dict(orjson.loads(stream.parameters))
                found = [Shown(number, tuple(drawn), digest) for number, drawn, digest in records]
                texts = all(isinstance(text, str) for each in found for text in (each.number, *each.drawn, each.digest))
                if texts and all(len(each.drawn) == drawn_count for each in found):
                    self._add(stream, found)
            case ["lost"]:
                self._pending = set(self._shown)

    def note(self, head: CallHead, reading: Reading, result: Mapping[str, Any]) -> None:
        """Note what the answer to a reading shows."""
        found = shown_in(head.service, result)
        if found and (new := self._add(_stream_of(head, reading), found)) and self._file is not None:
            entries = [[each.number, each.drawn, each.digest] for each in new]
            self._file.add("records", list(_stream_of(head, reading)), entries)

    def _add(self, stream: _Stream, found: list[Shown]) -> list[Shown]:
        known = self._shown.setdefault(stream, {})
        new = [each for each in found if each.number not in known]
        known |= {each.number: each for each in new}
        self._count += len(new)
        if new:  # the stream that was read last comes last
            self._shown[stream] = self._shown.pop(stream)
        while self._count > RECORDS_MAX:
            self._forget_oldest()
        return new

    def _forget_oldest(self) -> None:
        stream = next(iter(self._shown))
        known = self._shown[stream]
        del known[next(iter(known))]
        self._count -= 1
        if not known:
            del self._shown[stream]
            self._pending.discard(stream)

    def begin_generation(self) -> None:
        """Note that the emulator has numbered all records anew."""
        self._pending = set(self._shown)
        if self._file is not None and self._shown:
            self._file.add(*LOST)

    @property
    def any_pending(self) -> bool:
        """Whether the numbers of today are not known of some stream."""
        return bool(self._pending)

    async def learn(self, head: CallHead, call: Call) -> bool:
        """Learn the numbers of today for the streams of the account and region of `head`. Return whether any were learned."""
        learned = False
        where = (head.service, head.account, head.region)
        for stream in [each for each in self._pending if each[:3] == where]:
            today = await _read_all(stream, call)
            self._pending.discard(stream)
            for client, emulator in pairs(list(self._shown.get(stream, {}).values()), today):
                values = zip((client.number, *client.drawn), (emulator.number, *emulator.drawn), strict=True)
                for old, new in values:
                    self._learn(head, old, new)
                learned = True
        return learned


async def _read_all(stream: _Stream, call: Call) -> list[Shown]:
    position, tokens = position_of(stream.service), tokens_of(stream.service)
    if position is None or tokens is None:
        return []
    start = {**orjson.loads(stream.parameters), position["type"]: position["start"]}
    token = (await call(stream.operation, start)).get(tokens.opens[stream.operation])
    found: list[Shown] = []
    for _ in range(_PAGES_MAX):
        if not isinstance(token, str):
            break
        result = await call(tokens.reads, {tokens.takes: token})
        page = shown_in(stream.service, result)
        if not page:
            break
        found += page
        token = result.get(tokens.gives)
    return found


def shown_in(service: str, result: Mapping[str, Any]) -> list[Shown]:
    """Return the records that an answer shows, where no call has numbered them."""
    position = position_of(service)
    said = None if position is None else position.get("records")
    if said is None:
        return []
    found = []
    for record in result.get(said["list"], ()):
        number = jmespath.search(said["number"], record)
        drawn = tuple(str(jmespath.search(each, record)) for each in said["drawn"])
        if isinstance(number, str):
            rest = _without(record, [said["number"], *said["drawn"], *said["varies"]])
            text = orjson.dumps(rest, default=repr, option=orjson.OPT_SORT_KEYS)
            found.append(Shown(number, drawn, blake2b(text, digest_size=8).hexdigest()))
    return found


def pairs(shown: list[Shown], today: list[Shown]) -> list[tuple[Shown, Shown]]:
    """Return the records that clients were shown, in order, each with the one of today that is the same."""
    counts = Counter(each.digest for each in shown), Counter(each.digest for each in today)
    at = {each.digest: index for index, each in enumerate(today) if counts[1][each.digest] == 1}
    found: list[tuple[Shown, Shown]] = []
    offsets = [
        at[each.digest] - index if counts[0][each.digest] == 1 and each.digest in at else None
        for index, each in enumerate(shown)
    ]
    # Before the first one that is alone of its kind: its distance. Where none is, both begin alike, or end so.
    alike = [each.digest for each in shown]
    ends_alike = [each.digest for each in today[-len(alike) :]] == alike and len(today) > len(alike)
    begins_alike = [each.digest for each in today[: len(alike)]] == alike
    offset = next((each for each in offsets if each is not None), None)
    if offset is None:
        offset = len(today) - len(shown) if ends_alike and not begins_alike else 0
    for index, each in enumerate(shown):
        offset = offset if (own := offsets[index]) is None else own
        if 0 <= index + offset < len(today) and today[index + offset].digest == each.digest:
            found.append((each, today[index + offset]))
    return found


def _stream_of(head: CallHead, reading: Reading) -> _Stream:
    position = position_of(head.service) or {}
    place = {position.get(name) for name in ("type", "number", "time")}
    kept = {name: value for name, value in reading.parameters.items() if name not in place}
    text = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
    return _Stream(head.service, head.account, head.region, reading.operation, text)


def _without(record: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    """Return a record without the members at these paths."""
    copy = dict(record)
    for path in paths:
        *above, last = path.split(".")
        place = copy
        for name in above:
            place[name] = place = dict(place.get(name, {}))
        place.pop(last, None)
    return copy
