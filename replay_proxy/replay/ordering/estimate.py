"""How long a restore will take, if its calls take as long as they did when they were recorded."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate. seconds: from the first call to the end of the last. order: the calls, as they are begun."""

    seconds: float
    order: tuple[int, ...]


def estimate(graph: DependencyGraph, milliseconds: Mapping[int, float], concurrency: int) -> Estimate:
    """Estimate a restore of the calls of `graph`.

    milliseconds: of each call; one without takes no time. concurrency: how many calls are under way at a time.
    """
    schedule = Schedule(graph)
    now = 0.0
    order = []
    under_way: list[tuple[float, int]] = []
    while schedule.remaining:
        seq = schedule.take() if len(under_way) < concurrency else None
        if seq is not None:
            order.append(seq)
            heapq.heappush(under_way, (now + milliseconds.get(seq, 0.0), seq))
        else:
            now, seq = heapq.heappop(under_way)
            schedule.done(seq)
    return Estimate(now / 1000, tuple(order))
