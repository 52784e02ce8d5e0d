"""What the interception door costs a request, beside bare mitmdump at the same job: a part of `scripts/bench proxy`.

The job: a client that believes that it talks to AWS connects by CONNECT and TLS, and its requests are sent on, not encrypted,
to a fixed fast server. mitmdump does it in its regular mode with `map_remote`, with nothing else added. Connections stay;
the first request of each, with its handshakes, is one among hundreds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

from bench.load import CHANGE, READ, Tunnel, fire, sdk_request, summary
from bench.processes import Process, Processes
from bench.report import Bar, Report
from replay_proxy.emulators.process import free_port

HOST = "sqs.us-east-1.amazonaws.com"
BAR = 1.3
MITMDUMP, REVERSE, DOOR = "bare mitmdump, CONNECT and TLS", "the reverse door, a read", "the interception door, a read"
RECORDED = "the interception door, recording, SCHEDULED"

Figures = dict[str, float]
Way = tuple[Process, int, bytes, Tunnel | None]


def measure(
    report: Report, place: Processes, mitmdump: str | None, upstream: Process, *, rounds: int, seconds: float
) -> None:
    """Measure, and put rows and bars into `report`."""
    python = os.environ.get("INTERCEPT_PYTHON") or (sys.executable if find_spec("mitmproxy") else None)
    if mitmdump is None or python is None:
        report.note("SKIPPED: the interception door, because mitmproxy is not installed; its bars were not tried")
        return
    ways = _ways(place, mitmdump, python, upstream)
    for process, *_ in ways.values():
        process.ready()
    for process, port, request, tunnel in ways.values():
        fire(port, request, 2, 0.1, tunnel)
        process.cpu()
    measured: dict[tuple[str, int], list[Figures]] = {}
    for _ in range(rounds):
        for connections in (1, 16):
            for name, way in ways.items():
                measured.setdefault((name, connections), []).append(_burst(way, connections, seconds))
    for (name, connections), runs in measured.items():
        peers = measured[MITMDUMP, connections]
        report.row(
            {
                "1 KB JSON through": name,
                "connections": connections,
                "per second": _median(runs, "per_second"),
                "p50 µs": _median(runs, "p50_us"),
                "p99 µs": _median(runs, "p99_us"),
                "CPU µs": _median(runs, "cpu_us"),
                "p50 ÷ bare mitmdump": round(_ratio(runs, peers), 2),
            }
        )
    for connections in (1, 16):
        where = f"{connections} connection{'s' if connections > 1 else ''}"
        for name in (DOOR, RECORDED):
            ratio = _ratio(measured[name, connections], measured[MITMDUMP, connections])
            report.bar(Bar(f"p50 of {name} ÷ bare mitmdump, {where}", ratio, BAR, "at most"))


def _ways(place: Processes, mitmdump: str, python: str, upstream: Process) -> dict[str, Way]:
    read = sdk_request(READ, {"QueueUrl": "q", "pad": "x" * 70}).replace(b"127.0.0.1:4566", HOST.encode())
    change = sdk_request(CHANGE, {"QueueUrl": "q", "MessageBody": "x" * 70}).replace(b"127.0.0.1:4566", HOST.encode())
    conf, ca = place.scratch / "mitmproxy-regular", place.scratch / "ca"
    bare = free_port()
    command = [mitmdump, "-q", "--listen-host", "127.0.0.1", "--listen-port", str(bare), "--set", f"confdir={conf}"]
    command += ["--set", "connection_strategy=lazy", "--map-remote", f"|https://{HOST}|{upstream.url}"]
    peer = place.start("mitmdump-regular", command, bare)
    listen, door = free_port(), free_port()
    command = [python, "-m", "replay_proxy", "serve", "--listen", f"127.0.0.1:{listen}", "--upstream", upstream.url]
    command += ["--data-dir", str(place.scratch / "data-door"), "--intercept", f"127.0.0.1:{door}", "--ca-dir", str(ca)]
    ours = place.start("door", command, listen)
    peer.ready()
    ours.ready()
    _wait_for_health(ours)
    by_peer, by_door = (Tunnel(HOST, str(folder / "mitmproxy-ca-cert.pem")) for folder in (conf, ca))
    return {
        MITMDUMP: (peer, bare, read, by_peer),
        REVERSE: (ours, listen, read, None),
        DOOR: (ours, door, read, by_door),
        RECORDED: (ours, door, change, by_door),
    }


def _wait_for_health(process: Process) -> None:
    for _ in range(300):
        done = subprocess.run(
            ["curl", "-sf", "-o", os.devnull, f"{process.url}/_replay/health"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.1)
    sys.exit(f"error: the proxy does not get ready:\n{process.log.read_text()}")


def _burst(way: Way, connections: int, seconds: float) -> Figures:
    process, port, request, tunnel = way
    before = process.cpu()
    figures = summary(*fire(port, request, connections, seconds, tunnel))
    figures["cpu_us"] = round((process.cpu() - before) / figures["requests"] * 1e6, 1)
    return figures


def _median(runs: list[Figures], figure: str) -> float:
    return round(statistics.median(run[figure] for run in runs), 1)


def _ratio(runs: list[Figures], peers: list[Figures]) -> float:
    return statistics.median(run["p50_us"] / peer["p50_us"] for run, peer in zip(runs, peers, strict=True))
