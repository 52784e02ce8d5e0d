"""What a restore has to repeat of a recording, and why not the rest: "restore what lives, not what happened".

`plan_of` walks a recording once and decides (see `replay_proxy.replay.compaction`); what it remembers of each record is where
it lies. The plan hands out the records to be replayed, one at a time, as often as one likes, and the graph that says which of
them has to wait for which. Nothing here sends anything, or changes the recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.records import Kind, Record
from replay_proxy.replay.compaction.batches import survivor
from replay_proxy.replay.compaction.calls import Load, call_of, passing
from replay_proxy.replay.compaction.decisions import Decided, Decisions, Dropped
from replay_proxy.replay.compaction.rules import Rules
from replay_proxy.replay.graph import Graph, graph_of
from replay_proxy.replay.sequence import in_order
from replay_proxy.wire.selection import Selection

__all__ = ["Compacted", "Dropped", "Plan", "compact", "plan_of"]


class Stored(Protocol):
    """What `plan_of` needs of a recording (`replay_proxy.journal.reader.Recording`)."""

    def records(self) -> Iterator[Record]:
        """The records in effect, in order; as often as asked."""

    def fetch(self, seq: int) -> Record:
        """One record by its number."""

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier plan did to a recording. left_out: by service, how many calls are gone for good.

    edits: what calls that stayed have lost, by their entries as they were recorded.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    edits: Decided = field(default_factory=lambda: Decided({}, {}, {}))


@dataclass(slots=True)
class Plan:
    """What to replay. order: the numbers of the kept records, in the order in which they were made.

    dropped: what not to replay, each with its reason. kept_count: of mutations. partial: the kept witnesses that had shown
    something of dropped calls, so that their answers will differ. witnesses: the numbers of all, kept or not.
    until: when, by the clock of the restore, the first of what is kept will be beyond its retention; None for never.
    decided: about the records as the plan was given them. earlier: what an earlier plan, which this one goes on with
    (`keeping`), had done to them by then. is_new: it was made now, and not kept from before.
    """

    order: list[int]
    dropped: tuple[Dropped, ...]
    kept_count: int
    partial: frozenset[int]
    witnesses: frozenset[int]
    until: datetime | None
    decided: Decided
    _source: Source
    _graph: Graph | None = None
    earlier: Earlier = field(default_factory=Earlier)
    is_new: bool = True

    @property
    def superseded_count(self) -> int:
        """How many calls need not be replayed; those that are switched off not counted."""
        return len(self.dropped) - self.switched_off_count + self.earlier.left_out.total()

    @property
    def losses(self) -> tuple[Dropped, ...]:
        """The dropped calls that will be missed: their information did not suffice to bring back the state that was."""
        return tuple(each for each in self.dropped if each.loss)

    @property
    def switched_off_count(self) -> int:
        """How many calls are left out because of a switch alone."""
        return sum(each.switched_off for each in self.dropped)

    @property
    def edits(self) -> Decided:
        """What the kept calls lose, by their entries as they were recorded."""
        return self.decided.edits_of(self.order).after(self.earlier.edits.edits_of(self.order))

    @property
    def thinned_count(self) -> int:
        """How many of the kept calls are batches that lost entries."""
        return len(self.edits.thinned)

    @property
    def graph(self) -> Graph:
        """Which of the records to be replayed waits for which; worked out when it is first asked for. Blocking."""
        if self._graph is None:
            self._graph = graph_of((self.record(seq) for seq in self.order), self._source.load)
        return self._graph

    def record(self, seq: int) -> Record:
        """One of the records to be replayed; a batch is reduced to its surviving entries.

        Raises as the recording does when it is read.
        """
        return self.survivor(self._source.fetch(seq))

    def records(self) -> Iterator[Record]:
        """The records to be replayed, by their numbers. Raises as the recording does when it is read."""
        return map(self.record, sorted(self.order))

    __iter__ = records

    def survivor(self, record: Record) -> Record:
        """What is left of a kept record. Raises as the recording does when it is read."""
        gone = self.decided.thinned.get(record.seq, _NOTHING)
        unconditional = self.decided.unconditional.get(record.seq, _NOTHING)
        return survivor(record, gone, unconditional, self._source.load)


_NOTHING: frozenset[int] = frozenset()
PARTIAL = "partial"
"""The note of a witness in a compacted recording: it had shown something of calls that are no longer there."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """The result of `compact`: the records to be replayed, in order, and what was left out."""

    kept: list[Record] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def plan_of(
    recording: Stored,
    now: datetime | None = None,
    *,
    compaction: bool = True,
    selection: Selection | None = None,
    earlier: Earlier | None = None,
) -> Plan:
    """Decide what of a recording is to be replayed; all of it, without `compaction`. Blocking.

    now: the clock of the restore, by which data is beyond its retention; None for a clock that stands still.
    selection: what is to be restored at all; what it refuses is among the dropped calls, as `switched_off`.
    earlier: where `recording` is what an earlier plan left, what that had done.

    Raises:
        RecordingError, StorageError: the recording cannot be read.
    """
    plan = _plan(Journal(recording), now, compaction=compaction, selection=selection)
    if earlier is not None:
        plan.earlier = earlier
    return plan


def plan_of_records(
    records: Iterable[Record], load: Load | None = None, now: datetime | None = None, *, compaction: bool = True
) -> Plan:
    """As `plan_of`, for records in memory. load: reads blobs; without it, a call whose parameters lie in one stays."""
    return _plan(_Memory(records, load or _no_blobs), now, compaction=compaction)


def compact(calls: Iterable[Record], load: Load | None = None, now: datetime | None = None) -> Compacted:
    """Decide what of `calls` is to be replayed."""
    plan = plan_of_records(calls, load, now)
    return Compacted(list(plan.records()), list(plan.dropped))


class Source(Protocol):
    """Records that can be walked, and fetched one at a time by their numbers."""

    def walk(self) -> Iterable[Record]: ...

    def fetch(self, seq: int) -> Record: ...

    def load(self, ref: BlobRef) -> bytes: ...


class Journal:
    """A recording as the source of a plan."""

    def __init__(self, recording: Stored) -> None:
        self._recording = recording
        self._blobs = recording.blobs

    def walk(self) -> Iterable[Record]:
        """Its records, in order."""
        return self._recording.records()

    def fetch(self, seq: int) -> Record:
        """One of them."""
        return self._recording.fetch(seq)

    def load(self, ref: BlobRef) -> bytes:
        """A large body."""
        return b"".join(self._blobs.read(ref))


class _Memory:
    def __init__(self, records: Iterable[Record], load: Load) -> None:
        self._records: Mapping[int, Record] = {record.seq: record for record in records}
        self._load = load

    def walk(self) -> Iterable[Record]:
        return self._records.values()

    def fetch(self, seq: int) -> Record:
        return self._records[seq]

    def load(self, ref: BlobRef) -> bytes:
        return self._load(ref)


def _plan(source: Source, now: datetime | None, *, compaction: bool, selection: Selection | None = None) -> Plan:
    decisions = Decisions()
    rules = Rules(decisions, now)
    order: list[int] = []
    witnesses: set[int] = set()
    noted: set[int] = set()
    switched_off: dict[int, Dropped] = {}
    for record in in_order(source.walk()):
        order.append(record.seq)
        if record.kind is Kind.WITNESS:
            witnesses.add(record.seq)
            if record.notes.get(PARTIAL):
                noted.add(record.seq)
        reason = selection.refusal(record.head, witness=record.kind is Kind.WITNESS) if selection is not None else ""
        if reason:
            switched_off[record.seq] = Dropped(record.seq, reason, switched_off=True)
        if not compaction:
            continue
        verdict = passing(record)
        if verdict is not None:
            decisions.drop(record.seq, f"it leaves nothing that outlives a restart: {verdict.reason}")
            continue
        call = call_of(record, source.load)
        if call is None:
            rules.opaque(record)
        else:
            rules.see(call)
    rules.finish()
    decided = decisions.decide()
    dropped = {**switched_off, **decided.dropped}
    order = [seq for seq in order if seq not in dropped]
    kept = sum(seq not in witnesses for seq in order)
    # What is switched off may be missed by any read.
    partial = frozenset(witnesses) if switched_off else rules.partial(decided.dropped) | noted
    partial -= dropped.keys()
    told = tuple(dropped[seq] for seq in sorted(dropped))
    return Plan(order, told, kept, partial, frozenset(witnesses), rules.until, decided, source)


def _no_blobs(ref: BlobRef) -> bytes:
    raise RecordingError(f"the blob {ref.sha256} is not at hand")
