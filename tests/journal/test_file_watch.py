"""What somebody does to the files of a recording while they are in use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from replay_proxy.errors import ReplayProxyError, StorageError
from replay_proxy.journal.check import check
from replay_proxy.journal.compaction.file_swap import RESTORED_NAME
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, utc_now
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.lock import LOCK_NAME, holder
from replay_proxy.journal.write import writer as writer_module
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.replay.planning.compact_recording import stage_compaction
from tests.journal import samples
from tests.journal.compacting import bucket, put_object

EVERY = list(SaveStrategy)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "WATCH_INTERVAL_S", 0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def warnings(data_dir: Path) -> list[str]:
    recording = read(data_dir)
    for _record in recording:
        pass
    return recording.warnings


def names(data_dir: Path) -> list[str]:
    return [json.loads(bytes(record.request.body))["QueueName"] for record in read(data_dir)]  # type: ignore[arg-type]


async def append(writer: JournalWriter, *queues: str) -> None:
    for queue in queues:
        writer.check()
        await writer.append(samples.create_queue(queue))


@pytest.mark.parametrize("strategy", EVERY)
class TestLostName:
    """A file that lost its name is written again: nothing that was acknowledged is missing, before or after."""

    @pytest.mark.parametrize("removed", [False, True], ids=["moved", "removed"])
    async def test_a_journal_that_lost_its_name_is_written_again(
        self, tmp_path: Path, strategy: SaveStrategy, removed: bool
    ) -> None:
        writer = await JournalWriter.open(tmp_path, strategy=strategy, flush_interval=60)
        await append(writer, "0", "1")
        journal = tmp_path / JOURNAL_NAME
        if removed:
            journal.unlink()
        else:
            journal.rename(tmp_path / f"{JOURNAL_NAME}.1")
        await append(writer, "2", "3")  # at once: before anybody looked, but under ON_REQUEST
        await until(journal.exists)
        await append(writer, "4")
        await writer.save()
        assert writer.failure is None
        # As after a kill: nothing was closed.
        copy = tmp_path / "copy"
        copy.mkdir()
        shutil.copy(journal, copy)
        assert names(copy) == list("01234")
        assert check(copy).findings == []
        await writer.close()
        assert names(tmp_path) == list("01234")
        assert not (tmp_path / RESTORED_NAME).exists()

    async def test_it_is_written_again_while_calls_come_in(self, tmp_path: Path, strategy: SaveStrategy) -> None:
        writer = await JournalWriter.open(tmp_path, strategy=strategy, flush_interval=0.05)
        done: list[str] = []

        async def client(number: int) -> None:
            for turn in range(60):
                await append(writer, name := f"{number}-{turn}")
                done.append(name)
                await asyncio.sleep(0.002)

        async def rotate() -> None:
            for turn in range(5):
                await until((tmp_path / JOURNAL_NAME).exists)
                (tmp_path / JOURNAL_NAME).rename(tmp_path / f"old-{turn}")
                await asyncio.sleep(0.03)

        await asyncio.gather(rotate(), *(client(number) for number in range(4)))
        await writer.save()
        await writer.close()
        assert sorted(names(tmp_path)) == sorted(done)
        assert check(tmp_path).findings == []

    async def test_it_is_written_again_while_a_compaction_takes_place(
        self, tmp_path: Path, strategy: SaveStrategy
    ) -> None:
        """Our own change of names is taken for nobody's; the two do not take turns wrongly."""
        writer = await JournalWriter.open(tmp_path, strategy=strategy, flush_interval=0.05)
        await writer.append(bucket())
        for turn in range(12):
            await writer.append(put_object("k", str(turn).encode()))
            await writer.save()
            end = writer.position
            if turn % 3 == 1:
                (tmp_path / JOURNAL_NAME).rename(tmp_path / f"old-{turn}")
            try:
                if not stage_compaction(Files(tmp_path), end).worth_it:
                    continue
                if turn % 3 == 2:
                    (tmp_path / JOURNAL_NAME).rename(tmp_path / f"old-{turn}")
                await asyncio.gather(writer.adopt(end), writer.append(put_object("other", str(turn).encode())))
            except ReplayProxyError:
                assert turn % 3  # the compaction found no journal, or the writer was not in its place
            await until((tmp_path / JOURNAL_NAME).exists)
            assert writer.failure is None
        await writer.save()
        await writer.close()
        found = {(record.request.target, bytes(record.request.body)) for record in read(tmp_path)}  # type: ignore[arg-type]
        assert {("/bucket/k", b"11"), ("/bucket/other", b"11")} <= found
        assert check(tmp_path).findings == []

    async def test_a_lost_name_is_noticed_by_close(
        self, tmp_path: Path, strategy: SaveStrategy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer_module, "WATCH_INTERVAL_S", 60.0)
        writer = await JournalWriter.open(tmp_path, strategy=strategy, flush_interval=60)
        await append(writer, "0")
        await writer.save()
        (tmp_path / JOURNAL_NAME).unlink()
        await writer.close()
        assert names(tmp_path) == ["0"]


class TestLock:
    async def test_a_lock_that_was_removed_with_the_journal_is_taken_again(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        await append(writer, "0")
        for each in tmp_path.iterdir():
            each.unlink()
        await until((tmp_path / JOURNAL_NAME).exists)
        assert holder(tmp_path)
        await append(writer, "1")
        await writer.close()
        assert names(tmp_path) == ["0", "1"]

    async def test_a_lock_that_somebody_else_has_taken_is_not(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        (tmp_path / LOCK_NAME).unlink()
        (tmp_path / JOURNAL_NAME).rename(tmp_path / "old")
        await asyncio.sleep(0)
        other = await JournalWriter.open(tmp_path)
        await until(lambda: writer.failure is not None)
        assert "replaced by another file" in str(writer.failure)
        await append(other, "theirs")
        await writer.close()
        await other.close()
        assert names(tmp_path) == ["theirs"]


async def replaced(data_dir: Path) -> Callable[[], None]:
    journal = data_dir / JOURNAL_NAME
    journal.rename(data_dir / "ours")
    shutil.copy(data_dir / "ours", journal)
    return lambda: (data_dir / "ours").replace(journal) and None


async def directory_moved(data_dir: Path) -> Callable[[], None]:
    away = data_dir.with_name("away")
    data_dir.rename(away)
    return lambda: away.rename(data_dir) and None


async def directory_replaced(data_dir: Path) -> Callable[[], None]:
    away = data_dir.with_name("away")
    data_dir.rename(away)
    data_dir.mkdir()

    def back() -> None:
        data_dir.rmdir()
        away.rename(data_dir)

    return back


async def blobs_moved(data_dir: Path) -> Callable[[], None]:
    (data_dir / "blobs").rename(data_dir / "elsewhere")
    return lambda: (data_dir / "elsewhere").rename(data_dir / "blobs") and None


async def blobs_replaced(data_dir: Path) -> Callable[[], None]:
    (data_dir / "blobs").rename(data_dir / "elsewhere")
    (data_dir / "blobs").mkdir()

    def back() -> None:
        (data_dir / "blobs").rmdir()
        (data_dir / "elsewhere").rename(data_dir / "blobs")

    return back


PUT_BACK: list[tuple[Callable[[Path], Awaitable[Callable[[], None]]], str]] = [
    (replaced, "was replaced by another file"),
    (directory_moved, "was moved, removed or unmounted"),
    (directory_replaced, "was replaced by another one"),
    (blobs_moved, "the large bodies are gone"),
    (blobs_replaced, "the large bodies are gone"),
]


@pytest.mark.parametrize("strategy", EVERY)
class TestPutBack:
    @pytest.mark.parametrize(("displace", "told"), PUT_BACK)
    async def test_nothing_is_promised_until_the_files_are_back(
        self,
        tmp_path: Path,
        strategy: SaveStrategy,
        displace: Callable[[Path], Awaitable[Callable[[], None]]],
        told: str,
    ) -> None:
        data_dir = tmp_path / "data"
        writer = await JournalWriter.open(data_dir, strategy=strategy, flush_interval=60)
        await writer.blobs.put(b"large")
        await append(writer, "0")
        back = await displace(data_dir)
        if strategy is SaveStrategy.ON_REQUEST:
            with pytest.raises(StorageError, match=told):
                await append(writer, "not acknowledged")
        await until(lambda: writer.failure is not None)
        for _attempt in range(2):
            with pytest.raises(StorageError, match=told):
                writer.check()
        with pytest.raises(StorageError, match=told):
            await writer.save()
        back()
        await until(lambda: writer.failure is None)
        await append(writer, "1")
        await writer.save()
        await writer.close()
        assert [name for name in names(data_dir) if len(name) == 1] == ["0", "1"]
        assert any(told in warning for warning in warnings(data_dir))

    async def test_a_file_in_its_place_is_not_touched(self, tmp_path: Path, strategy: SaveStrategy) -> None:
        writer = await JournalWriter.open(tmp_path, strategy=strategy)
        await append(writer, "0")
        (tmp_path / "theirs").write_text("theirs")
        (tmp_path / "theirs").replace(tmp_path / JOURNAL_NAME)
        await until(lambda: writer.failure is not None)
        assert "start the proxy anew" in writer.failure.hint  # type: ignore[union-attr]
        await writer.close()
        assert (tmp_path / JOURNAL_NAME).read_text() == "theirs"


@pytest.mark.parametrize("strategy", EVERY)
class TestCut:
    @pytest.mark.parametrize("left", [0, 30, -5, -300], ids=["emptied", "in the header", "last line", "lines"])
    async def test_a_cut_is_final_and_what_came_after_it_is_kept(
        self, tmp_path: Path, strategy: SaveStrategy, left: int
    ) -> None:
        journal = tmp_path / JOURNAL_NAME
        writer = await JournalWriter.open(tmp_path, strategy=strategy, flush_interval=60)
        await append(writer, "0", "1")
        await writer.save()
        os.truncate(journal, left if left >= 0 else journal.stat().st_size + left)
        after = [] if strategy is SaveStrategy.ON_REQUEST else ["after"]
        if after:
            await append(writer, *after)
            if strategy is SaveStrategy.MANUAL:
                writer._output.append_control(ControlRecord(0, utc_now(), ControlKind.SAVE))
        else:
            with pytest.raises(StorageError, match=r"bytes? of it gone"):
                await append(writer, "not acknowledged")
        await until(lambda: writer.failure is not None)
        with pytest.raises(StorageError, match="was emptied or cut"):
            writer.check()
        await writer.close()
        # The next start reads it, says what is missing, and has what was acknowledged after the cut.
        writer = await JournalWriter.open(tmp_path, strategy=SaveStrategy.SCHEDULED)
        assert not writer.warnings
        await append(writer, "anew")
        await writer.close()
        found = [name for name in names(tmp_path) if name != "not acknowledged"]
        assert found[len(found) - len(after) - 1 :] == [*after, "anew"]
        assert set(found) <= {"0", "1", *after, "anew"}
        assert any("was emptied or cut" in warning for warning in warnings(tmp_path))

    async def test_another_program_that_writes_into_it_is_reported(
        self, tmp_path: Path, strategy: SaveStrategy
    ) -> None:
        writer = await JournalWriter.open(tmp_path, strategy=strategy)
        await append(writer, "0")
        with (tmp_path / JOURNAL_NAME).open("a") as journal:
            journal.write("\n")
        await until(lambda: writer.failure is not None)
        assert "written to by another program" in str(writer.failure)
        await writer.close()


async def test_a_kill_while_it_is_written_again_is_reported_at_the_next_start(tmp_path: Path) -> None:
    writer = await JournalWriter.open(tmp_path)
    await append(writer, "0", "1")
    await writer.close()
    journal = tmp_path / JOURNAL_NAME
    content = journal.read_bytes()
    journal.rename(tmp_path / "old")
    (tmp_path / RESTORED_NAME).write_bytes(content[:-10])
    writer = await JournalWriter.open(tmp_path)
    assert "calls at its end may be missing" in writer.warnings[0]
    await writer.close()
    assert names(tmp_path) == ["0"]
    assert not (tmp_path / RESTORED_NAME).exists()
