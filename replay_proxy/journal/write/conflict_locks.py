"""Conflict locks: concurrent calls are recorded in an order that the emulator could have executed them in.

The proxy sees when a request is sent and when its answer arrives, not when the emulator executes it in between. Where
one answer arrived before another request was sent, the order is certain, and it is the journal's: a record gets its
number when its answer is there. Where two calls overlap, the emulator may have executed them either way round; if both
write the same thing, the journal could end with the value that the emulator does not have.

So calls that could touch the same thing do not overlap: the later one is sent when the answer of the earlier one is
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
the crowd that there most often is, are told by a few bytes that they lack.

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
from replay_proxy.footprint.data_parts import MESSAGE_OPERATIONS
from replay_proxy.footprint.names.resource_names import last_part
from replay_proxy.journal.write.conflict_keys import ALONE, ConflictKeys, conflict_keys_of
from replay_proxy.wire.codecs.parameters import parse_parameters

# One name is one thing, whichever account uses it.
_ACROSS_ACCOUNTS: Final = frozenset({"s3", "s3control"})
# What only messages have that take turns; or what could hide it.
# A client may name as many tables as it likes, also such as the emulator refuses to make.
_TABLES_MAX: Final = 10_000
_NAME_MAX: Final = 255
_GROUPED: Final = (b"MessageGroupId", b"ReceiptHandle", b"\\u")


class ConflictLock:
    """The lock of one call: an asynchronous context manager. keys: what the call touches; None until that is asked."""

    __slots__ = ("_calls", "_done", "_entered", "_locks", "head", "is_plain_message", "keys", "request")

    def __init__(self, locks: ConflictLocks, calls: _ServiceCalls, head: CallHead, request: Request) -> None:
        self._locks = locks
        self._calls = calls
        self.head = head
        self.request = request
        self.is_plain_message = _is_plain_message(head, request)
        self.keys: ConflictKeys | None = None
        self._done: asyncio.Event | None = None
        self._entered = False

    def try_enter(self) -> bool:
        """Enter without waiting, and return whether that could be done. `async with` enters no second time."""
        calls = self._calls
        if calls.under_way and any(calls.conflicting(self, self._locks.hash_keys)):
            return False
        calls.enter(self)
        self._entered = True
        return True

    async def __aenter__(self) -> None:
        if self._entered:
            return
        calls = self._calls
        met = calls.conflicting(self, self._locks.hash_keys) if calls.under_way else ()
        earlier = [other.awaited() for other in met]
        calls.enter(self)
        try:
            for event in earlier:
                await event.wait()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *raised: object) -> None:
        self.leave(well=raised[0] is None)

    def leave(self, *, well: bool) -> None:
        """Leave the lock. well: the call was carried out, as far as is known."""
        if well:
            self._locks.remember(self.head, self.request)
        self._leave()

    def awaited(self) -> asyncio.Event:
        """Return the event that is set when this call has left."""
        if self._done is None:
            self._done = asyncio.Event()
        return self._done

    def _leave(self) -> None:
        self._calls.leave(self)
        if self._done is not None:
            self._done.set()

    def read(self, hash_keys: Mapping[tuple[str, str], str]) -> ConflictKeys:
        """Return what this call touches, worked out when that is first asked."""
        if self.keys is None:
            try:
                self.keys = conflict_keys_of(self.head, parse_parameters(self.head, self.request), hash_keys)
            except (MalformedMessage, LookupError, TypeError, AttributeError):
                self.keys = ALONE
        return self.keys


def _is_plain_message(head: CallHead, request: Request) -> bool:
    """Whether a call is plainly a message without group or receipt. Two of those never conflict, wherever they go."""
    if head.service != "sqs" or head.protocol != "json" or head.operation not in MESSAGE_OPERATIONS:
        return False
    body = request.body
    return isinstance(body, bytes) and not any(sign in body for sign in _GROUPED)


class _ServiceCalls:
    """The calls of one service that are under way, found by what they touch."""

    __slots__ = ("_alone", "_inside", "_own", "_plain_messages", "_unread", "under_way")

    def __init__(self) -> None:
        self.under_way: dict[ConflictLock, None] = {}
        self._unread: dict[ConflictLock, None] = {}
        self._plain_messages = 0  # how many of those under way
        self._own: dict[str, dict[ConflictLock, None]] = {}
        self._inside: dict[str, dict[ConflictLock, None]] = {}
        self._alone: dict[ConflictLock, None] = {}

    def conflicting(self, call: ConflictLock, hash_keys: Mapping[tuple[str, str], str]) -> Iterable[ConflictLock]:
        """Return the calls under way that could touch the same thing as `call`, which is none of them yet."""
        if call.is_plain_message and self._plain_messages == len(self.under_way):
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

    def enter(self, call: ConflictLock) -> None:
        """Take in a call, which is under way from now on."""
        self.under_way[call] = None
        self._plain_messages += call.is_plain_message
        if call.keys is None:
            self._unread[call] = None
        else:
            self._index(call, call.keys)

    def leave(self, call: ConflictLock) -> None:
        """Take out a call, which is under way no more."""
        del self.under_way[call]
        self._plain_messages -= call.is_plain_message
        if call in self._unread:
            del self._unread[call]
            return
        touched = call.keys
        assert touched is not None
        self._alone.pop(call, None)
        for keys, index in ((touched.own, self._own), (touched.inside, self._inside)):
            for key in keys:
                calls = index[key]
                del calls[call]
                if not calls:
                    del index[key]

    def _index(self, call: ConflictLock, touched: ConflictKeys) -> None:
        if touched.alone:
            self._alone[call] = None
        for key in touched.own:
            self._own.setdefault(key, {})[call] = None
        for key in touched.inside:
            self._inside.setdefault(key, {})[call] = None


def _one_account(one: CallHead, other: CallHead) -> bool:
    """Whether both could be calls of one account. An empty account is the emulator's default, which may be any."""
    if one.account == other.account or not one.account or not other.account:
        return True
    return one.service in _ACROSS_ACCOUNTS


@dataclass(slots=True)
class ConflictLocks:
    """The conflict locks of all calls of one proxy. Use it from one event loop.

    hash_keys: the hash key's name by account and table, as far as `remember` was told: of the latest `_TABLES_MAX` tables, since
    a table whose key is not known only waits more often.
    """

    _services: dict[str, _ServiceCalls] = field(default_factory=dict)
    hash_keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def lock(self, head: CallHead, request: Request) -> ConflictLock:
        """Return the lock of a call: entered before its request is sent, left when its record is written (or not to be written).

            async with locks.lock(head, request):
                answer = await send(request)
                writer.write(record)
            await writer.promised()

        Calls enter in the order in which they ask, so none waits for ever as long as each leaves some time.
        """
        calls = self._services.get(head.service)
        if calls is None:
            calls = self._services[head.service] = _ServiceCalls()
        return ConflictLock(self, calls, head, request)

    @property
    def under_way(self) -> int:
        """How many calls have entered and not left."""
        return sum(len(calls.under_way) for calls in self._services.values())

    def remember(self, head: CallHead, request: Request) -> None:
        """Take in what tells the parts of a resource apart: the hash keys of tables. Cheap for every other call.

        A lock does it for its call it sees; a restore may do it for the calls that it replays.
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
            if max(map(len, (*table, keys[0]))) > _NAME_MAX:
                return  # longer than any that there is
            # A table that is there cannot be created again with another key: such a call was refused.
            self.hash_keys.setdefault(table, keys[0])
            if len(self.hash_keys) > _TABLES_MAX:
                del self.hash_keys[next(iter(self.hash_keys))]
        except (MalformedMessage, LookupError, TypeError):
            return
