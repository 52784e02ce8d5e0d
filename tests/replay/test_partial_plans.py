"""Parts of a restore: what they hold, and that together they are the whole, in an order that the graph allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordKind, utc_now
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning.partial_plans import PartialPlans
from replay_proxy.wire.signing.sigv4 import Credential
from tests.journal import samples

HOST = "http://127.0.0.1:4566/123456789012"
TARGETS = {
    "sqs": ("AmazonSQS", "1.0"),
    "ssm": ("AmazonSSM", "1.1"),
    "kms": ("TrentService", "1.1"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
}


def record(service: str, operation: str, params: dict[str, object], result: dict[str, object] | None = None) -> Record:
    """A call of a JSON protocol and its answer."""
    prefix, version = TARGETS[service]
    content = f"application/x-amz-json-{version}"
    headers = Headers(
        (("Host", "127.0.0.1:4566"), ("Content-Type", content), ("X-Amz-Target", f"{prefix}.{operation}"))
    )
    return Record(
        0,
        utc_now(),
        1.0,
        RecordKind.MUTATION,
        CallHead(service, operation, "json", "123456789012", "us-east-1", "test"),
        Request("POST", "/", headers, orjson.dumps(params)),
        Answer(200, Headers((("Content-Type", content),)), orjson.dumps(result or {})),
        Credential("test", "us-east-1", service, "header"),
    )


def queue(name: str) -> Record:
    return record("sqs", "CreateQueue", {"QueueName": name}, {"QueueUrl": f"{HOST}/{name}"})


def message(name: str, body: str) -> Record:
    return record(
        "sqs", "SendMessage", {"QueueUrl": f"{HOST}/{name}", "MessageBody": body}, {"MessageId": f"id-{body}"}
    )


def attributes(name: str, size: int) -> Record:
    params: dict[str, object] = {"QueueUrl": f"{HOST}/{name}", "Attributes": {"MaximumMessageSize": str(size)}}
    return record("sqs", "SetQueueAttributes", params)


def parameter(name: str, value: str) -> Record:
    return record("ssm", "PutParameter", {"Name": name, "Value": value, "Type": "String"}, {"Version": 1})


def deleted(name: str) -> Record:
    return record("sqs", "DeleteQueue", {"QueueUrl": f"{HOST}/{name}"})


class PlanningError(Exception):
    """Something was planned that had been planned already."""


def refuse_to_plan() -> None:
    """A pace that no planning survives."""
    raise PlanningError


@pytest.fixture
def parts_of(tmp_path: Path) -> Callable[..., PartialPlans]:
    def make(*records: Record) -> PartialPlans:
        lines = [encode_record(each, seq) for seq, each in enumerate(records, 1)]
        (tmp_path / JOURNAL_NAME).write_bytes(encode_header(samples.HEADER) + b"".join(lines))
        return PartialPlans(read(tmp_path), supersede=True)

    return make


def test_a_part_is_its_service_alone_where_that_needs_nothing(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(queue("a"), message("a", "one"), parameter("/p", "1"), message("a", "two"))
    assert parts.calls == {"sqs": 3, "ssm": 1}
    assert parts.part({"ssm"}).seqs == [3]
    assert parts.part({"sqs"}).seqs == [1, 2, 4]


def test_what_a_service_refers_to_comes_with_it(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(queue("orders"), queue("other"), parameter("/p", f"{HOST}/orders"))
    assert set(parts.part({"ssm"}).seqs) >= {1, 3}


def test_a_change_of_a_queue_brings_the_messages_before_it(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(
        queue("orders"), message("orders", "large"), attributes("orders", 1024), parameter("/p", f"{HOST}/orders")
    )
    seqs = parts.part({"ssm"}).seqs
    assert 3 not in seqs or seqs.index(2) < seqs.index(3)


def test_data_of_services_that_are_not_asked_for_is_not_decoded(
    parts_of: Callable[..., PartialPlans], monkeypatch: pytest.MonkeyPatch
) -> None:
    from replay_proxy.journal.read import reader

    parts = parts_of(queue("a"), *(message("a", str(number)) for number in range(50)), parameter("/p", "1"))
    decoded: list[int] = []
    original = reader.decode_line

    def counted(line: bytes) -> object:
        found = original(line)
        decoded.append(found.item.seq)
        return found

    monkeypatch.setattr(reader, "decode_line", counted)
    parts.part({"ssm"})
    assert set(decoded) == {1, 52}


def test_parts_and_the_rest_are_the_whole_plan(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(
        queue("a"),
        parameter("/p", "1"),
        queue("gone"),
        message("gone", "lost"),
        deleted("gone"),
        message("a", "kept"),
        parameter("/q", f"{HOST}/a"),
    )
    first = parts.part({"ssm"})
    second = parts.part({"sqs"})
    whole = parts.whole(lambda: None)
    assert set(first.seqs) | set(second.seqs) == set(whole.order) == {1, 2, 6, 7}
    assert parts.whole(refuse_to_plan) is whole
    assert parts.part({"sqs"}).superseded == second.superseded == 3


def test_every_part_is_closed_and_in_an_order_that_the_graph_allows(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(queue("a"), message("a", "x"), attributes("a", 2048), queue("b"), parameter("/p", "1"))
    for service in ("sqs", "ssm"):
        part = parts.part({service})
        for place, seq in enumerate(part.seqs):
            assert part.plan.graph.predecessors(seq) <= set(part.seqs[:place])


def test_the_creations_of_a_service_are_planned_without_data(parts_of: Callable[..., PartialPlans]) -> None:
    parts = parts_of(queue("a"), message("a", "x"), attributes("a", 2048), queue("b"), message("b", "y"))
    outline = parts.creations({"sqs"})
    assert outline is not None
    assert outline.seqs == [1, 4]


def test_no_creations_are_planned_where_a_call_that_is_replayed_deletes(parts_of: Callable[..., PartialPlans]) -> None:
    unknown = deleted("made-before-the-recording-began")
    assert parts_of(queue("a"), unknown).creations({"sqs"}) is None
