"""Which containers are exposed (something other than a recorded call can change them), and which of them a call may change.

Told from the calls that made the infrastructure. A call that names several things links them: a subscription its topic and
its queue, a rule its bus and its targets, a mapping its source and its function. What happens to one thing may so come to all
that it is linked to, directly or not. This errs towards looking once more. What runs code of a user reaches everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from replay_proxy.observing.container import container_kinds, effects, nodes_of
from replay_proxy.replay.recorded_call import Call

ANYTHING = "*"
"""Among what a call may change: everything that the observer knows."""


@cache
def _runners() -> frozenset[str]:
    return frozenset(effects()["runners"])


@cache
def _runner_calls() -> frozenset[tuple[str, str]]:
    return frozenset((each["service"], name) for each in effects()["runner_calls"] for name in each["operations"])


@cache
def _clocks() -> dict[tuple[str, str], str]:
    return {(each["service"], name): each["where"] for each in effects()["clock"] for name in each["operations"]}


class Exposure:
    """The links between the things of a recording. clocks: what acts when its time comes, without any call."""

    def __init__(self) -> None:
        self._links: dict[str, set[str]] = defaultdict(set)
        self._reach: dict[str, frozenset[str]] = {}
        self.clocks: set[str] = set()
        self.has_runner = False

    def see(self, call: Call) -> None:
        """Take in a call that made or changed infrastructure."""
        where = _clocks().get((call.service, call.operation))
        nodes = nodes_of(call, whole=True)
        if where is not None and (not where or call.params.get(where)):
            kind = container_kinds().get(call.service)
            if kind is not None and kind.store:
                # What acts when its time comes may be gone afterwards.
                nodes.add(f"{kind.namespace} {kind.store}")
            self.clocks |= nodes
        if (call.service, call.operation) in _runner_calls() or any(is_runner(node) for node in nodes):
            self.has_runner = True
        if len(nodes) < 2 and where is None:
            return
        self._reach.clear()
        for node in nodes:
            self._links[node] |= nodes - {node}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known that could act by itself."""
        return not self._links and not self.has_runner

    def is_exposed(self, node: str) -> bool:
        """Return whether something other than a call can change what this node names."""
        return self.has_runner or node in self._links

    def is_reached_by_others(self, node: str) -> bool:
        """Return whether what happens to something else may come to this node; not what its own clock does."""
        return self.has_runner or bool(self._links.get(node))

    def reach(self, nodes: Iterable[str]) -> frozenset[str]:
        """Return all that may change when something happens to one of `nodes`; `ANYTHING` among it where that has no end."""
        found: set[str] = set()
        for node in nodes:
            found |= self._reach_of(node)
        return frozenset(found)

    def _reach_of(self, node: str) -> frozenset[str]:
        known = self._reach.get(node)
        if known is not None:
            return known
        found, waiting = {node}, [node]
        while waiting:
            for other in self._links.get(waiting.pop(), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        if any(is_runner(each) for each in found):
            found.add(ANYTHING)
        if len(found) == 1 and node not in self._links:
            return frozenset()  # nothing follows from it; not remembered, since there are as many as names
        reach = self._reach[node] = frozenset(found)
        return reach


def runs_code(calls: Iterable[tuple[str, str]]) -> bool:
    """Return whether calls, as service and operation, have made something that runs code or calls of a user."""
    return not _runner_calls().isdisjoint(calls)


def may_wire(params: Mapping[str, Any]) -> bool:
    """Return whether a call that makes or changes a stack may make something act on what happens to something else.

    A template that the call does not bring along may say anything.
    """
    told = [params[each] for each in ("TemplateBody", "TypeName", "DesiredState") if isinstance(params.get(each), str)]
    return not told or any(each in text for text in told for each in effects()["wiring"])


def is_runner(node: str) -> bool:
    """Return whether what a node names runs code or calls of a user."""
    return node.partition(" ")[0] in _runners()
