"""`scripts/bench proxy`: what the proxy costs a request, against a minimal reverse proxy in the same run.

Every variant gets the same load from the same generator, in turns (A B C A B C …), so that a machine that drifts, drifts
for all. CPU is the kernel's own account of each proxy's process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.report import Bar, Report

ROOT = Path(__file__).parent.parent
READ, CHANGE = "GetQueueAttributes", "SendMessage"
STRATEGIES = ("SCHEDULED", "ON_REQUEST", "ON_SHUTDOWN", "MANUAL")
FORWARDING_BAR = 1.25
RECORDING_BAR = 1.6
MITMDUMP_BAR = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that answers on `port`."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self.process = subprocess.Popen(command, stdout=log.open("wb"), stderr=subprocess.STDOUT, cwd=ROOT)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                request = urllib.request.Request(f"http://127.0.0.1:{port}/", method="GET")
                with contextlib.suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(request, timeout=5).read()
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: {command[:4]} does not answer:\n{log.read_text()}")
            time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()


@contextlib.contextmanager
def variants(scratch: Path) -> Iterator[dict[str, tuple[Server, str]]]:
    """Everything that is measured: its server, and the operation that is asked of it."""
    python = sys.executable
    running: list[Server] = []

    def start(name: str, command: list[str], port: int) -> Server:
        running.append(Server(command, port, scratch / f"{name}.log"))
        return running[-1]

    try:
        upstream = start("upstream", [python, "bench/load.py", "serve", str(port := free_port())], port)
        url = f"http://127.0.0.1:{upstream.port}"
        found = {"directly": (upstream, READ)}
        port = free_port()
        command = [python, "bench/minimal_proxy.py", str(port), url]
        found["minimal aiohttp proxy"] = (start("minimal", command, port), READ)
        if shutil.which("mitmdump"):
            port = free_port()
            command = ["mitmdump", "-q", "--mode", f"reverse:{url}", "--listen-port", str(port)]
            found["bare mitmdump"] = (start("mitmdump", command, port), READ)
        for strategy in STRATEGIES:
            port = free_port()
            data = scratch / strategy
            command = [python, "-m", "replay_proxy", "serve", "--listen", f"127.0.0.1:{port}", "--upstream", url]
            command += ["--data-dir", str(data), "--save-strategy", strategy]
            server = start(strategy, command, port)
            if strategy == "SCHEDULED":
                found["replay_proxy, a read"] = (server, READ)
            found[f"replay_proxy, recording, {strategy}"] = (server, CHANGE)
        yield found
    finally:
        for server in reversed(running):
            server.stop()


def fire(server: Server, operation: str, connections: int, seconds: float) -> dict[str, float]:
    """One burst of load; requests a second, latencies and processor time per request in microseconds."""
    before = server.cpu()
    command = [sys.executable, "bench/load.py", "fire", str(server.port), "--connections", str(connections)]
    command += ["--seconds", str(seconds), "--operation", operation]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    figures["cpu_us"] = round((server.cpu() - before) / figures["requests"] * 1e6, 1)
    return figures


def run(quick: bool) -> Report:
    """Measure."""
    rounds, seconds = (3, 0.8) if quick else (7, 2.0)
    measured: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch, variants(Path(scratch)) as found:
        for server, operation in found.values():
            fire(server, operation, 1, 0.3)
        for _ in range(rounds):
            for connections in (1, 16):
                for name, (server, operation) in found.items():
                    measured.setdefault((name, connections), []).append(fire(server, operation, connections, seconds))
    report = Report("proxy", "1 KB JSON through each, the same load in turns; processor time is the proxy's own")
    for (name, connections), runs in measured.items():
        base = measured["minimal aiohttp proxy", connections]
        report.row(
            {
                "through": name,
                "connections": connections,
                "per second": _spread([run["per_second"] for run in runs]),
                "p50 µs": _spread([run["p50_us"] for run in runs]),
                "p99 µs": _spread([run["p99_us"] for run in runs]),
                "CPU µs": _spread([run["cpu_us"] for run in runs]),
                "p50 ÷ minimal": _spread([a["p50_us"] / b["p50_us"] for a, b in zip(runs, base, strict=True)]),
            }
        )

    def ratio(name: str, other: str, figure: str, connections: int) -> float:
        pairs = zip(measured[name, connections], measured[other, connections], strict=True)
        return statistics.median(a[figure] / b[figure] for a, b in pairs)

    for connections in (1, 16):
        minimal, where = "minimal aiohttp proxy", f"{connections} connections"
        read = ratio("replay_proxy, a read", minimal, "p50_us", connections)
        report.bar(Bar(f"p50 of a read ÷ minimal proxy, {where}", read, FORWARDING_BAR, "at most"))
        change = ratio("replay_proxy, recording, SCHEDULED", minimal, "p50_us", connections)
        report.bar(Bar(f"p50 of a recorded change ÷ minimal proxy, {where}", change, RECORDING_BAR, "at most"))
        if "bare mitmdump" in found:
            faster = ratio("replay_proxy, a read", "bare mitmdump", "per_second", connections)
            report.bar(Bar(f"throughput of a read ÷ bare mitmdump, {where}", faster, MITMDUMP_BAR, "at least"))
    if "bare mitmdump" not in found:
        report.note("bare mitmdump was not measured: mitmdump is not installed")
    return report


def _spread(values: list[float]) -> dict[str, Any]:
    return {"min": round(min(values), 2), "median": round(statistics.median(values), 2), "max": round(max(values), 2)}
