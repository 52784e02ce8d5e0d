"""What it costs that data is looked at for what the emulator did by itself: `scripts/bench effects`.

A state machine stands in the recording, so that something could change every item and every object at any time; nothing does.
Then requests are answered as fast as without, and the emulator is busy with being read for a small share of the time.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench.load import CHANGE, READ, fire, sdk_request, summary
from bench.processes import Process, Processes, emulator, processes
from bench.report import Bar, Report

SHARE_MAX = 0.05
SLOWER_MAX = 1.10
"""Of the median of requests, against the same proxy that looks at nothing."""
INTERVAL_S = 1.0
THREADS = 4
WATCHED_FOR = 25
"""Where nothing is read meanwhile, it is watched for so many times as long as a round of looks has taken: a share of 4 %."""


def run(quick: bool) -> Report:
    """Watch many items and objects while nothing changes."""
    items, objects, seconds, rounds = (5_000, 500, 2.0, 3) if quick else (50_000, 5_000, 3.0, 5)
    report = Report("effects", f"{items} items and {objects} objects that a function could change, and does not")
    for name in ("ministack",) if quick else ("ministack", "moto"):
        with tempfile.TemporaryDirectory() as scratch, processes(Path(scratch)) as place:
            server = emulator(name, Path(scratch))
            with server:
                _measure(report, name, server, place, items, objects, seconds, rounds)
    return report


def _measure(
    report: Report, name: str, server: Process, place: Processes, items: int, objects: int, seconds: float, rounds: int
) -> None:
    data = place.scratch / "data"
    options = ("--flush-interval", str(INTERVAL_S))
    with place.proxy("filling", server.url, "--observe", "off", data_dir=data) as filling:
        queues = _fill(filling.url, items, objects, 2 * rounds + 1)
    times: dict[str, dict[str, list[float]]] = {"off": {}, "exposed": {}, "during a look": {}}

    def burst(mode: str, proxy: Process, what: str, seconds: float) -> None:
        """Requests of one client, to a queue of their own: of some emulators, a send takes as long as the queue is."""
        target, asked = READ, {"QueueUrl": queues[0], "AttributeNames": ["All"]}
        if what == "changes":
            target, asked = CHANGE, {"QueueUrl": queues.pop(), "MessageBody": "m"}
        latencies, took = fire(proxy.port, sdk_request(target, asked), 1, seconds)
        times[mode].setdefault(what, []).append(summary(latencies, took)["p50_us"])

    for each in range(rounds):
        for mode in ("off", "exposed") if each % 2 == 0 else ("exposed", "off"):
            begun = time.monotonic()
            with place.proxy(mode, server.url, *options, "--observe", mode, data_dir=data) as proxy:
                if mode == "exposed":
                    _wait(lambda proxy=proxy: _observing(proxy)["seconds"] > 0)
                    burst("during a look", proxy, "reads", 1.0)
                    _wait(lambda proxy=proxy: _observing(proxy)["rounds"] > 0)
                for what in ("reads", "changes"):
                    burst(mode, proxy, what, seconds)
                if mode == "exposed" and each == rounds - 1:
                    share, looks, took = _share(proxy, begun)
    for what in times["off"]:
        # The lowest of the rounds: on which processor the kernel puts a process makes more of a difference than a look.
        off, watched = (min(times[mode][what]) for mode in ("off", "exposed"))
        report.row({"emulator": name, "requests": what, "not watched, µs": off, "watched, µs": watched})
        report.bar(Bar(f"{name}: {what}, watched against not", watched / off, SLOWER_MAX, "at most"))
    report.bar(Bar(f"{name}: share of the emulator's time", share, SHARE_MAX, "at most"))
    during = statistics.median(times["during a look"]["reads"])
    report.note(f"{name}: a read while everything is looked at takes {during:.0f} µs")
    report.note(f"{name}: {looks} looks at containers in {took:.0f} s")


def _share(proxy: Process, begun: float) -> tuple[float, int, float]:
    """Wait until everything was looked at twice, or for long enough.

    Returns the share of the time since `begun` in which the emulator was being read, the looks, and that time in seconds.
    """

    def is_over() -> bool:
        shown = _observing(proxy)
        return shown["rounds"] > 1 or time.monotonic() - begun > WATCHED_FOR * shown["seconds"]

    _wait(is_over, 1800)
    shown, took = _observing(proxy), time.monotonic() - begun
    return shown["seconds"] / took, shown["looks"], took


def _fill(url: str, items: int, objects: int, queues: int) -> list[str]:
    """Make a state machine, the items, the objects and queues. Returns the URLs of these."""
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=THREADS)

    def client(service: str) -> Any:
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=url, config=config, **credentials)

    dynamodb, s3, sqs, functions = (client(service) for service in ("dynamodb", "s3", "sqs", "stepfunctions"))
    dynamodb.create_table(
        TableName="rows",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="files")
    machine = {"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}}
    account = boto3.client(
        "sts",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).get_caller_identity()["Account"]
    role = f"arn:aws:iam::{account}:role/r"
    functions.create_state_machine(name="machine", definition=json.dumps(machine), roleArn=role)

    def put_items(begin: int) -> None:
        writes = [
            {"PutRequest": {"Item": {"id": {"S": f"item {number}"}, "data": {"S": "x" * 100}}}}
            for number in range(begin, min(begin + 25, items))
        ]
        dynamodb.batch_write_item(RequestItems={"rows": writes})

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put_items, range(0, items, 25)))
        list(pool.map(lambda number: s3.put_object(Bucket="files", Key=f"{number}", Body=b"x" * 100), range(objects)))
    return [str(sqs.create_queue(QueueName=f"asked-{number}")["QueueUrl"]) for number in range(queues)]


def _observing(proxy: Process) -> dict[str, Any]:
    with urllib.request.urlopen(proxy.url + "/_replay/status", timeout=30) as answer:
        found = json.load(answer)["observing"]
    return dict(found or {"seconds": 0.0, "looks": 0, "rounds": 0})


def _wait(until: Callable[[], bool], limit: float = 300.0) -> None:
    deadline = time.monotonic() + limit
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit:.0f} s")
        time.sleep(0.05)
