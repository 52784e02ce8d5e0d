"""`scripts/bench pods`: what saving, pushing and pulling a state costs, in time, memory and bytes, by the size of the state.

Two states at rest: queues, which are resources by small calls, and objects of 100 KiB, which nothing packs. The commands run as a
person runs them, one process each. The peer is `tar` and a copy of the same recording. What may grow with the state is time, not
memory. Of a second version after one change, what is transferred is counted: its blobs, and its manifest.

Then a proxy that records into the larger state is asked, one request after the other, without a save and during saves: what a
save adds to the longest wait is what the bar is about. The emulator is a server of fixed answers, so that no wait is its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bench.load import CHANGE, READ, fire, sdk_request, summary
from bench.processes import ROOT, Process, free_port, processes
from bench.report import Bar, Report
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.records import Record, RecordKind, utc_now
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.wire.signing.sigv4 import Credential

OBJECT_BYTES = 100 << 10
QUEUES = 1000
MEMORY_MAX_MIB = 64.0
OVERHEAD_KIB = 64.0
"""What a second push may transfer beyond the changed bytes, for each 1,000 resources begun; an object counts as one."""
WAIT_MAX_MS = 50.0
"""What a save may add to the wait of any request."""
ROUNDS = 3
REGION = "us-east-1"


def run(quick: bool) -> Report:
    report = Report("pods", "saving, pushing and pulling a state at rest")
    objects = (100, 600) if quick else (100, 10_000)
    cache = ROOT / ".cache" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        place = Path(scratch)
        _peaks, beyond = _measured(place / "queues", f"{QUEUES} queues", _queues(QUEUES), _changed_queue(), report)
        allowed = OVERHEAD_KIB * QUEUES / 1000
        report.bar(Bar(f"second push of {QUEUES} resources, KiB beyond what changed", beyond, allowed, "at most"))
        small, beyond_small = _measured(
            place / "small", f"{objects[0]} objects", _objects(objects[0]), _changed_object(), report
        )
        large, beyond = _measured(
            place / "large", f"{objects[1]} objects", _objects(objects[1]), _changed_object(), report
        )
        _waits(place / "large" / "recording", place, report)
    for count, found in ((objects[0], beyond_small), (objects[1], beyond)):
        allowed = OVERHEAD_KIB * max(1.0, count / 1000)
        report.bar(Bar(f"second push of {count} objects, KiB beyond what changed", found, allowed, "at most"))
    for name, peak in large.items():
        what = f"{name}: memory of {objects[1]} objects over that of {objects[0]}, MiB"
        report.bar(Bar(what, peak - small[name], MEMORY_MAX_MIB, "at most"))
    return report


def _measured(
    place: Path, state: str, records: Iterator[Record], change: Record, report: Report
) -> tuple[dict[str, float], float]:
    """Measure one state: the peak memory in MiB by command, and what the second push transfers beyond the change, in KiB."""
    recording, store, remote = place / "recording", place / "pods", place / "remote"
    place.mkdir()
    asyncio.run(_write(recording, records))
    begun = time.monotonic()
    subprocess.run(["tar", "cf", str(place / "peer.tar"), "-C", str(recording), "."], check=True)
    shutil.copyfile(place / "peer.tar", place / "copy.tar")
    peer_s = time.monotonic() - begun
    for name in ("peer.tar", "copy.tar"):
        (place / name).unlink()
    peaks: dict[str, float] = {}

    def row(what: str, *words: str, pods: Path = store) -> dict[str, Any]:
        taken_s, cpu_s, peak, document = _command(*words, "--json", "--pods-dir", str(pods))
        report.row(
            {
                "state": state,
                "command": what,
                "s": f"{taken_s:.1f}",
                "s of CPU": f"{cpu_s:.1f}",
                "tar and copy, s": f"{peer_s:.1f}",
                "MiB at most": f"{peak:.0f}",
                "KiB of blobs": f"{document.get('transferred_bytes', 0) / 1024:.0f}",
            }
        )
        peaks[what] = peak
        return document

    saving = ("save", "shop", "--data-dir", str(recording))
    row("save", *saving)
    row("push", "push", "shop", str(remote))
    row("pull", "pull", "shop", str(remote), pods=place / "theirs")
    asyncio.run(_write(recording, iter([change])))
    row("save after one change", *saving)
    pushed = row("push after one change", "push", "shop", str(remote))
    manifest = store / "blobs" / "sha256" / pushed["digest"].removeprefix("sha256:")
    beyond = pushed["transferred_bytes"] + manifest.stat().st_size - len(change.request.body)
    return peaks, beyond / 1024


def _waits(recording: Path, scratch: Path, report: Report) -> None:
    """Measure how long requests take while the state is saved, and while it is not."""
    port, answers = free_port(), scratch / "answers.json"
    answers.write_text(
        json.dumps({READ: json.dumps({"Attributes": {}}), CHANGE: json.dumps({"MessageId": "m"}), "": "{}"})
    )
    longest: dict[str, list[float]] = {"without": [], "during": []}
    with processes(scratch) as place:
        place.start("fixed", [sys.executable, "-m", "bench.load", str(port), str(answers)], port).ready()
        options = ("--load-strategy", "MANUAL", "--observe", "off")
        with place.proxy("saved", f"http://127.0.0.1:{port}", *options, data_dir=recording) as proxy:
            for _round in range(ROUNDS):
                saving = _fired_while_saving(proxy, scratch)
                times: dict[str, list[float]] = {"without": _fired(proxy.port, max(1.0, sum(saving))), "during": saving}
                for name, found in times.items():
                    longest[name].append(max(found) * 1000)
                    told = summary(found, max(1.0, sum(found)))
                    report.row(
                        {
                            "state": "requests through the proxy",
                            "command": f"{name} a save",
                            "requests": told["requests"],
                            "p50, ms": f"{told['p50_us'] / 1000:.2f}",
                            "p99, ms": f"{told['p99_us'] / 1000:.2f}",
                            "longest, ms": f"{max(found) * 1000:.1f}",
                        }
                    )
    # What a save itself blocks, it blocks in each round; what else keeps the machine busy does not.
    added = min(longest["during"]) - min(longest["without"])
    report.bar(Bar("what a save adds to the longest wait of a request, ms", added, WAIT_MAX_MS, "at most"))


def _fired(port: int, seconds: float) -> list[float]:
    """Ask and change by turns for so long, and return how long each request took, in seconds."""
    found: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for target, document in ((READ, {"QueueUrl": _url(1)}), (CHANGE, {"QueueUrl": _url(1), "MessageBody": "m"})):
            found += fire(port, sdk_request(target, document), 1, 0.2)[0]
    return found


def _fired_while_saving(proxy: Process, scratch: Path) -> list[float]:
    # A server of fixed answers holds nothing that could be checked before.
    words = ("pod", "save", "waits", "--endpoint", proxy.url, "--json", "--no-check")
    command = [sys.executable, "-m", "replay_proxy", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REPLAY_PODS_DIR": str(scratch / "waits")}
    found: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as saving:
        while saving.poll() is None:
            found += _fired(proxy.port, 0.4)
    if saving.returncode:
        raise AssertionError(f"pod save ended with {saving.returncode}")
    return found


def _command(*words: str) -> tuple[float, float, float, dict[str, Any]]:
    """Run an action of `pod`: seconds, seconds of CPU, peak memory in MiB, and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "replay_proxy", "pod", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"pod {' '.join(words)} ended with {process.returncode}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return time.monotonic() - begun, cpu_s, usage.ru_maxrss / 1024, orjson.loads(said)


def _queues(count: int) -> Iterator[Record]:
    yield from map(_queue, range(count))


def _changed_queue() -> Record:
    body = orjson.dumps({"QueueUrl": _url(QUEUES // 2), "Attributes": {"DelaySeconds": "7"}})
    return _sqs("SetQueueAttributes", body, b"{}")


def _objects(count: int) -> Iterator[Record]:
    draw = random.Random(1)
    yield _s3("CreateBucket", "PUT", "/pods-bench", b"")
    for number in range(count):
        yield _object(number, draw.randbytes(OBJECT_BYTES))


def _changed_object() -> Record:
    return _object(7, random.Random(2).randbytes(OBJECT_BYTES))


def _object(number: int, body: bytes) -> Record:
    return _s3("PutObject", "PUT", f"/pods-bench/object-{number}", body)


def _s3(operation: str, method: str, path: str, body: bytes) -> Record:
    headers = Headers([("Host", "127.0.0.1:4566"), ("Content-Length", str(len(body)))])
    head = CallHead("s3", operation, "rest-xml", "", REGION, "test")
    return _record(head, Request(method, path, headers, body), Answer(200, Headers([("Content-Length", "0")]), b""))


def _queue(number: int) -> Record:
    body = orjson.dumps({"QueueName": f"queue-{number}", "Attributes": {"VisibilityTimeout": "45"}})
    return _sqs("CreateQueue", body, orjson.dumps({"QueueUrl": _url(number)}))


def _url(number: int) -> str:
    return f"http://127.0.0.1:4566/123456789012/queue-{number}"


def _sqs(operation: str, body: bytes, answer: bytes) -> Record:
    media_type = ("Content-Type", "application/x-amz-json-1.0")
    headers = Headers([("Host", "127.0.0.1:4566"), ("X-Amz-Target", f"AmazonSQS.{operation}"), media_type])
    head = CallHead("sqs", operation, "json", "", REGION, "test")
    return _record(head, Request("POST", "/", headers, body), Answer(200, Headers([media_type]), answer))


def _record(head: CallHead, request: Request, answer: Answer) -> Record:
    credential = Credential("test", REGION, head.service, "header")
    return Record(0, utc_now(), 1.0, RecordKind.MUTATION, head, request, answer, credential, {})


async def _write(folder: Path, records: Iterator[Record]) -> None:
    writer = await JournalWriter.open(folder, strategy=SaveStrategy.ON_SHUTDOWN)
    for record in records:
        await writer.append(record)
    await writer.close()
