"""Compactions on failing disks, killed at every change of a file, and cut off from power: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError
from replay_proxy.journal.check import check, repair
from replay_proxy.journal.compaction.file_swap import BACKUP_NAME, STAGED_NAME, interrupted_files
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write import writer as writer_module
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal.compacting import ObjectWriter, holds
from tests.journal.disks import DyingFiles, FaultyFiles, VolatileDisk
from tests.journal.forks import Forks
from tests.journal.forks import forks as forks
from tests.support.processes import amount

ACTIONS = st.lists(
    st.sampled_from(["new", "again", "again", "blob", "several", "flush", "compact", "adopt", "adopt"]), max_size=10
)
FAULTS = st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, -1, errno.ENOSPC, errno.EIO]), max_size=120)
POWER_CUTS = amount(50, 150)
STRIDE = amount(2, 1)
"""Of how many steps one is killed at."""
SCRIPTS = {
    "with nobody using it": [
        "new",
        "again",
        "again",
        "blob",
        "blob",
        "blob",
        "compact",
        "blob",
        "blob",
        "again",
        "compact",
    ],
    "in the background": ["new", "again", "again", "blob", "blob", "blob", "adopt", "several", "adopt", "new"],
}


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)
    yield


class TellingWriter(ObjectWriter):
    """Tells what it does to a file of its own, as clients in other processes would know it."""

    def __init__(self, files: Files, strategy: str, log: Path) -> None:
        super().__init__(files, strategy)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _tell(self, *words: str) -> None:
        os.write(self.log, json.dumps(words).encode() + b"\n")

    def begin(self, key: str, digest: str) -> None:
        self._tell("begun", key, digest)

    def acknowledge(self, key: str, digest: str) -> None:
        self._tell("acknowledged", key, digest)


def allowed_by(log: Path) -> dict[str, set[str]]:
    allowed: dict[str, set[str]] = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        word, key, digest = json.loads(line)
        if word == "begun":
            allowed.setdefault(key, {""}).add(digest)
        else:
            allowed[key] = {digest}
    return allowed


def work_until_killed(step: int, root: str, log: str, strategy: str, script: str) -> None:
    writer_module.RETRY_INTERVAL_S = 0.0
    Path(root).mkdir()
    writer = TellingWriter(DyingFiles(Path(root), step), strategy, Path(log))

    async def run() -> None:
        for action in SCRIPTS[script]:
            await writer.do(action)
        await writer.end()
        writer._tell("begun", "compactions", str(writer.compactions))

    asyncio.run(run())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_kill_at_every_step_of_a_compaction(tmp_path: Path, forks: Forks, strategy: str, script: str) -> None:
    found_left = 0
    for step in range(1, 500, STRIDE):
        root, log = tmp_path / str(step), tmp_path / f"{step}.log"
        killed = forks.killed(work_until_killed, step, str(root), str(log), strategy, script)
        allowed = allowed_by(log)
        if interrupted_files(Files(root)):
            found_left += 1
            told = [str(finding) for finding in check(root).findings]
            assert any("a compaction was interrupted" in line for line in told), told
        asyncio.run(start_and_stop(root))
        compactions = allowed.pop("compactions", set())
        holds(read(root), allowed)
        report = check(root)
        assert report.ok, report.findings
        assert interrupted_files(Files(root)) == []
        if not killed:
            assert compactions == {"", "2"}
            break
    else:
        raise AssertionError("it never came to its end")
    print(f"\n{step} steps, each {STRIDE}. taken, {found_left} with something left by a compaction")
    assert found_left > 5


async def start_and_stop(root: Path) -> None:
    await (await JournalWriter.open(root)).close()


@settings(
    max_examples=amount(60, 150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ACTIONS, FAULTS, st.sampled_from(["ON_REQUEST", "SCHEDULED"]))
def test_compactions_on_a_failing_disk(actions: list[str], faults: list[int], strategy: str) -> None:
    """Short writes, full disks, I/O errors at any write, sync, cut, rename, link, removal or creation."""
    left = iter(faults)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        writer = ObjectWriter(FaultyFiles(root, lambda _operation: next(left, 0)), strategy)

        async def run() -> None:
            for action in actions:
                await writer.do(action)
            await writer.end()
            await start_and_stop(root)  # on a disk that is well again

        asyncio.run(run())
        holds(read(root), writer.allowed)
        report = check(root)
        assert report.ok, report.findings
        assert interrupted_files(Files(root)) == []


class CutDisk(VolatileDisk):
    """Keeps what a power cut just before the `step`-th change would leave, and what was acknowledged by then.

    One change at a time: the writer's threads use it, too.
    """

    def __init__(self, root: Path, after: Path, step: int, draw: Callable[[int], int]) -> None:
        super().__init__(root)
        self.lock = threading.RLock()
        self.after = after
        self.left = step
        self.draw = draw
        self.writer: ObjectWriter | None = None
        self.allowed: dict[str, set[str]] = {}

    def cut_power(self) -> None:
        with self.lock:
            before = self._allowed()
            self.power_cut(self.after, self.draw)
            # Another thread may have gone on meanwhile, and what was just begun may be there.
            now = self._allowed()
            self.allowed = {key: before.get(key, {""}) | now.get(key, set()) for key in {*before, *now}}

    def _allowed(self) -> dict[str, set[str]]:
        assert self.writer is not None
        return {key: set(values) for key, values in list(self.writer.allowed.items())}

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in (
            "write",
            "sync",
            "sync_dir",
            "cut",
            "rename",
            "link",
            "unlink",
            "create",
            "open_lock",
            "make_dir",
        ):
            return found

        def one_at_a_time(*args: Any) -> Any:
            with self.lock:
                self.left -= 1
                if self.left == 0:
                    self.cut_power()
                return found(*args)

        return one_at_a_time


@pytest.mark.timeout(600)
def test_compactions_and_a_power_cut() -> None:
    """ON_REQUEST: everything acknowledged is there, whenever it happens, and whichever of the two journals the disk has.

    Not by hypothesis: threads take part, so that the same seed need not give the same run.
    """
    for seed in range(POWER_CUTS):
        cut_off(random.Random(seed))


def cut_off(chance: random.Random) -> None:
    actions = [chance.choice(["new", "again", "blob", "several", "compact", "adopt", "adopt"]) for _ in range(6)]
    step = chance.randrange(1, 150)
    with tempfile.TemporaryDirectory() as directory:
        after = Path(directory) / "after"
        disk = CutDisk(Path(directory) / "before", after, step, chance.randrange)
        writer = disk.writer = ObjectWriter(disk, "ON_REQUEST")

        async def run() -> None:
            await writer.open()
            for action in ["again", "again", *actions]:
                await writer.do(action)
            if disk.left > 0:
                disk.cut_power()
            await writer.end()

        asyncio.run(run())
        try:
            asyncio.run(start_and_stop(after))
        except RecordingError:
            repair(after, drop_damaged=True)
            asyncio.run(start_and_stop(after))
        holds(read(after), disk.allowed)


def test_a_disk_that_fills_up_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    full = False
    files = FaultyFiles(tmp_path, lambda operation: errno.ENOSPC if full and operation in ("write", "create") else 0)
    writer = ObjectWriter(files, "SCHEDULED")

    async def run() -> None:
        nonlocal full
        for action in ("new", "again", "again"):
            await writer.do(action)
        await writer.end()
        before = (tmp_path / JOURNAL_NAME).read_bytes()
        full = True
        await writer.do("compact")
        full = False
        assert (tmp_path / JOURNAL_NAME).read_bytes() == before
        assert not (tmp_path / STAGED_NAME).exists()
        await writer.do("compact")
        await writer.do("compact")
        assert (tmp_path / BACKUP_NAME).read_bytes() != (tmp_path / JOURNAL_NAME).read_bytes()

    asyncio.run(run())
    holds(read(tmp_path), writer.allowed)


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP])
def test_file_systems_without_hard_links(tmp_path: Path, error: int) -> None:
    files = FaultyFiles(tmp_path, lambda operation: error if operation == "link" else 0)
    writer = ObjectWriter(files, "ON_REQUEST")

    async def run() -> None:
        for action in ("new", "again", "again", "adopt", "again", "compact", "new"):
            await writer.do(action)
        await writer.end()

    asyncio.run(run())
    assert writer.compactions == 2
    holds(read(tmp_path), writer.allowed)
    assert (tmp_path / BACKUP_NAME).exists()
