"""`scripts/bench memory`: resident memory of the proxy's process, as the kernel counts it (`VmRSS`, `VmHWM` of /proc).

Idle, in front of an upstream; the most it ever was while 1 GiB is uploaded (and recorded) and downloaded through it; the most
it ever was while a recording of 200,000 calls is restored; and the most it ever was after large answers, messages of words that
never come again, many small calls, and made-up names have passed (`bench.talk`). Bodies are made and swallowed as they flow.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench import processes, recordings, talk
from bench.history import Clients
from bench.processes import ROOT
from bench.repeated import copies_for, lengthened
from bench.report import Bar, Report
from bench.turns import spread
from replay_proxy.emulators.process import free_port

IDLE_BAR, STREAMING_BAR, RESTORING_BAR, PASSED_BAR = 90.0, 64.0, 300.0, 300.0
CHUNK = bytes(1 << 20)
QUICK_SIZE = 0.2


def run(quick: bool) -> Report:
    """Measure."""
    report = Report("memory", "resident memory of the proxy's process")
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch:
        _streams(report, Path(scratch), mebibytes=128 if quick else 1024, rounds=1 if quick else 3)
        for what, calls, count in PASSING:
            _passing(report, Path(scratch), what, calls, count // 20 if quick else count)
        _restore(report, Path(scratch), lines=20_000 if quick else 200_000)
    return report


PASSING: tuple[tuple[str, Callable[[int], Iterable[talk.Call]], int], ...] = (
    ("receives of 2.5 MB", talk.receives, 2_000),
    ("messages of 60 KB of words", talk.words, 4_000),
    ("small calls, half of them changes, all different", talk.small, 200_000),
    ("calls with made-up services, keys, regions, hosts and fields", talk.made_up, 20_000),
)


def _passing(report: Report, scratch: Path, what: str, calls: Callable[[int], Iterable[talk.Call]], count: int) -> None:
    """The most there was while these passed, and at the next start, which restores them."""
    port = free_port()
    data = scratch / "passing"
    command = [sys.executable, "-m", "bench.talk", str(port)]
    log = scratch / "proxy.log"
    with processes.Process(command, port, scratch / "talk.log") as behind:
        with processes.proxy(behind.url, data, "--compact-percentage", "0", log=log) as front:
            made = talk.talk(front.port, calls(count))
            passed = front.memory("VmHWM")
        with processes.proxy(behind.url, data, "--compact-percentage", "0", log=log) as front:
            time.sleep(0.5)
            again = front.memory("VmHWM")
    shutil.rmtree(data)
    _row(report, f"{made:,} {what}, at most", [passed])
    _row(report, "the next start after these, at most", [again])
    report.bar(Bar(f"MiB after {made:,} {what}, and at the next start", max(passed, again), PASSED_BAR, "at most"))


def _streams(report: Report, scratch: Path, mebibytes: int, rounds: int) -> None:
    port = free_port()
    size = mebibytes << 20
    command = [sys.executable, "-m", "bench.swallow", str(port), str(size)]
    grown: list[float] = []
    idle: list[float] = []
    with processes.Process(command, port, scratch / "upstream.log") as behind:
        for number in range(rounds):
            data = scratch / f"streams-{number}"
            with processes.proxy(behind.url, data, log=scratch / "proxy.log") as front:
                time.sleep(0.5)
                idle.append(front.memory())
                _upload(front.port, mebibytes)
                _download(front.port, size)
                grown.append(front.memory("VmHWM") - idle[-1])
    _row(report, "idle, nothing recorded yet", idle)
    _row(
        report,
        f"more than idle, at most, while {mebibytes} MiB went up (recorded) and {mebibytes} MiB came down",
        grown,
    )
    report.bar(Bar("MiB idle", max(idle), IDLE_BAR, "at most"))
    report.bar(Bar(f"MiB more while {mebibytes} MiB are streamed each way", max(grown), STREAMING_BAR, "at most"))


def _row(report: Report, state: str, mebibytes: list[float]) -> None:
    report.row({"state": state, "MiB": spread(mebibytes, 1)})


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=300)


def _authorization() -> dict[str, str]:
    scope = "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}


def _upload(port: int, mebibytes: int) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(mebibytes):
            yield CHUNK

    connection = _connection(port)
    headers = {**_authorization(), "Content-Length": str(mebibytes << 20)}
    connection.request("PUT", "/bucket/large", body(), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()


def _download(port: int, size: int) -> None:
    connection = _connection(port)
    connection.request("GET", "/bucket/large", headers=_authorization())
    answer = connection.getresponse()
    buffer, received = bytearray(1 << 20), 0
    while count := answer.readinto(buffer):
        received += count
    assert received == size, received
    connection.close()


def _restore(report: Report, scratch: Path, lines: int) -> None:
    name = "ministack"
    made = recordings.worst(name, QUICK_SIZE)
    data = scratch / "long"
    count = lengthened(made.data_dir, data, copies_for(made.data_dir, lines))
    with processes.emulator(name, scratch) as behind:
        Clients(behind.url)["sqs"].list_queues()
        command = [sys.executable, "-m", "replay_proxy", "restore", "--upstream", behind.url, "--data-dir", str(data)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        most = 0.0
        while process.poll() is None:
            try:
                most = max(most, processes.memory_of(process.pid, "VmHWM"))
            except (LookupError, OSError):  # it is ending
                break
            time.sleep(0.05)
        assert process.wait() == 0, f"the restore ended with {process.returncode}"
    megabytes = (data / "recorded_api_calls.json").stat().st_size / 1e6
    _row(report, f"restoring a recording of {count:,} calls, {megabytes:.0f} MB, at most", [most])
    report.bar(Bar(f"MiB while {count:,} calls are restored", most, RESTORING_BAR, "at most"))
