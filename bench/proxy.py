"""`scripts/bench proxy`: what the proxy costs a request, against peers that are measured in the same run.

Every variant gets the same load from the same generator, in turns (A B C A B C …), so that a machine that drifts, drifts
for all; a ratio is that of two bursts of one round, and what is shown of it is the median (and the extremes) of all
rounds. CPU is the kernel's own account of each proxy's process.

- *forwarding and recording*: a fixed fast server (nginx where it is installed), reached directly, through the minimal
  proxy of `minimal_proxy.py`, through bare mitmdump, and through replay_proxy under each save strategy;
- *interception*: the interception door, the reverse door and bare mitmdump at the same job (see `interception.py`);
- *streams*: 64 MiB each way; what goes up is recorded;
- *emulators*: the same two calls to moto and MiniStack, directly, through a relay that reads nothing of what it passes on
  (`relay.py`), through one that looks at each message for 10 µs, through the minimal proxy and through replay_proxy;
- *fast path*: what the fast path costs an exchange by stages, in the process (see `fast_path.py`);
- *aliases*: what 10,000 of them add to an exchange of 1 KB, in the process (see `identifiers.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import fast_path, identifiers, interception
from bench.load import CHANGE, NAMING, READ, fire, object_request, sdk_request, summary
from bench.nginx import nginx_command
from bench.processes import Process, Processes, processes
from bench.report import Bar, Report
from replay_proxy.emulators.process import free_port

STRATEGIES = ("SCHEDULED", "ON_REQUEST", "ON_SHUTDOWN", "MANUAL")
FORWARDING_BAR = 1.25
RECORDING_BAR = 1.6
MITMDUMP_BAR = 5.0
EMULATOR_BAR = 0.10
ALIAS_BAR = 50.0
STREAM = 64 << 20
LOOK = "10"
"""Microseconds for which the second relay looks at each message."""
WAYS = ("a relay", f"a relay that looks {LOOK} µs", "the minimal proxy", "replay_proxy")
MINIMAL, MITMDUMP, DIRECTLY = "minimal aiohttp proxy", "bare mitmdump", "directly"
A_READ, RECORDED = "replay_proxy, a read", "replay_proxy, recording, SCHEDULED"

Figures = dict[str, float]


def run(quick: bool) -> Report:
    """Measure."""
    load = os.getloadavg()[0]
    report = Report("proxy", "the same load through each in turns; CPU is the proxy's own process")
    with tempfile.TemporaryDirectory(prefix="replay-proxy-bench-") as scratch, processes(Path(scratch)) as place:
        mitmdump = os.environ.get("MITMDUMP") or shutil.which("mitmdump")
        if not mitmdump:
            report.note("SKIPPED: bare mitmdump, because mitmproxy could not be installed; its bars were not tried")
        emulators = _start_emulators(report, place)  # first, because they take their time
        _forwarding(report, place, mitmdump, rounds=4 if quick else 9, seconds=0.2 if quick else 1.0)
        _interception(report, place, mitmdump, rounds=3 if quick else 9, seconds=0.2 if quick else 1.0)
        _streams(report, place, mitmdump, rounds=2 if quick else 5)
        # Short turns and many: an emulator's own time changes by a third from one second to the next on some machines.
        _emulators(report, place, emulators, rounds=6 if quick else 40, seconds=0.1 if quick else 0.2)
    _fast_path(report, rounds=3 if quick else 15)
    _aliases(report, rounds=30 if quick else 60)
    if load > 1:
        report.note(f"this machine was busy with other things: a load average of {load:.1f} at the beginning")
    return report


# -- forwarding and recording ------------------------------------------------------------------------------------------


def _forwarding(report: Report, place: Processes, mitmdump: str | None, *, rounds: int, seconds: float) -> None:
    table = identifiers.table_of(10_000)
    named = [alias for _, alias in zip(range(6), table, strict=False)]
    pad = "x" * 1000
    answers = {
        "": json.dumps({"pad": pad}),
        NAMING: json.dumps({"pad": pad[:-200], "queueUrls": [alias.emulator for alias in named]}),
        # The session that `session.json` below belongs to: so its proxy takes up the aliases.
        "AmazonSSM.GetParameter": json.dumps({"Parameter": {"Value": "bench:ready"}}),
    }
    upstream = _fixed_server(report, place, answers)
    upstream.ready()
    requests = {
        "read": sdk_request(READ, {"QueueUrl": "q", "pad": "x" * 70}),
        "change": sdk_request(CHANGE, {"QueueUrl": "q", "MessageBody": "x" * 70}),
        "naming": sdk_request(NAMING, {"QueueUrl": named[0].client, "Ids": [alias.client for alias in named[1:]]}),
    }
    port = free_port()
    minimal = place.start("minimal", [sys.executable, "bench/minimal_proxy.py", str(port), upstream.url], port)
    variants: dict[str, tuple[Process, bytes]] = {
        DIRECTLY: (upstream, requests["read"]),
        MINIMAL: (minimal, requests["read"]),
    }
    if mitmdump:
        variants[MITMDUMP] = (_mitmdump(place, mitmdump, upstream.url), requests["read"])
    recording = {strategy: place.proxy(strategy, upstream.url, "--save-strategy", strategy) for strategy in STRATEGIES}
    variants[A_READ] = (recording["SCHEDULED"], requests["read"])
    for strategy, server in recording.items():
        variants[f"replay_proxy, recording, {strategy}"] = (server, requests["change"])
    data = place.scratch / "data-aliases"
    data.mkdir()
    (data / "session.json").write_text(json.dumps({"session": "bench", "aliases": table.listing(), "keys": {}}))
    aliased = place.proxy("aliases", upstream.url, data_dir=data)
    variants["replay_proxy, a read, 10,000 aliases, none named"] = (aliased, requests["read"])
    variants["replay_proxy, a read, 10,000 aliases, 6 named"] = (aliased, requests["naming"])
    for server, _ in variants.values():
        server.ready()
    time.sleep(1)  # for what else is starting
    for server, request in variants.values():
        fire(server.port, request, 4, 0.1)
    _check_aliases(aliased, requests["naming"], named[0].client)

    measured: dict[tuple[str, int], list[Figures]] = {}
    for _ in range(rounds):
        for connections in (1, 16):
            for name, (server, request) in variants.items():
                figures = _burst(server, request, connections, seconds)
                measured.setdefault((name, connections), []).append(figures)
    for (name, connections), runs in measured.items():
        direct, base = measured[DIRECTLY, connections], measured[MINIMAL, connections]
        added = [a["p50_us"] - b["p50_us"] for a, b in zip(runs, direct, strict=True)]
        report.row(
            {
                "1 KB JSON through": name,
                "connections": connections,
                "per second": _spread([run["per_second"] for run in runs]),
                "p50 µs": _spread([run["p50_us"] for run in runs]),
                "p99 µs": _spread([run["p99_us"] for run in runs]),
                "added p50 µs": _spread(added),
                "CPU µs": _spread([run["cpu_us"] for run in runs]) if name != DIRECTLY else "",
                "p50 ÷ minimal": _spread(_ratios(runs, base, "p50_us")),
            }
        )
    for connections in (1, 16):
        where = f"{connections} connection{'s' if connections > 1 else ''}"

        def ratio(name: str, peer: str, figure: str, connections: int = connections) -> float:
            return statistics.median(_ratios(measured[name, connections], measured[peer, connections], figure))

        read, change = ratio(A_READ, MINIMAL, "p50_us"), ratio(RECORDED, MINIMAL, "p50_us")
        report.bar(Bar(f"p50 of a read ÷ minimal proxy, {where}", read, FORWARDING_BAR, "at most"))
        report.bar(Bar(f"p50 of a recorded change ÷ minimal proxy, {where}", change, RECORDING_BAR, "at most"))
        if mitmdump:
            faster = ratio(A_READ, MITMDUMP, "per_second")
            report.bar(Bar(f"throughput of a read ÷ bare mitmdump, {where}", faster, MITMDUMP_BAR, "at least"))


def _interception(report: Report, place: Processes, mitmdump: str | None, *, rounds: int, seconds: float) -> None:
    """The interception door, with its peer, against a fixed server of its own."""
    port = free_port()
    path = place.scratch / "door-answers.json"
    path.write_text(json.dumps({"": json.dumps({"pad": "x" * 1000})}))
    upstream = place.start("door-upstream", [sys.executable, "-m", "bench.load", str(port), str(path)], port)
    upstream.ready()
    interception.measure(report, place, mitmdump, upstream, rounds=rounds, seconds=seconds)


def _fixed_server(report: Report, place: Processes, answers: dict[str, str]) -> Process:
    port = free_port()
    bodies = {target: body.encode() for target, body in answers.items()}
    command = nginx_command(port, place.scratch, bodies)
    report.note(
        f"the fixed upstream is {'nginx' if command else 'the server of bench/load.py (nginx is not installed)'}"
    )
    if command is None:
        path = place.scratch / "answers.json"
        path.write_text(json.dumps(answers))
        command = [sys.executable, "-m", "bench.load", str(port), str(path)]
    return place.start("upstream", command, port)


def _mitmdump(place: Processes, mitmdump: str, url: str, *options: str) -> Process:
    port = free_port()
    command = [mitmdump, "-q", "--mode", f"reverse:{url}", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command += ["--set", f"confdir={place.scratch / 'mitmproxy'}", *options]
    return place.start(f"mitmdump{port}", command, port)


def _check_aliases(aliased: Process, naming: bytes, client_id: str) -> None:
    """The proxy that is to have aliases must have them: an answer names the client's id."""
    head, _, body = naming.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    answer = urllib.request.urlopen(urllib.request.Request(aliased.url, body, headers), timeout=10).read().decode()
    if client_id not in answer:
        sys.exit(f"error: the aliases are not in force; an answer was {answer[-400:]}")


# -- streams -----------------------------------------------------------------------------------------------------------


def _streams(report: Report, place: Processes, mitmdump: str | None, *, rounds: int) -> None:
    port = free_port()
    path = place.scratch / "stream-answers.json"
    path.write_text(json.dumps({"": "{}"}))
    upstream = place.start("streams", [sys.executable, "-m", "bench.load", str(port), str(path)], port)
    port = free_port()
    found = {
        DIRECTLY: upstream,
        MINIMAL: place.start(
            "minimal-streams", [sys.executable, "bench/minimal_proxy.py", str(port), upstream.url], port
        ),
        "replay_proxy, recording, SCHEDULED": place.proxy("streaming", upstream.url),
    }
    if mitmdump:
        found[MITMDUMP] = _mitmdump(place, mitmdump, upstream.url, "--set", "stream_large_bodies=1m")
    loads = {
        "down": object_request("GET", f"/stream/{STREAM}"),
        "up": object_request("PUT", "/bucket/key", STREAM),
    }
    for server in found.values():
        server.ready()
        fire(server.port, object_request("GET", "/stream/1000"), 1, 0)
    measured: dict[tuple[str, str], list[Figures]] = {}
    for _ in range(rounds):
        for way, request in loads.items():
            for name, server in found.items():
                before = server.cpu()
                seconds = fire(server.port, request, 1, 0)[0][0]
                measured.setdefault((name, way), []).append({"s": seconds, "cpu": server.cpu() - before})
    for (name, way), runs in measured.items():
        report.row(
            {
                "64 MiB through": name,
                "way": way,
                "MiB/s": _spread([(STREAM >> 20) / run["s"] for run in runs]),
                "CPU ms": _spread([run["cpu"] * 1000 for run in runs]) if name != DIRECTLY else "",
                "time ÷ minimal": _spread(_ratios(runs, measured[MINIMAL, way], "s")),
            }
        )


# -- real emulators ----------------------------------------------------------------------------------------------------


def _start_emulators(report: Report, place: Processes) -> dict[str, Process]:
    from replay_proxy.emulators.kinds import launch_of
    from replay_proxy.errors import EmulatorError

    started = {}
    for kind in ("moto", "ministack"):
        port = free_port()
        home = place.scratch / kind
        home.mkdir()
        try:
            launch = launch_of(kind, port, home)
        except EmulatorError as error:
            report.note(f"SKIPPED: {kind}, because {error.message}; its bars were not tried")
            continue
        started[kind] = place.start(kind, list(launch.command), port, dict(launch.environment))
    return started


def _emulators(report: Report, place: Processes, emulators: dict[str, Process], *, rounds: int, seconds: float) -> None:
    for kind, emulator in emulators.items():
        emulator.ready()
        proxy = place.proxy(f"before-{kind}", emulator.url)
        port = free_port()
        command = [sys.executable, "bench/minimal_proxy.py", str(port), emulator.url]
        minimal = place.start(f"minimal-{kind}", command, port)
        relay, looking = _relay(place, emulator), _relay(place, emulator, LOOK)
        ways = (emulator, relay, looking, minimal, proxy)
        for server in ways:
            server.ready()
        queue = _create_queue(emulator)
        calls = {
            "a read": sdk_request(READ, {"QueueUrl": queue, "AttributeNames": ["All"]}),
            # Of a kind that leaves as much behind as it finds: with each message in a queue, moto's answers take longer.
            "a recorded change": sdk_request(
                "AmazonSQS.SetQueueAttributes", {"QueueUrl": queue, "Attributes": {"VisibilityTimeout": "45"}}
            ),
        }
        for request in calls.values():
            fire(proxy.port, request, 1, 0.2)
        measured: dict[str, list[list[float]]] = {}
        for _ in range(rounds):
            for call, request in calls.items():
                measured.setdefault(call, []).append([_burst(server, request, 1, seconds)["p50_us"] for server in ways])
        for call, runs in measured.items():
            row: dict[str, Any] = {"emulator": kind, "call": call, "its own p50 µs": _spread([run[0] for run in runs])}
            for at, name in enumerate(WAYS, start=1):
                row[f"added ÷ that, by {name}"] = _spread([run[at] / run[0] - 1 for run in runs])
            report.row(row)
            share = statistics.median(run[-1] / run[0] - 1 for run in runs)
            report.bar(Bar(f"p50 added to {call} of {kind} ÷ its own", share, EMULATOR_BAR, "at most"))


def _relay(place: Processes, emulator: Process, *work: str) -> Process:
    port = free_port()
    command = [sys.executable, "-m", "bench.relay", str(port), str(emulator.port), *work]
    return place.start(f"relay{port}", command, port)


def _create_queue(emulator: Process) -> str:
    head, _, body = sdk_request("AmazonSQS.CreateQueue", {"QueueName": "bench"}).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    answer = urllib.request.urlopen(urllib.request.Request(emulator.url, body, headers), timeout=30)
    return str(json.loads(answer.read())["QueueUrl"])


# -- the fast path -----------------------------------------------------------------------------------------------------


def _fast_path(report: Report, *, rounds: int) -> None:
    for (call, kind), stages in fast_path.costs(rounds).items():
        shown = {name: round(cost, 1) for name, cost in zip(fast_path.STAGES, stages, strict=True)}
        report.row({"the fast path itself, µs": call, "fast parser": kind, **shown, "in all": round(sum(stages), 1)})


# -- aliases -----------------------------------------------------------------------------------------------------------


def _aliases(report: Report, *, rounds: int) -> None:
    costs = identifiers.costs(rounds)
    without = costs["no aliases"]
    for name, runs in costs.items():
        added = [cost - none for cost, none in zip(runs, without, strict=True)]
        report.row({"1 KB JSON exchange, in the process": name, "µs": _spread(runs), "added µs": _spread(added)})
        if name in identifiers.BARS:
            # The least of all rounds: what it costs where nothing else runs.
            report.bar(Bar(f"µs that {name} add to an exchange", min(runs) - min(without), ALIAS_BAR, "at most"))


# -- figures -----------------------------------------------------------------------------------------------------------


def _burst(server: Process, request: bytes, connections: int, seconds: float) -> Figures:
    """One burst of load; requests a second, latencies and processor time per request in microseconds."""
    before = server.cpu()
    figures = summary(*fire(server.port, request, connections, seconds))
    figures["cpu_us"] = round((server.cpu() - before) / figures["requests"] * 1e6, 1)
    return figures


def _ratios(runs: list[Figures], peers: list[Figures], figure: str) -> list[float]:
    return [a[figure] / b[figure] for a, b in zip(runs, peers, strict=True)]


def _spread(values: list[float]) -> dict[str, Any]:
    digits = 3 if max(map(abs, values)) < 1 else 2 if max(map(abs, values)) < 100 else 0
    return {name: round(value, digits) for name, value in _extremes(values).items()}


def _extremes(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}
