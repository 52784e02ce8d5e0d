"""What reads say is lost counts, and pages are read as one listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.executor import Executor
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.planning.plan import plan_of_records
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.signing.sigv4 import Credential

HEADERS = Headers([("Host", "localhost:4566"), ("Content-Type", "application/x-amz-json-1.1")])


def witness(parameters: Mapping[str, Any], shown: Mapping[str, Any]) -> Record:
    head = CallHead("kms", "ListKeys", "json", "", "us-east-1", "test")
    request = Request(
        "POST", "/", Headers([*HEADERS.pairs, ("X-Amz-Target", "TrentService.ListKeys")]), orjson.dumps(parameters)
    )
    credential = Credential("test", "us-east-1", "kms", "header")
    answer = Answer(200, HEADERS, orjson.dumps(shown))
    return Record(7, "2026-01-31T12:00:00.000000Z", 1.0, RecordKind.WITNESS, head, request, answer, credential)


def keys(*names: str) -> list[dict[str, str]]:
    return [{"KeyId": name, "KeyArn": f"arn:aws:kms:us-east-1:000000000000:key/{name}"} for name in names]


class Emulator:
    """Lists keys, two a page."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked = 0
        state = SessionState()
        self.aliases = state.aliases
        self.target = RestoreTarget(self.send, self.load, state, Endpoints("http://127.0.0.1:1"))

    async def send(self, request: Request) -> Answer:
        self.asked += 1
        assert isinstance(request.body, bytes)
        start = int(orjson.loads(request.body or b"{}").get("Marker", "0"))
        shown: dict[str, Any] = {"Keys": keys(*self.names[start : start + 2]), "Truncated": start + 2 < len(self.names)}
        if shown["Truncated"]:
            shown["NextMarker"] = str(start + 2)
        return Answer(200, HEADERS, orjson.dumps(shown))

    async def load(self, _ref: BlobRef) -> bytes:
        raise AssertionError

    async def reads(self, *records: Record) -> RestoreReport:
        report, executor = RestoreReport("x"), Executor(self.target)
        async with executor.new_slots():
            for record in records:
                for each in await executor.read_witness(record, report, report_differences=True):
                    report.find(record.seq, "kms", "ListKeys", str(each), loss=each.is_loss)
        return report


async def test_an_element_that_is_missing_is_a_loss_and_the_restore_is_not_complete() -> None:
    report = await Emulator("one").reads(witness({}, {"Keys": keys("one", "two"), "Truncated": False}))
    report.finished = True
    assert report.lost == 1 and not report.complete
    assert report.as_json()["lost"] == 1
    assert [finding.as_json()["loss"] for finding in report.findings] == [True]


async def test_a_difference_that_is_no_loss_does_not_count() -> None:
    report = await Emulator("one", "two").reads(witness({}, {"Keys": keys("one"), "Truncated": False}))
    report.finished = True
    assert report.lost == 0 and report.complete and len(report.findings) == 1


async def test_what_was_on_one_page_is_found_on_another() -> None:
    # The page showed c and d; today c is on the first.
    second = witness({"Marker": "opaque"}, {"Keys": keys("c-old", "d-same"), "Truncated": True, "NextMarker": "more"})
    emulator = Emulator("c-new", "a-new", "b-new", "d-same", "e-new")
    emulator.aliases.add("a-old", "a-new")
    emulator.aliases.add("b-old", "b-new")
    emulator.aliases.add("e-old", "e-new")
    report = await emulator.reads(second)
    assert report.findings == [] and emulator.asked == 3
    assert emulator.aliases.to_emulator("c-old") == "c-new"


async def test_the_pages_of_one_listing_are_walked_once() -> None:
    first = witness({}, {"Keys": keys("aaaa", "bbbb"), "Truncated": True, "NextMarker": "x"})
    second = witness({"Marker": "x"}, {"Keys": keys("cccc", "dddd"), "Truncated": True, "NextMarker": "y"})
    third = witness({"Marker": "y"}, {"Keys": keys("eeee"), "Truncated": False})
    emulator = Emulator("1111", "2222", "3333", "4444", "5555")
    report = await emulator.reads(first, second, third)
    assert emulator.asked == 3
    assert report.lost == 0
    known = {emulator.aliases.to_emulator(name) for name in ("aaaa", "bbbb", "cccc", "dddd", "eeee")}
    assert known == {"1111", "2222", "3333", "4444", "5555"}


async def test_a_page_of_which_nothing_is_left_is_a_loss() -> None:
    page = witness({"Marker": "opaque"}, {"Keys": keys("gone-1", "gone-2"), "Truncated": False})
    report = await Emulator().reads(page)
    assert report.lost == 2


class Describer(Emulator):
    """Describes a key otherwise than it was."""

    async def send(self, _request: Request) -> Answer:
        return Answer(200, HEADERS, orjson.dumps({"KeyMetadata": {"KeyId": "one", "Description": "drawn today"}}))


async def test_of_several_that_are_the_same_read_the_latest_is_told() -> None:
    """What an emulator draws at each start is other than each of them showed."""

    def described(seq: int, description: str, parameters: bytes = b'{"KeyId": "one"}') -> Record:
        read = witness({}, {"KeyMetadata": {"KeyId": "one", "Description": description}})
        assert read.head is not None
        headers = Headers([*HEADERS.pairs, ("X-Amz-Target", "TrentService.DescribeKey")])
        request = replace(read.request, headers=headers, body=parameters)
        return replace(read, seq=seq, head=replace(read.head, operation="DescribeKey"), request=request)

    shown = [described(7, "drawn at first"), described(8, "drawn then")]
    shown.append(described(9, "drawn then", b'{"KeyId": "one", "GrantTokens": []}'))
    report = await Executor(Describer().target).run(plan_of_records(shown, supersede=False), RestoreReport("x"))
    assert [finding.seq for finding in report.findings] == [9, 8]
