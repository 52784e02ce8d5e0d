"""What a compaction leaves in a recording although a restore would not repeat it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.planning.compact_recording import compact_recording, stage_compaction
from replay_proxy.replay.planning.plan import plan_of
from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator


async def written(lab: Lab, root: Path) -> None:
    writer = await JournalWriter.open(root, strategy="ON_SHUTDOWN")
    for record in lab.records:
        writer.write(record)
    await writer.close()


def consume(lab: Lab, queue: str) -> None:
    sqs = lab.client("sqs")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


async def test_calls_that_will_be_missed_stay_so_that_each_restore_says_so(lab: Lab, tmp_path: Path) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="known")
    consume(lab, queue)
    sqs.send_message(QueueUrl=queue, MessageBody="unknown")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    lab._receipts.clear()  # as of a receive that the proxy did not see
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    await written(lab, tmp_path)
    losses = [loss.reason for loss in plan_of(read(tmp_path)).losses]
    assert len(losses) == 1
    report = compact_recording(tmp_path)
    assert (report.calls_before, report.calls_after) == (5, 3)
    assert [loss.reason for loss in plan_of(read(tmp_path)).losses] == losses
    assert not compact_recording(tmp_path).worth_it


async def test_what_went_through_a_fifo_queue_stays_for_as_long_as_the_queue_remembers_it(
    lab: Lab, tmp_path: Path
) -> None:
    sqs = lab.client("sqs")
    for name in ("work.fifo", "gone.fifo"):
        queue = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="m", MessageGroupId="g", MessageDeduplicationId="d")
        consume(lab, queue)
    sqs.delete_queue(QueueUrl=queue)
    await written(lab, tmp_path)
    files = Files(tmp_path)
    young = stage_compaction(files, write=False)
    assert (young.calls_before, young.calls_after) == (7, 3)
    later = stage_compaction(files, write=False, now=datetime.now(UTC) + timedelta(minutes=6))
    assert later.calls_after == 1
