"""Observations in a plan: they are calls in their place, and a message lives where it was seen last."""

from __future__ import annotations

import zlib
from pathlib import Path

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordingHeader, RecordKind
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning.plan import live_calls

URL = "http://127.0.0.1:4566/000000000000/"
MUTATION, OBSERVATION = RecordKind.MUTATION, RecordKind.OBSERVATION


def record(seq: int, kind: RecordKind, operation: str, answer: dict[str, object], **params: object) -> Record:
    head = CallHead("sqs", operation, "json", "", "us-east-1", "test")
    fields = (("Host", "127.0.0.1:4566"), ("X-Amz-Target", f"AmazonSQS.{operation}"))
    request = Request("POST", "/", Headers(fields), orjson.dumps(params))
    notes = {"seen_by": "sqs:peek"} if kind is OBSERVATION else {}
    handle = params.get("ReceiptHandle")
    if isinstance(handle, str):
        notes = {**notes, "messages": {handle: handle.removeprefix("observed-")}}
    shown = Answer(200, Headers(), orjson.dumps(answer))
    return Record(seq, f"2026-01-31T12:00:{seq:02}.000000Z", 0.0, kind, head, request, shown, notes=notes)


def queue(seq: int, name: str) -> Record:
    return record(seq, MUTATION, "CreateQueue", {"QueueUrl": URL + name}, QueueName=name)


def message(seq: int, kind: RecordKind, name: str, identity: str) -> Record:
    return record(seq, kind, "SendMessage", {"MessageId": identity}, QueueUrl=URL + name, MessageBody=identity)


def gone(seq: int, kind: RecordKind, name: str, identity: str) -> Record:
    return record(seq, kind, "DeleteMessage", {}, QueueUrl=URL + name, ReceiptHandle=f"observed-{identity}")


def test_a_message_that_was_seen_waiting_is_sent_and_one_that_was_consumed_is_not() -> None:
    calls = [
        queue(1, "orders"),
        message(2, OBSERVATION, "orders", "delivered"),
        message(3, OBSERVATION, "orders", "consumed by a client"),
        message(4, MUTATION, "orders", "consumed past the proxy"),
        gone(5, MUTATION, "orders", "consumed by a client"),
        gone(6, OBSERVATION, "orders", "consumed past the proxy"),
    ]
    assert [each.seq for each in live_calls(calls).kept] == [1, 2]


def test_a_message_lives_where_it_was_seen_last() -> None:
    calls = [
        queue(1, "work"),
        queue(2, "dead"),
        message(3, MUTATION, "work", "m"),
        message(4, OBSERVATION, "dead", "m"),
    ]
    assert [each.seq for each in live_calls(calls).kept] == [1, 2, 4]
    # Seen before its sender had the answer, and recorded after that.
    calls = [queue(1, "work"), message(2, OBSERVATION, "work", "m"), message(3, MUTATION, "work", "m")]
    assert [each.seq for each in live_calls(calls).kept] == [1, 3]


def test_a_reader_knows_observations_and_leaves_alone_kinds_that_it_does_not_know(tmp_path: Path) -> None:
    header = encode_header(RecordingHeader("id", "2026-01-31T12:00:00.000000Z"))
    observed = encode_record(message(1, OBSERVATION, "orders", "m"), 1)
    unknown = encode_record(message(2, OBSERVATION, "orders", "m"), 2).replace(b'"observation"', b'"hunch"')
    unknown = unknown[: unknown.index(b',"crc"')]
    unknown += b',"crc":"%08x"}\n' % zlib.crc32(unknown)
    (tmp_path / JOURNAL_NAME).write_bytes(header + observed + unknown)
    recording = read(tmp_path)
    assert recording.index.call_type(0).kind is OBSERVATION
    first, second = recording.records()
    assert (first.kind, first.flaw, first.notes) == (OBSERVATION, "", {"seen_by": "sqs:peek"})
    assert second.flaw == "its kind is 'hunch'"
