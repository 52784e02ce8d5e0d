"""What is kept of receipts: how much, for how long, and which requests have to be looked at because of them."""

from __future__ import annotations

import json
import tracemalloc
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.receipts import handles as module
from replay_proxy.proxy.requests.receipts.handles import (
    HOLD_S_MAX,
    REMEMBERED_BYTES_MAX,
    REPEAT_S_MAX,
    UNREAD_BYTES_MAX,
    ReceiptHandles,
    may_name_receipts,
)

QUEUE = "http://localhost:4566/123456789012/q"
OTHER = "http://localhost:4566/123456789012/other"


def call(operation: str, **parameters: Any) -> tuple[CallHead, Request]:
    body = json.dumps({"QueueUrl": QUEUE, **parameters}).encode()
    fields = Headers([("X-Amz-Target", f"AmazonSQS.{operation}"), ("Content-Type", "application/x-amz-json-1.0")])
    return CallHead("sqs", operation, "json"), Request("POST", "/", fields, body)


def delivered(messages: list[tuple[str, str]], padding: int = 0) -> Answer:
    listed = [{"MessageId": message, "ReceiptHandle": handle, "Body": "b" * padding} for message, handle in messages]
    fields = Headers([("Content-Type", "application/x-amz-json-1.0")])
    return Answer(200, fields, json.dumps({"Messages": listed}).encode())


def receive(known: ReceiptHandles, *messages: tuple[str, str], queue: str = QUEUE, padding: int = 0) -> None:
    answer = delivered(list(messages), padding)
    assert isinstance(answer.body, bytes)
    known.note_received(*call("ReceiveMessage", QueueUrl=queue), answer.body, lambda: answer)


def delete(known: ReceiptHandles, handle: str) -> dict[str, str]:
    """A deletion that is recorded; its note."""
    deletion = call("DeleteMessage", ReceiptHandle=handle)
    notes = known.notes_for(*deletion)
    known.note_change(*deletion, notes)
    return dict(notes.get("messages", {}))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_deletion_says_which_message_it_deletes_and_says_it_again() -> None:
    known = ReceiptHandles()
    receive(known, ("m1", "h1"), ("m2", "h2"))
    assert delete(known, "h1") == {"h1": "m1"}
    assert delete(known, "h1") == {"h1": "m1"}
    assert delete(known, "unheard of") == {}


def test_large_answers_are_not_kept() -> None:
    known = ReceiptHandles()
    tracemalloc.start()
    try:
        for number in range(400):
            receive(known, (f"m{number}", f"h{number}"), padding=250_000)
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < UNREAD_BYTES_MAX + (4 << 20)
    assert delete(known, "h0") == {"h0": "m0"}


def test_small_answers_are_parsed_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    parse = module.parse_answer
    monkeypatch.setattr(module, "parse_answer", lambda *given: asked.append(given) or parse(*given))
    known = ReceiptHandles()
    for number in range(50):
        receive(known, (f"m{number}", f"h{number}"))
    assert not asked
    assert delete(known, "h49") == {"h49": "m49"}
    assert len(asked) == 50


@pytest.mark.parametrize("length", [40, 2_000])
@pytest.mark.parametrize("stale", [False, True])
def test_hundreds_of_thousands_of_receipts_have_a_bound_in_bytes(length: int, stale: bool) -> None:
    count = 200_000 if length == 40 else 40_000
    known = ReceiptHandles()
    tracemalloc.start()
    try:
        if stale:
            receive(known, ("first", "first"))
            known.begin_emulator_generation()
        for number in range(count):
            known.remember(f"message-{number}", f"{number}-".ljust(length, "x"), QUEUE)
            assert known.bytes_held <= REMEMBERED_BYTES_MAX
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held <= REMEMBERED_BYTES_MAX  # the estimate is an upper one
    newest = f"{count - 1}-".ljust(length, "x")
    assert delete(known, newest) == {newest: f"message-{count - 1}"}
    assert delete(known, "0-".ljust(length, "x")) == {}


def test_the_receipt_of_today_stands_in_for_a_stale_one() -> None:
    known = ReceiptHandles()
    receive(known, ("m1", "h1"))
    assert known.stale_among(["h1"]) == {}
    known.begin_emulator_generation()
    assert known.any_stale
    assert known.stale_among(["h1", "h2"]) == {"h1": "m1"}
    assert known.latest_handle("m1") == ""
    receive(known, ("m1", "today"))
    assert known.stale_among(["today"]) == {}
    assert known.latest_handle("m1") == "today"
    known.begin_emulator_generation()
    assert known.stale_among(["h1", "today"]) == {"h1": "m1", "today": "m1"}
    assert known.latest_handle("m1") == ""


def test_a_receipt_of_a_deleted_message_is_forgotten_when_its_deletion_is_repeated_no_more() -> None:
    clock = Clock()
    known = ReceiptHandles(clock)
    receive(known, ("m1", "h1"), ("m1", "h1 again"), ("m2", "h2"))
    known.begin_emulator_generation()
    delete(known, "h1")
    clock.now += REPEAT_S_MAX - 1
    assert set(known.stale_among(["h1", "h1 again", "h2"])) == {"h1", "h1 again", "h2"}
    delete(known, "h2")
    clock.now += 2
    assert known.any_stale
    assert set(known.stale_among(["h1", "h1 again", "h2"])) == {"h2"}
    clock.now += REPEAT_S_MAX
    assert not known.any_stale


def test_a_message_that_was_deleted_by_the_receipt_of_today_has_no_stale_ones() -> None:
    clock = Clock()
    known = ReceiptHandles(clock)
    receive(known, ("m1", "h1"))
    known.begin_emulator_generation()
    receive(known, ("m1", "today"))
    delete(known, "today")
    clock.now += REPEAT_S_MAX
    assert not known.any_stale


def test_what_was_deleted_long_before_the_emulator_was_lost_does_not_get_stale() -> None:
    clock = Clock()
    known = ReceiptHandles(clock)
    receive(known, ("m1", "h1"), ("m2", "h2"))
    delete(known, "h1")
    delete(known, "h2")
    clock.now += REPEAT_S_MAX
    known.begin_emulator_generation()
    assert not known.any_stale


def test_nobody_holds_a_message_for_longer_than_its_visibility_can_last() -> None:
    clock = Clock()
    known = ReceiptHandles(clock)
    receive(known, ("m1", "h1"))
    known.begin_emulator_generation()
    clock.now += HOLD_S_MAX - 1
    assert known.any_stale
    clock.now += 1
    assert not known.any_stale


@pytest.mark.parametrize("operation", ["DeleteQueue", "PurgeQueue"])
def test_receipts_go_with_their_queue(operation: str) -> None:
    known = ReceiptHandles()
    receive(known, ("m1", "h1"))
    receive(known, ("m2", "h2"), queue=OTHER)
    known.begin_emulator_generation()
    known.note_change(*call(operation, QueueUrl="http://another-name:1/123456789012/q"), {})
    assert known.any_stale
    assert set(known.stale_among(["h1", "h2"])) == {"h2"}
    known.note_change(*call(operation, QueueUrl=OTHER), {})
    assert not known.any_stale


def test_what_is_no_answer_to_receive_message_is_left_alone() -> None:
    known = ReceiptHandles()
    head, request = call("ReceiveMessage")
    for body in (b"", b"no JSON", b'{"Messages":[1,{}]}', b'{"Messages":7}', b"[]"):
        known.note_received(head, request, body, partial(Answer, 200, Headers(), body))
    receive(known, ("m1", "h1"))
    assert delete(known, "h1") == {"h1": "m1"}


@pytest.mark.parametrize(
    "data",
    [
        call("DeleteMessage", ReceiptHandle="h")[1].body,
        call("DeleteMessageBatch", Entries=[{"Id": "1", "ReceiptHandle": "h"}])[1].body,
        urlencode({"Action": "DeleteMessage", "ReceiptHandle": "h+/="}).encode(),
        rb'{"QueueUrl":"u","\u0052eceiptHandle":"h"}',
        rb'{"QueueUrl":"u","Receip\u0074Handle":"h"}',
        b"Action=DeleteMessage&%52eceiptHandle=h",
        b"Action=DeleteMessage&Receip%2574Handle=h",
    ],
)
def test_requests_that_could_name_a_receipt(data: bytes) -> None:
    assert may_name_receipts(data)


@pytest.mark.parametrize(
    "data",
    [
        call("SendMessage", MessageBody="hello")[1].body,
        call("ReceiveMessage")[1].body,
        b"GET /bucket/a%20key%2Fwith%3Asigns HTTP/1.1\r\nhost: h\r\n\r\n",
        b"Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=vpc-id",
    ],
)
def test_requests_that_cannot(data: bytes) -> None:
    assert not may_name_receipts(data)
