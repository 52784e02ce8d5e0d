"""Planning a restore in parts: some services now, with what they need, and the rest later.

A part has the calls of the services that are asked for, and everything that these wait for in the dependency graph, directly or
not. To find them, a part is planned from all *infrastructure* calls of the journal, and from the *data* calls (`wire.mutability`:
messages, objects, items; the bulk of a long journal) of the services in question. The other lines are not decoded.

Why that is sound. A plan of fewer calls could differ from the whole plan, which is made from all calls, in three ways:

- *It leaves out what the whole plan replays.* The rules for messages, objects, items and settings look at the calls of one
  service (and at infrastructure). With all of its calls seen they decide as ever. The rule for resources leaves out what was
  created and deleted, unless something that stays mentions it, and data of a service that is not seen may mention it: as an
  access key, or as the key of an object's encryption. Then what the part left out stays left out, also when the rest is planned:
  such a call made late could end what was made since under the same name. The data call itself is replayed all the same, and
  reported where the emulator misses what was deleted.
- *It replays what the whole plan leaves out.* That only costs a call: the whole history is as right as its live part.
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

from replay_proxy.call_filter import CallFilter
from replay_proxy.footprint import resource_kinds
from replay_proxy.journal.format.records import RecordKind
from replay_proxy.journal.read.index import CallType
from replay_proxy.journal.read.lookup import RecordLookup, SelectedRecords
from replay_proxy.journal.read.reader import Recording
from replay_proxy.replay.issued.issuing_calls import is_kept
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.planning.plan import Omission, Plan, plan_of
from replay_proxy.replay.planning.plan_cache import cache_plan, cached_plan
from replay_proxy.wire.mutability.judge import is_data
from replay_proxy.wording import counted

Pace = Callable[[], None]
"""Called before each record that is planned; may wait, or raise to end the planning."""

UNRECOGNISED = ""
"""Stands for the service of calls that were not recognised."""


@dataclass(frozen=True, slots=True)
class PartialPlan:
    """A part of a plan.

    seqs: the numbers of calls of `plan`, in an order in which they can be made one after the other. superseded: how many calls
    of the services asked for need not be replayed; switched_off: how many are not to be. losses: what will be missed, for people.
    """

    plan: Plan
    seqs: list[int]
    superseded: int
    switched_off: int
    losses: list[str]


class PartialPlans:
    """Plans the parts of one restore. Everything that reads is blocking, and raises as `RecordLookup` does.

    now, supersede, call_filter: as for `plan_of`. caches: the whole plan may be cached for a later restore (`plan_cache`).
    calls: how many records of each service are in effect.
    """

    def __init__(
        self,
        recording: Recording,
        now: datetime | None = None,
        *,
        supersede: bool,
        call_filter: CallFilter | None = None,
        caches: bool = False,
    ) -> None:
        cached = cached_plan(recording, now) if supersede and now is not None else None
        self._recording = recording
        self._lookup = RecordLookup(recording if cached is None else cached.remainder())
        self._earlier = None if cached is None else cached.earlier
        self._now = now
        self._supersede = supersede
        self._call_filter = call_filter
        self._caches = caches and supersede and (call_filter is None or call_filter.is_everything)
        self._first_data: dict[str, int] = {}
        self._whole: Plan | None = None
        if cached is not None and cached.is_current and (call_filter is None or call_filter.is_everything):
            self._whole = cached.plan
        self._omissions: tuple[Plan, dict[str, list[Omission]]] | None = None
        self.calls: Counter[str] = Counter()
        for what, count, _ in RecordLookup(recording).tally():
            self.calls[what.service] += count
        for what, _, first in self._lookup.tally():
            if _is_data(what):
                self._first_data[what.service] = min(first, self._first_data.get(what.service, first))

    def whole(self, pace: Pace) -> Plan:
        """Return the plan of all services, with its dependency graph."""
        if self._whole is None:
            self._whole = self._plan(lambda _what: True, pace)
        return self._whole

    def cache_whole(self) -> None:
        """Cache the whole plan for the next restore, if it was made. Never raises."""
        if self._caches and self._whole is not None and self._now is not None:
            cache_plan(self._recording, self._whole, self._now)

    def part(self, asked: Collection[str]) -> PartialPlan:
        """Return the part that brings the services `asked` back."""
        plan, seen = self._whole, set(asked)
        if plan is not None:
            return self._closed_part(plan, asked)
        while True:
            part = self._closed_part(self._plan(_with_data_of(frozenset(seen))), asked)
            missed = self._services_missed(part, seen)
            if not missed:
                return part
            seen |= missed

    def creations(self, services: Collection[str]) -> PartialPlan | None:
        """Return the part that creates the resources of these services; None where their data must be seen to plan it.

        Planned without any data. That is sound as long as no call that is replayed deletes: then everything that such a call
        creates is there in the end, and a creation waits for nothing but infrastructure.
        """
        plan = self._plan(_with_data_of(()))
        graph = plan.graph
        own = [seq for seq in graph.order if graph.services[seq] in services and self.mutates(seq)]
        if any(resource_kinds.deleted_by(*self._what(seq)[1:]) for seq in own):
            return None
        seqs = graph.closure(seq for seq in own if self._creates(seq))
        part = PartialPlan(plan, list(_in_order(graph, seqs)), 0, 0, [])
        return None if self._services_missed(part, ()) else part

    def service(self, seq: int) -> str:
        """Return the service of a record."""
        return self._what(seq).service

    def mutates(self, seq: int) -> bool:
        """Return whether a record changes state, and is no witness."""
        return self._what(seq).kind.is_change

    def _what(self, seq: int) -> CallType:
        index = self._recording.index
        return index.call_type(index.position(seq))

    def _plan(self, wanted: Callable[[CallType], bool], pace: Pace = lambda: None) -> Plan:
        selected = SelectedRecords(self._lookup, wanted, pace)
        try:
            plan = plan_of(
                selected,
                self._now,
                supersede=self._supersede,
                call_filter=self._call_filter,
                earlier=self._earlier,
            )
            assert plan.graph is not None  # worked out here, in the thread that may take its time
        finally:
            selected.pace = _no_pause
        return plan

    def _closed_part(self, plan: Plan, asked: Collection[str]) -> PartialPlan:
        graph = plan.graph
        seqs = graph.closure(seq for seq in graph.order if graph.services[seq] in asked)
        if self._omissions is None or self._omissions[0] is not plan:
            by_service: dict[str, list[Omission]] = {}
            for each in plan.omissions:
                by_service.setdefault(self.service(each.seq), []).append(each)
            self._omissions = (plan, by_service)
        omissions = [each for service in asked for each in self._omissions[1].get(service, ())]
        off = sum(each.switched_off for each in omissions)
        answered = sum(each.answered for each in omissions)
        earlier = sum(plan.earlier.left_out[service] for service in asked)
        superseded = len(omissions) - off - answered + earlier
        return PartialPlan(plan, list(_in_order(graph, seqs)), superseded, off, losses_of(omissions))

    def _services_missed(self, part: PartialPlan, seen: Collection[str]) -> set[str]:
        """Return the services of which a part touches more than it may while their data was not seen."""
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
        return what.kind is RecordKind.WITNESS or bool(resource_kinds.created_by(what.service, what.operation))


def losses_of(omissions: Iterable[Omission]) -> list[str]:
    """Return what will be missed because the recording does not say enough: a line for each reason, for people."""
    losses = Counter(each.reason for each in omissions if each.loss)
    return [f"{counted(count, 'call', 'was were')} left out: {reason}" for reason, count in losses.items()]


def _in_order(graph: DependencyGraph, seqs: Collection[int]) -> Iterator[int]:
    """Return a closed set of calls in an order that the graph allows: triggers, and what waits for them, after the others."""
    yield from (seq for seq in graph.order if seq in seqs and seq not in graph.late)
    passed: set[int] = set()
    for seq in graph.order:
        waiting = [seq] if seq in seqs and seq in graph.late else []
        while waiting:
            node = waiting[-1]
            missing = [each for each in graph.before[node] if each in graph.late and each not in passed]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if node > 0 and node not in passed:
                yield node
            passed.add(node)


def _is_data(what: CallType) -> bool:
    if not what.kind.is_change:
        return False
    return is_data(what.service, what.operation) or is_kept(what.service, what.operation)


def _with_data_of(services: Collection[str]) -> Callable[[CallType], bool]:
    """Return a filter that lets all infrastructure pass, and the data of some services."""
    return lambda what: what.service in services or not _is_data(what)


def _no_pause() -> None:
    """No pause."""
