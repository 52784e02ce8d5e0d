"""A merge by its strategy: which calls make the merged state, in which order.

Of `service-merge`: the pod in its own order, then what ours has besides, in its own. So each side finds what it built on: the
object that is a function's code, its own items. Of a resource that both have, the pod's creation is made, with the attributes
and tags that only ours gave; of our changes of it what the pod does not set; of our data the parts that the pod does not have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.bucket_versions import BucketVersions
from replay_proxy.pods.merge.call_edits import reduced, said, united
from replay_proxy.pods.merge.data_edits import (
    ObjectName,
    is_by_parts,
    was_seen,
    with_parts_alone,
    without_their_messages,
    without_their_parts,
    writes_data,
    written_again,
    written_objects,
)
from replay_proxy.pods.merge.fifo_messages import FifoMessages
from replay_proxy.pods.merge.kept_writes import KeptWrites
from replay_proxy.pods.merge.overwriting import given_by
from replay_proxy.pods.merge.pieces import pieces_of
from replay_proxy.pods.merge.report import Conflict, MergeReport, data_conflicts, describe
from replay_proxy.pods.merge.side import Side, content_of
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.replay.recorded_call import call_of
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Key, Resource

_PARTIAL: Final = "partial"


@dataclass(frozen=True, slots=True)
class MergedCall:
    """A call of the merged state. of_pod: whether its large bodies are the pod's."""

    record: Record
    of_pod: bool


class Merge:
    """A merge of a pod into ours. Making it reads both sides, and the merged calls once. Blocking.

    Raises as both sides do when they are read.
    """

    def __init__(self, ours: Side, pod: Side, strategy: MergeStrategy) -> None:
        self._ours = ours
        self._pod = pod
        self._strategy = strategy
        self._our_keys = ours.resources()
        self._pod_keys = pod.resources()
        self._shared = {key: each for key, each in self._our_keys.items() if key in self._pod_keys}
        self._creations = self._shared_creations() if strategy is MergeStrategy.SERVICE else {}
        self._kept = KeptWrites(ours, pod, self._is_pods) if strategy is MergeStrategy.SERVICE else None
        self._needed: set[ObjectName] = self._kept.objects if self._kept is not None else set()
        self._versions = (
            BucketVersions(ours, pod, self._shared, self._is_pods, self._kept.kept_objects)
            if self._kept is not None
            else None
        )
        self._fifo = FifoMessages(pod, self._shared) if strategy is MergeStrategy.SERVICE else None
        self._conflicts: dict[Conflict, None] = {}
        self.report = MergeReport(strategy.value)
        model = ResourceModel(self._load)
        self._loading = self._listing = True
        written: set[int] = set()
        for number, each in enumerate(self, 1):
            self.report.calls = number
            self._loading = each.of_pod
            model.see(replace(each.record, seq=number))
            if self._kept is not None and each.of_pod and writes_data(each.record) and self._is_new(each.record):
                written.update(model.calls[-1].resources if model.calls and model.calls[-1].seq == number else ())
        self._listing = False
        deep = strategy is MergeStrategy.SERVICE
        if deep:
            for key, resource in self._shared.items():
                shown = ours.model.id(resource)
                self._conflicts |= dict.fromkeys(data_conflicts(resource, self._pod_keys[key], shown))
        self.report.conflicts = list(self._conflicts)
        describe(self.report, ours.model, model, deep=deep, written=written)

    def __iter__(self) -> Iterator[MergedCall]:
        match self._strategy:
            case MergeStrategy.OVERWRITE:
                yield from (MergedCall(record, of_pod=True) for _number, record in self._pod)
            case MergeStrategy.ACCOUNT_REGION:
                yield from self._by_groups()
            case MergeStrategy.SERVICE:
                assert self._versions is not None
                yield from self._by_resources(self._versions)

    # -- account-region-merge --------------------------------------------------------------------------------------

    def _by_groups(self) -> Iterator[MergedCall]:
        pods = {self._pod.group(entry) for entry in self._pod.model.calls if not entry.failed}
        # The pod first: it needs nothing of ours, while what stays of ours may need what the pod has (a role of a function).
        yield from (MergedCall(record, of_pod=True) for _number, record in self._pod)
        for number, record in self._ours:
            entry = self._ours.entry(number)
            if entry is None or self._ours.group(entry) not in pods:
                yield MergedCall(record, of_pod=False)

    # -- service-merge ---------------------------------------------------------------------------------------------

    def _by_resources(self, versions: BucketVersions) -> Iterator[MergedCall]:
        versions.begin()
        for number, record in self._pod:
            yield from (MergedCall(each, of_pod=False) for each in versions.before_the_pods(number))
            versions.note_pods(record)
            merged = self._pods_call(number, record)
            if versions.shows_ours(record):
                merged = replace(merged, notes={**merged.notes, _PARTIAL: True})
            yield MergedCall(merged, of_pod=True)
        again: set[ObjectName] = set()
        for number, record in self._ours:
            for left in self._our_calls(number, record):
                if versions.sets_versioning(left):
                    continue
                yield from (MergedCall(each, of_pod=False) for each in versions.before_ours(number))
                yield MergedCall(left, of_pod=False)
                if self._needed:
                    again |= self._needed.intersection(written_objects(left, self._ours.load))
        yield from (MergedCall(each, of_pod=False) for each in versions.at_the_end())
        for number, record in written_again(self._pod, again):
            yield MergedCall(self._pods_call(number, record), of_pod=True)

    def _pods_call(self, number: int, record: Record) -> Record:
        """Return a call of the pod: a creation with what only ours gave."""
        for ours in self._creations.get(number, ()):
            record, _added = united(record, self._pod.load, ours, self._ours.load)
        return record

    def _our_calls(self, number: int, record: Record) -> Iterator[Record]:
        """Yield what stays of one of our calls."""
        entry = self._ours.entry(number)
        if entry is not None and entry.failed and record.kind is not RecordKind.WITNESS:
            return
        left = self._without_its_own(number, record, entry)
        if left is None:
            return
        if record.kind is RecordKind.WITNESS:
            yield replace(record, notes={**record.notes, _PARTIAL: True})
        elif entry is None:
            yield record
        else:
            yield from self._without_the_pods(number, left, entry)

    def _is_new(self, record: Record) -> bool:
        """Return whether ours has neither a write of the pod nor what came of it."""
        if content_of(record) in self._ours.contents:
            return False
        if self._pod.is_alone(record) and self._ours.same_call(record):
            return False
        return not was_seen(record, self._pod, self._our_keys, self._pod_keys)

    def _is_pods(self, record: Record) -> bool:
        """Return whether the pod has a call of ours, or what a compaction has left of it."""
        if content_of(record) in self._pod.contents:
            return True
        return self._ours.is_alone(record) and bool(self._pod.same_call(record))

    def _without_its_own(self, number: int, record: Record, entry: CallEntry | None) -> Record | None:
        """Return what stays of a call of ours; None where the pod has this very call, or what a compaction has left of it.

        Of a batch each side may have left another part.
        """
        there = self._ours.touched(entry)[0] if entry is not None else []
        if any(self._ours.key(each) not in self._pod_keys for each in there):
            return record  # what the pod has ended since is ours alone
        if not self._is_pods(record):
            return record
        if there and is_by_parts(record):
            return with_parts_alone(record, self._ours.load, there, self._kept_parts(number))
        if content_of(record) in self._pod.contents:
            return None
        ids = self._pod.same_batch(record)
        return without_their_messages(record, self._ours.load, ids) if ids else None

    def _kept_parts(self, number: int) -> Collection[tuple[str, str]]:
        return self._kept.parts(number) if self._kept is not None else ()

    def _without_the_pods(self, number: int, record: Record, entry: CallEntry) -> Iterator[Record]:
        """Yield what stays of a call of ours that the pod has not."""
        there, gone = self._ours.touched(entry)
        keys = [*map(self._ours.key, there)]
        pods = [self._pod_keys[key] for key in keys if key in self._pod_keys]
        ended = [key for key in map(self._ours.key, gone) if key in self._pod_keys]
        if not pods and not ended:
            yield record
        elif not there and len(ended) == len(gone):
            return  # what ours has ended stays as the pod has it
        elif writes_data(record):
            early = self._versions.early if self._versions is not None else ()
            left = without_their_parts(record, self._ours.load, pods, self._needed, early)
            if left is not None and self._fifo is not None and len(there) == 1:
                left, repeated = self._fifo.without_repetitions(left, self._ours, there[0])
                shown = self._ours.model.id(there[0])
                self._conflicts |= dict.fromkeys(Conflict(shown, f"messages: {each}") for each in repeated)
            if left is not None:
                yield left
        else:
            call = call_of(record, self._ours.load)
            pieces = pieces_of(record, call, self._ours.named) if call is not None else None
            if pieces is None:
                judged = self._judged(number, record, keys)
                if judged is not None:
                    yield judged
            else:
                yield from pieces.joined([self._judged(number, each.record, each.keys) for each in pieces.pieces])

    def _judged(self, number: int, record: Record, keys: Collection[Key]) -> Record | None:
        """Return what stays of a call, or a piece of one, that is about resources of these keys."""
        pods = [self._pod_keys[key] for key in keys if key in self._pod_keys]
        if not pods or any(key in self._our_keys for key in keys if key not in self._pod_keys):
            return record
        ours = [self._our_keys[key] for key in keys if key in self._our_keys]
        if len(ours) < len(pods):
            return None  # what ours has ended stays as the pod has it
        if any(each.made_by == number for each in ours) or _is_whole_entry(record):
            self._note_conflicts(record, ours, pods)
            return None
        words = said(record, self._ours.load)
        if words is not None and words in self._pods_words:
            return None  # the pod says the very same, which an emulator may refuse to be told twice
        result = reduced(record, self._ours.load, pods)
        if self._listing:
            shown = self._ours.model.id(ours[0])
            self._conflicts |= dict.fromkeys(Conflict(shown, each) for each in result.taken)
        return result.record

    def _note_conflicts(self, record: Record, touched: list[Resource], pods: list[Resource]) -> None:
        call = call_of(record, self._ours.load) if self._listing else None
        if call is None:
            return
        given = given_by(call.head, call.params)
        for ours, pod in zip(touched, pods, strict=True):
            for member, value in ours.attributes.items():
                if member not in given and not _is_whole_entry(record):
                    continue
                other = pod.attributes.get(member)
                if isinstance(value, dict) and isinstance(other, dict):
                    names = [
                        f"{member}.{name}" for name, each in value.items() if name in other and other[name] != each
                    ]
                else:
                    names = [member] if other is not None and other != value else []
                self._conflicts |= dict.fromkeys(Conflict(self._ours.model.id(ours), each) for each in names)
            tags = (f"Tags.{name}" for name, each in ours.tags.items() if pod.tags.get(name, each) != each)
            self._conflicts |= dict.fromkeys(Conflict(self._ours.model.id(ours), each) for each in tags)

    @cached_property
    def _pods_words(self) -> frozenset[bytes | None]:
        """What the calls of the pod say that were not refused, and that write no data."""
        words = set()
        for number, record in self._pod:
            entry = self._pod.entry(number)
            if (
                entry is not None
                and not entry.failed
                and record.kind is not RecordKind.WITNESS
                and not writes_data(record)
            ):
                words.add(said(record, self._pod.load))
        return frozenset(words)

    def _shared_creations(self) -> dict[int, list[Record]]:
        """Return our creations of what both have, by the number of the pod's."""
        wanted: dict[int, int] = {}
        for key, resource in self._shared.items():
            if resource.made_by and self._pod_keys[key].made_by:
                wanted[resource.made_by] = self._pod_keys[key].made_by
        found: dict[int, list[Record]] = {}
        for number, record in self._ours:
            if number in wanted:
                found.setdefault(wanted[number], []).append(record)
        return found

    def _load(self, ref: BlobRef) -> bytes:
        return (self._pod if self._loading else self._ours).load(ref)


def _is_whole_entry(record: Record) -> bool:
    """Tell whether a call says all of what it is about, so that nothing can be taken out of it: a record set."""
    return record.head is not None and record.head.operation == "ChangeResourceRecordSets"
