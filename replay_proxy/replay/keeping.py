"""The plan of a recording, kept beside it, so that a restore need not think through the whole history again.

What a restore costs should follow what lives. Sending does, but deciding what lives means looking at everything that
ever happened. So what was decided once is kept: after a restore, and when the proxy ends. It speaks of the same prefix
of the journal as the index that is kept with it (`journal.keeping`), and is a cache like that one: where it does not
fit, because another version wrote it or the journal is another one, everything is planned as if it had never been there.

Where nothing was recorded since, the kept plan *is* the plan, its graph included. Otherwise the plan is made from what
the kept one left and what came after: as if the prefix had been compacted in the file (`condensing`), and sound for the
same reasons. What a compaction of the file would have to leave is left here, too: calls that will be missed, and what
could still explain a repetition in a FIFO queue. Such calls are looked at when planning goes on, and are not replayed.

A plan holds until the first thing that it kept is beyond its retention (`Plan.until`); then what it left is planned
again.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

import replay_proxy
from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.durable import Files
from replay_proxy.journal.durable import replace as replace_file
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.reader import Recording
from replay_proxy.journal.records import JOURNAL_NAME, Record
from replay_proxy.journal.selection import Lookup, Selection
from replay_proxy.journal.survey import Index
from replay_proxy.replay.compact import PARTIAL, Earlier, Journal, Plan, plan_of
from replay_proxy.replay.compaction.decisions import Decided, Dropped
from replay_proxy.replay.graph import Graph
from replay_proxy.replay.repetitions import may_be_repeated
from replay_proxy.wire import models
from replay_proxy.wire.selection import Selection as Choice

PLAN_NAME: Final = f"{JOURNAL_NAME}.plan"
_TEMPORARY: Final = f"{PLAN_NAME}.tmp"
FEWEST: Final = 200
"""Records. What is shorter is planned in less time than anybody would notice."""


class Remains:
    """What a kept plan left of a recording, and everything that was recorded since: a recording, to whoever plans."""

    def __init__(self, recording: Recording, plan: Plan, base: Collection[int]) -> None:
        self.recording = recording
        self._plan = plan
        self._base = frozenset(base)
        self.index = self._reduced(recording.index, self._base.union(plan.order))

    @property
    def effect(self) -> Effect:
        """Which records count."""
        return self.recording.effect

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""
        return self.recording.blobs

    def at(self, position: int) -> Record:
        """What is left of the record at a position of the index. Raises as `Recording.at`."""
        return self.fetch(self.index.seqs[position])

    def fetch(self, seq: int) -> Record:
        """What is left of a record. Raises as `Recording.fetch`."""
        record = self.recording.fetch(seq)
        if seq in self._base:
            return record
        if seq in self._plan.partial:
            return replace(record, notes={**record.notes, PARTIAL: True})
        return self._plan.survivor(record)

    def records(self) -> Iterator[Record]:
        """What is left and in effect, in order. Raises as `Recording.at`."""
        for seq in self.index.seqs:
            record = self.fetch(seq)
            if self.effect.holds(record):
                yield record

    def _reduced(self, full: Index, left: Collection[int]) -> Index:
        index = Index(full.kinds, warnings=full.warnings)
        kept = self.recording.found.kept
        assert kept is not None
        for position, seq in enumerate(full.seqs):
            if seq in left or full.offsets[position] >= kept.end:
                index.add(seq, full.offsets[position], full.lengths[position], full.what(position))
        return index


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """plan: of the prefix. base: calls that it left out, and that are looked at all the same when planning goes on.

    is_current: nothing was recorded since, and nothing is beyond its retention.
    """

    plan: Plan
    base: frozenset[int]
    is_current: bool
    recording: Recording

    def remains(self) -> Remains:
        """From what to plan where it is not current."""
        return Remains(self.recording, self.plan, self.base)

    @property
    def earlier(self) -> Earlier:
        """What is done to what remains. Calls that are looked at all the same are as they were recorded."""
        plan = self.plan
        return Earlier(plan.earlier.left_out, plan.edits.edits_of(seq for seq in plan.order if seq not in self.base))


def plan_for(recording: Recording, now: datetime, *, compaction: bool = True, choice: Choice | None = None) -> Plan:
    """As `plan_of`, by what was kept of an earlier plan where that can be. choice: its `selection`."""
    kept = kept_plan(recording, now) if compaction else None
    if kept is None:
        return plan_of(recording, now, compaction=compaction, selection=choice)
    if kept.is_current and (choice is None or choice.is_everything):
        return kept.plan
    return plan_of(kept.remains(), now, selection=choice, earlier=kept.earlier)


def keep_up(recording: Recording, now: datetime, pace: Callable[[], None]) -> bool:
    """Plan what was recorded since a plan was kept, and keep that. False where there is nothing to be done.

    pace: called before each record, and may raise what this is to end with. Raises as `plan_of`; blocking.
    """
    if not _is_worth_it(recording):
        return False
    kept = kept_plan(recording, now)
    if kept is not None and kept.is_current:
        return False
    lookup = Lookup(recording if kept is None else kept.remains())
    paced = Selection(lookup, lambda _what: True, pace)
    return keep_plan(recording, plan_of(paced, now, earlier=None if kept is None else kept.earlier), now)


def keep_plan(recording: Recording, plan: Plan, now: datetime) -> bool:
    """Keep the plan of a recording, made with compaction and for no selection. False where it is not worth it. Blocking.

    now: the clock by which it was made. Never raises: it is a cache, and a disk that does not take it, or a line that
    cannot be read any more, is told by whoever needs it.
    """
    if not plan.is_new or not _is_worth_it(recording):
        return False
    with suppress(OSError, RecordingError, StorageError):
        document = _document(recording, plan, now)
        prefix = recording.keep_index()
        if prefix is None:
            return False
        document["prefix"] = [prefix.end, prefix.crc]
        text = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
        replace_file(recording.files, PLAN_NAME, [b"%08x" % zlib.crc32(text), text], temporary=_TEMPORARY)
        return True
    return False


def _is_worth_it(recording: Recording) -> bool:
    return len(recording.index) >= FEWEST and recording.effect.is_simple


def kept_plan(recording: Recording, now: datetime) -> KeptPlan | None:
    """What was kept of the prefix of which the index was; None where it is of no use. Blocking.

    Raises:
        RecordingError: a line that it needs is damaged. StorageError: the recording cannot be read.
    """
    prefix = recording.found.kept
    if prefix is None:
        return None
    try:
        told = _read(recording.files)
        if told is None or told["made_by"] != _program() or told["prefix"] != [prefix.end, prefix.crc]:
            return None
        plan = _plan(recording, told)
        base = frozenset(told["base"])
        made = datetime.fromisoformat(told["made"])
        recording.verify(base.union(plan.order))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    for warning in told["warnings"]:
        recording.tell(warning)
    offsets = recording.index.offsets
    holds = made <= now and (plan.until is None or now <= plan.until)
    return KeptPlan(plan, base, holds and (not offsets or offsets[-1] < prefix.end), recording)


def _document(recording: Recording, plan: Plan, now: datetime) -> dict[str, Any]:
    index, graph = recording.index, plan.graph

    def service(seq: int) -> str:
        return index.what(index.position(seq)).service

    edits = plan.edits
    gone = plan.decided.edited.union(each.seq for each in plan.dropped)
    # What was reduced before is not looked at again as it was: what reduced it need not be there any more.
    base = may_be_repeated(recording, gone - plan.earlier.edits.edited, now)
    base |= {each.seq for each in plan.losses}
    services = sorted(set(graph.services.values()))
    return {
        "made_by": _program(),
        "made": now.isoformat(),
        "until": None if plan.until is None else plan.until.isoformat(),
        "order": plan.order,
        "kept_count": plan.kept_count,
        "base": sorted(base),
        "dropped": [[each.seq, each.reason, each.because_of, each.loss] for each in plan.dropped if each.seq in base],
        "partial": sorted(plan.partial),
        "witnesses": sorted(plan.witnesses),
        "thinned": _lists(edits.thinned),
        "unconditional": _lists(edits.unconditional),
        "earlier": plan.earlier.left_out + Counter(service(each.seq) for each in plan.dropped if each.seq not in base),
        "warnings": recording.told,
        "graph": {
            "order": graph.order,
            "before": [[node, *before] for node, before in graph.before.items()],
            "late": sorted(graph.late),
            "services": services,
            "following": list(graph.following.items()),
            "slow": sorted(graph.slow),
            "batches": list(graph.batches.items()),
            "of": [services.index(graph.services[seq]) for seq in graph.order],
        },
    }


def _plan(recording: Recording, told: dict[str, Any]) -> Plan:
    graph = told["graph"]
    names: list[str] = graph["services"]
    return Plan(
        told["order"],
        tuple(Dropped(*each) for each in told["dropped"]),
        told["kept_count"],
        frozenset(told["partial"]),
        frozenset(told["witnesses"]),
        None if told["until"] is None else datetime.fromisoformat(told["until"]),
        Decided({}, _sets(told["thinned"]), _sets(told["unconditional"])),
        Journal(recording),
        Graph(
            graph["order"],
            {node: tuple(before) for node, *before in graph["before"]},
            set(graph["late"]),
            dict(zip(graph["order"], map(names.__getitem__, graph["of"]), strict=True)),
            dict(graph["following"]),
            set(graph["slow"]),
            dict(graph["batches"]),
        ),
        Earlier(Counter(told["earlier"])),
        is_new=False,
    )


def _lists(sets: dict[int, frozenset[int]]) -> list[Any]:
    return [[seq, sorted(entries)] for seq, entries in sets.items()]


def _sets(lists: Iterable[Any]) -> dict[int, frozenset[int]]:
    return {seq: frozenset(entries) for seq, entries in lists}


def _read(files: Files) -> dict[str, Any] | None:
    data = files.content(PLAN_NAME)
    if data[:8] != b"%08x" % zlib.crc32(memoryview(data)[8:]):
        return None
    told: dict[str, Any] = orjson.loads(memoryview(data)[8:])
    return told


@cache
def _program() -> str:
    """What a plan depends on beside the recording: the files of this program, and the models."""
    seen = []
    for directory, _, names in os.walk(Path(replay_proxy.__file__).parent):
        for name in names:
            if name.endswith((".py", ".json")):
                found = os.stat(os.path.join(directory, name))  # noqa: PTH116, PTH118  - twice as fast as Path
                seen.append((directory, name, found.st_size, found.st_mtime_ns))
    return f"{models.version()} {zlib.crc32(repr(sorted(seen)).encode()):08x}"
