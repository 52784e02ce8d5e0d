"""The emulators that histories are run against; one process of each for all tests of this package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.replay.lab import RESETS, Lab
from tests.support.processes import Emulator


@pytest.fixture(scope="session", params=sorted(RESETS))
def a_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    emulator = Emulator(str(request.param), tmp_path_factory.mktemp("lab"))
    yield Lab(emulator)
    emulator.stop()


@pytest.fixture
def lab(a_lab: Lab) -> Lab:
    a_lab.begin()
    return a_lab
