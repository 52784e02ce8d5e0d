"""Two random states and a pod of one of them, loaded three times in a row, with any strategies in any order.

Each time the API shows what the strategy is defined to make of the states, as facts (`tests.pods.facts`). Both states may come
from one ancestor, as those of two people do who loaded the same pod, and worked on.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.pods.facts import STEPS, Facts, Player, differences, merged, read_facts, worker
from tests.support.processes import Proxy, amount, left_out

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(3600)]
STRATEGIES = ("overwrite", "account-region-merge", "service-merge", "service-merge")
"""`service-merge` twice: it is the one that can go wrong in most ways."""
EXAMPLES = int(os.environ.get("MERGE_EXAMPLES", amount(1, 25)))
SEED = int(os.environ.get("MERGE_SEED", "1"))
SMALL = st.integers(0, 7)


def steps(least: int, most: int) -> st.SearchStrategy[list[tuple[str, int, int, int]]]:
    return st.lists(st.tuples(st.sampled_from(sorted(STEPS)), SMALL, SMALL, SMALL), min_size=least, max_size=most)


def ask(proxy: Proxy, method: str, path: str) -> None:
    """Ask an endpoint whose answer is a stream of events; the last one tells how it went."""
    request = urllib.request.Request(proxy.url + path, data=b"{}", method=method)
    with urllib.request.urlopen(request, timeout=200) as answer:
        lines = answer.read().splitlines()
    if lines and lines[-1].startswith(b'{"event":"completion"'):
        assert json.loads(lines[-1])["status"] == "ok", lines[-1].decode()


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_three_loads_make_what_their_strategies_are_defined_to_make(emulator: str, tmp_path: Path) -> None:
    if emulator != "moto" and (reason := left_out(5)):
        pytest.skip(f"merges on {emulator}: {reason}")
    proxy = Proxy(tmp_path, "--emulator", emulator)
    runs: Iterator[int] = count()

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES + 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        ancestor=steps(2, amount(6, 25)),
        of_pod=steps(6, amount(9, 40)),
        of_ours=steps(6, amount(9, 40)),
        strategies=st.lists(st.sampled_from(STRATEGIES), min_size=3, max_size=3),
    )
    def holds(ancestor: list, of_pod: list, of_ours: list, strategies: list[str]) -> None:  # type: ignore[type-arg]
        run = next(runs)
        if run:  # hypothesis begins with the simplest of all
            play(proxy, f"{run}", ancestor, of_pod, of_ours, strategies)

    try:
        holds()
        assert next(runs) > EXAMPLES
    finally:
        proxy.stop()


def play(proxy: Proxy, run: str, ancestor: list, of_pod: list, of_ours: list, strategies: list[str]) -> None:  # type: ignore[type-arg]
    """Make both states and load the one into the other."""
    ask(proxy, "POST", "/_localstack/state/reset")
    told: list[str] = []

    def work(side: str, chosen: list, before: Facts) -> Facts:  # type: ignore[type-arg]
        player = Player(proxy.url, side, dict(before))
        worker(player)  # in every state, so that a merge of whole services does not take it from under a function
        for each in chosen:
            player.do(each)
        told.append(f"{side}: {', '.join(player.done)}")
        return player.facts

    base = work("base", ancestor, {})
    ask(proxy, "POST", f"/_localstack/pods/base-{run}")
    pod = work("pod", of_pod, base)
    ask(proxy, "POST", f"/_localstack/pods/pod-{run}")
    check(proxy, pod, "the state of the pod", told)
    ask(proxy, "PUT", f"/_localstack/pods/base-{run}?merge=overwrite")
    state = work("ours", of_ours, base)
    check(proxy, state, "our state", told)
    for at, strategy in enumerate(strategies):
        ask(proxy, "PUT", f"/_localstack/pods/pod-{run}?merge={strategy}")
        state = merged(strategy, state, pod)
        check(proxy, state, f"after {strategies[: at + 1]}", told)


def check(proxy: Proxy, expected: Facts, what: str, told: list[str]) -> None:
    found = [*differences(read_facts(proxy.url), expected)]
    assert not found, "\n".join([what, *found, *told])
