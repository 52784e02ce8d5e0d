"""A merge by its strategy: which calls make the merged state, in which order.

Of `service-merge`: first the pod's infrastructure, then what ours has besides, then the pod's data, so that the pod's objects and
items are the last that are written. Of a resource that both have, the pod's creation is made, with the attributes and tags
that only ours gave; of our changes of it what the pod does not set; of our data what the pod's writes leave, or replace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.call_edits import reduced, united
from replay_proxy.pods.merge.data_edits import without_their_items
from replay_proxy.pods.merge.report import Conflict, MergeReport, data_conflicts, describe
from replay_proxy.pods.merge.side import Side, content_of
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.mutability.judge import is_data

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
        self._conflicts: dict[Conflict, None] = {}
        self.report = MergeReport(strategy.value)
        model = ResourceModel(self._load)
        self._loading = self._listing = True
        for number, each in enumerate(self, 1):
            self.report.calls = number
            self._loading = each.of_pod
            model.see(replace(each.record, seq=number))
        self._listing = False
        deep = strategy is MergeStrategy.SERVICE
        if deep:
            for key, resource in self._shared.items():
                shown = ours.model.id(resource)
                self._conflicts |= dict.fromkeys(data_conflicts(resource, self._pod_keys[key], shown))
        self.report.conflicts = list(self._conflicts)
        describe(self.report, ours.model, model, deep=deep)

    def __iter__(self) -> Iterator[MergedCall]:
        match self._strategy:
            case MergeStrategy.OVERWRITE:
                yield from (MergedCall(record, of_pod=True) for _number, record in self._pod)
            case MergeStrategy.ACCOUNT_REGION:
                yield from self._by_groups()
            case MergeStrategy.SERVICE:
                yield from self._by_resources()

    # -- account-region-merge --------------------------------------------------------------------------------------

    def _by_groups(self) -> Iterator[MergedCall]:
        pods = {self._pod.group(entry) for entry in self._pod.model.calls if not entry.failed}
        for number, record in self._ours:
            entry = self._ours.entry(number)
            if entry is None or self._ours.group(entry) not in pods:
                yield MergedCall(record, of_pod=False)
        yield from (MergedCall(record, of_pod=True) for _number, record in self._pod)

    # -- service-merge ---------------------------------------------------------------------------------------------

    def _by_resources(self) -> Iterator[MergedCall]:
        for number, record in self._pod:
            if not _writes_data(record):
                yield MergedCall(self._pods_call(number, record), of_pod=True)
        for number, record in self._ours:
            left = self._our_call(number, record)
            if left is not None:
                yield MergedCall(left, of_pod=False)
        for number, record in self._pod:
            if _writes_data(record):
                yield MergedCall(self._pods_call(number, record), of_pod=True)

    def _pods_call(self, number: int, record: Record) -> Record:
        """Return a call of the pod: a creation with what only ours gave, a batch with the entries that only ours has left."""
        for ours in self._creations.get(number, ()):
            record, _added = united(record, self._pod.load, ours, self._ours.load)
        return record

    def _our_call(self, number: int, record: Record) -> Record | None:
        """Return what stays of one of our calls; None where nothing does."""
        entry = self._ours.entry(number)
        if self._is_pods(record) or (entry is not None and entry.failed and record.kind is not RecordKind.WITNESS):
            return None
        if record.kind is RecordKind.WITNESS:
            return replace(record, notes={**record.notes, _PARTIAL: True})
        if entry is None:
            return record
        touched = [each for each in map(self._ours.model.resources.get, entry.resources) if each is not None]
        pods = [self._pod_keys[key] for each in touched if (key := self._ours.key(each)) in self._pod_keys]
        if not touched or len(pods) < len(touched):
            return record
        if any(each.made_by == number for each in touched):
            self._note_conflicts(touched, pods)
            return None
        if _writes_data(record):
            return without_their_items(record, self._ours.load, pods)
        result = reduced(record, self._ours.load, pods)
        if self._listing:
            shown = self._ours.model.id(touched[0])
            self._conflicts |= dict.fromkeys(Conflict(shown, each) for each in result.taken)
        return result.record

    def _is_pods(self, record: Record) -> bool:
        """Return whether the pod has this very call, or one that a compaction has left more of."""
        if content_of(record) in self._pod.contents:
            return True
        number = self._pod.same_call(record) if self._ours.is_alone(record) else 0
        return bool(number)

    def _note_conflicts(self, touched: list[Resource], pods: list[Resource]) -> None:
        if not self._listing:
            return
        for ours, pod in zip(touched, pods, strict=True):
            for member, value in ours.attributes.items():
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


def _writes_data(record: Record) -> bool:
    head = record.head
    return head is not None and record.kind is not RecordKind.WITNESS and is_data(head.service, head.operation)
