"""In which order concurrent calls are recorded: one that the emulator could have executed them in.

The proxy sees when a request is sent and when its answer arrives, not when the emulator executes it in between. Where
one answer arrived before another request was sent, the order is certain, and it is the journal's: a record gets its
number when its answer is there. Where two calls overlap, the emulator may have executed them either way round; if both
write the same thing, the journal could end with the value that the emulator does not have.

So calls that could touch the same thing take turns: the later one is sent when the answer of the earlier one is
recorded. Overlapping calls that cannot touch the same thing commute, and any order of them is one that the emulator
could have executed; they do not wait for each other.

What can two overlapping calls have in common? To touch the same resource both must *name* it. An identifier that the
emulator invents cannot be named by anybody before the answer that brings it. So two overlapping calls of one service
and account can only touch the same thing if they share the value of a parameter that names something: a member called
`...Name`, `...Id`, `...Arn`, `...Url`. Sharing one by chance costs a wait and nothing else. Calls that name nothing
and create something (`CreateVpc`) commute; those that name nothing and change something (account settings) run alone.
So do calls whose parameters cannot be read.

Writes of data are finer, because they are many: an S3 object, an item of a DynamoDB table by its hash key, a message
group of a FIFO queue are things of their own *inside* a bucket, a table, a queue. Such a call waits for calls on the
whole (`DeleteTable`) and on the same part, not for its neighbours. Messages of a standard queue have no order at all.

Cost: a call that overlaps with no other state-changing call of its service is put into a dictionary and taken out again
(a few microseconds); its parameters are not parsed. Only where calls overlap are the names of both worked out, once each,
and whom a call meets is looked up by these names, so that a crowd costs no more than a pair. Plain messages to queues,
the crowd that there most often is, are told by a glance at their bytes.

What this does not cover, because the proxy cannot see it: two calls of different services that touch the same thing (a
`DeleteRole` beside the `CreateFunction` that refers to it), and what the emulator does by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.journal.subjects import ALONE, MESSAGES, Subjects, last_part, subjects
from replay_proxy.wire.parameters import parse_parameters

# One name is one thing, whichever account uses it.
_ACROSS_ACCOUNTS: Final = frozenset({"s3", "s3control"})
# What only messages have that take turns; or what could hide it.
_GROUPED: Final = (b"MessageGroupId", b"ReceiptHandle", b"\\u")


class Turn:
    """One call's turn: an asynchronous context manager."""

    __slots__ = ("_done", "_entered", "_ordering", "_place", "head", "loose", "request", "subjects")

    def __init__(self, ordering: Ordering, place: _Place, head: CallHead, request: Request) -> None:
        self._ordering = ordering
        self._place = place
        self.head = head
        self.request = request
        self.loose = _is_loose(head, request)
        self.subjects: Subjects | None = None
        self._done: asyncio.Event | None = None
        self._entered = False

    def enter_now(self) -> bool:
        """Enter, if that can be done without waiting. `async with` enters no second time."""
        place = self._place
        if place.under_way and any(place.meeting(self, self._ordering.hash_keys)):
            return False
        place.enter(self)
        self._entered = True
        return True

    async def __aenter__(self) -> None:
        if self._entered:
            return
        place = self._place
        met = place.meeting(self, self._ordering.hash_keys) if place.under_way else ()
        earlier = [other.awaited() for other in met]
        place.enter(self)
        try:
            for event in earlier:
                await event.wait()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *raised: object) -> None:
        self.leave(well=raised[0] is None)

    def leave(self, *, well: bool) -> None:
        """The end of a turn. well: the call was carried out, as far as is known."""
        if well:
            self._ordering.remember(self.head, self.request)
        self._leave()

    def awaited(self) -> asyncio.Event:
        """Somebody waits for this one."""
        if self._done is None:
            self._done = asyncio.Event()
        return self._done

    def _leave(self) -> None:
        self._place.leave(self)
        if self._done is not None:
            self._done.set()

    def read(self, hash_keys: Mapping[tuple[str, str], str]) -> Subjects:
        """What this call touches, worked out when that is first asked."""
        if self.subjects is None:
            try:
                self.subjects = subjects(self.head, parse_parameters(self.head, self.request), hash_keys)
            except (MalformedMessage, LookupError, TypeError, AttributeError):
                self.subjects = ALONE
        return self.subjects


def _is_loose(head: CallHead, request: Request) -> bool:
    """Is it plainly a message without group or receipt? Two of those never meet, wherever they go."""
    if head.service != "sqs" or head.protocol != "json" or head.operation not in MESSAGES:
        return False
    body = request.body
    return isinstance(body, bytes) and not any(sign in body for sign in _GROUPED)


class _Place:
    """The calls of one service that are under way, found by what they touch."""

    __slots__ = ("_alone", "_inside", "_loose", "_own", "_unread", "under_way")

    def __init__(self) -> None:
        self.under_way: dict[Turn, None] = {}
        self._unread: dict[Turn, None] = {}
        self._loose = 0  # how many of those under way
        self._own: dict[str, dict[Turn, None]] = {}
        self._inside: dict[str, dict[Turn, None]] = {}
        self._alone: dict[Turn, None] = {}

    def meeting(self, call: Turn, hash_keys: Mapping[tuple[str, str], str]) -> Iterable[Turn]:
        """The calls under way that could touch the same thing as `call`, which is none of them yet."""
        if call.loose and self._loose == len(self.under_way):
            return ()
        touched = call.read(hash_keys)
        for unread, its in [(unread, unread.read(hash_keys)) for unread in self._unread]:
            self._index(unread, its)
        self._unread.clear()
        if touched.alone:
            found = dict(self.under_way)
        else:
            found = dict(self._alone)
            for key in touched.own:
                found |= self._own.get(key, {})
                found |= self._inside.get(key, {})
            for key in touched.inside:
                found |= self._own.get(key, {})
        return [other for other in found if _one_account(call.head, other.head)]

    def enter(self, call: Turn) -> None:
        """`call` is under way from now on."""
        self.under_way[call] = None
        self._loose += call.loose
        if call.subjects is None:
            self._unread[call] = None
        else:
            self._index(call, call.subjects)

    def leave(self, call: Turn) -> None:
        """`call` is under way no more."""
        del self.under_way[call]
        self._loose -= call.loose
        if call in self._unread:
            del self._unread[call]
            return
        touched = call.subjects
        assert touched is not None
        self._alone.pop(call, None)
        for keys, index in ((touched.own, self._own), (touched.inside, self._inside)):
            for key in keys:
                calls = index[key]
                del calls[call]
                if not calls:
                    del index[key]

    def _index(self, call: Turn, touched: Subjects) -> None:
        if touched.alone:
            self._alone[call] = None
        for key in touched.own:
            self._own.setdefault(key, {})[call] = None
        for key in touched.inside:
            self._inside.setdefault(key, {})[call] = None


def _one_account(one: CallHead, other: CallHead) -> bool:
    """Could both be calls of one account? An empty account is the emulator's default, which may be any."""
    if one.account == other.account or not one.account or not other.account:
        return True
    return one.service in _ACROSS_ACCOUNTS


@dataclass(slots=True)
class Ordering:
    """Lets state-changing calls take turns where they must. Use it from one event loop.

    hash_keys: the hash key's name by account and table, as far as `remember` was told.
    """

    _places: dict[str, _Place] = field(default_factory=dict)
    hash_keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def turn(self, head: CallHead, request: Request) -> Turn:
        """Enter before the request is sent, leave when its record is written (or not to be written).

            async with ordering.turn(head, request):
                answer = await send(request)
                writer.write(record)
            await writer.promised()

        Calls enter in the order in which they ask, so none waits for ever as long as each leaves some time.
        """
        place = self._places.get(head.service)
        if place is None:
            place = self._places[head.service] = _Place()
        return Turn(self, place, head, request)

    @property
    def under_way(self) -> int:
        """How many calls have entered and not left."""
        return sum(len(place.under_way) for place in self._places.values())

    def remember(self, head: CallHead, request: Request) -> None:
        """Take in what tells the parts of a resource apart: the hash keys of tables. Cheap for every other call.

        `turn` does it for the calls it sees; a restore may do it for the calls that it replays.
        """
        if head.service != "dynamodb" or head.operation not in ("CreateTable", "DeleteTable"):
            return
        try:
            params = parse_parameters(head, request)
            table = (head.account, last_part(params["TableName"]))
            if head.operation == "DeleteTable":
                self.hash_keys.pop(table, None)
                return
            keys = [key["AttributeName"] for key in params["KeySchema"] if key["KeyType"] == "HASH"]
            # A table that is there cannot be created again with another key: such a call was refused.
            self.hash_keys.setdefault(table, keys[0])
        except (MalformedMessage, LookupError, TypeError):
            return
