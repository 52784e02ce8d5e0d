"""Faults drawn by hypothesis: whatever the disk does, what was acknowledged is found again, and nothing else breaks."""

from __future__ import annotations

import asyncio
import errno
import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef, Request
from replay_proxy.journal.check import check, repair
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write import writer as writer_module
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal import samples
from tests.journal.disks import FaultyFiles, VolatileDisk
from tests.support.processes import amount

ACTIONS = st.lists(st.sampled_from(["append", "append", "append", "blob", "together", "flush", "reopen"]), max_size=12)
FAULTS = st.lists(st.sampled_from([0, 0, 0, 0, -1, errno.ENOSPC, errno.EIO, errno.EDQUOT]), max_size=60)
STRATEGIES = st.sampled_from(["ON_REQUEST", "SCHEDULED"])


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)
    yield


def name_of(record: Record) -> str:
    if isinstance(record.request.body, BlobRef):
        return f"blob-{record.request.body.sha256}"
    return str(json.loads(record.request.body)["QueueName"])


class Client:
    """Does what a proxy does with a writer, and remembers what it may have acknowledged."""

    def __init__(self, files: Files, strategy: str) -> None:
        self.files = files
        self.strategy = strategy
        self.writer: JournalWriter | None = None
        self.acknowledged: list[str] = []
        self.flushed = 0
        self.count = 0

    async def open(self) -> None:
        with suppress(StorageError):
            self.writer = await JournalWriter.open(
                self.files.root, strategy=self.strategy, flush_interval=1e6, files=self.files
            )

    async def do(self, action: str) -> None:
        if self.writer is None:
            await self.open()
        if self.writer is None:
            return
        if action == "reopen":
            with suppress(StorageError):
                await self.writer.close()
            self.writer = None
            await self.open()
        elif action == "flush":
            count = len(self.acknowledged)
            with suppress(StorageError):
                await self.writer.save("")
                self.flushed = count
        elif action == "together":
            await asyncio.gather(*(self.append() for _ in range(3)))
        elif action == "blob":
            await self.append(blob=True)
        else:
            await self.append()

    async def append(self, *, blob: bool = False) -> None:
        assert self.writer is not None
        self.count += 1
        record = samples.create_queue(f"q{self.count}")
        with suppress(StorageError):
            self.writer.check()
            if blob:
                ref = await self.writer.blobs.put(b"%d" % self.count * 500)
                request = Request("PUT", "/", record.request.headers, ref)
                record = Record(0, record.time, 1.0, record.kind, record.head, request, record.answer)
            await self.writer.append(record)
            self.acknowledge(name_of(record))

    def acknowledge(self, name: str) -> None:
        self.acknowledged.append(name)

    async def end(self) -> None:
        if self.writer is not None:
            with suppress(StorageError):
                await self.writer.close()


def holds(recording: Recording, acknowledged: list[str]) -> None:
    """Everything acknowledged is there, and its blobs are whole; two calls of one task are in their order."""
    found = []
    for record in recording:
        found.append(name_of(record))
        if found[-1] in acknowledged and isinstance(record.request.body, BlobRef):
            recording.blobs.verify(record.request.body)
    missing = [name for name in acknowledged if name not in found]
    assert not missing
    positions = [found.index(name) for name in acknowledged if name.startswith("q")]
    assert positions == sorted(positions)


@settings(
    max_examples=amount(60, 150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ACTIONS, FAULTS, STRATEGIES)
def test_acknowledged_calls_survive_a_failing_disk(actions: list[str], faults: list[int], strategy: str) -> None:
    """Short writes, full disks, I/O errors at any write, sync, cut, rename or creation."""
    left = iter(faults)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        client = Client(FaultyFiles(root, lambda _operation: next(left, 0)), strategy)

        async def run() -> None:
            await client.open()
            for action in actions:
                await client.do(action)
            await client.end()
            await (await JournalWriter.open(root)).close()  # as the next start, on a disk that is well again

        asyncio.run(run())
        holds(read(root), client.acknowledged)
        report = check(root)
        assert report.ok, report.findings
        assert not report.torn


@settings(
    max_examples=amount(80, 250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ACTIONS, STRATEGIES, st.randoms(use_true_random=False))
def test_acknowledged_calls_survive_a_power_cut(actions: list[str], strategy: str, random: object) -> None:
    """ON_REQUEST: all of them. SCHEDULED: all up to the last flush. Never a wrong one, and never a silent loss."""
    draw = random.randrange  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    with tempfile.TemporaryDirectory() as directory:
        disk = VolatileDisk(Path(directory) / "before")
        client = Client(disk, strategy)
        after = Path(directory) / "after"

        async def run() -> None:
            await client.open()
            for action in actions:
                await client.do(action)
            disk.power_cut(after, draw)
            await client.end()

        asyncio.run(run())
        promised = client.acknowledged if strategy == "ON_REQUEST" else client.acknowledged[: client.flushed]
        promised = list(promised)

        async def restart() -> None:
            await (await JournalWriter.open(after, strategy=strategy)).close()

        try:
            asyncio.run(restart())
        except RecordingError:
            # A hole among lines that were never synced, with whole lines behind it, is refused: a person decides.
            repair(after, drop_damaged=True)
            asyncio.run(restart())
        holds(read(after), promised)


def test_the_model_of_a_power_cut_does_lose_what_was_not_synced(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    disk = VolatileDisk(tmp_path / "before")

    async def run() -> None:
        writer = await JournalWriter.open(disk.root, strategy="SCHEDULED", flush_interval=1e6, files=disk)
        await writer.append(samples.create_queue("synced"))
        await writer.save("")
        await writer.append(samples.create_queue("lost"))
        disk.power_cut(tmp_path / "after", lambda _below: 0)
        await writer.close()

    asyncio.run(run())
    assert [name_of(record) for record in read(tmp_path / "after")] == ["synced"]
