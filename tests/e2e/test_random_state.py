"""Random histories over many services, under names that nobody would choose; then SIGKILL for proxy and emulator.

Everything that the models offer to read is read before and afterwards, with the same identifiers. No difference may be one
that the report does not name, but for points in time that an emulator makes up by itself (README, *What does not come back*).
What an emulator does by itself is looked at before the kill: what it did since the last look need not come back.
RANDOM_HISTORIES says how many, RANDOM_SEED where to begin.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import tests.support.scenarios  # noqa: F401 - the steps of all services
from tests.support.processes import amount, left_out
from tests.support.read_back.comparison import is_time
from tests.support.scenarios.histories import History, histories
from tests.support.scenarios.rehearsal import Rehearsal, named
from tests.support.scenarios.world import STEPS

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(3600)]

TOGETHER = amount(2, 8)
"""Histories that share an emulator, each in an account of its own."""
TIMES = max(1, int(os.environ.get("RANDOM_HISTORIES", amount(TOGETHER, 80))) // TOGETHER)
SEED = int(os.environ.get("RANDOM_SEED", "1"))
QUICK = ("sqs", "sns", "s3", "dynamodb", "iam", "ssm", "secretsmanager", "kms", "logs", "stepfunctions")


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_everything_reads_as_before(emulator: str, tmp_path: Path) -> None:
    reason = left_out(10)
    if reason and emulator != "moto":
        pytest.skip(f"random histories on {emulator}: {reason}")
    services = QUICK if reason else tuple(STEPS)
    runs: Iterator[int] = iter(range(TIMES * 10))
    silent: list[str] = []
    succeeded = []

    @seed(SEED)
    @settings(
        max_examples=TIMES + 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(together=st.lists(histories(services), min_size=TOGETHER, max_size=TOGETHER))
    def survives(together: list[History]) -> None:
        run = next(runs)
        if run:  # hypothesis begins with the simplest of all
            folder = tmp_path / f"run-{run}"
            folder.mkdir()
            succeeded.append(play(emulator, folder, together, silent))

    survives()
    assert silent == []
    assert len(succeeded) == TIMES and min(succeeded) > TOGETHER


def play(emulator: str, folder: Path, together: list[History], silent: list[str]) -> int:
    """Play histories, restart, and read again. Adds to `silent`; returns how many reads showed something."""
    rehearsal = Rehearsal(emulator, folder)
    try:
        for history in together:
            history.play(rehearsal.player(list(history.names), history.region).world)
        for player, history in zip(rehearsal.players, together, strict=True):
            player.read(history.services, behind=history.behind)
        rehearsal.look()
        report = rehearsal.restart()
        for player, history in zip(rehearsal.players, together, strict=True):
            found = [each for each in player.differences() if not is_time(each) and not named(each, report)]
            silent += [f"{history.names} {each}" for each in found]
        return sum(player.state.succeeded for player in rehearsal.players)
    finally:
        rehearsal.end()
