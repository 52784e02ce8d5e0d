"""What a restore has to repeat of a recording, and why not the rest: "restore what lives, not what happened".

`plan_of` walks a recording once and decides (see `supersession`). Of each record it remembers only where that lies. The plan
hands out the records to be replayed, one at a time, as often as asked, and the dependency graph that says which of them has to
wait for which. Nothing here sends anything, or changes the recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from replay_proxy.call_filter import CallFilter
from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph, graph_of
from replay_proxy.replay.ordering.witness_order import in_replay_order
from replay_proxy.replay.planning.supersession.batches import reduced_record
from replay_proxy.replay.planning.supersession.decisions import Omission, PlanEdits, SupersessionDecisions
from replay_proxy.replay.planning.supersession.rules import Rules
from replay_proxy.replay.planning.supersession.without_effect import (
    is_kept_only,
    judged_without_effect,
    left_out_because,
)
from replay_proxy.replay.recorded_call import BlobLoader, call_of
from replay_proxy.replay.runs.families import services_with_runs

__all__ = ["LiveCalls", "Omission", "Plan", "live_calls", "plan_of"]


class Stored(Protocol):
    """What `plan_of` needs of a recording (`replay_proxy.journal.read.reader.Recording`)."""

    def records(self) -> Iterator[Record]:
        """Return the records in effect, in order; as often as asked."""

    def fetch(self, seq: int) -> Record:
        """Return one record by its number."""

    @property
    def blobs(self) -> BlobStore:
        """The store of the large bodies."""

    @property
    def effect(self) -> SavePoints:
        """Which records are in effect, and what was reset."""


@dataclass(frozen=True, slots=True)
class EarlierPlan:
    """What an earlier plan had decided about a recording.

    left_out: by service, how many calls are superseded for good, and not looked at again. edits: what calls that are replayed
    have lost, by their entries as they were recorded.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    edits: PlanEdits = field(default_factory=lambda: PlanEdits({}, {}, {}))


@dataclass(slots=True)
class Plan:
    """What to replay.

    order: the numbers of the records to be replayed, in the order in which they were made. omissions: the calls that are left
    out, each with its reason. mutation_count: how many of the records to be replayed are mutations. partial: the witnesses to be
    replayed that had shown something of calls left out, so that their answers will differ. witnesses: the numbers of all
    witnesses, left out or not. valid_until: when, by the clock of the restore, the first of what is replayed will be beyond its
    retention; None for never. own_edits: what this plan takes from the calls to be replayed, as the plan was given them.
    earlier: what an earlier plan, from which this one goes on (`plan_cache`), had decided. is_new: the plan was made now, and
    does not come from the cache.
    """

    order: list[int]
    omissions: tuple[Omission, ...]
    mutation_count: int
    partial: frozenset[int]
    witnesses: frozenset[int]
    valid_until: datetime | None
    own_edits: PlanEdits
    _source: Source
    _graph: DependencyGraph | None = None
    earlier: EarlierPlan = field(default_factory=EarlierPlan)
    is_new: bool = True

    @property
    def superseded_count(self) -> int:
        """How many calls are superseded; those that are switched off, or answered, are not counted."""
        left_out = sum(not each.switched_off and not each.answered for each in self.omissions)
        return left_out + self.earlier.left_out.total()

    @property
    def answered(self) -> tuple[Omission, ...]:
        """The calls that are not made again because the proxy answers from them."""
        return tuple(each for each in self.omissions if each.answered)

    @property
    def losses(self) -> tuple[Omission, ...]:
        """The omissions that will be missed: what was recorded did not suffice to bring back the state that was."""
        return tuple(each for each in self.omissions if each.loss)

    @property
    def switched_off_count(self) -> int:
        """How many calls are left out only because a setting says so."""
        return sum(each.switched_off for each in self.omissions)

    @property
    def edits(self) -> PlanEdits:
        """What the calls to be replayed lose, by their entries as they were recorded."""
        return self.own_edits.edits_of(self.order).after(self.earlier.edits.edits_of(self.order))

    @property
    def graph(self) -> DependencyGraph:
        """Which of the records to be replayed waits for which; worked out when it is first asked for. Blocking then."""
        if self._graph is None:
            self._graph = graph_of((self.record(seq) for seq in self.order), self._source.load)
        return self._graph

    def record(self, seq: int) -> Record:
        """Return one of the records to be replayed; a batch is reduced to the entries that are left.

        Raises as the recording does when it is read.
        """
        return self.reduced(self._source.fetch(seq))

    def records(self) -> Iterator[Record]:
        """Return the records to be replayed, by their numbers. Raises as the recording does when it is read."""
        return map(self.record, sorted(self.order))

    __iter__ = records

    def reduced(self, record: Record) -> Record:
        """Return what is left of a record that is replayed. Raises as the recording does when it is read."""
        gone = self.own_edits.removed_entries.get(record.seq, _NOTHING)
        unconditional = self.own_edits.lifted_conditions.get(record.seq, _NOTHING)
        return reduced_record(record, gone, unconditional, self._source.load)


_NOTHING: frozenset[int] = frozenset()
RESET = "the emulator was reset after it"
"""Why a call is left out that was made before a reset."""
PARTIAL = "partial"
"""The note of a witness in a compacted recording: it had shown something of calls that are no longer there."""


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """The result of `live_calls`: the records to be replayed, in order, and what is left out."""

    kept: list[Record] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)


def plan_of(
    recording: Stored,
    now: datetime | None = None,
    *,
    supersede: bool = True,
    call_filter: CallFilter | None = None,
    earlier: EarlierPlan | None = None,
) -> Plan:
    """Decide what of a recording is to be replayed. Blocking.

    now: the clock of the restore, by which data is beyond its retention; None for a clock that stands still.
    supersede: leave out what is superseded. call_filter: what is to be restored at all; what it refuses is among the
    omissions, as `switched_off`. earlier: where `recording` is what an earlier plan left, what that had decided.

    Raises:
        RecordingError, StorageError: the recording cannot be read.
    """
    plan = _plan(Journal(recording), now, supersede=supersede, call_filter=call_filter)
    if earlier is not None:
        plan.earlier = earlier
    return plan


def plan_of_records(
    records: Iterable[Record], load: BlobLoader | None = None, now: datetime | None = None, *, supersede: bool = True
) -> Plan:
    """Plan a restore of records in memory, as `plan_of` does of a recording.

    load: reads blobs; without it, a call whose parameters lie in one is replayed.
    """
    return _plan(_Memory(records, load or _no_blobs), now, supersede=supersede)


def live_calls(calls: Iterable[Record], load: BlobLoader | None = None, now: datetime | None = None) -> LiveCalls:
    """Decide what of `calls` is to be replayed, and what is superseded."""
    plan = plan_of_records(calls, load, now)
    return LiveCalls(list(plan.records()), list(plan.omissions))


class Source(Protocol):
    """Records that can be walked, and fetched one at a time by their numbers."""

    def walk(self) -> Iterable[Record]: ...

    def fetch(self, seq: int) -> Record: ...

    def load(self, ref: BlobRef) -> bytes: ...

    def reset_after(self, record: Record) -> int: ...


class Journal:
    """A recording as the source of a plan."""

    def __init__(self, recording: Stored) -> None:
        self._recording = recording
        self._blobs = recording.blobs

    def walk(self) -> Iterable[Record]:
        """Return its records, in order."""
        return self._recording.records()

    def fetch(self, seq: int) -> Record:
        """Return one of its records."""
        return self._recording.fetch(seq)

    def load(self, ref: BlobRef) -> bytes:
        """Read a large body."""
        return b"".join(self._blobs.read(ref))

    def reset_after(self, record: Record) -> int:
        """Return the number of the reset by which the emulator has forgotten a record; 0 where there is none."""
        return self._recording.effect.reset_after(record)


class _Memory:
    def __init__(self, records: Iterable[Record], load: BlobLoader) -> None:
        self._records: Mapping[int, Record] = {record.seq: record for record in records}
        self._load = load

    def walk(self) -> Iterable[Record]:
        return self._records.values()

    def fetch(self, seq: int) -> Record:
        return self._records[seq]

    def load(self, ref: BlobRef) -> bytes:
        return self._load(ref)

    def reset_after(self, _record: Record) -> int:
        return 0


def _plan(source: Source, now: datetime | None, *, supersede: bool, call_filter: CallFilter | None = None) -> Plan:
    decisions = SupersessionDecisions()
    rules = Rules(decisions, now)
    order: list[int] = []
    witnesses: set[int] = set()
    known_partial: set[int] = set()
    switched_off: dict[int, Omission] = {}
    forgotten: dict[int, Omission] = {}
    for record in in_replay_order(source.walk()):
        order.append(record.seq)
        if record.kind is RecordKind.WITNESS:
            witnesses.add(record.seq)
            if record.notes.get(PARTIAL):
                known_partial.add(record.seq)
        reset = source.reset_after(record)
        if reset:
            # Also where nothing is left out otherwise: no sequence of all calls leads to the state that was.
            forgotten[record.seq] = Omission(record.seq, RESET, reset)
            continue
        reason = (
            call_filter.refusal(record.head, witness=record.kind is RecordKind.WITNESS)
            if call_filter is not None
            else ""
        )
        if reason:
            switched_off[record.seq] = Omission(record.seq, reason, switched_off=True)
        verdict = judged_without_effect(record) if supersede or is_kept_only(record) else None
        if not supersede and verdict is None:
            if record.head is not None and record.head.service in services_with_runs():
                call = call_of(record, source.load)
                if call is not None:
                    rules.see_run(call)
            continue
        if verdict is not None:
            decisions.supersede(record.seq, left_out_because(record, verdict))
            continue
        call = call_of(record, source.load)
        if call is None:
            rules.see_opaque(record)
        else:
            rules.see(call)
    rules.finish()
    edits = decisions.decide()
    answered = {seq: Omission(seq, reason, answered=True) for seq, reason in rules.answered.items()}
    omissions = {**answered, **switched_off, **edits.superseded, **forgotten}
    order = [seq for seq in order if seq not in omissions]
    mutation_count = sum(seq not in witnesses for seq in order)
    # What is switched off may be missed by any read.
    partial = frozenset(witnesses) if switched_off else rules.partial(edits.superseded) | known_partial | rules.lacking
    partial -= omissions.keys()
    sorted_omissions = tuple(omissions[seq] for seq in sorted(omissions))
    return Plan(
        order,
        sorted_omissions,
        mutation_count,
        partial,
        frozenset(witnesses),
        rules.valid_until,
        edits,
        source,
    )


def _no_blobs(ref: BlobRef) -> bytes:
    raise RecordingError(f"the blob {ref.sha256} is not at hand")
