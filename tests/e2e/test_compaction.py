"""Recordings that are compacted, by hand and in the background of `serve`, restore the same state into real emulators."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.journal.check import check
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out, replay_proxy

pytestmark = pytest.mark.emulator

AGGRESSIVE = ("--compact-min-size", "4k", "--compact-percentage", "20")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*replay_proxy(), *map(str, words)], capture_output=True, text=True, check=False, timeout=120)


def prepare(url: str) -> str:
    """What stays, and the URL of a queue."""
    client("s3", url).create_bucket(Bucket="archive")
    client("dynamodb", url).create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("ssm", url).put_parameter(Name="p", Value="v", Type="String")
    return str(client("sqs", url).create_queue(QueueName="work")["QueueUrl"])


def work(url: str, queue: str, turn: int) -> None:
    """Mostly traffic that leaves nothing."""
    s3, sqs, dynamodb, ec2 = (client(name, url) for name in ("s3", "sqs", "dynamodb", "ec2"))
    for number in range(6):
        s3.put_object(Bucket="archive", Key=str(number % 2), Body=b"%d" % turn * (300_000 if number == 5 else 300))
        dynamodb.put_item(TableName="t", Item={"k": {"S": str(number % 3)}, "v": {"N": str(turn)}})
        sqs.send_message(QueueUrl=queue, MessageBody=f"{turn}-{number}")
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=5).get("Messages", []):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    gone = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=gone)
    ec2.create_vpc(CidrBlock=f"10.{turn}.0.0/16")


def state(url: str) -> dict[str, Any]:
    """Everything that `prepare` and `work` leave; it does not consume messages."""
    s3, sqs, dynamodb, ec2 = (client(name, url) for name in ("s3", "sqs", "dynamodb", "ec2"))
    queue = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    vpcs = ec2.describe_vpcs()["Vpcs"]
    return {
        "objects": {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket="archive")["Contents"]},
        "items": sorted(json.dumps(item, sort_keys=True) for item in dynamodb.scan(TableName="t")["Items"]),
        "messages": sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessages"
        ],
        "queue": queue.rpartition("/")[2],
        "vpcs": sorted((each["VpcId"], each["CidrBlock"]) for each in vpcs if not each["IsDefault"]),
        "parameter": client("ssm", url).get_parameter(Name="p")["Parameter"]["Value"],
    }


def test_recorded_compacted_and_restored_into_a_fresh_emulator(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    queue = prepare(proxy.url)
    for turn in range(3):
        work(proxy.url, queue, turn)
    before = state(proxy.url)
    refused = run("compact", "--data-dir", proxy.data_dir)
    assert refused.returncode == 4
    assert f"is in use by process {proxy.process.pid}" in refused.stderr
    proxy.stop()
    planned = json.loads(run("plan", "--data-dir", proxy.data_dir, "--json").stdout)
    dry = json.loads(run("compact", "--data-dir", proxy.data_dir, "--dry-run", "--json").stdout)
    assert dry["calls_before"] - dry["calls_after"] == planned["leave_out"] > 20
    done = run("compact", "--data-dir", proxy.data_dir)
    assert done.returncode == 0, done.stderr
    assert f"{planned['leave_out']} of {dry['calls_before']} calls went" in done.stdout
    assert "the object was overwritten" in done.stdout
    assert "is kept as recorded_api_calls.json.before-compaction" in done.stdout
    assert "nothing to leave out" in run("compact", "--data-dir", proxy.data_dir).stdout
    assert check(proxy.data_dir).ok
    proxy = proxy.again()
    report = proxy.status()["last_restore"]
    assert (report["problems"], report["superseded"], report["notes"]) == ([], 0, [])
    assert report["restored"] == planned["replay"]
    assert state(proxy.url) == before
    work(proxy.url, queue, 3)
    before = state(proxy.url)
    proxy.kill_all()
    proxy = proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []
    assert state(proxy.url) == before
    proxy.stop()
    emulator = start_emulator("moto")
    restored = run("restore", "--upstream", emulator.url, "--data-dir", proxy.data_dir)
    assert restored.returncode == 0, restored.stderr


@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN"])
def test_a_running_proxy_compacts_by_itself(start_proxy: Callable[..., Proxy], strategy: str) -> None:
    if strategy != "SCHEDULED" and (reason := left_out(0.2)):
        pytest.skip(f"compactions with {strategy}, which are as with SCHEDULED, {reason}")
    proxy = start_proxy(*AGGRESSIVE, "--save-strategy", strategy)
    queue = prepare(proxy.url)
    deadline = time.monotonic() + 60
    turn = 0
    while proxy.status()["compaction"]["runs"] < 2:
        assert time.monotonic() < deadline
        work(proxy.url, queue, turn % 9)
        turn += 1
    before = state(proxy.url)
    last = proxy.status()["compaction"]["last"]
    assert last["calls_after"] < last["calls_before"]
    assert "compacted the recording" in proxy.log
    seqs = [record["seq"] for record in proxy.records()]
    assert seqs == sorted(seqs)
    assert len(seqs) < seqs[-1]
    proxy.kill_all()
    assert check(proxy.data_dir).ok
    proxy = proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []
    assert state(proxy.url) == before
    sqs = client("sqs", proxy.url)
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def test_manual_save_points_hold_through_compactions(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy(*AGGRESSIVE, "--save-strategy", "MANUAL")
    queue = prepare(proxy.url)
    for turn in range(3):
        work(proxy.url, queue, turn)
    saved = state(proxy.url)
    subprocess.run(
        ["curl", "-sS", "-X", "POST", proxy.url + "/_localstack/state/save"], check=True, capture_output=True
    )
    deadline = time.monotonic() + 60
    last = None
    while last is None or not last["left_out"]:
        assert time.monotonic() < deadline
        work(proxy.url, queue, 7)
        last = proxy.status()["compaction"]["last"]
    proxy.kill_all()
    proxy = proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []
    assert state(proxy.url) == saved


def test_it_can_be_switched_off(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--compact-min-size", "1k", "--compact-percentage", "0")
    queue = prepare(proxy.url)
    work(proxy.url, queue, 1)
    time.sleep(1)
    assert proxy.status()["compaction"] == {"automatic": False, "runs": 0, "last": None}


def test_wrong_use(tmp_path: Path) -> None:
    missing = run("compact", "--data-dir", tmp_path)
    assert missing.returncode == 4
    assert "there is no recording" in missing.stderr
    nonsense = run("serve", "--compact-percentage", "much")
    assert nonsense.returncode == 2
    assert "--compact-percentage: 'much' is not a percentage" in nonsense.stderr
