"""The doctor on sound states: the scenarios of all services, before and after a restore. Nothing is found, nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.support.scenarios  # noqa: F401 - the steps of all services
from tests.support.diagnoses import wrong_in
from tests.support.processes import EMULATORS, left_out, missing
from tests.support.read_back.comparison import is_time
from tests.support.scenarios.coverage import NAMES, NOT_RUNNING
from tests.support.scenarios.rehearsal import Rehearsal
from tests.support.scenarios.world import STEPS

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(3600)]

TOGETHER = 12
"""Services that share an emulator, each in an account of its own."""
MOVED_BY_READS = {("moto", "dax")}
"""Clusters of moto's get ready by being read, whoever reads them."""
QUICK = ("sqs", "sns", "iam")


@pytest.mark.parametrize("emulator", EMULATORS)
def test_sound_states_are_sound(emulator: str, tmp_path: Path) -> None:
    reason = left_out(5)
    if reason and emulator != "moto":
        pytest.skip(f"the doctor on all scenarios of {emulator}: {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
    not_running = {service for name, service in NOT_RUNNING if name == emulator}
    names = [each for each in (STEPS if left_out(5) is None else QUICK) if (emulator, each) not in NOT_RUNNING]
    for start in range(0, len(names), TOGETHER):
        folder = tmp_path / str(start)
        folder.mkdir()
        rehearsal = Rehearsal(emulator, folder, "--check-wiring", "0")
        try:
            for service in names[start : start + TOGETHER]:
                player = rehearsal.player(NAMES)
                for number, step in enumerate(each for each in STEPS[service] if not each.ends):
                    player.world.take(step, (number, number + 1, number))
                player.read([service], behind=True)
            assert wrong_in(rehearsal.proxy, not_running) == []
            changed = [each for player in rehearsal.players for each in player.differences()]
            changed = [each for each in changed if (emulator, each.asked.service) not in MOVED_BY_READS]
            assert [each for each in changed if not is_time(each)] == [], "a diagnosis changes nothing"
            rehearsal.restart()
            assert wrong_in(rehearsal.proxy, not_running) == []
        finally:
            rehearsal.end()
