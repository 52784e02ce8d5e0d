"""The emulator is killed under clients that work on with the retries that SDKs have by default: they get no error.

Longer by hand, with figures:

    REPLAY_CRASH_KILLS=60 pytest -s tests/crash/test_living_on.py      (REPLAY_CRASH_SEED=N for other moments)
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.clients import REGION
from tests.support.processes import Emulator, Proxy, amount

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

KILLS = int(os.environ.get("REPLAY_CRASH_KILLS", amount(3, 5)))
SEED = int(os.environ.get("REPLAY_CRASH_SEED", "11"))
LOST_TIMEOUT = 10
"""Seconds that the proxy's clients wait for somebody else's emulator that is gone, by default."""
HIDDEN = 2
"""Seconds for which a received message is hidden."""


@dataclass
class Told:
    """What the clients were told: what is there according to the answers that they got. errors: what should not be."""

    objects: dict[str, bytes] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, tuple[int, str]] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    calls: int = 0
    retried: int = 0
    most_retries: int = 0
    slowest: float = 0.0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client:
    """A boto3 client as it comes, which counts."""

    def __init__(self, service: str, url: str, told: Told) -> None:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        self._api = session.client(service, endpoint_url=url, config=Config(s3={"addressing_style": "path"}))
        self._told = told

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._api, name)

        def call(**parameters: Any) -> Any:
            begun = time.monotonic()
            answer = method(**parameters)
            retries = answer["ResponseMetadata"].get("RetryAttempts", 0)
            with self._told.lock:
                self._told.calls += 1
                self._told.retried += retries > 0
                self._told.most_retries = max(self._told.most_retries, retries)
                self._told.slowest = max(self._told.slowest, time.monotonic() - begun)
            return answer

        return call


def prepare(url: str) -> None:
    told = Told()
    Client("s3", url, told).create_bucket(Bucket="bucket")
    Client("sqs", url, told).create_queue(QueueName="queue", Attributes={"VisibilityTimeout": str(HIDDEN)})
    Client("dynamodb", url, told).create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def objects(url: str, told: Told, moments: random.Random, stop: threading.Event) -> None:
    s3, number = Client("s3", url, told), 0
    while not stop.is_set():
        key = f"k{moments.randrange(12)}"
        if key in told.objects and moments.random() < 0.3:
            assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == told.objects[key]
            s3.delete_object(Bucket="bucket", Key=key)
            del told.objects[key]
        else:
            body = f"{key} {number}".encode() * 20
            s3.put_object(Bucket="bucket", Key=key, Body=body)
            told.objects[key] = body
        number += 1


def items(url: str, told: Told, moments: random.Random, stop: threading.Event) -> None:
    """Optimistic locking: a write that was carried out twice, or lost, would be refused."""
    dynamodb = Client("dynamodb", url, told)
    while not stop.is_set():
        key = f"k{moments.randrange(8)}"
        version = told.items.get(key, 0) + 1
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(k)"}
        if version > 1:
            condition = {
                "ConditionExpression": "v = :v",
                "ExpressionAttributeValues": {":v": {"N": str(version - 1)}},
            }
        dynamodb.put_item(TableName="table", Item={"k": {"S": key}, "v": {"N": str(version)}}, **condition)
        told.items[key] = version


def parameters(url: str, told: Told, moments: random.Random, stop: threading.Event) -> None:
    """Versions count the writes."""
    ssm = Client("ssm", url, told)
    while not stop.is_set():
        name = f"/p{moments.randrange(4)}"
        version = told.parameters.get(name, (0, ""))[0] + 1
        answer = ssm.put_parameter(Name=name, Value=f"v{version}", Type="String", Overwrite=version > 1)
        assert answer["Version"] == version, (name, answer["Version"], version)
        told.parameters[name] = (version, f"v{version}")
        time.sleep(0.01)


def messages(url: str, told: Told, moments: random.Random, stop: threading.Event) -> None:
    """A consumer that takes its time between receiving and deleting."""
    sqs, number = Client("sqs", url, told), 0
    queue = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    while not stop.is_set():
        for _ in range(moments.randrange(1, 4)):
            sqs.send_message(QueueUrl=queue, MessageBody=f"m{number}")
            told.messages.add(f"m{number}")
            number += 1
        for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=3).get("Messages", []):
            assert each["Body"] not in told.deleted, f"{each['Body']} came back"
            if moments.random() < 0.8:
                time.sleep(moments.uniform(0, 0.02))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
                told.deleted.add(each["Body"])


def run(url: str, told: Told, stop: threading.Event) -> list[threading.Thread]:
    threads = []
    for number, worker in enumerate((objects, items, parameters, messages)):

        def work(worker: Callable[..., None] = worker, number: int = number) -> None:
            try:
                worker(url, told, random.Random(SEED + number), stop)
            except Exception as error:
                told.errors.append(f"{worker.__name__}: {type(error).__name__}: {error}")

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    return threads


def compare(url: str, told: Told) -> None:
    """What is there is what the clients were told."""
    s3, sqs, dynamodb, ssm = (Client(name, url, Told()) for name in ("s3", "sqs", "dynamodb", "ssm"))
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="bucket").get("Contents", [])]
    assert {key: s3.get_object(Bucket="bucket", Key=key)["Body"].read() for key in keys} == told.objects
    found = dynamodb.scan(TableName="table", ConsistentRead=True)["Items"]
    assert {each["k"]["S"]: int(each["v"]["N"]) for each in found} == told.items
    for name, (version, value) in told.parameters.items():
        got = ssm.get_parameter(Name=name)["Parameter"]
        assert (got["Version"], got["Value"]) == (version, value)
    time.sleep(HIDDEN + 0.5)
    queue = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    left = []
    while got := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        left += [each["Body"] for each in got]
    assert sorted(left) == sorted(told.messages - told.deleted)


def figures(told: Told, how: str) -> str:
    return (
        f"\n{how}: {KILLS} kills, {told.calls} calls, {told.retried} of them retried by their SDK "
        f"(at most {told.most_retries} times), slowest {told.slowest:.1f} s, no error"
    )


def ready(proxy: Proxy) -> None:
    deadline = time.monotonic() + 120
    while proxy.status()["state"] != "ready":
        assert time.monotonic() < deadline, proxy.status()
        time.sleep(0.05)


def work_on(told: Told, calls: int) -> None:
    """Wait until the clients have made so many calls more."""
    goal, deadline = told.calls + calls, time.monotonic() + 60
    while told.calls < goal and not told.errors:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def story(proxy: Proxy, kill: Callable[[], float], how: str) -> None:
    """kill: kills the emulator; seconds for which nobody was there who could be waited for."""
    prepare(proxy.url)
    told, stop, moments = Told(), threading.Event(), random.Random(SEED)
    threads = run(proxy.url, told, stop)
    try:
        away = 0.0
        for _ in range(KILLS):
            # Now and then it is killed again while it is still starting, or being restored.
            if moments.random() < 0.75:
                ready(proxy)
                work_on(told, moments.randrange(1, 100))
            time.sleep(moments.uniform(0.0, 0.5))
            away = max(away, kill())
            assert told.errors == []
        ready(proxy)
        time.sleep(1.0)
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert told.errors == []
    compare(proxy.url, told)
    assert proxy.status()["last_restore"]["problems"] == []
    print(figures(told, how))
    assert told.most_retries <= 1 + away // LOST_TIMEOUT
    assert told.calls > 10 * KILLS


@pytest.mark.timeout(200 + 60 * KILLS)
def test_a_supervised_emulator_is_killed_under_a_workload(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "moto")

    def kill() -> float:
        deadline = time.monotonic() + 60
        while (pid := proxy.status()["emulator"]["pid"]) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return 0.0

    story(proxy, kill, "supervised")


@pytest.mark.timeout(200 + 60 * KILLS)
def test_somebody_elses_emulator_is_killed_under_a_workload(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)

    def kill() -> float:
        begun = time.monotonic()
        emulator.restart()
        return time.monotonic() - begun

    story(proxy, kill, "--upstream")
