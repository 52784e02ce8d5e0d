"""Planning a restore in parts: some services now, with what they need, and the rest later.

A part has the calls of the services that are asked for, and everything that these wait for in the graph, directly or not. To
find them, a part is planned from all *infrastructure* calls of the journal and from the *data* calls (`wire.mutability`:
messages, objects, items; the bulk of a long journal) of the services in question only; the other lines are not decoded.

Why that is sound. A plan of fewer calls could differ from the plan of all in three ways:

- *It drops what the whole plan keeps.* The rules for messages, objects, items and settings look at the calls of one service
  (and at infrastructure), so with all of its calls seen they decide as ever. The rule for resources drops what was created
  and deleted unless something that stays mentions it, and data of a service that is not seen may mention it: as an access
  key, or as the key of an object's encryption. Then what the part dropped stays dropped, also when the rest is planned: such
  a call made late could end what was made since under the same name. The data call itself is replayed all the same, and
  reported where the emulator misses what was deleted.
- *It keeps what the whole plan drops.* That only costs a call: the whole history is as right as its live part.
- *Its order lacks calls.* The graph orders calls on the same thing, so a part is closed: nothing in it waits for a call that
  was left out of it. But calls that are not seen are not in the graph. A part that touches a thing of another service by
  more than its creation (attributes of a queue, which a message sent earlier may need to be as they were), or that arms a
  trigger (which has to wait for the data that it would react to), is therefore planned again with the data of
  that service. Creations wait for no data.

A call is made once: what an earlier part has made is skipped by later ones. Parts come one after the other, each in an
order that its graph allows, so all of them together are in such an order, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from replay_proxy.journal.reader import Recording
from replay_proxy.journal.records import Kind
from replay_proxy.journal.selection import Lookup, Selection
from replay_proxy.journal.survey import What
from replay_proxy.replay.compact import Dropped, Plan, plan_of
from replay_proxy.replay.compaction import kinds
from replay_proxy.replay.graph import Graph
from replay_proxy.replay.keeping import keep_plan, kept_plan
from replay_proxy.wire.mutability import is_data
from replay_proxy.wire.selection import Selection as Choice

Pace = Callable[[], None]

UNRECOGNISED = ""
"""Stands for the service of calls that were not recognised."""


@dataclass(frozen=True, slots=True)
class Part:
    """What to replay: the numbers of calls of `plan`, in an order in which they can be made one after the other.

    superseded: how many calls of the services in question need not be replayed; switched_off: how many are not to be;
    losses: what will be missed of these.
    """

    plan: Plan
    seqs: list[int]
    superseded: int
    switched_off: int
    losses: list[str]


class Parts:
    """Plans the parts of one restore. Everything that reads is blocking, and raises as `Lookup` does.

    now, compaction, selection: as for `plan_of`. keeps: the plan is kept for a later restore (`keeping`).
    calls: how many records of each service are in effect.
    """

    def __init__(
        self,
        recording: Recording,
        now: datetime | None = None,
        *,
        compaction: bool,
        selection: Choice | None = None,
        keeps: bool = False,
    ) -> None:
        kept = kept_plan(recording, now) if compaction and now is not None else None
        self._recording = recording
        self._lookup = Lookup(recording if kept is None else kept.remains())
        self._earlier = None if kept is None else kept.earlier
        self._now = now
        self._compaction = compaction
        self._choice = selection
        self._keeps = keeps and compaction and (selection is None or selection.is_everything)
        self._first_data: dict[str, int] = {}
        self._whole: Plan | None = None
        if kept is not None and kept.is_current and (selection is None or selection.is_everything):
            self._whole = kept.plan
        self._dropped: tuple[Plan, dict[str, list[Dropped]]] | None = None
        self.calls: Counter[str] = Counter()
        for what, count, _ in Lookup(recording).tally():
            self.calls[what.service] += count
        for what, _, first in self._lookup.tally():
            if _is_data(what):
                self._first_data[what.service] = min(first, self._first_data.get(what.service, first))

    @property
    def is_planned(self) -> bool:
        """Was the whole planned? Parts cost little then."""
        return self._whole is not None

    def whole(self, pace: Pace) -> Plan:
        """The plan of everything, with its graph."""
        if self._whole is None:
            self._whole = self._plan(lambda _what: True, pace)
        return self._whole

    def keep(self) -> None:
        """Keep the plan of everything for the next restore, where that was made. Never raises."""
        if self._keeps and self._whole is not None and self._now is not None:
            keep_plan(self._recording, self._whole, self._now)

    def part(self, asked: Collection[str]) -> Part:
        """What brings these services back."""
        plan, seen = self._whole, set(asked)
        if plan is not None:
            return self._closed(plan, asked)
        while True:
            part = self._closed(self._plan(_with_data_of(frozenset(seen))), asked)
            missed = self._missed(part, seen)
            if not missed:
                return part
            seen |= missed

    def outline(self, services: Collection[str]) -> Part | None:
        """The creations of these services: which resources there are. None where the data must be seen to tell.

        Planned without any data. That is sound as long as no kept call deletes: then everything that a kept call creates is
        there in the end, and a creation waits for nothing but infrastructure.
        """
        plan = self._plan(_with_data_of(()))
        graph = plan.graph
        own = [seq for seq in graph.order if graph.services[seq] in services and self.mutates(seq)]
        if any(kinds.deleted_by(*self._what(seq)[1:]) for seq in own):
            return None
        seqs = graph.closure(seq for seq in own if self._creates(seq))
        part = Part(plan, list(_in_turn(graph, seqs)), 0, 0, [])
        return None if self._missed(part, ()) else part

    def service(self, seq: int) -> str:
        """The service of a record."""
        return self._what(seq).service

    def mutates(self, seq: int) -> bool:
        """Is a record a mutation, and not a witness?"""
        return self._what(seq).kind is Kind.MUTATION

    def _what(self, seq: int) -> What:
        index = self._recording.index
        return index.what(index.position(seq))

    def _plan(self, wanted: Callable[[What], bool], pace: Pace = lambda: None) -> Plan:
        selection = Selection(self._lookup, wanted, pace)
        try:
            plan = plan_of(
                selection,
                self._now,
                compaction=self._compaction,
                selection=self._choice,
                earlier=self._earlier,
            )
            assert plan.graph is not None  # worked out here, in the thread that may take its time
        finally:
            selection.pace = _at_once
        return plan

    def _closed(self, plan: Plan, asked: Collection[str]) -> Part:
        graph = plan.graph
        seqs = graph.closure(seq for seq in graph.order if graph.services[seq] in asked)
        if self._dropped is None or self._dropped[0] is not plan:
            by_service: dict[str, list[Dropped]] = {}
            for each in plan.dropped:
                by_service.setdefault(self.service(each.seq), []).append(each)
            self._dropped = (plan, by_service)
        dropped = [each for service in asked for each in self._dropped[1].get(service, ())]
        off = sum(each.switched_off for each in dropped)
        superseded = len(dropped) - off + sum(plan.earlier.left_out[service] for service in asked)
        return Part(plan, list(_in_turn(graph, seqs)), superseded, off, losses_of(dropped))

    def _missed(self, part: Part, seen: Collection[str]) -> set[str]:
        """The services of which a part touches more than it may, as long as their data was not seen."""
        unseen = {service: first for service, first in self._first_data.items() if service not in seen}
        graph = part.plan.graph
        if UNRECOGNISED in {graph.services[seq] for seq in part.seqs}:
            return set(unseen)
        touched: dict[str, list[int]] = {}
        for seq in part.seqs:
            if graph.services[seq] in unseen:
                touched.setdefault(graph.services[seq], []).append(seq)
        if not graph.late.isdisjoint(part.seqs):
            return set(touched)
        return {
            service
            for service, seqs in touched.items()
            if any(seq > unseen[service] and not self._creates(seq) for seq in seqs)
        }

    def _creates(self, seq: int) -> bool:
        what = self._what(seq)
        return what.kind is Kind.WITNESS or bool(kinds.created_by(what.service, what.operation))


def losses_of(dropped: Iterable[Dropped]) -> list[str]:
    """What will be missed because the recording does not say enough, a line for each reason."""
    counted = Counter(each.reason for each in dropped if each.loss)
    return [f"{count} calls were left out: {reason}" for reason, count in counted.items()]


def _in_turn(graph: Graph, seqs: Collection[int]) -> Iterator[int]:
    """A closed set of calls in an order that the graph allows: triggers, and what waits for them, after the others."""
    yield from (seq for seq in graph.order if seq in seqs and seq not in graph.late)
    yield from (seq for seq in graph.order if seq in seqs and seq in graph.late)


def _is_data(what: What) -> bool:
    return what.kind is Kind.MUTATION and is_data(what.service, what.operation)


def _with_data_of(services: Collection[str]) -> Callable[[What], bool]:
    """All infrastructure, and the data of some services."""
    return lambda what: what.service in services or not _is_data(what)


def _at_once() -> None:
    """No pause."""
