"""Seeds that fail or change, damaged state folders, a reset in the middle of a restore: nothing hangs, nothing is lost."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.emulators.process import free_port
from tests.e2e.test_own_persistence import make, settings, there
from tests.e2e.test_resets import marks, post
from tests.e2e.test_seeds import Seeded, queue_of
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out

pytestmark = [pytest.mark.emulator, pytest.mark.skipif(left_out(0.5) is not None, reason=str(left_out(0.5)))]

FAILING = """import boto3
boto3.client("sqs").create_queue(QueueName="jobs")
raise SystemExit("the seed fails")
"""
OTHER = """import boto3
boto3.client("sqs").create_queue(QueueName="others")
boto3.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")
"""
FILLED = 600


def test_a_script_that_fails_and_one_that_makes_something_else(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    seeded = Seeded(start_proxy, tmp_path)
    url = seeded.proxy.url
    client("sqs", url).send_message(QueueUrl=queue_of(url), MessageBody="m")
    client("s3", url).create_bucket(Bucket="made")
    client("s3", url).put_object(Bucket="made", Key="k", Body=b"v")
    [vpc] = [each["VpcId"] for each in client("ec2", url).describe_vpcs()["Vpcs"] if each["CidrBlock"] == "10.7.0.0/16"]
    client("ec2", url).create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")

    def messages() -> int:
        asked = client("sqs", url).get_queue_attributes(QueueUrl=queue_of(url), AttributeNames=["All"])["Attributes"]
        return int(asked["ApproximateNumberOfMessages"])

    for script in (FAILING, OTHER):
        seeded.script.write_text(script)
        seeded.restart()
        report = seeded.proxy.status()["last_restore"]
        named = {each["call"] for part in ("problems", "findings") for each in report[part]}
        # MiniStack makes a subnet in a network that is not there; then the read that showed the network says so.
        assert named & {"ec2:CreateSubnet", "ec2:DescribeVpcs"}, "its network came from the script"
        assert client("s3", url).get_object(Bucket="made", Key="k")["Body"].read() == b"v"
        if script is FAILING:
            assert messages() == 1
        else:
            assert "sqs:SendMessage" in named, "its queue came from the script"
            client("sqs", url).get_queue_url(QueueName="others")


@pytest.mark.parametrize("damage", ["garbage", "cut", "gone"])
def test_an_emulator_whose_own_state_is_damaged(start_proxy: Callable[..., Proxy], tmp_path: Path, damage: str) -> None:
    port = free_port()
    assignments = [f"{name}={value}" for name, value in settings(tmp_path, port).items()]
    command = ("--", "env", *assignments, sys.executable, "-m", "ministack")
    proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}", *command)
    make(proxy.url, 1)
    before = there(proxy.url)
    assert proxy.stop() == 0
    files = [each for each in (tmp_path / "state").rglob("*") if each.is_file()]
    assert files
    for each in files:
        match damage:
            case "garbage":
                each.write_bytes(b"\x00garbage{")
            case "cut":
                os.truncate(each, each.stat().st_size // 2)
            case _:
                each.unlink()
    proxy.again()
    assert there(proxy.url) == before
    assert proxy.status()["last_restore"]["problems"] == []


def test_a_reset_in_the_middle_of_a_restore(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    sqs = client("sqs", proxy.url)
    for number in range(FILLED):
        sqs.create_queue(QueueName=f"q{number}")
    restores = proxy.log.count("Restored ")
    emulator.restart()
    answers: list[int] = []
    asking = [
        threading.Thread(target=lambda: answers.append(post(proxy.url, "/_ministack/reset")[0])) for _ in range(2)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert answers == [200, 200] and proxy.log.count("Restored ") <= restores + 1
    assert sqs.list_queues().get("QueueUrls", []) == []
    sqs.create_queue(QueueName="after")
    for _ in range(2):
        emulator.restart()
        assert post(proxy.url, "/_localstack/state/load")[0] == 200
        assert [each.rpartition("/")[2] for each in sqs.list_queues()["QueueUrls"]] == ["after"]
    assert len(marks(proxy)) == 2
