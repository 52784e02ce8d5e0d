"""Sending a replayed call again: what somebody who looks at the log sees of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.format.records import RecordKind
from replay_proxy.replay.execution.reporting.report import Result
from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator


@pytest.fixture
def log_lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """The log lines of a test, those at level debug included."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with capture_logs() as lines:
            yield lines
    finally:
        structlog.reset_defaults()


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_each_retry_is_a_log_line_with_its_attempt_and_reason(
    lab: Lab, log_lines: list[MutableMapping[str, Any]], failures: int
) -> None:
    lab.begin()
    lab.client("s3").create_bucket(Bucket="retried")
    lab.empty()
    left = failures

    async def send(request: Request) -> Answer:
        nonlocal left
        if left:
            left -= 1
            raise ConnectionRefusedError("nobody listens")
        return await lab.send(request)

    report = lab.restore(lab.records, target=replace(lab.target(), send=send))
    assert report.counts[Result.RESTORED] == 1
    retries = [line for line in log_lines if line["event"] == "retry"]
    assert [(line["log_level"], line["service"], line["operation"], line["attempt"]) for line in retries] == [
        ("debug", "s3", "CreateBucket", attempt) for attempt in range(2, 2 + failures)
    ]
    assert {line["reason"] for line in retries} <= {"nobody listens"}
    assert {line["seq"] for line in retries} <= {lab.records[0].seq}
    assert [line["wait_seconds"] for line in retries] == [0.05, 0.1][:failures]


def test_calls_that_their_batch_does_not_take_and_reads_that_are_refused_are_retries_too(
    lab: Lab, log_lines: list[MutableMapping[str, Any]]
) -> None:
    lab.begin()
    sqs = lab.client("sqs")
    url = sqs.create_queue(QueueName="retried")["QueueUrl"]
    for text in ("one", "two"):
        sqs.send_message(QueueUrl=url, MessageBody=text)
    messages = [each.seq for each in lab.records if each.head is not None and each.head.operation == "SendMessage"]
    made = lab.records[0]
    assert made.head is not None
    asked = Request(
        "POST",
        "/",
        Headers((name, value.replace("CreateQueue", "GetQueueUrl")) for name, value in made.request.headers),
        b'{"QueueName": "retried"}',
    )
    head = replace(made.head, operation="GetQueueUrl")
    read = replace(made, seq=9, kind=RecordKind.WITNESS, head=head, request=asked)  # both answer with the URL
    lab.empty()
    refused = {"SendMessageBatch", "GetQueueUrl"}

    async def send(request: Request) -> Answer:
        said = f"{request.headers.get('x-amz-target')} {request.body!r}"
        for name in sorted(refused):
            if name in said:
                refused.discard(name)
                body = b'{"__type": "UnsupportedOperation"}'
                return Answer(400, Headers((("Content-Type", "application/x-amz-json-1.0"),)), body)
        return await lab.send(request)

    report = lab.restore([*lab.records, read], target=replace(lab.target(), send=send))
    assert not refused
    assert report.counts[Result.RESTORED] == 3
    retries = {(line["seq"], line["operation"], line["attempt"]) for line in log_lines if line["event"] == "retry"}
    assert retries == {(seq, "SendMessage", 2) for seq in messages} | {(9, "GetQueueUrl", 2)}
