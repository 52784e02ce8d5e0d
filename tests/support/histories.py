"""Random histories on real emulators, and the three states that are compared: see `tests/e2e/test_equivalence.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import RESETS, Lab, operations
from tests.support.processes import Emulator, amount

ACCOUNTS = {"moto": "123456789012", "ministack": "000000000000"}
Step = tuple[str, int, int, int]
LIMIT = 300 + 30 * int(os.environ.get("EQUIVALENCE_EXAMPLES", "0"))
"""Seconds for one test, however many histories it is told."""


@pytest.fixture(scope="module", params=sorted(RESETS))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    emulator = Emulator(str(request.param), tmp_path_factory.mktemp("equivalence"))
    yield Lab(emulator)
    emulator.stop()


def steps(*weighted: str) -> st.SearchStrategy[list[Step]]:
    """Histories over these operations. The numbers choose among few names and values, so that calls meet each other."""
    small = st.integers(0, 3)
    return st.lists(st.tuples(st.sampled_from(weighted), small, small, small), min_size=24, max_size=60)


def histories(*weighted: str, examples: int = amount(5, 16)) -> Callable[[Any], Any]:
    """A test of random histories. examples: how many, unless EQUIVALENCE_EXAMPLES says so.

    A history that fails is made smaller where EQUIVALENCE_SHRINK is set; that takes many more runs.
    """

    def apply(test: Any) -> Any:
        limited = settings(
            max_examples=int(os.environ.get("EQUIVALENCE_EXAMPLES", examples)),
            deadline=None,
            phases=[phase for phase in Phase if phase is not Phase.shrink or "EQUIVALENCE_SHRINK" in os.environ],
            derandomize="EQUIVALENCE_EXAMPLES" not in os.environ,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
        return limited(given(history=steps(*weighted))(test))

    return apply


def check(
    lab: Lab,
    history: list[Step],
    do: Callable[[Lab, Step], None],
    state: Callable[[Lab], dict[str, Any]],
    *,
    full: bool = True,
) -> None:
    lab.begin()
    for step in history:
        # Refused calls change nothing, and are part of real histories.
        with suppress(ClientError):
            do(lab, step)
    lab.recording = False
    before = state(lab)
    compacted = live_calls(lab.records)
    numbers = sorted([record.seq for record in compacted.kept] + [each.seq for each in compacted.omissions])
    assert numbers == [record.seq for record in lab.records]
    assert all(each.reason for each in compacted.omissions)
    if full:
        lab.empty()
        lab.restore(lab.records)
        _same(before, state(lab), operations(lab.records))
    lab.empty()
    report = lab.restore(compacted.kept)
    problems = [problem.as_json() for problem in report.problems]
    assert problems == [], (problems, compacted.omissions)
    _same(before, state(lab), operations(lab.records), compacted.omissions)
    lab.empty()
    report = lab.restore(compacted.kept, shuffle=Random(len(history)))
    problems = [problem.as_json() for problem in report.problems]
    assert problems == [], (problems, operations(compacted.kept))
    _same(before, state(lab), operations(compacted.kept))


def _same(before: dict[str, Any], after: dict[str, Any], *facts: Any) -> None:
    """Both states are equal; what is not is shown, with `facts`."""
    different = {name: (before.get(name), after.get(name)) for name in {*before, *after}}
    different = {name: both for name, both in different.items() if both[0] != both[1]}
    assert before == after, (different, *facts)
