"""The numbers of records in a stream that no call has numbered, over a restart.

DynamoDB numbers the records of a table's stream by itself, and only readings show the numbers. A consumer holds the last one as
its checkpoint, and knows records by their `eventID`. A restore writes the same items in the same order, so the stream has the
same records then, under other numbers and with the times of the restore. So of each record that a client was shown, its number,
what else the emulator drew of it, its time and a digest of the rest are kept, and written down. When somebody comes to the
streams after a restart, the stream of today is read once beside what clients were shown: the numbers become aliases, and the
times become pairs (`identifiers.rewriting.times`).

Records that nobody has read show the time of the write that made them, too: which one that is, `table_records` tells.

Records are told apart by their contents. Of several that are alike, the place beside one that is not decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from math import floor
from typing import Any, NamedTuple

import jmespath
import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.identifiers.rewriting.times.moments import Moment
from replay_proxy.identifiers.rewriting.times.table_records import Change, digest_of, key_of, original_times
from replay_proxy.proxy.requests.held.held_file import LOST, HeldFile
from replay_proxy.proxy.requests.held.sessions import Reading, position_of, tokens_of

RECORDS_FILE = "held_records.jsonl"
"""Where the numbers of records are written down."""
RECORDS_MAX = 20_000
"""Of all streams that are remembered; the oldest go first."""
STREAMS_MAX = 10_000
"""Of which it is remembered that the times of their records were learned."""
_PAGES_MAX = 1_000
_TABLE = re.compile(r":table/([^/]+)/stream/")
_TIME_MAX_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

Call = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Makes a call of this operation with these parameters, in client ids. Returns its result; empty where it failed."""


class Shown(NamedTuple):
    """A record as it was shown: its number, what else was drawn, a digest of the rest, and when it was made.

    made_at: in seconds since 1970; None where that is not known.
    """

    number: str
    drawn: tuple[str, ...]
    digest: str
    made_at: float | None = None


Writes = Callable[[CallHead, str], Sequence[Moment]]
"""Returns when the items of a table were written that a restore has written again; nothing where no stream shows it."""
Learn = Callable[[CallHead, Shown, Shown], None]
"""Takes a record as a client was shown it, and the same one of the emulator of today."""


class _Stream(NamedTuple):
    """Of which reading something was shown. parameters: of the opening call, without the place, as JSON."""

    service: str
    account: str
    region: str
    operation: str
    parameters: str


class StreamRecords:
    """What clients were shown of streams, for one proxy. learn: told of the pairs that are found. writes: of tables."""

    def __init__(self, held_file: HeldFile | None, learn: Learn, writes: Writes) -> None:
        self._file = held_file
        self._learn = learn
        self._writes = writes
        self._timed: set[_Stream] = set()
        """Streams of which it was found out when the writes behind their records were made."""
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
                found = [Shown(number, tuple(drawn), digest, *rest) for number, drawn, digest, *rest in records]
                if all(_is_sound(each, drawn_count) for each in found):
                    self._add(stream, found)
            case ["lost"]:
                self._pending = set(self._shown)

    def note(self, head: CallHead, reading: Reading, result: Mapping[str, Any]) -> None:
        """Note what the answer to a reading shows."""
        found = shown_in(head.service, result)
        if found and (new := self._add(_stream_of(head, reading), found)) and self._file is not None:
            entries = [[each.number, each.drawn, each.digest, each.made_at] for each in new]
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
        self._timed.clear()
        if self._file is not None and self._shown:
            self._file.add(*LOST)

    @property
    def any_pending(self) -> bool:
        """Whether the numbers of today are not known of some stream."""
        return bool(self._pending)

    async def learn(self, head: CallHead, call: Call) -> bool:
        """Learn the numbers of today for the streams of the account and region of `head`. Return whether any were learned."""
        where = (head.service, head.account, head.region)
        streams = [each for each in self._pending if each[:3] == where]
        return any([await self._learn_of(stream, head, call) for stream in streams])

    async def learn_times(self, head: CallHead, reading: Reading, call: Call) -> bool:
        """Learn when the records of a stream were made that somebody begins to read. Return whether any were learned."""
        stream = _stream_of(head, reading)
        if stream in self._timed or len(self._timed) >= STREAMS_MAX or not self._writes_behind(stream, head):
            return False
        return await self._learn_of(stream, head, call)

    async def _learn_of(self, stream: _Stream, head: CallHead, call: Call) -> bool:
        today = await _read_all(stream, call)
        self._pending.discard(stream)
        self._timed.add(stream)
        shown = list(self._shown.get(stream, {}).values())
        known = {emulator: client for client, emulator in pairs(shown, [each for each, _ in today])}
        times = original_times((change for _, change in today), self._writes_behind(stream, head))
        if all(float(each.made_at or 0).is_integer() for each, _ in today):  # the emulator tells no parts of seconds
            times = [at and floor(at) for at in times]
        learned = False
        for (emulator, _), at in zip(today, times, strict=True):
            client = known.get(emulator)
            if client is None and at is not None:
                client = emulator._replace(made_at=at)
            if client is not None:
                self._learn(head, client if client.made_at is not None else client._replace(made_at=at), emulator)
                learned = True
        return learned

    def _writes_behind(self, stream: _Stream, head: CallHead) -> Sequence[Moment]:
        table = _TABLE.search(str(orjson.loads(stream.parameters).get("StreamArn")))
        return self._writes(head, table[1]) if table is not None else ()


async def _read_all(stream: _Stream, call: Call) -> list[tuple[Shown, Change]]:
    position, tokens = position_of(stream.service), tokens_of(stream.service)
    if position is None or tokens is None:
        return []
    start = {**orjson.loads(stream.parameters), position["type"]: position["start"]}
    token = (await call(stream.operation, start)).get(tokens.opens[stream.operation])
    found: list[tuple[Shown, Change]] = []
    for _ in range(_PAGES_MAX):
        if not isinstance(token, str):
            break
        result = await call(tokens.reads, {tokens.takes: token})
        page = shown_in(stream.service, result)
        if not page:
            break
        found += zip(page, changes_in(stream.service, result), strict=True)
        token = result.get(tokens.gives)
    return found


def shown_in(service: str, result: Mapping[str, Any]) -> list[Shown]:
    """Return the records that an answer shows, where no call has numbered them."""
    found = []
    for said, record in _records(service, result):
        drawn = tuple(str(jmespath.search(each, record)) for each in said["drawn"])
        rest = _without(record, [said["number"], *said["drawn"], said["made_at"], *said["varies"]])
        text = orjson.dumps(rest, default=repr, option=orjson.OPT_SORT_KEYS)
        number = jmespath.search(said["number"], record)
        found.append(Shown(number, drawn, blake2b(text, digest_size=8).hexdigest(), _made_at(said, record)))
    return found


def changes_in(service: str, result: Mapping[str, Any]) -> list[Change]:
    """Return what the records that `shown_in` returns tell of the items of a table."""
    found = []
    for said, record in _records(service, result):
        key, image = jmespath.search(said["key"], record) or {}, jmespath.search(said["image"], record)
        removes = jmespath.search(said["event"], record) == said["removal"]
        seconds = _made_at(said, record) or 0.0
        found.append(Change(key_of(key), removes, digest_of(image) if image else "", seconds))
    return found


def _records(service: str, result: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return the records that no call has numbered, each with how its service says what it tells."""
    said = (position_of(service) or {}).get("records")
    if said is None:
        return
    for record in result.get(said["list"], ()):
        if isinstance(jmespath.search(said["number"], record), str):
            yield said, record


def _made_at(said: Mapping[str, Any], record: Mapping[str, Any]) -> float | None:
    made_at = jmespath.search(said["made_at"], record)
    return made_at.timestamp() if isinstance(made_at, datetime) else None


def _is_sound(shown: Shown, drawn_count: int) -> bool:
    """Return whether what a file says of a record is of the right types."""
    texts = all(isinstance(text, str) for text in (shown.number, *shown.drawn, shown.digest))
    at = shown.made_at
    return (
        texts and len(shown.drawn) == drawn_count and (at is None or (isinstance(at, float) and 0 < at < _TIME_MAX_S))
    )


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
