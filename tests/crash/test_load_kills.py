"""SIGKILL at random moments while services are restored on request, loaded and reset, and the recording is compacted.

After each kill everything that a client was told is there exactly once: increments, messages, networks.

Longer by hand, with figures:

    REPLAY_CRASH_KILLS=50 pytest -s tests/crash/test_load_kills.py      (REPLAY_CRASH_SEED=N for other moments)
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from replay_proxy.journal.check import check
from tests.crash.ledger import Ledger, merged
from tests.e2e.test_loads import load
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, amount, left_out

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

KILLS = int(os.environ.get("REPLAY_CRASH_KILLS", amount(3, 6)))
SEED = int(os.environ.get("REPLAY_CRASH_SEED", "11"))
PER_RECORDING = 6
"""Kills of one recording; then a new one is begun."""
COMPACTING = ("--compact-min-size", "1k", "--compact-percentage", "1")
"""As soon as one compaction has ended, the next one begins."""
SERVICES = ("sqs", "dynamodb", "ec2")
WAYS = ("proxy", "emulator", "both")
PART_HELD = 6
"""The exit status of a proxy that finds a part of a restore in an emulator that lived on."""
PATIENT = {"retries": {"max_attempts": 6, "mode": "standard"}, "read_timeout": 60}


def prepare(url: str) -> None:
    client("sqs", url).create_queue(QueueName="queue")
    client("dynamodb", url).create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def messages(api: Any, turn: int, number: int, ledger: Ledger) -> None:
    body = f"message-{turn}-{number}"
    queue = api.get_queue_url(QueueName="queue")["QueueUrl"]
    with ledger.write(f"sqs {body}", "1"):
        api.send_message(QueueUrl=queue, MessageBody=body)


def increments(api: Any, turn: int, number: int, ledger: Ledger) -> None:
    with ledger.write(f"dynamodb counter-{turn}", str(number + 1)):
        api.update_item(
            TableName="table",
            Key={"k": {"S": f"counter-{turn}"}},
            UpdateExpression="ADD v :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


def networks(api: Any, turn: int, number: int, ledger: Ledger) -> None:
    block = f"10.{turn}.{number % 250}.0/24"
    with ledger.write(f"ec2 {block}", "1"):
        api.create_vpc(CidrBlock=block)
    time.sleep(0.05)


def items(api: Any, turn: int, number: int, ledger: Ledger) -> None:
    """What is written over again and again, so that there is something to leave out."""
    key = f"item-{turn}-{number % 3}"
    with ledger.write(f"dynamodb {key}", str(number)):
        api.put_item(TableName="table", Item={"k": {"S": key}, "v": {"N": str(number)}})


WRITERS = (("sqs", messages), ("dynamodb", increments), ("dynamodb", items), ("ec2", networks))


def found(url: str) -> dict[str, str]:
    """Everything that is there, as the ledger names it, with how often."""
    sqs, dynamodb, ec2 = (client(service, url, **PATIENT) for service in SERVICES)
    out: dict[str, str] = {}
    for page in dynamodb.get_paginator("scan").paginate(TableName="table"):
        out |= {f"dynamodb {item['k']['S']}": item["v"]["N"] for item in page["Items"]}
    blocks = Counter(each["CidrBlock"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"].startswith("10."))
    out |= {f"ec2 {block}": str(count) for block, count in blocks.items()}
    queue = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    bodies: Counter[str] = Counter()
    while got := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=4).get("Messages"):
        bodies.update(each["Body"] for each in got)
    time.sleep(4.2)  # until they are to be seen again
    return out | {f"sqs {body}": str(count) for body, count in bodies.items()}


def work(url: str, turn: int, ledger: Ledger, stop: threading.Event) -> list[threading.Thread]:
    """Clients that write until they are told to stop, or get an error."""
    threads = []
    for service, write in WRITERS:

        def run(service: str = service, write: Callable[..., None] = write) -> None:
            api = client(service, url, retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
            number = 0
            with suppress(ClientError, BotoCoreError):
                while not stop.is_set():
                    write(api, turn, number, ledger)
                    number += 1

        threads.append(threading.Thread(target=run))
        threads[-1].start()
    return threads


def loads(proxy: Proxy, moments: random.Random, stop: threading.Event, asked: Counter[str]) -> threading.Thread:
    """Somebody who asks for loads and resets again and again."""
    choices = ["load", *(f"{service}/load" for service in SERVICES), "load?reset=1"]

    def run() -> None:
        while not stop.is_set():
            what = moments.choice(choices)
            with suppress(OSError, http.client.HTTPException, ValueError):
                status, _lines = load(proxy, what)
                asked[f"{what} {status}"] += 1
            time.sleep(moments.uniform(0, 0.3))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Scene:
    """One recording, in front of a child or of somebody else's emulator."""

    def __init__(
        self,
        place: Path,
        strategy: str,
        start_proxy: Callable[..., Proxy],
        emulator: Emulator | None,
        moments: random.Random,
    ) -> None:
        self.emulator = emulator
        self.strategy = strategy
        self.moments = moments
        self.asked: Counter[str] = Counter()
        where = () if emulator is None else ("--upstream", emulator.url)
        self.proxy = start_proxy(*where, "--load-strategy", strategy, *COMPACTING, data_dir=place)
        prepare(self.proxy.url)
        self.ledger = Ledger()

    def kill(self, way: str) -> None:
        if way != "proxy":
            if self.emulator is not None:
                self.emulator.end()
            elif (pid := self.proxy.status()["emulator"]["pid"]) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if way != "emulator":
            self.proxy.kill()
        if self.emulator is not None and way != "proxy":
            self.emulator.restart()

    def come_back(self) -> None:
        """Start what was killed, and have everything restored."""
        if self.proxy.process.poll() is not None:
            self.proxy.again(wait=False)
            with suppress(AssertionError):
                self.proxy.wait_until("/_localstack/health", [200])
            if self.proxy.process.poll() == PART_HELD and self.emulator is not None:
                assert "holds a part of this recording" in self.proxy.log
                self.asked["emulator restarted, as it held a part"] += 1
                self.emulator.restart()
                self.proxy.again()
        self.proxy.wait_until("/_localstack/health", [200])
        order = [f"{service}/load" for service in self.moments.sample(SERVICES, self.moments.randrange(4))]
        for what in [*order, "load"] if self.strategy == "MANUAL" else order:
            status, lines = load(self.proxy, what)
            assert status == 200, lines
            assert all(line["status"] == "ok" for line in lines), lines

    def turn(self, number: int, way: str) -> None:
        """Clients work, loads and compactions run; a kill; everything is there once."""
        stop = threading.Event()
        threads = work(self.proxy.url, number, self.ledger, stop)
        threads.append(loads(self.proxy, self.moments, stop, self.asked))
        time.sleep(self.moments.uniform(0.2, 2.5))
        self.kill(way)
        if self.moments.random() < 0.5 and way != "emulator":  # once more while it comes back
            self.proxy.again(wait=False)
            time.sleep(self.moments.uniform(0.3, 3.0))
            self.kill("both" if self.moments.random() < 0.5 and self.emulator is not None else "proxy")
            self.asked["killed while it came back"] += 1
        stop.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        self.come_back()
        wrong = self.ledger.violations(found(self.proxy.url), settle=False)
        assert wrong == [], (way, self.proxy.log[-3000:])
        assert "never retrieved" not in self.proxy.log and "Traceback" not in self.proxy.log


@pytest.mark.timeout(200 + 60 * KILLS)
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "MANUAL"])
@pytest.mark.parametrize("kept_by", ["child", "external"])
def test_everything_is_there_once_after_kills_under_loads_and_compactions(
    start_proxy: Callable[..., Proxy],
    start_emulator: Callable[..., Emulator],
    tmp_path: Path,
    strategy: str,
    kept_by: str,
) -> None:
    if (strategy, kept_by) != ("MANUAL", "external") and (reason := left_out(1)):
        pytest.skip(f"kills under loads by {strategy}, {kept_by}, {reason}")
    moments = random.Random(f"{SEED} {strategy} {kept_by}")
    scenes: list[Scene] = []
    for number in range(KILLS):
        if number % PER_RECORDING == 0:
            emulator = start_emulator("moto") if kept_by == "external" else None
            scenes.append(Scene(tmp_path / f"recording-{number}", strategy, start_proxy, emulator, moments))
        scenes[-1].turn(number % PER_RECORDING, WAYS[number % len(WAYS)])
        if number % PER_RECORDING == PER_RECORDING - 1 or number == KILLS - 1:
            scene = scenes[-1]
            looked = ("compacted the recording", "the recording has nothing to leave out")
            assert any(each in scene.proxy.log for each in looked), "no compaction has run"
            scene.proxy.stop()
            assert check(scene.proxy.data_dir).ok
            asked = sum((each.asked for each in scenes), Counter())
            attempted, acknowledged = merged(each.ledger for each in scenes)
            print(
                f"\n{strategy}, {kept_by}: {number + 1} kills, {attempted} writes, {acknowledged} acknowledged, {asked}"
            )
            if scene.emulator is not None:
                scene.emulator.end()
    assert acknowledged > 5 * KILLS
