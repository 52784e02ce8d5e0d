"""The plan of a recording, cached beside it, so that a restore need not plan the whole history again.

What a restore costs should follow what lives. Sending does, but deciding what lives means looking at everything that ever
happened. So a plan is cached after a restore, and when the proxy ends. It covers the same prefix of the journal as the index
that is cached with it (`journal.read.index_cache`). Where it does not fit, because another version wrote it or the journal is
another one, everything is planned as if it had never been there.

Where nothing was recorded since, the cached plan *is* the plan, its dependency graph included. Otherwise a plan is made from the
*remainder*: what the cached plan left of the prefix, and all that came after. That is as if the prefix had been compacted in the
file (`compact_recording`), and sound for the same reasons. What a compaction of the file may not remove is part of the remainder,
too: calls that will be missed, and what could still explain a repetition in a FIFO queue. Such calls are looked at when planning
goes on, and are not replayed. In the code they are the *base* of a cached plan.

A cached plan holds until the first data that it replays is beyond its retention (`Plan.valid_until`). Then the remainder is
planned again.
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
from replay_proxy.call_filter import CallFilter
from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.index import Index
from replay_proxy.journal.read.lookup import RecordLookup, SelectedRecords
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.files import replace as replace_file
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.planning.fifo_deduplication import may_be_repeated
from replay_proxy.replay.planning.plan import PARTIAL, EarlierPlan, Journal, Plan, plan_of
from replay_proxy.replay.planning.supersession.decisions import Omission, PlanEdits
from replay_proxy.wire.models import models

PLAN_NAME: Final = f"{JOURNAL_NAME}.plan"
_TEMPORARY: Final = f"{PLAN_NAME}.tmp"
RECORDS_MIN: Final = 200
"""Of a recording whose plan is cached. A shorter one is planned in less time than anybody would notice."""


class CachedRemainder:
    """What a cached plan left of a recording, and everything that was recorded since; read like a recording.

    base: calls that the plan leaves out, and that are looked at all the same.
    """

    def __init__(self, recording: Recording, plan: Plan, base: Collection[int]) -> None:
        self.recording = recording
        self._plan = plan
        self._base = frozenset(base)
        self.index = self._remaining_index(recording.index, self._base.union(plan.order))

    @property
    def effect(self) -> SavePoints:
        """Which records count, by the save points."""
        return self.recording.effect

    @property
    def blobs(self) -> BlobStore:
        """The store of the large bodies."""
        return self.recording.blobs

    def at(self, position: int) -> Record:
        """Return what is left of the record at a position of the index. Raises as `Recording.at`."""
        return self.fetch(self.index.seqs[position])

    def fetch(self, seq: int) -> Record:
        """Return what is left of a record. Raises as `Recording.fetch`."""
        record = self.recording.fetch(seq)
        if seq in self._base:
            return record
        if seq in self._plan.partial:
            return replace(record, notes={**record.notes, PARTIAL: True})
        return self._plan.reduced(record)

    def records(self) -> Iterator[Record]:
        """Return what is left and in effect, in order. Raises as `Recording.at`."""
        for seq in self.index.seqs:
            record = self.fetch(seq)
            if self.effect.is_in_effect(record):
                yield record

    def _remaining_index(self, full: Index, left: Collection[int]) -> Index:
        index = Index(full.call_types, warnings=full.warnings)
        prefix = self.recording.found.kept
        assert prefix is not None
        for position, seq in enumerate(full.seqs):
            if seq in left or full.offsets[position] >= prefix.end:
                index.add(seq, full.offsets[position], full.lengths[position], full.call_type(position))
        return index


@dataclass(frozen=True, slots=True)
class CachedPlan:
    """A plan that was read from the cache.

    plan: of the prefix of the recording. base: calls that it leaves out, and that are looked at all the same when planning goes
    on. is_current: nothing was recorded since, and nothing is beyond its retention.
    """

    plan: Plan
    base: frozenset[int]
    is_current: bool
    recording: Recording

    def remainder(self) -> CachedRemainder:
        """Return what to plan from where the cached plan is not current."""
        return CachedRemainder(self.recording, self.plan, self.base)

    @property
    def earlier(self) -> EarlierPlan:
        """What the cached plan took from the remainder; calls of the base are as they were recorded."""
        plan = self.plan
        return EarlierPlan(
            plan.earlier.left_out, plan.edits.edits_of(seq for seq in plan.order if seq not in self.base)
        )


def plan_for(
    recording: Recording, now: datetime, *, supersede: bool = True, call_filter: CallFilter | None = None
) -> Plan:
    """Plan a restore as `plan_of` does, from the cached plan where there is one. Blocking; raises as `plan_of`."""
    cached = cached_plan(recording, now) if supersede else None
    if cached is None:
        return plan_of(recording, now, supersede=supersede, call_filter=call_filter)
    if cached.is_current and (call_filter is None or call_filter.is_everything):
        return cached.plan
    return plan_of(cached.remainder(), now, call_filter=call_filter, earlier=cached.earlier)


def update_cached_plan(recording: Recording, now: datetime, pace: Callable[[], None]) -> bool:
    """Plan what was recorded since a plan was cached, and cache that. Return False where there is nothing to be done.

    pace: called before each record; may raise, to end this. Raises as `plan_of`, and what `pace` raises. Blocking.
    """
    if not _is_worth_it(recording):
        return False
    cached = cached_plan(recording, now)
    if cached is not None and cached.is_current:
        return False
    lookup = RecordLookup(recording if cached is None else cached.remainder())
    paced = SelectedRecords(lookup, lambda _what: True, pace)
    return cache_plan(recording, plan_of(paced, now, earlier=None if cached is None else cached.earlier), now)


def cache_plan(recording: Recording, plan: Plan, now: datetime) -> bool:
    """Cache the plan of a whole recording, made without a filter; return whether it was written. Blocking.

    now: the clock by which it was made. Never raises: it is a cache, and whoever needs the disk or the line finds out by
    himself that a disk is full or that a line cannot be read any more.
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
    return len(recording.index) >= RECORDS_MIN and recording.effect.is_simple


def cached_plan(recording: Recording, now: datetime) -> CachedPlan | None:
    """Read the cached plan of the prefix of which the index was cached; None where it is of no use. Blocking.

    Raises:
        RecordingError: a line that it needs is damaged. StorageError: the recording cannot be read.
    """
    prefix = recording.found.kept
    if prefix is None:
        return None
    try:
        document = _read(recording.files)
        if document is None or document["made_by"] != _program() or document["prefix"] != [prefix.end, prefix.crc]:
            return None
        plan = _plan(recording, document)
        base = frozenset(document["base"])
        made = datetime.fromisoformat(document["made"])
        recording.verify(base.union(plan.order))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    for warning in document["warnings"]:
        recording.add_warning(warning)
    offsets = recording.index.offsets
    holds = made <= now and (plan.valid_until is None or now <= plan.valid_until)
    holds = holds and recording.effect.reset_count == document["resets"]
    return CachedPlan(plan, base, holds and (not offsets or offsets[-1] < prefix.end), recording)


def _document(recording: Recording, plan: Plan, now: datetime) -> dict[str, Any]:
    index, graph = recording.index, plan.graph

    def service(seq: int) -> str:
        return index.call_type(index.position(seq)).service

    edits = plan.edits
    gone = plan.own_edits.edited.union(each.seq for each in plan.omissions)
    # What an earlier plan reduced is not looked at again as it was recorded: the calls that reduced it may be gone.
    base = may_be_repeated(recording, gone - plan.earlier.edits.edited, now)
    base |= {each.seq for each in (*plan.losses, *plan.answered)}
    services = sorted(set(graph.services.values()))
    return {
        "made_by": _program(),
        "made": now.isoformat(),
        "until": None if plan.valid_until is None else plan.valid_until.isoformat(),
        "order": plan.order,
        "kept_count": plan.mutation_count,
        "base": sorted(base),
        "dropped": [
            [each.seq, each.reason, each.because_of, each.loss, each.switched_off, each.answered]
            for each in plan.omissions
            if each.seq in base
        ],
        "partial": sorted(plan.partial),
        "resets": recording.effect.reset_count,
        "witnesses": sorted(plan.witnesses),
        "thinned": _lists(edits.removed_entries),
        "unconditional": _lists(edits.lifted_conditions),
        "earlier": plan.earlier.left_out
        + Counter(service(each.seq) for each in plan.omissions if each.seq not in base),
        "warnings": recording.late_warnings,
        "graph": {
            "order": graph.order,
            "before": [[node, *before] for node, before in graph.before.items()],
            "late": sorted(graph.late),
            "services": services,
            "following": list(graph.following.items()),
            "in_turn": list(graph.in_turn.items()),
            "slow": sorted(graph.slow),
            "batches": list(graph.batches.items()),
            "loosely": list(graph.loosely.items()),
            "of": [services.index(graph.services[seq]) for seq in graph.order],
        },
    }


def _plan(recording: Recording, document: dict[str, Any]) -> Plan:
    graph = document["graph"]
    names: list[str] = graph["services"]
    return Plan(
        document["order"],
        tuple(Omission(*each) for each in document["dropped"]),
        document["kept_count"],
        frozenset(document["partial"]),
        frozenset(document["witnesses"]),
        None if document["until"] is None else datetime.fromisoformat(document["until"]),
        PlanEdits({}, _sets(document["thinned"]), _sets(document["unconditional"])),
        Journal(recording),
        DependencyGraph(
            graph["order"],
            {node: tuple(before) for node, *before in graph["before"]},
            set(graph["late"]),
            dict(zip(graph["order"], map(names.__getitem__, graph["of"]), strict=True)),
            dict(graph["following"]),
            dict(graph["in_turn"]),
            set(graph["slow"]),
            dict(graph["batches"]),
            dict(graph["loosely"]),
        ),
        EarlierPlan(Counter(document["earlier"])),
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
    document: dict[str, Any] = orjson.loads(memoryview(data)[8:])
    return document


@cache
def _program() -> str:
    """Return what a plan depends on beside the recording: a print of this program's files, and the version of the models."""
    seen = []
    for directory, _, names in os.walk(Path(replay_proxy.__file__).parent):
        for name in names:
            if name.endswith((".py", ".json")):
                found = os.stat(os.path.join(directory, name))  # noqa: PTH116, PTH118  - twice as fast as Path
                seen.append((directory, name, found.st_size, found.st_mtime_ns))
    return f"{models.version()} {zlib.crc32(repr(sorted(seen)).encode()):08x}"
