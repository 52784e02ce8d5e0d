"""Jobs of a pipeline that begin with one pod: ten at a time, each with a data directory and a store of its own.

A job is what docs/pods.md has for pipelines: `pod pull`, then a proxy with AUTO_LOAD_POD in front of an emulator that runs. The
emulators are fewer than the jobs, so each is emptied between two of them, and serves many.
"""

from __future__ import annotations

import hashlib
import os
import queue
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.pods.remotes.location import RemoteLocation
from tests.pods.remotes.conftest import Place
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, amount, replay_proxy
from tests.support.storages import registry_missing

JOBS = amount(5, 200)
AT_A_TIME = amount(2, 10)
"""Also the number of emulators."""
KINDS = (
    pytest.param("registry", marks=pytest.mark.skipif(bool(registry_missing()), reason=str(registry_missing()))),
    "moto",
)
pytestmark = [pytest.mark.emulator, pytest.mark.timeout(3600)]


@pytest.fixture
def emulators(tmp_path: Path) -> Iterator[queue.Queue[Emulator]]:
    """Emulators that no job uses."""
    with ExitStack() as stack:
        free: queue.Queue[Emulator] = queue.Queue()
        for number in range(AT_A_TIME):
            (tmp_path / f"emulator-{number}").mkdir()
            emulator = Emulator("moto", tmp_path / f"emulator-{number}")
            stack.callback(emulator.stop)
            free.put(emulator)
        yield free


def _made(url: str) -> None:
    """Make what the pod holds: messages, items, a network, and an object that is a blob of its own."""
    sqs, dynamodb, s3 = client("sqs", url), client("dynamodb", url), client("s3", url)
    orders = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=orders, MessageBody=f"order {number}")
    key = {"AttributeName": "id", "AttributeType": "S"}
    dynamodb.create_table(
        TableName="items",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="items", Item={"id": {"S": "a"}})
    client("ec2", url).create_vpc(CidrBlock="10.9.0.0/16")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="large", Body=b"0123456789" * 60_000)


def _seen(url: str) -> dict[str, Any]:
    """Return what a job finds, by the identifiers that its clients use."""
    sqs = client("sqs", url)
    orders = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    count = "ApproximateNumberOfMessages"
    vpcs = client("ec2", url).describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"]
    large = client("s3", url).get_object(Bucket="things", Key="large")["Body"].read()
    return {
        "messages": sqs.get_queue_attributes(QueueUrl=orders, AttributeNames=[count])["Attributes"][count],
        "items": client("dynamodb", url).scan(TableName="items")["Items"],
        "vpcs": [each["VpcId"] for each in vpcs],
        "large": hashlib.sha256(large).hexdigest(),
    }


def _pod(folder: Path, *words: str) -> None:
    environment = {**os.environ, "REPLAY_PODS_DIR": str(folder / "pods")}
    done = subprocess.run(
        [*replay_proxy(), "pod", *words], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


def _remote(location: RemoteLocation) -> tuple[str, ...]:
    return (location.url, *(("--endpoint-url", location.endpoint_url) if location.endpoint_url else ()))


def _emptied(emulator: Emulator) -> None:
    request = urllib.request.Request(emulator.url + "/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def _jobs(
    location: RemoteLocation, emulators: queue.Queue[Emulator], place: Path
) -> tuple[Callable[[int], dict[str, Any]], set[int]]:
    """Return the function that carries out a job by its number, and the ports of the emulators that had one."""
    used: set[int] = set()

    def job(number: int) -> dict[str, Any]:
        folder = place / f"job-{number}"
        folder.mkdir()
        _pod(folder, "pull", "seed", *_remote(location))
        emulator = emulators.get()
        try:
            used.add(emulator.port)
            proxy = Proxy(folder, "--upstream", emulator.url, environment={"AUTO_LOAD_POD": "seed"})
            try:
                return _seen(proxy.url)
            finally:
                proxy.stop()
        finally:
            _emptied(emulator)
            emulators.put(emulator)

    return job, used


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_begin_with_one_pod(kind: str, place: Place, emulators: queue.Queue[Emulator], tmp_path: Path) -> None:
    """Each finds the whole state under the ids that it was saved with, whichever emulator it has."""
    location, emulator = place(kind), emulators.get()
    proxy = Proxy(tmp_path, "--upstream", emulator.url)
    try:
        _made(proxy.url)
        whole = _seen(proxy.url)
        _pod(tmp_path, "save", "seed", "--endpoint", proxy.url)
    finally:
        proxy.stop()
    _emptied(emulator)
    emulators.put(emulator)
    _pod(tmp_path, "push", "seed", *_remote(location))
    job, used = _jobs(location, emulators, tmp_path)
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(job, range(JOBS)))
    print(f"\n{JOBS} jobs from {kind}, {AT_A_TIME} at a time: {time.monotonic() - begun:.1f} s")
    assert len(whole["vpcs"]) == 1
    assert (whole["messages"], len(whole["items"])) == ("3", 1)
    assert [each for each in found if each != whole] == []
    assert len(used) == AT_A_TIME
