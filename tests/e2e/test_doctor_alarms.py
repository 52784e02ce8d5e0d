"""The doctor on sound states: the scenarios of all services, before and after a restore. Nothing is found, nothing changed."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import tests.support.scenarios  # noqa: F401 - the steps of all services
from tests.support.processes import EMULATORS, Proxy, left_out, missing
from tests.support.read_back.comparison import is_time
from tests.support.scenarios.coverage import NAMES, NOT_RUNNING
from tests.support.scenarios.rehearsal import Rehearsal
from tests.support.scenarios.world import STEPS

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(3600)]

TOGETHER = 12
"""Services that share an emulator, each in an account of its own."""
QUICK = ("sqs", "sns", "iam")


def wrong_in(proxy: Proxy, emulator: str) -> list[dict[str, Any]]:
    """Findings and crosses; not of what cannot run on this emulator, and says so."""
    request = urllib.request.Request(f"{proxy.url}/_replay/doctor", method="POST")
    with urllib.request.urlopen(request, timeout=600) as answer:
        document = json.load(answer)
    lost = [
        {"resource": each["resource"], **link}
        for each in document["tree"]
        for link in each["links"]
        if link["holds"] is False
    ]
    gone = [each for each in document["tree"] if each["state"] == "absent"]
    assert document["resources"]["there"]
    findings = [each for each in document["findings"] if (emulator, each["service"]) not in NOT_RUNNING]
    return [*findings, *lost, *gone]


@pytest.mark.parametrize("emulator", EMULATORS)
def test_sound_states_are_sound(emulator: str, tmp_path: Path) -> None:
    reason = left_out(5)
    if reason and emulator != "moto":
        pytest.skip(f"the doctor on all scenarios of {emulator}: {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
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
            assert wrong_in(rehearsal.proxy, emulator) == []
            changed = [each for player in rehearsal.players for each in player.differences()]
            assert [each for each in changed if not is_time(each)] == [], "a diagnosis changes nothing"
            rehearsal.restart()
            assert wrong_in(rehearsal.proxy, emulator) == []
        finally:
            rehearsal.end()
