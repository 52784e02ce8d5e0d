"""What a restore has to repeat of a recording, and why not the rest: "restore what lives, not what happened".

`plan_of` walks a recording once and decides (see `replay_proxy.replay.compaction`); the plan then walks it again, as
often as one likes, and yields the records to be replayed. Nothing here sends anything, or changes the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from replay_proxy.replay.sequence import in_order

__all__ = ["Compacted", "Dropped", "Plan", "compact", "plan_of"]


class Stored(Protocol):
    """What `plan_of` needs of a recording (`replay_proxy.journal.reader.Recording`)."""

    def records(self) -> Iterator[Record]:
        """The records in effect, in order; as often as asked."""

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay. dropped: what not, by number, each with its reason. kept_count: of mutations.

    partial: the kept witnesses that had shown something of dropped calls, so that their answers will differ.
    """

    dropped: tuple[Dropped, ...]
    kept_count: int
    partial: frozenset[int]
    _decided: Decided
    _source: Callable[[], Iterable[Record]]
    _load: Load

    @property
    def losses(self) -> tuple[Dropped, ...]:
        """The dropped calls that will be missed: their information did not suffice to bring back the state that was."""
        return tuple(each for each in self.dropped if each.loss)

    @property
    def thinned_count(self) -> int:
        """How many of the kept calls are batches that lost entries."""
        return len(self._decided.thinned)

    def records(self) -> Iterator[Record]:
        """The records to be replayed, in the order of the journal; batches are reduced to their surviving entries.

        Raises as the recording does when it is read.
        """
        decided = self._decided
        for record in self._source():
            if record.seq not in decided.dropped:
                gone = decided.thinned.get(record.seq, _NOTHING)
                unconditional = decided.unconditional.get(record.seq, _NOTHING)
                yield survivor(record, gone, unconditional, self._load)

    __iter__ = records


_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Compacted:
    """The result of `compact`: the records to be replayed, in order, and what was left out."""

    kept: list[Record] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def plan_of(recording: Stored, now: datetime | None = None) -> Plan:
    """Decide what of a recording is to be replayed. Blocking.

    now: the clock of the restore, by which data is beyond its retention; None for a clock that stands still.

    Raises:
        RecordingError, StorageError: the recording cannot be read.
    """
    blobs = recording.blobs
    return _plan(recording.records, lambda ref: b"".join(blobs.read(ref)), now)


def compact(calls: Iterable[Record], load: Load | None = None, now: datetime | None = None) -> Compacted:
    """Decide what of `calls` is to be replayed. load: reads blobs; without it, a call whose parameters lie in one stays.

    now: as for `plan_of`.
    """
    records = list(calls)
    plan = _plan(lambda: records, load or _no_blobs, now)
    return Compacted(list(plan.records()), list(plan.dropped))


def _plan(source: Callable[[], Iterable[Record]], load: Load, now: datetime | None) -> Plan:
    decisions = Decisions()
    rules = Rules(decisions, now)
    mutations: list[int] = []
    for record in in_order(source()):
        if record.kind is not Kind.WITNESS:
            mutations.append(record.seq)
        verdict = passing(record)
        if verdict is not None:
            decisions.drop(record.seq, f"it leaves nothing that outlives a restart: {verdict.reason}")
            continue
        call = call_of(record, load)
        if call is None:
            rules.opaque(record)
        else:
            rules.see(call)
    rules.finish()
    decided = decisions.decide()
    kept = sum(seq not in decided.dropped for seq in mutations)
    partial = rules.partial(decided.dropped) - decided.dropped.keys()
    return Plan(tuple(decided.dropped.values()), kept, partial, decided, source, load)


def _no_blobs(ref: BlobRef) -> bytes:
    raise RecordingError(f"the blob {ref.sha256} is not at hand")
