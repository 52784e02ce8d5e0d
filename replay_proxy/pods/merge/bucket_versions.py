"""Versions of objects that both sides have: all are kept, and the pod's is the latest.

An object of a bucket without versions is the pod's, and our writes of it are left out. In a bucket that has versions on either
side they are made, too, before the pod's first write there, so that the pod's versions and delete markers come after them. What
the pod has deleted in the end and ours still has is made after the pod's, as ever. While our writes are made the bucket keeps
versions as it did for us: a write into a bucket whose versioning was off or suspended is the version `null`. Where that can be
avoided it is not suspended: some emulators forget all versions of an object that is written then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from replay_proxy.footprint.data_parts import copy_source, objects_written
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.call_edits import with_parameters
from replay_proxy.pods.merge.data_edits import ObjectName, with_named_objects, writes_data
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.recorded_call import Call, call_of
from replay_proxy.resources.resource import Key, Resource

_ENABLED: Final = "Enabled"
_SUSPENDED: Final = "Suspended"


@dataclass(slots=True)
class _Writes:
    """The writes of one side into one bucket.

    status: of its versioning in the end. statuses: by the number of each write, when that was made. last: by what they wrote, the
    number of the last write. plain: what was written while there were no versions. far: objects that are copies from elsewhere.
    template: a call that sets the versioning; None where there is none.
    """

    status: str = ""
    is_locked: bool = False
    statuses: dict[int, str] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    far: set[str] = field(default_factory=set)
    template: Record | None = None

    @property
    def has_versions(self) -> bool:
        """Whether the bucket ever kept versions on this side."""
        return self.is_locked or self.template is not None


class BucketVersions:
    """What of our writes into shared buckets comes before the pod's.

    shared: what both have, as ours. is_pods: tells whether the pod has a call of ours, too. others: objects that are written
    again after the pod's for another reason. early: the objects whose writes come before. Making this reads both sides. Blocking.
    """

    def __init__(
        self,
        ours: Side,
        pod: Side,
        shared: dict[Key, Resource],
        is_pods: Callable[[Record], bool],
        others: Collection[ObjectName],
    ) -> None:
        self._ours = ours
        self._load_pods = pod.load
        self._is_pods = is_pods
        names = {key.names[-1]: key for key in shared if (key.service, key.noun) == ("s3", "Bucket")}
        self._mine = _writes(ours, names, without=is_pods) if names else {}
        self._its = _writes(pod, names) if names else {}
        self.early: set[ObjectName] = set()
        self._first: dict[int, dict[str, set[ObjectName]]] = defaultdict(lambda: defaultdict(set))
        self._now: dict[str, str] = {}
        its_resources = pod.resources() if names else {}
        for name in [*self._mine]:
            mine, its = self._mine[name], self._its.get(name, _Writes())
            self._its[name] = its
            if not mine.has_versions and not its.has_versions:
                del self._mine[name]
                continue
            ours_there, pods_there = _there(shared[names[name]]), _there(its_resources[names[name]])
            versioned = min((number for number, status in its.statuses.items() if status == _ENABLED), default=0)
            for key in mine.last.keys() & its.last.keys() - mine.far:
                if (name, key) not in others and (key in pods_there or key not in ours_there):
                    self.early.add((name, key))
                    late = versioned and its.last[key] >= versioned and key not in mine.plain
                    self._first[versioned if late else min(its.statuses)][name].add((name, key))

    def begin(self) -> None:
        """Begin with the first call: no bucket is there."""
        self._now = {}

    def before_the_pods(self, number: int) -> Iterator[Record]:
        """Yield our calls that are to be made before a call of the pod."""
        if number not in self._first:
            return
        for name, objects in self._first[number].items():
            for ours, record in self._ours:
                if ours not in self._mine[name].statuses or self._is_pods(record):
                    continue
                left = with_named_objects(record, self._ours.load, objects)
                if left is not None:
                    yield from self._set(name, self._mine[name].statuses[ours])
                    yield left
            yield from self._set(name, self._its[name].statuses[number])

    def shows_ours(self, record: Record) -> bool:
        """Tell whether a read of the pod shows a bucket into which ours was written before: it shows more than it did."""
        if (
            not self._first
            or record.kind is not RecordKind.WITNESS
            or record.head is None
            or record.head.service != "s3"
        ):
            return False
        call = call_of(record, self._load_pods)
        return call is not None and any(name == call.params.get("Bucket") for name, _key in self.early)

    def note_pods(self, record: Record) -> None:
        """Note a call of the pod that is made now."""
        if self._mine and record.head is not None and record.head.operation == "PutBucketVersioning":
            call = call_of(record, self._load_pods)
            if call is not None and call.params.get("Bucket") in self._mine:
                self._now[call.params["Bucket"]] = _status_of(call)

    def before_ours(self, number: int) -> Iterator[Record]:
        """Yield what is to be made before a write of ours that comes after the pod's."""
        for name, mine in self._mine.items():
            if number in mine.statuses:
                yield from self._set(name, mine.statuses[number])

    def sets_versioning(self, record: Record) -> bool:
        """Tell whether a call of ours sets the versioning of such a bucket: that is set as the writes need it."""
        if record.head is None or record.head.operation != "PutBucketVersioning" or record.kind is RecordKind.WITNESS:
            return False
        call = call_of(record, self._ours.load)
        return call is not None and call.params.get("Bucket") in self._mine

    def at_the_end(self) -> Iterator[Record]:
        """Yield what gives each bucket the versioning that it has in the end: the pod's, where that has set any."""
        for name, mine in self._mine.items():
            its = self._its[name]
            yield from self._set(name, its.status if its.has_versions else mine.status, exactly=True)

    def _set(self, name: str, status: str, *, exactly: bool = False) -> Iterator[Record]:
        mine, its = self._mine[name], self._its[name]
        now = self._now.get(name, _ENABLED if its.is_locked else "")
        template = mine.template or its.template
        if template is None or mine.is_locked or its.is_locked:
            return  # what is locked has versions for ever
        if status != _ENABLED and not (exactly and status) and now != _ENABLED:
            return  # off, or suspended: a write is the same in both
        wanted = status or _SUSPENDED
        if wanted != now:
            self._now[name] = wanted
            yield with_parameters(template, {"Bucket": name, "VersioningConfiguration": {"Status": wanted}})


def _writes(
    side: Side, names: Collection[str], without: Callable[[Record], bool] = lambda _record: False
) -> dict[str, _Writes]:
    """Return the writes of a side into buckets of these names; `without` tells which are the other side's, too."""
    found: dict[str, _Writes] = {name: _Writes() for name in names}
    for number, record in side:
        head, entry = record.head, side.entry(number)
        if head is None or head.service != "s3" or record.kind is RecordKind.WITNESS or (entry and entry.failed):
            continue
        call = call_of(record, side.load)
        bucket = found.get(str(call.params.get("Bucket"))) if call is not None else None
        if call is None or bucket is None:
            continue
        if call.operation == "PutBucketVersioning":
            bucket.status, bucket.template = _status_of(call), bucket.template or record
        elif call.operation in ("CreateBucket", "PutObjectLockConfiguration"):
            if call.operation != "CreateBucket" or call.params.get("ObjectLockEnabledForBucket"):
                bucket.status, bucket.is_locked = _ENABLED, True
        elif writes_data(record):
            bucket.statuses[number] = bucket.status
            if not without(record):
                _note(bucket, number, call)
    return found


def _note(bucket: _Writes, number: int, call: Call) -> None:
    try:
        written = objects_written(call.params)
    except (KeyError, TypeError):
        return  # not what its model promises
    bucket.last.update((key, number) for _name, key in written)
    if bucket.status != _ENABLED:
        bucket.plain.update(key for _name, key in written)
    source = copy_source(call.params)
    if source is not None and source[0] != call.params["Bucket"]:
        bucket.far.update(key for _name, key in written)


def _status_of(call: Call) -> str:
    given: Any = call.params.get("VersioningConfiguration") or {}
    return str(given.get("Status") or "")


def _there(bucket: Resource) -> Collection[str]:
    return bucket.data.parts if bucket.data is not None else ()
