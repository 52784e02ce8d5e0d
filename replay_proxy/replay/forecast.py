"""How long a restore will take: its calls as long as they took when they were recorded, in the order of its graph."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from replay_proxy.replay.graph import Graph, Schedule


@dataclass(frozen=True, slots=True)
class Forecast:
    """seconds: from the first call to the end of the last. order: the calls as they are begun."""

    seconds: float
    order: tuple[int, ...]


def forecast(graph: Graph, milliseconds: Mapping[int, float], at_once: int) -> Forecast:
    """What becomes of the calls of `graph`, `at_once` of them at a time; a call without a duration takes no time."""
    schedule = Schedule(graph)
    now = 0.0
    order = []
    under_way: list[tuple[float, int]] = []
    while schedule.remaining:
        seq = schedule.take() if len(under_way) < at_once else None
        if seq is not None:
            order.append(seq)
            heapq.heappush(under_way, (now + milliseconds.get(seq, 0.0), seq))
        else:
            now, seq = heapq.heappop(under_way)
            schedule.done(seq)
    return Forecast(now / 1000, tuple(order))
