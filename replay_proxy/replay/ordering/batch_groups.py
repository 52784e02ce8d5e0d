"""Which calls of a restore are sent together: those with one batch key, as far as the dependency graph allows it."""

from __future__ import annotations

from collections.abc import Collection

from replay_proxy.replay.ordering.batch_key import BATCH_OPERATIONS, operation_of
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph


def groups_of(graph: DependencyGraph, chosen: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return the groups among the calls `chosen`: by its first call, all calls of a group in recorded order.

    A call joins a group only where everything that it waits for comes before the first call of the group. In a queue, whose
    batches keep the order of their entries, it may also wait for calls of the group itself, unless through a join. So may
    a write of an item, for one of another item, where only the order of the records of a stream lets it wait. So no other call
    can come to stand between two calls of one group.
    """
    place = {seq: at for at, seq in enumerate(graph.order)}
    open_groups: dict[str, list[int]] = {}
    groups: list[list[int]] = []
    for seq in graph.order:
        key = graph.batches.get(seq)
        if key is None or seq not in chosen or seq in graph.late:
            continue
        group = open_groups.get(key)
        operation = operation_of(key)
        if group is not None and len(group) < BATCH_OPERATIONS[operation].calls_max:
            direct, through_joins = graph.waits_of(seq)
            if operation == "SendMessage":
                direct = direct.difference(group)
            elif graph.in_turn.get(seq) == group[-1]:
                direct = direct - {group[-1]}
            waits = (direct | through_joins).intersection(chosen)
            if all(place[other] < place[group[0]] and other not in graph.late for other in waits):
                group.append(seq)
                continue
        groups.append([seq])
        open_groups[key] = groups[-1]
    return {group[0]: tuple(group) for group in groups if len(group) > 1}
