"""`scripts/bench wire`: recognising and parsing requests, and how long commands take to start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import processes, recognition, recordings
from bench.processes import ROOT
from bench.report import Bar, Report
from bench.turns import in_turns, ratios, spread
from replay_proxy.emulators.process import free_port
from replay_proxy.exchange import Request

RECOGNITION_BAR, FLAT_BAR = 30.0, 1.25
HELP_BAR, SERVE_BAR = 0.3, 1.2
LARGE = "64 KiB"


def run(quick: bool) -> Report:
    """Measure."""
    report = Report("wire", "requests in microseconds, starts in milliseconds")
    seconds = 0.05 if quick else 0.3
    _requests(report, seconds, rounds=3)
    _starts(report, rounds=3 if quick else 7)
    return report


def _row(report: Report, what: str, unit: str, figures: list[float], against: str, other: list[float]) -> None:
    compared = {"against": against, "its": spread(other), "ratio": spread(ratios(figures, other))}
    report.row({"what": what, "unit": unit, "figure": spread(figures), **compared})


def _requests(report: Report, seconds: float, rounds: int) -> None:
    """Recognition with the operations of few services loaded, and of all: it must not depend on how many there are."""
    peer = "its header fields by http.client"
    few: dict[str, list[float]] = {}
    for name, case in recognition.CASES.items():
        once = partial(recognition.measure, partial(recognition.recognising, case), seconds)
        other = partial(recognition.measure, partial(recognition.standard_library, case), seconds)
        measured = in_turns({"ours": once, "peer": other}, rounds)
        few[name] = measured["ours"]
        _row(report, f"recognise, {name}", "µs", measured["ours"], peer, measured["peer"])
    operations = recognition.load_all_services()
    many = {
        name: [recognition.measure(partial(recognition.recognising, case), seconds) for _ in range(rounds)]
        for name, case in recognition.CASES.items()
    }
    for name, case in recognition.CASES.items():
        if recognition.parsing(name, case) is None or LARGE in name:
            continue
        took = [recognition.measure(partial(_parsing, name, case), seconds) for _ in range(rounds)]
        _row(report, f"parse the parameters, {name}", "µs", took, "recognising it", few[name])
    medians = [statistics.median(each) for name, each in few.items() if LARGE not in name]
    report.bar(
        Bar("µs to recognise a request (median of the cases)", statistics.median(medians), RECOGNITION_BAR, "at most")
    )
    growth = statistics.median(statistics.median(many[name]) / statistics.median(few[name]) for name in few)
    report.bar(Bar(f"recognition with {operations:,} operations loaded ÷ with few", growth, FLAT_BAR, "at most"))


def _parsing(name: str, case: Request) -> Callable[[], object]:
    parsing = recognition.parsing(name, case)
    assert parsing is not None, name
    return parsing


def _starts(report: Report, rounds: int) -> None:
    made = recordings.worst("ministack", 0.2)
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as folder:
        scratch = Path(folder)
        port = free_port()
        answers = scratch / "answers.json"
        answers.write_text('{"": "{}"}')
        command = [sys.executable, "bench/load.py", str(port), str(answers)]
        with processes.Process(command, port, scratch / "upstream.log") as behind:
            data = made.copy(scratch / "recording")
            call = "sqs:CreateQueue"
            variants = {
                "serve": partial(_serve, behind.url, scratch),
                "--help": partial(_command, "-m", "replay_proxy", "--help"),
                f"explain {call}": partial(_command, "-m", "replay_proxy", "explain", call),
                f"check, {made.calls} calls": partial(_command, "-m", "replay_proxy", "check", "--data-dir", str(data)),
                f"plan, {made.calls} calls": partial(_command, "-m", "replay_proxy", "plan", "--data-dir", str(data)),
                "python": partial(_command, "-c", "pass"),
            }
            measured = in_turns(variants, rounds)
    bare = measured.pop("python")
    for name, took in measured.items():
        what = "serve: ready, in front of a running upstream" if name == "serve" else f"replay-proxy {name}"
        _row(report, what, "ms", took, "python -c pass", bare)
    report.bar(Bar("seconds until --help is there", statistics.median(measured["--help"]) / 1000, HELP_BAR, "at most"))
    report.bar(Bar("seconds until serve is ready", statistics.median(measured["serve"]) / 1000, SERVE_BAR, "at most"))


def _command(*words: str) -> float:
    """Milliseconds of a command."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return (time.perf_counter() - begun) * 1000


def _serve(upstream: str, scratch: Path) -> float:
    """Milliseconds until a new proxy says that it is ready."""
    with tempfile.TemporaryDirectory(dir=scratch) as data:
        front = processes.proxy(upstream, Path(data), log=scratch / "serve.log")
        took = front.ready(pause=0.005) * 1000
        front.stop()
    return took
