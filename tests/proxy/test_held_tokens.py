"""Which services give tokens of readings, and how records of a stream are found again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import botocore.session
import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.held import held_file as module
from replay_proxy.proxy.requests.held.held_file import DELAY_S, HeldFile
from replay_proxy.proxy.requests.held.held_tokens import TOKENS_FILE, HeldTokens
from replay_proxy.proxy.requests.held.sessions import Reading, advanced, opened, position_of, tokens_of
from replay_proxy.proxy.requests.held.stream_records import RECORDS_FILE, Shown, pairs, shown_in
from replay_proxy.proxy.requests.receipts.handles import RECEIPTS_FILE, ReceiptHandles
from replay_proxy.wire.codecs.build_request import build_request


def test_the_models_tell_which_tokens_are_of_readings() -> None:
    services = botocore.session.get_session().get_available_services()
    found = {service: tokens for service in services if (tokens := tokens_of(service)) is not None}
    assert set(found) == {"kinesis", "dynamodbstreams", "appconfigdata"}
    assert (found["appconfigdata"].takes, found["appconfigdata"].spelled) == (
        "ConfigurationToken",
        "configuration_token",
    )
    assert found["kinesis"].spelled == found["dynamodbstreams"].spelled == "ShardIterator"
    assert found["kinesis"].opens == {"GetShardIterator": "ShardIterator"}


@pytest.mark.parametrize("service", ["kinesis", "dynamodbstreams"])
def test_positions_are_members_of_the_models(service: str) -> None:
    position, tokens = position_of(service), tokens_of(service)
    assert position is not None
    assert tokens is not None
    model = botocore.session.get_session().get_service_model(service).operation_model("GetShardIterator").input_shape
    assert {position["after"], position["end"], position["start"]} <= set(model.members[position["type"]].enum)
    assert position["number"] in model.members


def test_a_reading_goes_on_behind_what_it_has_shown() -> None:
    head = CallHead("kinesis", "GetShardIterator", "json")
    at_end = opened(head, {"StreamName": "s", "ShardId": "0", "ShardIteratorType": "LATEST"}, 17.5, None)
    assert at_end.parameters["ShardIteratorType"] == "AT_TIMESTAMP"
    assert at_end.parameters["Timestamp"] == 17.5
    assert advanced("kinesis", at_end, {"Records": []}) == at_end
    shown = advanced("kinesis", at_end, {"Records": [{"SequenceNumber": "7"}, {"SequenceNumber": "9"}]})
    said = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "9"}
    assert shown == Reading("GetShardIterator", {"StreamName": "s", "ShardId": "0", **said})


def records(text: str, first: int = 0) -> list[Shown]:
    return [Shown(str(number), (), letter) for number, letter in enumerate(text, first)]


@pytest.mark.parametrize(
    ("shown", "today", "found"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("bc", "abcd", [1, 2]),  # began at the end
        ("ab", "abcd", [0, 1]),  # saw no more
        ("aaab", "aaaab", [1, 2, 3, 4]),  # like ones, told by one that is alone
        ("baa", "baaa", [0, 1, 2]),
        ("aa", "aaa", [0, 1]),
        ("xab", "ab", [0, 1]),  # one that is over
        ("xy", "ab", []),
    ],
)
def test_records_are_found_again_by_contents_and_place(shown: str, today: str, found: list[int]) -> None:
    assert [int(each.number) for _, each in pairs(records(shown, 100), records(today))] == found


def test_a_record_is_known_without_what_is_drawn_of_it() -> None:
    def record(number: str, event: str, size: int, name: str) -> dict[str, object]:
        inner = {"SequenceNumber": number, "SizeBytes": size, "ApproximateCreationDateTime": size, "Keys": name}
        return {"eventID": event, "eventName": "INSERT", "dynamodb": inner}

    one, same, other = (
        shown_in("dynamodbstreams", {"Records": [each]})[0]
        for each in (record("1", "x", 10, "k"), record("2", "y", 12, "k"), record("3", "z", 10, "l"))
    )
    assert one.digest == same.digest != other.digest
    assert (one.number, one.drawn) == ("1", ("x",))


async def test_what_is_written_is_read_again_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 2_000)
    file = HeldFile(tmp_path, "held.jsonl")
    for number in range(500):
        file.add("token", f"{number:03}")
        file.flush()
    file.close()
    sizes = [(tmp_path / name).stat().st_size for name in ("held.jsonl", "held.jsonl.older")]
    assert max(sizes) < 2_100
    with (tmp_path / "held.jsonl").open("ab") as cut:
        cut.write(b'["token","4')  # a kill in the middle of a line
    again = HeldFile(tmp_path, "held.jsonl")
    again.add("token", "after")
    again.flush()
    lines = HeldFile(tmp_path, "held.jsonl").read()
    assert lines[-1] == ["token", "after"]
    assert ["token", "499"] in lines


DAMAGED: list[object] = [
    [],
    {},
    "token",
    ["token", "no digest", "kinesis", "GetShardIterator", {}, 4e9],
    ["token", "00", "../kinesis", "GetShardIterator", {}, 4e9],
    ["token", "00", "kinesis", "DeleteStream", {"StreamName": "s"}, 4e9],
    ["token", "00", "kinesis", "GetShardIterator", [], 4e9],
    ["token", "00", "kinesis", "GetShardIterator"],
    ["records", ["dynamodbstreams", "", "", "GetShardIterator", "{"], [["1", ["e"], "d"]]],
    ["records", ["dynamodbstreams", "", "", "GetShardIterator", "1"], [["1", ["e"], "d"]]],
    ["records", ["dynamodbstreams", "", "", "DeleteTable", "{}"], [["1", ["e"], "d"]]],
    ["records", ["dynamodbstreams", "", "", "GetShardIterator", "{}"], [["1", [], "d"], 5]],
    ["records", ["dynamodbstreams", "", "", "GetShardIterator", "{}"], [["1", ["a", "b"], "d"], [1, 2, 3]]],
    ["records", ["dynamodbstreams", "", "", "GetShardIterator", "{}"], 5],
    ["receipt", "no digest", "m", "q", 4e9],
    ["deleted", "no digest", 4e9],
    ["receipt", "00", None, "q", 4e9],
    ["lost", "more"],
]


async def _nobody(_request: Request, _head: CallHead | None) -> Answer:
    raise AssertionError("nobody is asked")


async def test_what_somebody_has_changed_in_a_file_is_passed_over(tmp_path: Path) -> None:
    good = ["token", "0f" * 16, "kinesis", "GetShardIterator", {"StreamName": "s"}, 4e9]
    lines = [*map(orjson.dumps, DAMAGED), b"\xff\x00 no JSON", b"[" * 100_000, orjson.dumps(good)]
    for name in (TOKENS_FILE, RECORDS_FILE, RECEIPTS_FILE):
        (tmp_path / name).write_bytes(b"\n".join(lines))
    tokens = HeldTokens(tmp_path, _nobody, lambda _head, _client, _emulator: None, lambda _head, _table: [])
    tokens.begin_generation()
    receipts = ReceiptHandles(held_file=HeldFile(tmp_path, RECEIPTS_FILE))
    receipts.begin_emulator_generation()
    assert list(tokens._tokens) == [bytes.fromhex("0f" * 16)]
    assert not tokens._records.any_pending
    assert not receipts.any_stale


@pytest.mark.parametrize("make", ["directory", "link", "pipe"])
async def test_what_is_no_file_is_not_read(tmp_path: Path, make: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(orjson.dumps(["token", "0f" * 16, "kinesis", "GetShardIterator", {"StreamName": "s"}, 4e9]))
    name = tmp_path / TOKENS_FILE
    {"directory": name.mkdir, "link": lambda: name.symlink_to(other), "pipe": lambda: os.mkfifo(name)}[make]()
    tokens = HeldTokens(tmp_path, _nobody, lambda _head, _client, _emulator: None, lambda _head, _table: [])
    assert not tokens._tokens


async def test_what_was_stale_is_stale_for_a_proxy_that_finds_the_emulator_as_it_was(tmp_path: Path) -> None:
    def read() -> HeldTokens:
        return HeldTokens(tmp_path, _nobody, lambda _head, _client, _emulator: None, lambda _head, _table: [])

    head = CallHead("kinesis", "GetShardIterator", "json")
    asked = build_request(head, {"StreamName": "s", "ShardId": "0", "ShardIteratorType": "TRIM_HORIZON"}, "h")

    def give(tokens: HeldTokens, token: str) -> None:
        answer = Answer(200, Headers([]), orjson.dumps({"ShardIterator": token}))
        tokens.note(head, asked, b"", lambda: answer)
        tokens._read()

    def presents(tokens: HeldTokens, token: str) -> bool:
        return tokens.may_be_presented(b'POST / HTTP/1.1\r\n\r\n{"ShardIterator": "%b"}' % token.encode(), 19)

    first = read()
    give(first, "old")
    again = read()
    assert not presents(again, "old")
    again.begin_generation()
    give(again, "new")
    third = read()
    assert presents(third, "old")
    assert not presents(third, "new")


async def test_receipts_that_were_stale_are_so_for_the_next_proxy(tmp_path: Path) -> None:
    first = ReceiptHandles(held_file=HeldFile(tmp_path, RECEIPTS_FILE))
    first.remember("m1", "old", "http://h/1/q")
    first.begin_emulator_generation()
    first.remember("m2", "new", "http://h/1/q")
    await asyncio.sleep(2 * DELAY_S)
    second = ReceiptHandles(held_file=HeldFile(tmp_path, RECEIPTS_FILE))
    assert second.stale_among(["old", "new"]) == {"old": "m1"}
