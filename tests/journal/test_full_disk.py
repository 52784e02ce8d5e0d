"""A file system that is really full, and one that is really read-only: small tmpfs mounts, where this user may mount."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from replay_proxy.errors import StorageError
from replay_proxy.journal.check import check
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write import writer as writer_module
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal import samples
from tests.journal.test_faults import name_of


def mount(*words: str | Path) -> bool:
    return subprocess.run(["mount", *map(str, words)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", place):
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)


@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
async def test_calls_until_the_disk_is_full_and_after_it_has_space_again(small_disk: Path, strategy: str) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_800_000))
    writer = await JournalWriter.open(small_disk / "r", strategy=strategy)
    told: list[str] = []

    async def call() -> None:
        """As the proxy does it: ask, let the emulator execute the call, record it, acknowledge."""
        writer.check()
        name = str(len(told))
        await writer.append(samples.create_queue(name))
        told.append(name)

    with pytest.raises(StorageError, match="No space left on device"):
        while True:
            await call()
    assert len(told) > 50
    for _ in range(3):
        with pytest.raises(StorageError, match="No space left on device"):
            await call()
    # Calls that were under way when the disk became full still find room, in what was put aside.
    for _ in range(100):
        name = str(len(told))
        await writer.append(samples.create_queue(name))
        told.append(name)
    ballast.unlink()
    await call()
    assert writer.failure is None
    await writer.close()
    recording = read(small_disk / "r")
    assert [name_of(record) for record in recording] == told
    assert recording.warnings == []  # nothing was executed that is not recorded
    assert check(small_disk / "r").ok


async def test_when_the_space_put_aside_is_used_up_too_the_gap_is_told(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_800_000))
    writer = await JournalWriter.open(small_disk / "r")
    told = 0
    with pytest.raises(StorageError, match="No space left on device"):
        while True:
            await writer.append(samples.create_queue(str(told)))
            told += 1
    for _ in range(3):
        with pytest.raises(StorageError, match="No space left on device"):
            writer.check()
    ballast.unlink()
    writer.check()
    await writer.append(samples.create_queue("after"))
    await writer.close()
    recording = read(small_disk / "r")
    assert [name_of(record) for record in recording] == [*map(str, range(told)), "after"]
    assert any("not recorded: No space left on device" in warning for warning in recording.warnings)


async def test_a_large_body_that_does_not_fit(small_disk: Path) -> None:
    writer = await JournalWriter.open(small_disk / "r")
    spool = writer.blobs.begin()
    with pytest.raises(StorageError, match="No space left on device"):
        for _ in range(100):
            spool.write(bytes(100_000))
    await writer.append(samples.create_queue("small"))  # there is room again: the spool is gone
    await writer.close()
    assert check(small_disk / "r").findings == []


async def test_a_full_disk_at_the_start(small_disk: Path) -> None:
    with suppress(OSError):
        (small_disk / "ballast").write_bytes(bytes(8 << 20))
    with pytest.raises(StorageError, match="No space left on device"):
        await JournalWriter.open(small_disk / "r")


async def test_a_read_only_file_system(small_disk: Path) -> None:
    writer = await JournalWriter.open(small_disk / "r")
    await writer.append(samples.create_queue("a"))
    await writer.close()
    assert mount("-o", "remount,ro", small_disk)
    with pytest.raises(StorageError, match="Read-only file system") as caught:
        await JournalWriter.open(small_disk / "r")
    assert "--data-dir" in caught.value.hint
    assert [name_of(record) for record in read(small_disk / "r")] == ["a"]  # reading needs no right to write
    assert check(small_disk / "r").ok
