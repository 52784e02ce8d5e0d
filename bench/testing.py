"""What a fresh state costs each test of a suite: `scripts/bench testing`.

200 tests that each read and change a queue, a bucket and a table: by the plugin of pytest (`aws_state`), by an emulator that is
started and seeded for each test, and by moto in the tests' own process (`mock_aws`), which no other process can reach.

What is compared is what a developer waits for: a whole test, with its clients, its calls and whatever goes before and after
them. All three run the same test. Its own calls take the same in each way, so they are shown, too: no way could be quicker.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.processes import EMULATORS, ROOT
from bench.report import Bar, Report

TIMES_QUICKER_MIN = 10.0
"""Than to start an emulator for each test."""
SUITE = ROOT / "bench" / "suite_of_tests.py"
SUITE_TIMEOUT_S = 1800
FIRST = 2
"""Tests that are not counted."""
TEST, CALLS = "a whole test", "its own calls"


def run(quick: bool) -> Report:
    """Run the suite in each way."""
    tests, restarts = (30, 3) if quick else (200, 10)
    report = Report(
        "testing", f"{tests} tests that each change the state, and each find it as it was; milliseconds a test"
    )
    with tempfile.TemporaryDirectory() as scratch:
        in_process = _times(Path(scratch), "mock_aws", tests, "moto")
        for name in EMULATORS:
            folder = Path(scratch) / name
            folder.mkdir()
            _record(folder, name)
            ours = _times(folder, "aws_state", tests, name)
            restarted = _times(folder, "restart", restarts, name)
            report.row(
                {
                    "emulator": name,
                    "aws_state": _ms(ours[TEST]),
                    "restart": _ms(restarted[TEST]),
                    "mock_aws": _ms(in_process[TEST]),
                    "the test's own calls": _ms(restarted[CALLS]),
                    "restart / aws_state": round(restarted[TEST] / ours[TEST], 1),
                    "aws_state / mock_aws": round(ours[TEST] / in_process[TEST], 2),
                }
            )
            quicker = restarted[TEST] / ours[TEST]
            report.bar(
                Bar(f"{name}: a test, times quicker than with a restart", quicker, TIMES_QUICKER_MIN, "at least")
            )
    report.note(
        "medians of whole tests, without the first two: in them the plugin starts proxy and emulator, and learns to reset it"
    )
    report.note("the test's own calls: without a proxy, to an emulator that has nothing else to do")
    return report


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "PYTEST_"))}
    test = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**kept, **test, "PYTHONPATH": str(ROOT), **more}


def _record(folder: Path, name: str) -> None:
    """Make the recording whose state the tests find."""
    own = [
        sys.executable,
        "-m",
        "replay_proxy",
        "run",
        "--emulator",
        name,
        "--data-dir",
        str(folder / "recording"),
        "--",
    ]
    made = [sys.executable, "-m", "bench.suite_of_tests"]
    subprocess.run([*own, *made], env=_environment(), cwd=ROOT, check=True, capture_output=True)


def _times(folder: Path, way: str, tests: int, name: str) -> dict[str, float]:
    """Return medians in seconds: of whole tests, and of what they do themselves."""
    durations = folder / f"durations-{way}"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "bench.durations", "--rootdir", str(folder)]
    with_plugin = (
        ["--replay-recording", str(folder / "recording"), "--replay-emulator", name] if way == "aws_state" else []
    )
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *with_plugin, str(SUITE)],
        env=_environment(
            BENCH_WAY=way, BENCH_TESTS=str(tests + FIRST), BENCH_DURATIONS=str(durations), REPLAY_EMULATOR=name
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SUITE_TIMEOUT_S,
        check=False,
    )
    if shown.returncode:
        sys.exit(f"error: the suite failed with {way} on {name}:\n{shown.stdout[-3000:]}{shown.stderr[-1000:]}")
    by_test: dict[int, dict[str, float]] = {}
    for line in durations.read_text().splitlines():
        number, phase, seconds = line.split()
        by_test.setdefault(int(number), {})[phase] = float(seconds)
    later = [phases for number, phases in by_test.items() if number >= FIRST]
    return {
        TEST: statistics.median(sum(phases.values()) for phases in later),
        CALLS: statistics.median(phases["call"] for phases in later),
    }
