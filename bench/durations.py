"""A plugin of pytest that writes how long each phase of each test took: `-p bench.durations`, BENCH_DURATIONS names the file.

One line a phase: the test's parameter, the phase, seconds. Pytest itself shows hundredths of a second.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a line."""
    number = report.nodeid.rpartition("[")[2].rstrip("]")
    with Path(os.environ["BENCH_DURATIONS"]).open("a", encoding="utf-8") as file:
        file.write(f"{number} {report.when} {report.duration:.6f}\n")
