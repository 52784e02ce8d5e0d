"""A consumer that holds messages while the emulator dies goes on with the receipts that it has."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.held_files import wait_until_written, written_down
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def bodies(sqs: Any, url: str) -> list[str]:
    """What is in the queue and visible."""
    found = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [each["Body"] for each in got]
        for each in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_receipts_outlive_the_emulator(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    proxy = start_proxy("--emulator", emulator)
    sqs = client("sqs", proxy.url)
    plain = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    fifo = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "600"})
    steps = fifo["QueueUrl"]
    for number in range(14):
        sqs.send_message(QueueUrl=plain, MessageBody=f"m{number}")
    for number in range(4):
        sqs.send_message(
            QueueUrl=steps, MessageBody=f"s{number}", MessageGroupId="g", MessageDeduplicationId=f"d{number}"
        )
    held: list[dict[str, Any]] = []
    while len(held) < 6:
        held += sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=6 - len(held), VisibilityTimeout=600)[
            "Messages"
        ]
    (step,) = sqs.receive_message(QueueUrl=steps, MaxNumberOfMessages=1)["Messages"]

    os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)

    sqs.delete_message(QueueUrl=plain, ReceiptHandle=held[5]["ReceiptHandle"])
    sqs.delete_message(QueueUrl=steps, ReceiptHandle=step["ReceiptHandle"])
    batch = [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(held[:3])]
    assert len(sqs.delete_message_batch(QueueUrl=plain, Entries=batch)["Successful"]) == 3
    sqs.change_message_visibility(QueueUrl=plain, ReceiptHandle=held[3]["ReceiptHandle"], VisibilityTimeout=600)
    sqs.delete_message(QueueUrl=plain, ReceiptHandle=held[3]["ReceiptHandle"])
    deleted = {each["Body"] for number, each in enumerate(held) if number != 4}
    # Another consumer receives the last one before it is deleted, and the old receipt is good for it all the same.
    others = {}
    while got := sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        others |= {each["Body"]: each["ReceiptHandle"] for each in got}
    assert set(others) == {f"m{number}" for number in range(14)} - deleted
    sqs.delete_message(QueueUrl=plain, ReceiptHandle=held[4]["ReceiptHandle"])
    deleted.add(held[4]["Body"])
    assert bodies(sqs, steps) == ["s1", "s2", "s3"]

    proxy.kill_all()
    proxy = proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []
    assert sorted(bodies(sqs, plain)) == sorted({f"m{number}" for number in range(14)} - deleted)
    assert bodies(sqs, steps) == []


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_receipts_outlive_emulator_and_proxy(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    proxy = start_proxy("--emulator", emulator)
    sqs = client("sqs", proxy.url)
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for number in range(6):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{number}")
    held: list[dict[str, Any]] = []
    while len(held) < 5:
        held += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5 - len(held))["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=held[4]["ReceiptHandle"])
    receipts = [each["ReceiptHandle"] for each in held]
    wait_until_written(proxy, *receipts)

    for turn in range(2):  # a receipt may be older than the last restart
        proxy.kill_all()
        proxy = proxy.again()
        sqs.delete_message(QueueUrl=url, ReceiptHandle=held[turn]["ReceiptHandle"])
    entry = {"Id": "1", "ReceiptHandle": held[2]["ReceiptHandle"]}
    assert sqs.delete_message_batch(QueueUrl=url, Entries=[entry])["Successful"] == [{"Id": "1"}]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=held[3]["ReceiptHandle"], VisibilityTimeout=600)
    deleted = {each["Body"] for each in (*held[:3], held[4])}
    assert set(bodies(sqs, url)) == {f"m{number}" for number in range(6)} - deleted - {held[3]["Body"]}
    assert not any(receipt in written_down(proxy) for receipt in receipts)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in proxy.data_dir.glob("held_*"))
