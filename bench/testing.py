"""What a fresh state costs each test of a suite: `scripts/bench testing`.

200 tests that each change a queue, a bucket and a table: by the plugin of pytest (`aws_state`), by an emulator that is started
and seeded for each test, and by moto in the tests' own process (`mock_aws`), which no other process can reach.
"""

from __future__ import annotations

import os
import re
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
TEST, STATE = "a whole test", "the state alone"
_DURATION = re.compile(r"^([\d.]+)s (setup|call|teardown) +\S+\[(\d+)\]", re.MULTILINE)


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
            for what in ours:
                report.row(
                    {
                        "emulator": name,
                        "what": what,
                        "aws_state": round(ours[what] * 1000),
                        "restart": round(restarted[what] * 1000),
                        "mock_aws": round(in_process[what] * 1000),
                        "restart / aws_state": round(restarted[what] / ours[what], 1),
                        "aws_state / mock_aws": round(ours[what] / in_process[what], 2),
                    }
                )
            # What the test itself does is the same in both, and takes what it takes.
            quicker = restarted[STATE] / ours[STATE]
            report.bar(Bar(f"{name}: state, times quicker than a restart", quicker, TIMES_QUICKER_MIN, "at least"))
    report.note("medians, without the first test, in which the plugin starts proxy and emulator")
    report.note("the state alone: the fixtures before and after a test")
    return report


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
    """Return medians in seconds: of whole tests, and of the fixtures before and after them."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(folder)]
    options += ["--durations=0", "--durations-min=0", "-vv"]
    with_plugin = (
        ["--replay-recording", str(folder / "recording"), "--replay-emulator", name] if way == "aws_state" else []
    )
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *with_plugin, str(SUITE)],
        env=_environment(BENCH_WAY=way, BENCH_TESTS=str(tests + 1), REPLAY_EMULATOR=name),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SUITE_TIMEOUT_S,
        check=False,
    )
    if shown.returncode:
        sys.exit(f"error: the suite failed with {way} on {name}:\n{shown.stdout[-3000:]}{shown.stderr[-1000:]}")
    by_test: dict[int, dict[str, float]] = {}
    for seconds, phase, number in _DURATION.findall(shown.stdout):
        by_test.setdefault(int(number), {})[phase] = float(seconds)
    later = [phases for number, phases in by_test.items() if number]
    return {
        TEST: statistics.median(sum(phases.values()) for phases in later),
        STATE: statistics.median(phases["setup"] + phases["teardown"] for phases in later),
    }
