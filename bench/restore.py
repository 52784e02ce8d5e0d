"""`scripts/bench restore`: how long it takes to have the state back, against LocalStack's old record-and-replay in the same run.

What is timed. Both from opening the file to the last answer, in a Python that is up, which is how the old algorithm ran, and how
ours does: the `seconds` of the restore line, reading and planning included. Lines of their own show when what the calls
have begun is ready as well (a function is pending for a while, which the old algorithm does not wait for), and the whole
process `replay-proxy restore`, from its start to its end. Both find the same emulator, which was made to forget
everything and was then asked one question per service, so that what it does at its first use counts for neither. Runs are
taken in turns.

The proxy keeps what it found out about a recording beside it (`replay_proxy.replay.planning.plan_cache`). So a recording is
restored as a proxy that was stopped leaves it, with that, and, in lines of their own, as one that was killed at the end
of its very first session would: with nothing kept.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from bench import processes, recordings
from bench.census import census, warm
from bench.history import Clients
from bench.processes import ROOT
from bench.recordings import Made
from bench.repeated import copies_for, lengthened
from bench.report import Bar, Report
from bench.turns import in_turns, ratios, spread
from replay_proxy.journal.read.index_cache import INDEX_NAME
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.execution.executor import default_concurrency
from replay_proxy.replay.planning.plan_cache import PLAN_NAME, update_cached_plan

QUICK_SIZE = 0.15
FASTER_BAR, QUICK_FASTER_BAR = 20.0, 5.0
FLAT_BAR, QUICK_FLAT_BAR = 1.1, 1.3  # a short restore, made once, says little of a tenth
THROUGHPUT_BAR = 0.8
LAZY_BAR = 1.5
LAZY_CALLS, QUICK_LAZY_CALLS = 100_000, 8_000


class Bench:
    """One emulator, and what is restored into it."""

    def __init__(self, name: str, behind: processes.Process, scratch: Path, report: Report) -> None:
        self.name = name
        self.behind = behind
        self.scratch = scratch
        self.report = report
        self.clients = Clients(behind.url)
        self._number = 0

    def row(
        self, history: str, measured: str, seconds: list[float], against: str = "", other: list[float] | None = None
    ) -> None:
        """A line of the table; the ratio is other ÷ seconds: how many times faster the first is."""
        self.report.row(
            {
                "emulator": self.name,
                "history": history,
                "measured": measured,
                "seconds": spread(seconds),
                "against": against,
                "its seconds": spread(other) if other else "",
                "times faster": spread(ratios(other, seconds)) if other else "",
            }
        )

    def old(self, made: Made) -> dict[str, float]:
        """The old algorithm, into an emulator that has forgotten; its own seconds."""
        self._forget()
        told: dict[str, float] = json.loads(_run("bench.old_algorithm", str(made.legacy), self.behind.url))
        return told

    def bare(self, made: Made) -> dict[str, float]:
        """A bare client."""
        self._forget()
        arguments = [str(made.legacy), self.behind.url, str(default_concurrency()), str(made.infrastructure)]
        told: dict[str, float] = json.loads(_run("bench.bare_client", *arguments))
        return told

    def ours(self, source: Path, *, kept: bool = True) -> dict[str, Any]:
        """`replay-proxy restore`: the report, and as `process` the seconds from the start of the process to its end.

        kept: with what a proxy that was stopped keeps beside its recording.
        """
        self._number += 1
        data = self.scratch / f"{self.name}-{self._number}"
        shutil.copytree(source, data)
        (data / "session.json").unlink(missing_ok=True)
        for name in (INDEX_NAME, PLAN_NAME):
            (data / name).unlink(missing_ok=True)
        if kept:
            as_when_stopped(data)
        self._forget()
        begun = time.perf_counter()
        told: dict[str, Any] = json.loads(
            _run("replay_proxy", "restore", "--upstream", self.behind.url, "--data-dir", str(data), "--json")
        )
        told["process"] = time.perf_counter() - begun
        shutil.rmtree(data)
        return told

    def _forget(self) -> None:
        processes.reset(self.behind, self.name)
        warm(self.clients)


def _run(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if not done.stdout:
        sys.exit(f"error: {module} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def as_when_stopped(data: Path) -> None:
    """Keep beside the recording what a proxy that ends keeps there."""
    update_cached_plan(read(data), datetime.now(UTC), lambda: None)


def _prepare(name: str, quick: bool) -> None:
    """Make the recordings of one emulator, where they are not there yet."""
    recordings.worst(name, QUICK_SIZE if quick else 1.0)
    for calls in _growth(quick):
        recordings.all_alive(name, calls)


def _growth(quick: bool) -> tuple[int, ...]:
    return (200,) if quick else (250, 1000, 4000)


def run(quick: bool) -> Report:
    """Measure. Quickly: once each, on less, and only what is kept."""
    with ProcessPoolExecutor(len(processes.EMULATORS)) as pool:
        list(pool.map(_prepare, processes.EMULATORS, repeat(quick)))
    report = Report("restore", "seconds to have the state back, in turns; reading and planning included")
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch:
        for name in processes.EMULATORS:
            with processes.emulator(name, Path(scratch)) as behind:
                bench = Bench(name, behind, Path(scratch), report)
                _worst(bench, quick)
                _flat(bench, quick)
                _growing(bench, quick)
                if name == processes.EMULATORS[0]:
                    _lazy(bench, quick)
    return report


def _worst(bench: Bench, quick: bool) -> None:
    made = recordings.worst(bench.name, QUICK_SIZE if quick else 1.0)
    history = f"{made.calls:,} calls, {made.legacy.stat().st_size / 1e6:.1f} MB" + (", quick" if quick else "")
    states: dict[str, dict[str, str]] = {}

    def old() -> dict[str, Any]:
        told: dict[str, Any] = bench.old(made)
        states["old"] = census(bench.clients)
        return told

    def ours() -> dict[str, Any]:
        told = bench.ours(made.data_dir)
        states["ours"] = census(bench.clients)
        return told

    def ours_with_nothing_kept() -> dict[str, Any]:
        return bench.ours(made.data_dir, kept=False)

    variants = {"old": old, "ours": ours} | ({} if quick else {"nothing kept": ours_with_nothing_kept})
    measured = in_turns(variants, 1 if quick else 5)
    took, took_old = [run["seconds"] for run in measured["ours"]], [run["seconds"] for run in measured["old"]]
    kept = measured["ours"][0]["restored"]
    bench.row(history, f"restore, {kept} calls alive ({kept / made.calls:.0%})", took, "the old algorithm", took_old)
    settled = [run["settled"] for run in measured["ours"]]
    bench.row(history, "until what calls had begun is ready as well", settled, "the old algorithm", took_old)
    process = [run["process"] for run in measured["ours"]]
    bench.row(history, "the whole process, its start included", process, "the old algorithm", took_old)
    if "nothing kept" in measured:
        killed = [run["seconds"] for run in measured["nothing kept"]]
        bench.row(history, "restore, nothing kept", killed, "the old algorithm", took_old)
    faster = statistics.median(ratios(took_old, took))
    bar = QUICK_FASTER_BAR if quick else FASTER_BAR
    bench.report.bar(Bar(f"{bench.name}: times faster than the old algorithm, {history}", faster, bar, "at least"))
    wrong = {whose: _differences(made.state, state) for whose, state in states.items()}
    bench.report.bar(
        Bar(f"{bench.name}: kinds of things that are wrong after our restore", len(wrong["ours"]), 0, "at most")
    )
    refused = int(measured["old"][0]["refused"])
    bench.report.note(
        f"{bench.name}, {history}: after the old algorithm ({refused} calls refused) {_told(wrong['old'])}"
    )
    bench.report.note(f"{bench.name}, {history}: after our restore {_told(wrong['ours'])}")


def _differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    return [f"{kind}: {found[kind]} instead of {value}" for kind, value in wanted.items() if found[kind] != value]


def _told(differences: list[str]) -> str:
    return "; ".join(differences) if differences else "everything is as it was"


def _flat(bench: Bench, quick: bool) -> None:
    made = recordings.worst(bench.name, QUICK_SIZE if quick else 1.0)
    factors = (1, 4) if quick else (1, 4, 16)
    sources = {}
    for factor in factors:
        sources[f"{factor} ×"] = bench.scratch / f"{bench.name}-times-{factor}"
        lengthened(made.data_dir, sources[f"{factor} ×"], factor - 1)
    variants = {name: partial(bench.ours, source) for name, source in sources.items()}
    # Many short turns: a tenth is less than what an emulator's own time changes from one restore to the next.
    measured = in_turns(variants, 1 if quick else 15)
    once = [run["seconds"] for run in measured["1 ×"]]
    for name, runs in measured.items():
        took = [run["seconds"] for run in runs]
        lines = runs[0]["restored"] + runs[0]["superseded"]
        bench.row(f"{lines:,} recorded calls", f"restore, {_of_history(name)}", took, "1 × the history", once)
        if name != "1 ×":
            longer = statistics.median(ratios(took, once))
            bench.report.bar(
                Bar(f"{bench.name}: {name} the history ÷ 1 ×", longer, QUICK_FLAT_BAR if quick else FLAT_BAR, "at most")
            )
    if not quick:
        _flat_with_nothing_kept(bench, sources)


def _flat_with_nothing_kept(bench: Bench, sources: dict[str, Path]) -> None:
    once, *longer = sources
    variants = {once: partial(bench.ours, sources[once])}
    variants |= {f"{name}, nothing kept": partial(bench.ours, sources[name], kept=False) for name in longer}
    measured = in_turns(variants, 3)
    base = [run["seconds"] for run in measured.pop(once)]
    for name, runs in measured.items():
        lines = runs[0]["restored"] + runs[0]["superseded"]
        took = [run["seconds"] for run in runs]
        bench.row(f"{lines:,} recorded calls", f"restore, {_of_history(name)}", took, "1 × the history", base)


def _of_history(name: str) -> str:
    factor, _, how = name.partition(", ")
    return f"{factor} the history, the same alive" + (f", {how}" if how else "")


def _growing(bench: Bench, quick: bool) -> None:
    for calls in _growth(quick):
        made = recordings.all_alive(bench.name, calls)
        history = f"{made.calls:,} calls, all alive"
        variants: dict[str, Callable[[], dict[str, Any]]] = {
            "old": partial(bench.old, made),
            "ours": partial(bench.ours, made.data_dir),
            "bare": partial(bench.bare, made),
        }
        measured = in_turns(variants, 1 if quick else 3)
        took, took_old = [run["seconds"] for run in measured["ours"]], [run["seconds"] for run in measured["old"]]
        bench.row(history, "restore", took, "the old algorithm", took_old)
        each = [run["seconds"] / run["restored"] for run in measured["ours"]]
        each_bare = [run["seconds"] / run["sent"] for run in measured["bare"]]
        bare = [run["seconds"] for run in measured["bare"]]
        bench.row(history, "the same", took, f"a bare client, {default_concurrency()} at a time", bare)
    slower = statistics.median(ratios(took, took_old))
    bench.report.bar(Bar(f"{bench.name}: ours ÷ the old algorithm, {history}", slower, 1.0, "at most"))
    share = statistics.median(ratios(each_bare, each))
    bench.report.bar(
        Bar(f"{bench.name}: calls a second ÷ a bare client's, {history}", share, THROUGHPUT_BAR, "at least")
    )


def _lazy(bench: Bench, quick: bool) -> None:
    from replay_proxy.settings.restoring import LOAD_STRATEGIES

    if "ON_REQUEST" not in LOAD_STRATEGIES:
        bench.report.note("lazy start was not measured: this version has no load strategy ON_REQUEST")
        return
    made = recordings.worst(bench.name, QUICK_SIZE if quick else 1.0)
    source = bench.scratch / "lazy"
    lines = lengthened(made.data_dir, source, copies_for(made.data_dir, QUICK_LAZY_CALLS if quick else LAZY_CALLS))
    for kept in (True,) if quick else (True, False):
        _lazily(bench, source, lines, kept=kept, times=1 if quick else 3)


def _lazily(bench: Bench, source: Path, lines: int, *, kept: bool, times: int) -> None:
    took = []
    for number in range(times):
        data = bench.scratch / f"lazy-{number}"
        shutil.copytree(source, data)
        if kept:
            as_when_stopped(data)
        processes.reset(bench.behind, bench.name)
        warm(bench.clients)
        front = processes.proxy(
            bench.behind.url, data, "--load-strategy", "ON_REQUEST", log=bench.scratch / f"lazy-{number}.log"
        )
        took.append(_first_answer(front))
        front.stop()
        shutil.rmtree(data)
    how = "" if kept else ", nothing kept"
    bench.row(f"{lines:,} recorded calls", f"lazy start: until GetParameter is answered{how}", took)
    if kept:
        name = f"{bench.name}: seconds to the first answer, {lines:,} calls"
        bench.report.bar(Bar(name, statistics.median(took), LAZY_BAR, "at most"))


def _first_answer(front: processes.Process) -> float:
    """Seconds from the start of the process until a recorded parameter is read."""
    scope = "Credential=test/20260101/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "X-Amz-Target": "AmazonSSM.GetParameter",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}",
    }
    body = b'{"Name": "/service/0/endpoint"}'
    while True:
        try:
            request = urllib.request.Request(front.url + "/", body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert b"https://host-0.internal" in answer.read()
            return time.perf_counter() - front.begun
        except OSError as error:
            if front.process.poll() is not None or time.perf_counter() - front.begun > processes.START_LIMIT:
                front.stop()
                sys.exit(f"error: no answer ({error}):\n{front.log.read_text()}")
            time.sleep(0.01)
