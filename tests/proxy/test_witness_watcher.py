"""How much waits to be looked at: a bound in number and in bytes, whatever passes."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.storage.blobs import BlobStore, Spool
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.journaling.witness_watcher import (
    LARGE_BYTES_MAX,
    LARGE_MAX,
    QUEUE_BYTES_MAX,
    QUEUE_MAX,
    WitnessWatcher,
)
from replay_proxy.supervision import Supervisor

READ = CallHead("ec2", "DescribeVpcs", "ec2")
CHANGE = CallHead("sqs", "SendMessage", "json")


class Taking:
    """What of a recorder the watch asks for: everything is to be recorded."""

    last_seq = 1

    def __init__(self, folder: Path) -> None:
        self._blobs = BlobStore(folder, durable=False)
        self.recorded: list[Answer] = []

    def is_wanted(self, _head: CallHead, *, witness: bool) -> bool:
        return witness

    def spool_answer(self, body: bytes) -> Spool:
        spool = self._blobs.begin()
        spool.write(body)
        return spool

    def stored(self, body: BlobRef, chunk_bytes: int) -> Iterator[bytes]:
        return self._blobs.read(body, chunk_bytes)

    async def witness(
        self, _head: CallHead, _request: Request, answer: Answer, *, after: int, counts: Callable[[], bool]
    ) -> bool:
        await asyncio.sleep(0)
        if counts():
            self.recorded.append(answer)
        return counts()


def watch(folder: Path) -> WitnessWatcher:
    made = WitnessWatcher(cast(Recorder, Taking(folder)), Supervisor())
    made.pause()
    return made


@pytest.mark.parametrize("padding", [100, 60_000, 250_000, 5_000_000])
async def test_what_waits_has_a_bound_in_bytes(padding: int, tmp_path: Path) -> None:
    held_back = watch(tmp_path)
    tracemalloc.start()
    try:
        for number in range(1_000 if padding < 1 << 20 else 100):
            body = b"%d" % number + bytes(padding)
            answer = Answer(200, Headers(), b"%d" % number + bytes(padding))
            held_back.note_change(CHANGE, Request("POST", "/", Headers(), body), answer)
            held_back.note_read(READ, Request("POST", f"/{number}", Headers(), body), body, lambda given=answer: given)
            assert held_back.bytes_held <= 2 * QUEUE_BYTES_MAX
            if not number % 50:
                await asyncio.sleep(0.006)
        held_back.queue_noted()
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_back.bytes_held <= QUEUE_BYTES_MAX
    assert held <= QUEUE_BYTES_MAX + (3 << 20)
    assert len(held_back._queue) <= QUEUE_MAX
    on_disk = [path.stat().st_size for path in tmp_path.rglob("blobs/tmp/*")]
    assert len(on_disk) <= LARGE_MAX and sum(on_disk) <= LARGE_BYTES_MAX
    await held_back.stop()


async def test_a_body_that_is_too_large_does_not_keep_its_call_from_being_looked_at(tmp_path: Path) -> None:
    held_back = watch(tmp_path)
    shown = Answer(200, Headers(), b'{"Arn":"arn:aws:lambda:us-east-1:123456789012:function:resize-01"}')
    made = CallHead("lambda", "CreateFunction", "rest-json")
    held_back.note_change(made, Request("POST", "/2015-03-31/functions", Headers(), bytes(1 << 20)), shown)
    held_back.queue_noted()
    assert held_back.bytes_held < 1024
    (item,) = held_back._queue.values()
    assert item[2] is shown
    await held_back.stop()


def many_vpcs(count: int, seed: int = 0) -> bytes:
    items = "".join(f"<item><vpcId>vpc-{seed:04x}{n:013x}</vpcId><state>available</state></item>" for n in range(count))
    return f"<DescribeVpcsResponse><vpcSet>{items}</vpcSet></DescribeVpcsResponse>".encode()


async def test_a_large_answer_becomes_a_blob_once_and_leaves_no_file_behind(tmp_path: Path) -> None:
    watcher = watch(tmp_path)
    recorder = cast(Taking, watcher._recorder)
    watcher.start()
    request = Request("POST", "/", Headers(), b"Action=DescribeVpcs&Version=2016-11-15")
    known, new = many_vpcs(6_000), many_vpcs(6_000) + b" "
    unknown = many_vpcs(6_000).replace(b"vpc-0000000000000176f", b"vpc-0000000000000ffff")
    assert known != unknown
    watcher.resume()
    for body, witnesses in ((known, 1), (new, 1), (unknown, 2)):
        watcher.note_read(READ, request, body, lambda body=body: Answer(200, Headers(), body))
        async with asyncio.timeout(20):
            while watcher._queue or list(tmp_path.rglob("blobs/tmp/*")):
                await asyncio.sleep(0.02)
        assert len(recorder.recorded) == witnesses
    await watcher.stop()
    first = recorder.recorded[0].body
    assert isinstance(first, BlobRef) and b"".join(BlobStore(tmp_path).read(first)) == known


async def test_a_large_answer_that_is_looked_at_when_all_ends_is_recorded(tmp_path: Path) -> None:
    watcher = watch(tmp_path)
    recorder = cast(Taking, watcher._recorder)
    watcher.start()
    watcher.resume()
    body = many_vpcs(20_000)
    watcher.note_read(
        READ, Request("POST", "/", Headers(), b"Action=DescribeVpcs"), body, lambda: Answer(200, Headers(), body)
    )
    await asyncio.sleep(0.03)
    await watcher.stop()
    assert len(recorder.recorded) == 1
    assert not list(tmp_path.rglob("blobs/tmp/*"))


async def test_the_same_read_in_another_region_or_account_is_another_read(tmp_path: Path) -> None:
    held_back = watch(tmp_path)
    request = Request("POST", "/", Headers(), b"Action=DescribeVpcs&Version=2016-11-15")
    heads = [
        READ,
        replace(READ, region="eu-west-1"),
        replace(READ, account="222222222222"),
        replace(READ, access_key="ASIA1"),
    ]
    for number, head in enumerate(heads):
        body = many_vpcs(1, number)
        held_back.note_read(head, request, body, lambda given=body: Answer(200, Headers(), given))
    held_back.note_read(READ, request, many_vpcs(2), lambda: Answer(200, Headers(), many_vpcs(2)))
    held_back.queue_noted()
    assert len(held_back._queue) == len(heads)
    await held_back.stop()


async def test_a_large_answer_that_is_the_same_again_is_not_looked_at_again(tmp_path: Path) -> None:
    held_back = watch(tmp_path)
    listing = CallHead("s3", "ListObjectVersions", "rest-xml")
    body = b"<ListVersionsResult>" + b"<Version><VersionId>v</VersionId></Version>" * 10_000 + b"</ListVersionsResult>"
    first: list[Path] = []
    for _ in range(3):
        held_back.note_read(
            listing, Request("GET", "/b?versions", Headers()), body, lambda: Answer(200, Headers(), body)
        )
        assert len(held_back._queue) == 1
        spools = list(tmp_path.rglob("blobs/tmp/*"))
        assert len(spools) == 1
        first = first or spools
        assert spools == first
    await held_back.stop()


async def test_what_was_shown_before_a_reset_is_not_recorded_after_it(tmp_path: Path) -> None:
    """Neither what waits, nor what is being looked at; and its file goes."""
    watcher = watch(tmp_path)
    recorder = cast(Taking, watcher._recorder)
    request = Request("POST", "/", Headers(), b"Action=DescribeVpcs&Version=2016-11-15")
    for number, body in enumerate((many_vpcs(1), many_vpcs(6_000, 1))):
        watcher.note_read(READ, Request("POST", f"/{number}", Headers(), request.body), body, _given(body))
    watcher.queue_noted()
    looking = asyncio.create_task(watcher._look_at(watcher._take_oldest()))
    await asyncio.sleep(0)
    watcher.forget()
    await looking
    assert not recorder.recorded and not watcher._queue and watcher._large_count == watcher._large_bytes == 0
    assert not list(tmp_path.rglob("blobs/tmp/*"))
    watcher.note_read(READ, request, many_vpcs(1, 2), _given(many_vpcs(1, 2)))
    watcher.queue_noted()
    await watcher._look_at(watcher._take_oldest())
    assert len(recorder.recorded) == 1
    await watcher.stop()


async def test_whoever_changes_the_recording_waits_for_what_is_being_looked_at(tmp_path: Path) -> None:
    watcher = watch(tmp_path)
    watcher.note_read(READ, Request("POST", "/", Headers(), b""), many_vpcs(1), _given(many_vpcs(1)))
    watcher.queue_noted()
    looking = asyncio.create_task(watcher._look_at(watcher._take_oldest()))
    await asyncio.sleep(0)
    await watcher.rest()
    assert looking.done() or len(cast(Taking, watcher._recorder).recorded) == 1
    await looking
    await watcher.stop()


def _given(body: bytes) -> Callable[[], Answer]:
    return lambda: Answer(200, Headers(), body)
