"""`docs/coverage.md` says what was measured, of the scenarios that there are; measured again, nothing differs silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import EMULATORS, left_out, missing
from tests.support.scenarios.coverage import PAGE, load, measure, page
from tests.support.scenarios.world import STEPS

SERVICES_MIN = {"moto": 40, "ministack": 40, "localstack": 20}
"""Services that an emulator offers, and that were measured on it."""
NOT_NAMED: dict[tuple[str, str], str] = {}
"""What differs and is not named by the report, with the reason. The page shows it."""


def measured(text: str) -> tuple[str, str]:
    """The page without the rules of comparison, which are those of the measurement: later ones did not hold for it."""
    return text.partition("Not compared:")[0], text.splitlines()[-1]


def test_the_page_fits_what_was_measured() -> None:
    results = load()
    assert measured(PAGE.read_text()) == measured(page(results)), "scripts/build-coverage --write"
    for emulator, services_min in SERVICES_MIN.items():
        assert set(results[emulator]) <= set(STEPS), "scripts/build-coverage"
        assert sum(outcome.calls > 0 for outcome in results[emulator].values()) >= services_min


def test_no_difference_is_silent() -> None:
    found = {(emulator, service) for emulator, of in load().items() for service, each in of.items() if each.silent}
    assert found <= set(NOT_NAMED)


@pytest.mark.emulator
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("emulator", EMULATORS)
def test_measured_again_nothing_is_silent(emulator: str, tmp_path: Path) -> None:
    if reason := left_out(15):
        pytest.skip(f"coverage of {emulator} {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
    names = tuple(STEPS)
    for start in range(0, len(names), 12):
        folder = tmp_path / str(start)
        folder.mkdir()
        found = measure(emulator, folder, names[start : start + 12])
        silent = {service: each.silent for service, each in found.items() if each.silent}
        assert {service: each for service, each in silent.items() if (emulator, service) not in NOT_NAMED} == {}
