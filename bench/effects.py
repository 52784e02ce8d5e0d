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


def run(quick: bool) -> Report:
    """Watch many items and objects while nothing changes."""
    items, objects, seconds, rounds = (5_000, 500, 3.0, 3) if quick else (50_000, 5_000, 8.0, 3)
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
        queue = _fill(filling.url, items, objects)
    times: dict[str, dict[str, list[float]]] = {"off": {}, "exposed": {}}
    shares, looks = [], 0
    for _ in range(rounds):
        for mode, of_mode in times.items():
            with place.proxy(mode, server.url, *options, "--observe", mode, data_dir=data) as proxy:
                if mode == "exposed":
                    _wait_for_rounds(proxy, 1)
                before, begun = _observing(proxy), time.monotonic()
                for what, target, document in (
                    ("reads", READ, {"QueueUrl": f"{queue}-read", "AttributeNames": ["All"]}),
                    ("changes", CHANGE, {"QueueUrl": queue, "MessageBody": "m"}),
                ):
                    latencies, took = fire(proxy.port, sdk_request(target, document), 1, seconds)
                    of_mode.setdefault(what, []).append(summary(latencies, took)["p50_us"])
                if mode == "exposed":
                    _wait_for_rounds(proxy, before["rounds"] + 1)
                    after = _observing(proxy)
                    shares.append((after["seconds"] - before["seconds"]) / (time.monotonic() - begun))
                    looks += after["looks"]
    for what in times["off"]:
        off, watched = (statistics.median(times[mode][what]) for mode in ("off", "exposed"))
        report.row({"emulator": name, "requests": what, "not watched, µs": off, "watched, µs": watched})
        report.bar(Bar(f"{name}: {what}, watched against not", watched / off, SLOWER_MAX, "at most"))
    report.bar(Bar(f"{name}: share of the emulator's time", statistics.median(shares), SHARE_MAX, "at most"))
    report.note(f"{name}: {looks} looks at containers")


def _fill(url: str, items: int, objects: int) -> str:
    """Make a state machine, the items and the objects. Returns the URL of a queue; that of another one has `-read` behind it."""
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
    sqs.create_queue(QueueName="asked-read")
    return str(sqs.create_queue(QueueName="asked")["QueueUrl"])


def _observing(proxy: Process) -> dict[str, Any]:
    with urllib.request.urlopen(proxy.url + "/_replay/status", timeout=30) as answer:
        found = json.load(answer)["observing"]
    return dict(found or {"seconds": 0.0, "looks": 0, "rounds": 0})


def _wait_for_rounds(proxy: Process, count: int, limit: float = 300.0) -> None:
    """Wait until everything was looked at so often."""
    deadline = time.monotonic() + limit
    while _observing(proxy)["rounds"] < count and time.monotonic() < deadline:
        time.sleep(0.1)
