"""What an append to the journal costs, by save strategy and number of clients, and what reading it back costs.

    python bench/journal_append.py [--records 20000] [--dir DIRECTORY]

The directory should be on the disk that is to be measured (a RAM disk makes ON_REQUEST look free). Times are of
`JournalWriter.append` alone: no proxy, no emulator. The record is a small SQS call with the headers that an SDK sends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import shutil
import tempfile
import time
from pathlib import Path

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.codec import decode_line, encode_record
from replay_proxy.journal.fields import answer_to_keep, request_to_keep
from replay_proxy.journal.reader import read
from replay_proxy.journal.records import Kind, Record, utc_now
from replay_proxy.journal.writer import JournalWriter, SaveStrategy
from replay_proxy.wire.signing import Credential

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
        0, utc_now(), 3.2, Kind.MUTATION, head, REQUEST, ANSWER, Credential("test", "us-east-1", "sqs", "header"), {}
    )


async def appends(directory: Path, strategy: SaveStrategy, clients: int, count: int) -> None:
    writer = await JournalWriter.open(directory, strategy=strategy)
    record = sample()
    times: list[float] = []

    async def client() -> None:
        for _ in range(count // clients):
            begun = time.perf_counter()
            await writer.append(record)
            times.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - begun
    await writer.close()
    times.sort()
    p50, p99 = times[len(times) // 2] * 1e6, times[int(len(times) * 0.99)] * 1e6
    print(f"{strategy:<12} {clients:>7}  {p50:>9.1f}  {p99:>9.1f}  {len(times) / seconds:>10.0f}")


def one(name: str, count: int, function: object) -> None:
    assert callable(function)
    begun = time.perf_counter()
    for _ in range(count):
        function()
    print(f"{name:<34} {(time.perf_counter() - begun) / count * 1e6:>8.2f} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--dir", type=Path, default=None)
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="journal-bench-", dir=args.dir))
    try:
        record = sample()
        kept = Record(
            1, record.time, 3.2, record.kind, record.head, request_to_keep(REQUEST), answer_to_keep(ANSWER),
            record.credential, {},
        )  # fmt: skip
        line = encode_record(kept, 1)
        print(f"a line has {len(line)} bytes")
        one("choosing the headers to keep", 20_000, lambda: (request_to_keep(REQUEST), answer_to_keep(ANSWER)))
        one("record to line", 20_000, lambda: encode_record(kept, 1))
        one("line to record, checksum verified", 20_000, lambda: decode_line(line))
        print("\nstrategy     clients    p50 µs    p99 µs   appends/s")
        for strategy in SaveStrategy:
            for clients in (1, 16):
                few = strategy is SaveStrategy.ON_REQUEST
                gc.collect()
                count = args.records // 10 if few else args.records
                asyncio.run(appends(root / f"{strategy}-{clients}", strategy, clients, count))
        big = root / "reading"
        asyncio.run(appends(big, SaveStrategy.ON_SHUTDOWN, 1, 200_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.perf_counter()
        recording = read(big)
        opened = time.perf_counter() - begun
        count = sum(1 for _ in recording)
        seconds = time.perf_counter() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        size = recording.path.stat().st_size / 1e6
        print(
            f"\nreading {count} records, {size:.0f} MB: opened in {opened:.2f} s, all in {seconds:.2f} s, +{grown} KiB"
        )
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
