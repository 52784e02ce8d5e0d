"""Which call of a restore comes next, while others are under way."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from replay_proxy.replay.ordering.dependency_graph import DependencyGraph


class Schedule:
    """Hands out the calls of a graph, each as soon as everything that it waits for is done.

    A call is waiting, then ready, then under way (from `take` on), and then done. In between it may have its answer while the
    work that it started goes on (`answered`). Of several ready calls, those come first that are slow, or that a slow one waits
    for, so that their work goes on while the others are made; then the earliest.

    only: the calls to be made; whatever else they wait for counts as done. groups: calls that share a request, by the first of
    each group, which is handed out for all of them (`ordering.batch_groups`).
    """

    def __init__(
        self,
        graph: DependencyGraph,
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
        self._open_waits: dict[int, int] = {}
        self._after: dict[int, list[int]] = {}
        self._followers: dict[int, list[int]] = {}
        self._ready: list[tuple[int, int]] = []
        free: list[int] = []
        for node in nodes:
            before = (stands_for.get(other, other) for seq in self.group(node) for other in graph.before[seq])
            waits = {other for other in before if other in present and other != node}
            self._open_waits[node] = len(waits)
            for other in waits:
                if graph.following.get(node) == other:
                    self._followers.setdefault(other, []).append(node)
                else:
                    self._after.setdefault(other, []).append(node)
            if not waits:
                free.append(node)
        for node in free:
            joins: list[int] = []
            self._release(node, joins)
            for join in joins:
                self._finish(join)

    def __repr__(self) -> str:
        waiting = self.remaining - len(self._ready) - self._taken
        return f"<Schedule: {waiting} waiting, {len(self._ready)} ready, {self._taken} under way>"

    def group(self, seq: int) -> tuple[int, ...]:
        """Return the calls that share a request with one that was handed out, that one included, in recorded order."""
        return self._groups.get(seq, (seq,))

    def take(self) -> int | None:
        """Return the call to be made next; None where none is ready until another one is done."""
        if self._ready:
            self._taken += 1
            return heapq.heappop(self._ready)[1]
        # Nothing waits in a circle (a trigger waits for no call that waits for a trigger); better to fail than to hang.
        assert self._taken or not self.remaining, "the calls of a restore wait for each other"
        return None

    def is_awaited(self, seq: int) -> bool:
        """Return whether any call waits for the work that this one started."""
        return seq in self._after

    def answered(self, seq: int) -> None:
        """Note that a call that is under way has its answer; the work that it started may go on."""
        for follower in self._followers.pop(seq, ()):
            self._open_waits[follower] -= 1
            if not self._open_waits[follower]:
                self._release(follower, [])

    def done(self, seq: int) -> None:
        """Note that a call that is under way is done."""
        self.answered(seq)
        self.remaining -= 1
        self._taken -= 1
        self._finish(seq)

    def _finish(self, node: int) -> None:
        finished = [node]
        while finished:
            for other in self._after.pop(finished.pop(), ()):
                self._open_waits[other] -= 1
                if not self._open_waits[other]:
                    self._release(other, finished)

    def _release(self, node: int, finished: list[int]) -> None:
        """Make a node ready, since all that it waited for is done; a join is done itself then."""
        if node > 0:
            heapq.heappush(self._ready, (self._rank[node], node))
        else:
            finished.append(node)
