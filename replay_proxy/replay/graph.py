"""Which calls of a restore have to wait for which: the order that matters, and no more.

Built in one walk over the calls in recorded order, from what each touches (`footprint`). For every thing the last call that
wrote it and the calls that have referred to it since are known; a call that refers waits for the writer, a call that
writes for all of these. So the calls on one thing keep their order, and calls that have nothing in common run side by side.

*Joins* are nodes of the graph that are no calls (negative numbers): "all calls so far", "all infrastructure so far". They
stand for many edges, and keep the graph linear in the number of calls.

*Triggers are armed last.* A notification, an event source mapping would react to the data that is restored after it. So a
trigger waits for the data in everything that it touches, as far as that does not, through other calls, wait for a trigger
itself.

*Creations of one kind* are only made one after the other: the next need not wait until what the last one began is done.

The graph says nothing of identifiers, and need not: a call that mentions an identifier waits for the call whose answer
taught it, since that one wrote it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from replay_proxy.journal.records import Record
from replay_proxy.replay.batching import batch_key
from replay_proxy.replay.compaction.calls import Load, call_of
from replay_proxy.replay.footprint import BARRIER, Footprint, Footprints
from replay_proxy.replay.waits import wait_after


@dataclass(slots=True)
class Graph:
    """The calls of a restore by number, and what each waits for.

    order: the calls, in recorded order. before: of each call and join, what it waits for directly; a call always for
    earlier calls and joins, but for triggers and what waits for these.
    late: the triggers, and the calls that wait for one.
    following: of a call, the one among those it waits for of which it only waits for the answer.
    slow: the calls that begin something for which a restore waits (`waits`).
    batches: of calls that may share a request with others, with which ones (`batching.batch_key`).
    services: of each call ("" where it was not recognised).
    """

    order: list[int] = field(default_factory=list)
    before: dict[int, tuple[int, ...]] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    services: dict[int, str] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    slow: set[int] = field(default_factory=set)
    batches: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.order)

    def __contains__(self, seq: int) -> bool:
        return seq in self.services

    def predecessors(self, seq: int) -> set[int]:
        """The calls that `seq` waits for directly (through joins, too)."""
        return self._reach(self.before[seq], through=lambda node: node < 0)

    def waits_of(self, seq: int) -> tuple[set[int], set[int]]:
        """The calls that `seq` waits for by itself, and those that it waits for through joins."""
        before = self.before[seq]
        joins = [node for node in before if node < 0]
        return {node for node in before if node > 0}, self._reach(joins, through=lambda node: node < 0)

    def closure(self, seqs: Iterable[int]) -> set[int]:
        """These calls, with everything that they wait for, directly or not."""
        return self._reach(seqs, through=lambda _node: True)

    def _reach(self, nodes: Iterable[int], through: Callable[[int], bool]) -> set[int]:
        found: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                if through(node):
                    waiting.extend(self.before[node])
        return {node for node in found if node > 0}


def graph_of(records: Iterable[Record], load: Load) -> Graph:
    """The graph of `records`, which are walked once; `load` reads blobs.

    Blocking. Raises as reading the records does.
    """
    builder = _Builder()
    footprints = Footprints()
    for record in records:
        call = call_of(record, load)
        footprint = BARRIER if call is None else footprints.of(call)
        head = record.head
        slow = head is not None and wait_after(head) is not None
        builder.add(record.seq, head.service if head is not None else "", footprint, slow=slow)
        if call is not None and (key := batch_key(call)):
            builder.graph.batches[record.seq] = key
    return builder.finish()


class _Builder:
    """Adds calls to a graph, in order."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._writer: dict[str, int] = {}
        self._referring: dict[str, list[int]] = {}
        self._barrier: tuple[int, ...] = ()
        self._since_barrier: list[int] = []
        self._infrastructure: list[int] = []
        self._created: dict[str, int] = {}
        self._triggers: list[tuple[int, Footprint]] = []
        self._data: dict[str, list[int]] = {}
        self._joins = 0

    def add(self, seq: int, service: str, footprint: Footprint, *, slow: bool) -> None:
        """Take in the next call."""
        graph = self.graph
        if slow:
            graph.slow.add(seq)
        if footprint.barrier:
            before = {*self._barrier, *self._since_barrier}
            self._barrier, self._since_barrier = (seq,), []
            self._writer.clear()
            self._referring.clear()
            self._created.clear()
            self._infrastructure = [seq]
        else:
            before = set(self._barrier)
            if footprint.stray:
                before.update(self._all_infrastructure())
            self._conflicts(seq, footprint, before)
            self._keep_creations_in_turn(seq, footprint.creates, before)
            self._since_barrier.append(seq)
            if not footprint.data:
                self._infrastructure.append(seq)
        graph.order.append(seq)
        graph.services[seq] = service
        graph.before[seq] = tuple(sorted(before))
        if footprint.trigger:
            self._triggers.append((seq, footprint))
        if footprint.trigger or not graph.late.isdisjoint(before):
            graph.late.add(seq)
        elif footprint.data:
            for whole in footprint.wholes:
                self._data.setdefault(whole, []).append(seq)

    def finish(self) -> Graph:
        """All calls were added."""
        for seq, footprint in self._triggers:
            data = {call for whole in footprint.wholes for call in self._data.get(whole, ())}
            if data:
                self.graph.before[seq] = (self._join(sorted(data)), *self.graph.before[seq])
        return self.graph

    def _conflicts(self, seq: int, footprint: Footprint, before: set[int]) -> None:
        for thing in footprint.refers:
            writer = self._writer.get(thing)
            if writer is not None:
                before.add(writer)
            self._referring.setdefault(thing, []).append(seq)
        for thing in footprint.writes:
            writer = self._writer.get(thing)
            if writer is not None:
                before.add(writer)
            before.update(self._referring.pop(thing, ()))
            self._writer[thing] = seq

    def _keep_creations_in_turn(self, seq: int, creates: str, before: set[int]) -> None:
        last = self._created.get(creates)
        if creates:
            self._created[creates] = seq
        if last is not None and last not in before:
            self.graph.following[seq] = last
            before.add(last)

    def _all_infrastructure(self) -> list[int]:
        if len(self._infrastructure) > 1:
            self._infrastructure = [self._join(self._infrastructure)]
        return self._infrastructure[:]

    def _join(self, nodes: list[int]) -> int:
        self._joins -= 1
        self.graph.before[self._joins] = tuple(nodes)
        if not self.graph.late.isdisjoint(nodes):
            self.graph.late.add(self._joins)
        return self._joins


class Schedule:
    """Hands out the calls of a graph as soon as everything that they wait for is done.

    Of several, those come first that are slow, or that a slow one waits for: what they begin is done while the others are
    made. Then the earliest. only: the calls to be done; what they wait for beside these counts as done.
    groups: calls that are made together, by the first of each group, which is handed out for all (`batching.groups_of`).
    """

    def __init__(
        self,
        graph: Graph,
        only: Iterable[int] | None = None,
        groups: Mapping[int, tuple[int, ...]] | None = None,
    ) -> None:
        self._groups = groups or {}
        stands_for = {seq: first for first, group in self._groups.items() for seq in group}
        chosen = {stands_for.get(seq, seq) for seq in (graph.services if only is None else only)}
        nodes = [*chosen, *(node for node in graph.before if node < 0)]
        present = set(nodes)
        self.remaining = len(chosen)
        self._taken = 0
        urgent = {stands_for.get(seq, seq) for seq in graph.closure(graph.slow.intersection(present))}
        count = len(graph.order)
        self._rank = {seq: place - count * (seq in urgent) for place, seq in enumerate(graph.order)}
        self._open: dict[int, int] = {}
        self._after: dict[int, list[int]] = {}
        self._followers: dict[int, int] = {}
        self._ready: list[tuple[int, int]] = []
        free: list[int] = []
        for node in nodes:
            before = (stands_for.get(other, other) for seq in self.group(node) for other in graph.before[seq])
            waits = {other for other in before if other in present and other != node}
            self._open[node] = len(waits)
            for other in waits:
                if graph.following.get(node) == other:
                    self._followers[other] = node
                else:
                    self._after.setdefault(other, []).append(node)
            if not waits:
                free.append(node)
        for node in free:
            joins: list[int] = []
            self._release(node, joins)
            for join in joins:
                self._finish(join)

    def group(self, seq: int) -> tuple[int, ...]:
        """The calls that are to be made together with one that was handed out, that one included, in order."""
        return self._groups.get(seq, (seq,))

    def take(self) -> int | None:
        """The call that can be made now and comes first; None where there is none until another one is done."""
        if self._ready:
            self._taken += 1
            return heapq.heappop(self._ready)[1]
        # Nothing waits in a circle (a trigger waits for no call that waits for a trigger); better to fail than to hang.
        assert self._taken or not self.remaining, "the calls of a restore wait for each other"
        return None

    def is_awaited(self, seq: int) -> bool:
        """Does any call wait until what this one began is done?"""
        return seq in self._after

    def answered(self, seq: int) -> None:
        """A call that was taken has its answer; what it began may still be under way."""
        follower = self._followers.pop(seq, None)
        if follower is not None:
            self._open[follower] -= 1
            if not self._open[follower]:
                self._release(follower, [])

    def done(self, seq: int) -> None:
        """A call that was taken has been made."""
        self.answered(seq)
        self.remaining -= 1
        self._taken -= 1
        self._finish(seq)

    def _finish(self, node: int) -> None:
        finished = [node]
        while finished:
            for other in self._after.pop(finished.pop(), ()):
                self._open[other] -= 1
                if not self._open[other]:
                    self._release(other, finished)

    def _release(self, node: int, finished: list[int]) -> None:
        """What this node waited for is done; a join is done itself then."""
        if node > 0:
            heapq.heappush(self._ready, (self._rank[node], node))
        else:
            finished.append(node)
