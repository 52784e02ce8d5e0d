"""One side of a merge: its calls, and the resources that they add up to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from replay_proxy.exchange import Body
from replay_proxy.footprint.resource_kinds import is_global
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.state.live_records import without_place
from replay_proxy.replay.recorded_call import BlobLoader, Call, call_of
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Key, Resource

Group = tuple[str, str, str]
"""An account, a region, a service."""


class Side:
    """The calls of one side, in the order of their replay, numbered from 1. Making this reads all of them. Blocking.

    records: can be iterated as often as one likes. load: reads a body that lies in a blob. Raises as `records`.
    accounts: those that clients named themselves. changes: how many calls change something and can be carried out. refused: how
    many cannot, ever. flaw: why the latest of them cannot.
    """

    def __init__(self, records: Iterable[Record], load: BlobLoader) -> None:
        self._records = records
        self.load = load
        self.model = ResourceModel(load)
        self.contents: set[bytes] = set()
        self.accounts: set[str] = set()
        self.changes = self.refused = 0
        self.flaw = ""
        self._moments: dict[bytes, int] = {}
        self._places: list[bytes] = []
        self._messages: dict[bytes, frozenset[str]] = {}
        for number, record in enumerate(records, 1):
            self.model.see(replace(without_place(record), seq=number))
            self.contents.add(content_of(record))
            self._count(record)
            if record.head is not None and record.head.account:
                self.accounts.add(record.head.account)
            moment = moment_of(record)
            self._places.append(moment)
            self._moments[moment] = 0 if moment in self._moments else number
            if ids := message_ids(record, load):
                self._messages[moment] = ids

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for number, record in enumerate(self._records, 1):
            yield number, without_place(record)

    def _count(self, record: Record) -> None:
        if record.flaw:
            self.refused += 1
            self.flaw = record.flaw
        elif record.kind.is_change:
            self.changes += 1

    def same_call(self, record: Record) -> int:
        """Return the number of the call that was taken in at the same moment; 0 where there is none, or several."""
        return self._moments.get(moment_of(record), 0)

    def same_batch(self, record: Record) -> frozenset[str]:
        """Return the ids of the messages of a batch that was taken in at the same moment; none where there is no such call."""
        return self._messages.get(moment_of(record), frozenset())

    def named(self, call: Call) -> list[Key]:
        """Return the keys of what a call is about, as things are at the end. Raises as `ResourceModel.named`."""
        return [self._plain(key) for key in self.model.named(call)]

    def touched(self, entry: CallEntry) -> tuple[list[Resource], list[Resource]]:
        """Return the resources that a call made or changed: those that exist, and those that are gone."""
        model = self.model
        there = [each for each in map(model.resources.get, entry.resources) if each is not None]
        return there, [each for each in map(model.gone.get, entry.resources) if each is not None]

    def moment(self, number: int) -> bytes:
        """Return the moment of a call, by its number."""
        return self._places[number - 1]

    def number_at(self, moment: bytes) -> int:
        """Return the number of the call at a moment; 0 where there is none, or several."""
        return self._moments.get(moment, 0)

    def is_alone(self, record: Record) -> bool:
        """Return whether no other call of this side was taken in at the same moment."""
        return bool(self._moments.get(moment_of(record)))

    def entry(self, number: int) -> CallEntry | None:
        """Return what the model remembers of a call; None where it took no notice of it."""
        calls = self.model.calls
        return calls[number - 1] if number <= len(calls) and calls[number - 1].seq == number else None

    def resources(self) -> dict[Key, Resource]:
        """Return what exists, by keys in which the emulator's own account is empty, whatever it is called."""
        return {self.key(each): each for each in self.model.resources.values()}

    def key(self, resource: Resource) -> Key:
        """Return the key of a resource, in which the emulator's own account is empty."""
        return self._plain(resource.key)

    def _plain(self, key: Key) -> Key:
        return replace(key, account="") if key.account == self.model.default_account else key

    def group(self, entry: CallEntry) -> Group:
        """Return the account, region and service that a call is of."""
        account = "" if entry.account == self.model.default_account else entry.account
        return account, "" if is_global(entry.service) else entry.region, entry.service


def moment_of(record: Record) -> bytes:
    """Return when a call was taken in, and what it was: not what it says, of which a compaction may have taken a part since."""
    head = record.head
    what = (head.service, head.operation, head.account, head.region) if head is not None else ()
    return _digest(record.time, record.kind.value, what)


def content_of(record: Record) -> bytes:
    """Return what tells a call from every other: when it was taken in, what it says, and what it was answered."""
    request, answer = record.request, record.answer
    bodies = (_body(request.body), _body(answer.body))
    return _digest(record.time, record.kind.value, request.method, request.target, answer.status, *bodies)


def message_ids(record: Record, load: BlobLoader) -> frozenset[str]:
    """Return the ids of the entries of a batch of messages; none for any other call."""
    if record.head is None or record.head.operation != "SendMessageBatch":
        return frozenset()
    call = call_of(record, load)
    entries = call.params.get("Entries", ()) if call is not None else ()
    return frozenset(str(each.get("Id")) for each in entries)


def _body(body: Body) -> str:
    return hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else body.sha256


def _digest(*what: object) -> bytes:
    return hashlib.blake2b(repr(what).encode("utf-8", "surrogatepass"), digest_size=16).digest()
