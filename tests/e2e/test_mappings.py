"""What event source mappings have processed is not processed again after a restart; what comes later is, once."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

pytestmark = pytest.mark.emulator
RESTARTS = 3
CODE = """import os, time
def handler(event, context):
    for record in event["Records"]:
        open(os.path.join(os.environ["SEEN"], str(time.time_ns())), "w").write(record["eventSource"])
"""


def eventually(ask: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Shop:
    """A function behind the stream of a table, a stream and a queue; it writes a file for each record that it is given."""

    def __init__(self, url: str, seen: Path) -> None:
        self.url, self.seen = url, seen
        seen.mkdir()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("l.py", CODE)
        table = client("dynamodb", url).create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]
        kinesis = client("kinesis", url)
        kinesis.create_stream(StreamName="clicks", ShardCount=1)
        stream = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
        self.queue = client("sqs", url).create_queue(QueueName="work")["QueueUrl"]
        functions = client("lambda", url)
        functions.create_function(
            FunctionName="fn",
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/r",
            Handler="l.handler",
            Timeout=20,
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"SEEN": str(seen)}},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig={"Delay": 1})
        sources = [
            ("TRIM_HORIZON", table["LatestStreamArn"]),
            ("TRIM_HORIZON", stream),
            ("", "arn:aws:sqs:us-east-1:000000000000:work"),
        ]
        self.mappings = [
            functions.create_event_source_mapping(
                FunctionName="fn", EventSourceArn=arn, BatchSize=1, **({"StartingPosition": at} if at else {})
            )["UUID"]
            for at, arn in sources
        ]
        self.sent = 0

    def send(self) -> None:
        """One record of each kind."""
        self.sent += 1
        text = str(self.sent)
        client("dynamodb", self.url).put_item(TableName="orders", Item={"pk": {"S": text}})
        client("kinesis", self.url).put_record(StreamName="clicks", Data=text.encode(), PartitionKey=text)
        client("sqs", self.url).send_message(QueueUrl=self.queue, MessageBody=text)

    def processed(self) -> int:
        return len(list(self.seen.iterdir()))

    def positions(self) -> list[Any]:
        functions = client("lambda", self.url)
        shown = [functions.get_event_source_mapping(UUID=each) for each in self.mappings]
        listed = {each["UUID"]: each for each in functions.list_event_source_mappings()["EventSourceMappings"]}
        assert [each.get("StartingPosition") for each in shown] == [
            listed[each].get("StartingPosition") for each in self.mappings
        ]
        return [each.get("StartingPosition") for each in shown]


def test_what_was_processed_is_not_processed_again(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy("--emulator", "ministack")
    shop = Shop(proxy.url, tmp_path / "seen")
    before = shop.positions()
    assert before == ["TRIM_HORIZON", "TRIM_HORIZON", None]
    for _ in range(RESTARTS):
        shop.send()
        eventually(lambda: shop.processed() >= 3 * shop.sent)
        # Until the queue is seen to be empty, a kill would have the message processed once more.
        eventually(
            lambda: sum(each["operation"] == "DeleteMessage" for each in proxy.records("observation")) == shop.sent
        )
        proxy.kill_all()
        proxy.again()
        assert proxy.status()["last_restore"]["problems"] == []
        assert shop.positions() == before
        time.sleep(2.0)
        assert shop.processed() == 3 * shop.sent


@pytest.mark.skipif(left_out(0.3) is not None, reason=str(left_out(0.3)))
def test_all_is_processed_again_where_a_setting_says_so(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy("--emulator", "ministack", "--mapping-position", "recorded")
    shop = Shop(proxy.url, tmp_path / "seen")
    shop.send()
    eventually(lambda: shop.processed() >= 3)
    eventually(lambda: any(each["operation"] == "DeleteMessage" for each in proxy.records("observation")))
    proxy.kill_all()
    proxy.again()
    eventually(lambda: shop.processed() >= 5)
    assert shop.positions() == ["TRIM_HORIZON", "TRIM_HORIZON", None]
