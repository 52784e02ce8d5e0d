"""A recording that views are looked at with: a queue with its dead-letter queue, a function that reads it, a table."""

from __future__ import annotations

import json
from pathlib import Path

from tests.resources.recordings import ACCOUNT, REGION, Tape, function, queue, queue_url, table


def shop() -> Tape:
    """What a small stack does: 12 calls, one of them refused."""
    tape = Tape()
    queue(tape, "dead")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
    queue(tape, "orders", RedrivePolicy=json.dumps({"deadLetterTargetArn": f"{arn}:dead", "maxReceiveCount": 3}))
    table(tape, "items")
    variables = {"QUEUE_URL": queue_url("orders"), "TABLE": "items", "DB_PASSWORD": "hunter22"}
    function(tape, "worker", Environment={"Variables": variables})
    mapping = {"FunctionName": "worker", "EventSourceArn": f"{arn}:orders"}
    tape.call("lambda", "CreateEventSourceMapping", mapping, {"UUID": "9a1b"}, protocol="rest-json")
    tape.call("sqs", "SendMessage", {"QueueUrl": queue_url("orders"), "MessageBody": "one"}, {"MessageId": "m1"})
    tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": "a"}}})
    tape.call("sqs", "SetQueueAttributes", {"QueueUrl": queue_url("orders"), "Attributes": {"DelaySeconds": "7"}})
    tape.call("sqs", "TagQueue", {"QueueUrl": queue_url("orders"), "Tags": {"team": "shop"}})
    tape.call("sqs", "DeleteQueue", {"QueueUrl": queue_url("none")}, {"__type": "x#QueueDoesNotExist"}, status=400)
    params = {"FunctionName": "worker", "MemorySize": 512}
    tape.call("lambda", "UpdateFunctionConfiguration", params, {"FunctionName": "worker"}, protocol="rest-json")
    tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": {"id": {"S": "b"}}})
    return tape


def write_shop(folder: Path) -> Path:
    return shop().write(folder)
