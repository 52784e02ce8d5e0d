"""`scripts/bench journal`: what an append costs, by save strategy and number of clients, and what reading back costs.

Of `JournalWriter.append` alone: no proxy, no emulator. The record is a small SQS call with the headers that an SDK sends. The
peer is a plain append of the same bytes to a file, with an fsync where the strategy has one. The files lie in `.cache/bench`,
because a RAM disk, as /tmp often is, makes fsync look free.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import orjson

from bench.processes import ROOT
from bench.report import Report
from bench.turns import in_turns, ratios, spread
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.encode import encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordKind, utc_now
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.wire.signing.sigv4 import Credential

REQUEST = Request(
    "POST",
    "/",
    Headers(
        [
            ("Host", "127.0.0.1:4566"),
            ("Accept-Encoding", "identity"),
            ("X-Amz-Target", "AmazonSQS.SendMessage"),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("User-Agent", "Boto3/1.40 md/Botocore#1.40 ua/2.1 os/linux lang/python#3.11 cfg/retry-mode#legacy"),
            ("X-Amz-Date", "20260131T120000Z"),
            ("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/sqs/aws4_request, ..."),
            ("amz-sdk-invocation-id", "f9a1c3f6-8a3b-4f9d-9a50-3f1a9f2f5ad5"),
            ("amz-sdk-request", "attempt=1"),
            ("Content-Length", "120"),
        ]
    ),
    b'{"QueueUrl":"http://127.0.0.1:4566/000000000000/orders","MessageBody":"an order of twelve pieces"}',
)
ANSWER = Answer(
    200,
    Headers(
        [
            ("Server", "Werkzeug/3.1"),
            ("Date", "Sat, 31 Jan 2026 12:00:00 GMT"),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("x-amzn-RequestId", "c3a7a0d6-1a59-4b9e-8a83-0d1f1b0c9f1f"),
            ("Content-Length", "98"),
        ]
    ),
    b'{"MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661","MessageId":"6b1d0f0e-58f8-4d8c-9b9f-0a6e2d5c2f11"}',
)


def sample() -> Record:
    head = CallHead("sqs", "SendMessage", "json", "", "us-east-1", "test")
    return Record(
        0,
        utc_now(),
        3.2,
        RecordKind.MUTATION,
        head,
        REQUEST,
        ANSWER,
        Credential("test", "us-east-1", "sqs", "header"),
        {},
    )


async def _appends(directory: Path, strategy: SaveStrategy, clients: int, count: int) -> float:
    """Microseconds for one append, where `clients` append `count` records together."""
    writer = await JournalWriter.open(directory, strategy=strategy)
    record = sample()

    async def client() -> None:
        for _ in range(count // clients):
            await writer.append(record)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - begun
    await writer.close()
    return seconds / count * 1e6


def _ours(directory: Callable[[], Path], strategy: SaveStrategy, clients: int, count: int) -> float:
    return asyncio.run(_appends(directory(), strategy, clients, count))


def _plain(path: Callable[[], Path], line: bytes, count: int, sync: bool) -> float:
    """Microseconds for one plain append."""
    fd = os.open(path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begun = time.perf_counter()
    for _ in range(count):
        os.write(fd, line)
        if sync:
            os.fdatasync(fd)
    seconds = time.perf_counter() - begun
    os.close(fd)
    return seconds / count * 1e6


def run(quick: bool) -> Report:
    """Measure."""
    report = Report("journal", "microseconds for one append, and for reading one record back")
    cache = ROOT / ".cache" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    count = 2_000 if quick else 20_000
    record = sample()
    line = encode_record(record, 1)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        number = 0

        def directory() -> Path:
            nonlocal number
            number += 1
            return Path(scratch) / str(number)

        for strategy in SaveStrategy:
            sync = strategy is SaveStrategy.ON_REQUEST
            many = count // 10 if sync else count
            for clients in (1, 16):
                ours = partial(_ours, directory, strategy, clients, many)
                plain = partial(_plain, directory, line, many, sync)
                measured = in_turns({"ours": ours, "plain": plain}, 3)
                what = f"append, {strategy}, {clients} clients"
                _row(
                    report,
                    what,
                    measured["ours"],
                    "a plain write" + (" and fdatasync" if sync else ""),
                    measured["plain"],
                )
        long = directory()
        lines = 10_000 if quick else 200_000
        asyncio.run(_appends(long, SaveStrategy.ON_SHUTDOWN, 1, lines))
        whole = in_turns(
            {
                "verify": lambda: _timed(lambda: read(long).records_total) / lines * 1e6,
                "decode": lambda: _timed(lambda: sum(1 for _ in read(long))) / lines * 1e6,
                "json": lambda: _timed(lambda: _as_json(long)) / lines * 1e6,
            },
            3,
        )
        _row(report, "verify checksum and order", whole["verify"], "orjson alone", whole["json"])
        _row(report, "verify and decode", whole["decode"], "orjson alone", whole["json"])
    return report


def _row(report: Report, what: str, ours: list[float], against: str, other: list[float]) -> None:
    figures = {"µs": spread(ours), "against": against, "its µs": spread(other), "ratio": spread(ratios(ours, other))}
    report.row({"what": what, **figures})


def _timed(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def _as_json(directory: Path) -> int:
    with (directory / JOURNAL_NAME).open("rb") as lines:
        return sum(len(orjson.loads(line)) for line in lines)
