"""Appending: numbers, strategies, save points, and what happens when the disk does not take it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import stat
import threading
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import Headers, Request
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write import writer as writer_module
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from tests.journal import samples
from tests.journal.disks import FaultyFiles, FullDisk

EVERY = list(SaveStrategy)


def names(data_dir: Path) -> list[str]:
    """The queues of the recording that are in effect, in order."""
    return [json.loads(bytes(record.request.body))["QueueName"] for record in read(data_dir)]  # type: ignore[arg-type]


class CountingFiles(Files):
    """Counts writes and syncs; a sync waits until `go` is set."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.writes = self.syncs = 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self.writes += 1
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self.syncs += 1
        super().sync(fd)


class TestAppending:
    @pytest.mark.parametrize("strategy", EVERY)
    async def test_numbers_run_from_one_and_go_on_after_a_restart(self, tmp_path: Path, strategy: SaveStrategy) -> None:
        numbers = []
        for _ in range(2):
            writer = await JournalWriter.open(tmp_path / "r", strategy=strategy)
            numbers += [await writer.append(samples.create_queue()) for _ in range(3)]
            await writer.save()
            await writer.close()
        assert [record.seq for record in read(tmp_path / "r")] == numbers
        assert sorted(set(numbers)) == numbers
        if strategy is not SaveStrategy.MANUAL:  # which puts marks between
            assert numbers == [1, 2, 3, 4, 5, 6]

    @pytest.mark.parametrize("strategy", EVERY)
    async def test_the_revision_tells_whether_other_calls_count(self, tmp_path: Path, strategy: SaveStrategy) -> None:
        writer = await JournalWriter.open(tmp_path / "r", strategy=strategy)
        seen = [writer.effect_revision]

        def changed() -> bool:
            seen.append(writer.effect_revision)
            return seen[-1] != seen[-2]

        manual = strategy is SaveStrategy.MANUAL
        for _ in range(2):
            await writer.append(samples.create_queue())
            assert changed() is not manual
        writer.rollback()
        assert not changed()
        await writer.append(samples.create_queue())
        assert changed() is not manual
        await writer.save("sqs")
        assert changed() is manual
        writer.reset()
        assert changed()
        writer.gap("lost")
        assert changed()
        await writer.close()

    async def test_a_call_is_one_write(self, tmp_path: Path) -> None:
        files = CountingFiles(tmp_path)
        writer = await JournalWriter.open(tmp_path, files=files)
        before = files.writes
        for _ in range(10):
            await writer.append(samples.create_queue())
        assert files.writes - before == 10
        await writer.close()

    async def test_files_are_private(self, tmp_path: Path) -> None:
        previous = os.umask(0)
        try:
            writer = await JournalWriter.open(tmp_path / "deep" / "r", strategy="ON_REQUEST")
            await writer.blobs.put(b"x")
            await writer.append(samples.create_queue())
            await writer.close()
        finally:
            os.umask(previous)
        for path in (tmp_path / "deep" / "r").rglob("*"):
            expected = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == expected, path
        assert stat.S_IMODE((tmp_path / "deep" / "r").stat().st_mode) == 0o700

    async def test_signatures_and_tokens_are_left_out(self, tmp_path: Path) -> None:
        record = samples.create_queue()
        secret = "verysecretvalue"
        headers = [("Authorization", secret), ("X-Amz-Security-Token", secret), ("Cookie", secret), ("X-Kept", "1")]
        target = f"/?X-Amz-Signature={secret}&A=1&x-amz-security-token={secret}&B=2"
        request = Request("POST", target, Headers(headers), b"body")
        writer = await JournalWriter.open(tmp_path)
        await writer.append(Record(0, record.time, 1.0, record.kind, record.head, request, record.answer))
        await writer.close()
        assert secret not in (tmp_path / JOURNAL_NAME).read_text()
        (kept,) = read(tmp_path)
        assert kept.request.target == "/?A=1&B=2"
        assert kept.request.headers.pairs == (("X-Kept", "1"),)

    async def test_a_call_that_json_cannot_hold_is_refused_and_leaves_a_gap_record(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        with pytest.raises(StorageError, match="cannot be recorded"):
            await writer.append(samples.create_queue(odd="\ud800"))
        await writer.append(samples.create_queue("next"))
        await writer.close()
        recording = read(tmp_path)
        assert names(tmp_path) == ["next"]
        list(recording)
        assert any("not recorded" in warning for warning in recording.warnings)

    async def test_nothing_is_taken_after_close(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        await writer.close()
        await writer.close()
        with pytest.raises(StorageError, match="closed"):
            await writer.append(samples.create_queue())
        with pytest.raises(StorageError, match="closed"):
            writer.check()


class TestGroupCommit:
    async def test_on_request_returns_only_after_a_sync_that_began_after_the_write(self, tmp_path: Path) -> None:
        events: list[str] = []

        class Watched(Files):
            def write(self, fd: int, data: bytes | memoryview) -> int:
                events.append("write")
                return super().write(fd, data)

            def sync(self, fd: int) -> None:
                events.append("sync begins")
                super().sync(fd)
                events.append("sync ends")

        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST", files=Watched(tmp_path))
        for _ in range(5):
            events.clear()
            await writer.append(samples.create_queue())
            assert events == ["write", "sync begins", "sync ends"]
        await writer.close()

    async def test_who_comes_while_a_sync_runs_waits_for_the_next(self, tmp_path: Path) -> None:
        begun, go = threading.Semaphore(0), threading.Semaphore(0)

        class Slow(Files):
            slow = False

            def sync(self, fd: int) -> None:
                if self.slow:
                    begun.release()
                    go.acquire(timeout=60)
                super().sync(fd)

        files = Slow(tmp_path)
        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST", files=files)
        files.slow = True
        first = asyncio.create_task(writer.append(samples.create_queue("first")))
        await asyncio.to_thread(begun.acquire, timeout=60)
        second = asyncio.create_task(writer.append(samples.create_queue("second")))
        await asyncio.sleep(0.01)
        go.release()
        await first
        await asyncio.to_thread(begun.acquire, timeout=60)
        await asyncio.sleep(0.01)
        assert not second.done()
        go.release()
        await second
        files.slow = False
        await writer.close()

    async def test_concurrent_calls_share_syncs(self, tmp_path: Path) -> None:
        files = CountingFiles(tmp_path)
        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST", files=files)
        before = files.syncs
        await asyncio.gather(*(writer.append(samples.create_queue(str(n))) for n in range(200)))
        assert 1 <= files.syncs - before <= 5
        assert len(names(tmp_path)) == 200
        await writer.close()

    async def test_a_client_that_leaves_while_waiting_does_not_disturb_the_others(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST")
        tasks = [asyncio.create_task(writer.append(samples.create_queue(str(n)))) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [result for result in done if isinstance(result, int)] == [n + 1 for n in range(20) if n % 2]
        await writer.append(samples.create_queue("after"))
        await writer.close()

    async def test_the_others_do_not_sync_per_call(self, tmp_path: Path) -> None:
        for strategy in (SaveStrategy.SCHEDULED, SaveStrategy.ON_SHUTDOWN, SaveStrategy.MANUAL):
            files = CountingFiles(tmp_path / strategy)
            writer = await JournalWriter.open(tmp_path / strategy, strategy=strategy, files=files)
            before = files.syncs
            for _ in range(50):
                await writer.append(samples.create_queue())
            assert files.syncs == before
            await writer.close()
            assert files.syncs > before

    async def test_scheduled_syncs_at_its_interval_and_only_if_there_is_something(self, tmp_path: Path) -> None:
        files = CountingFiles(tmp_path)
        writer = await JournalWriter.open(tmp_path, flush_interval=0.02, files=files)
        opened = files.syncs
        await writer.append(samples.create_queue())
        await _until(lambda: files.syncs > opened)
        await asyncio.sleep(0.1)
        quiet = files.syncs
        await asyncio.sleep(0.1)
        assert files.syncs == quiet
        await writer.append(samples.create_queue())
        await _until(lambda: files.syncs > quiet)
        await writer.close()


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class TestManual:
    async def test_only_what_was_saved_counts(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("a"))
        await writer.append(samples.create_queue("b"))
        await writer.save()
        await writer.append(samples.create_queue("lost"))
        assert names(tmp_path) == ["a", "b"]
        await writer.close()
        assert names(tmp_path) == ["a", "b"]

    async def test_what_was_not_saved_stays_void_after_later_saves(self, tmp_path: Path) -> None:
        for round_ in ("one", "two"):
            writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
            await writer.append(samples.create_queue(round_))
            await writer.save()
            await writer.append(samples.create_queue("lost"))
            await writer.close()
        assert names(tmp_path) == ["one", "two"]

    async def test_a_save_of_one_service_leaves_the_others_pending(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        for service in ("sqs", "sns", "sqs"):
            await writer.append(samples.of_service(service, service))
        await writer.save("sqs")
        await writer.append(samples.of_service("sqs", "lost"))
        assert names(tmp_path) == ["sqs", "sqs"]
        await writer.save("sns")
        assert names(tmp_path) == ["sqs", "sns", "sqs"]
        await writer.save()
        assert names(tmp_path) == ["sqs", "sns", "sqs", "lost"]
        await writer.close()

    async def test_a_rollback_voids_what_is_pending(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("a"))
        await writer.save()
        await writer.append(samples.create_queue("lost"))
        writer.rollback()
        await writer.append(samples.create_queue("b"))
        await writer.save()
        assert names(tmp_path) == ["a", "b"]
        await writer.close()

    async def test_a_start_that_records_nothing_writes_nothing(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("a"))
        await writer.save()
        await writer.close()
        before = (tmp_path / JOURNAL_NAME).read_bytes()
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.save()
        writer.rollback()
        await writer.close()
        assert (tmp_path / JOURNAL_NAME).read_bytes() == before

    async def test_a_save_after_a_restart_does_not_put_older_pending_calls_in_effect(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("lost"))
        await writer.close()
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.save()
        await writer.close()
        assert names(tmp_path) == []

    async def test_another_strategy_afterwards_counts_at_once(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("lost"))
        await writer.close()
        writer = await JournalWriter.open(tmp_path, strategy="SCHEDULED")
        await writer.append(samples.create_queue("kept"))
        await writer.close()
        assert names(tmp_path) == ["kept"]

    async def test_what_other_strategies_recorded_needs_no_save(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="SCHEDULED")
        await writer.append(samples.create_queue("kept"))
        await writer.close()
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("lost"))
        await writer.close()
        assert names(tmp_path) == ["kept"]


class TestFailingDisk:
    async def open(self, tmp_path: Path, disk: object, strategy: str = "SCHEDULED") -> JournalWriter:
        assert callable(disk)
        return await JournalWriter.open(tmp_path, strategy=strategy, files=FaultyFiles(tmp_path, disk))

    async def test_a_full_disk_is_reported_cut_back_and_left_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)
        disk = FullDisk()
        writer = await self.open(tmp_path, disk)
        await writer.append(samples.create_queue("before"))
        whole = (tmp_path / JOURNAL_NAME).read_bytes()
        disk.full = True
        with pytest.raises(StorageError, match="No space left on device") as caught:
            await writer.append(samples.create_queue("lost"))
        assert "free some space" in caught.value.hint
        assert (tmp_path / JOURNAL_NAME).read_bytes() == whole
        with pytest.raises(StorageError):
            writer.check()
        with pytest.raises(StorageError):
            await writer.append(samples.create_queue("lost"))
        assert writer.failure is not None
        disk.full = False
        writer.check()
        assert writer.failure is None
        await writer.append(samples.create_queue("after"))
        await writer.close()
        recording = read(tmp_path)
        assert names(tmp_path) == ["before", "after"]
        list(recording)
        assert any("No space left" in warning for warning in recording.warnings)

    async def test_recovery_is_not_tried_at_every_call(self, tmp_path: Path) -> None:
        asked: list[str] = []
        full = FullDisk()

        def disk(operation: str) -> int:
            asked.append(operation)
            return full(operation)

        writer = await self.open(tmp_path, disk)
        full.full = True
        with pytest.raises(StorageError):
            await writer.append(samples.create_queue())
        asked.clear()
        for _ in range(100):
            with pytest.raises(StorageError):
                writer.check()
        assert not asked

    async def test_a_failed_cut_is_final(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)
        broken = False
        writer = await self.open(tmp_path, lambda op: errno.EIO if broken and op in ("write", "cut") else 0)
        await writer.append(samples.create_queue("before"))
        broken = True
        with pytest.raises(StorageError, match="Input/output error"):
            await writer.append(samples.create_queue("lost"))
        broken = False
        with pytest.raises(StorageError) as caught:
            writer.check()
        assert "start the proxy anew" in caught.value.hint
        with pytest.raises(StorageError):
            await writer.append(samples.create_queue("lost"))
        await writer.close()
        again = await JournalWriter.open(tmp_path)
        assert "torn" in again.warnings[0]
        await again.append(samples.create_queue("after"))
        await again.close()
        assert names(tmp_path) == ["before", "after"]

    @pytest.mark.parametrize("strategy", EVERY)
    async def test_nothing_is_promised_after_a_failed_sync(self, tmp_path: Path, strategy: SaveStrategy) -> None:
        broken = False
        writer = await self.open(tmp_path, lambda op: errno.EIO if broken and op == "sync" else 0, strategy)
        await writer.append(samples.create_queue("before"))
        broken = True
        if strategy is SaveStrategy.ON_REQUEST:
            results = await asyncio.gather(
                *(writer.append(samples.create_queue("lost")) for _ in range(10)), return_exceptions=True
            )
            assert all(isinstance(result, StorageError) for result in results)
        else:
            with pytest.raises(StorageError, match="make the recording durable"):
                await writer.save()
        broken = False
        with pytest.raises(StorageError, match="Input/output error"):
            await writer.append(samples.create_queue("lost"))
        with pytest.raises(StorageError) as caught:
            writer.check()
        assert "start the proxy anew" in caught.value.hint
        await writer.close()

    async def test_a_failed_scheduled_sync_fails_the_next_call(self, tmp_path: Path) -> None:
        broken = False
        files = FaultyFiles(tmp_path, lambda op: errno.EIO if broken and op == "sync" else 0)
        writer = await JournalWriter.open(tmp_path, flush_interval=0.01, files=files)
        broken = True
        await writer.append(samples.create_queue())
        await _until(lambda: writer.failure is not None)
        with pytest.raises(StorageError, match="Input/output error"):
            await writer.append(samples.create_queue())
        await writer.close()

    async def test_a_failed_last_sync_is_reported_by_close(self, tmp_path: Path) -> None:
        broken = False
        writer = await self.open(tmp_path, lambda op: errno.EIO if broken and op == "sync" else 0, "ON_SHUTDOWN")
        await writer.append(samples.create_queue())
        broken = True
        with pytest.raises(StorageError, match="Input/output error"):
            await writer.close()
        (await JournalWriter.open(tmp_path)).path.stat()  # the lock was given free all the same

    async def test_short_writes_are_completed(self, tmp_path: Path) -> None:
        writer = await self.open(tmp_path, lambda _operation: -1)
        for n in range(5):
            await writer.append(samples.create_queue(str(n)))
        await writer.close()
        assert names(tmp_path) == list("01234")

    async def test_a_file_that_was_made_immutable_works_again_afterwards(self, tmp_path: Path) -> None:
        """Neither a write nor a cut is allowed in it; nothing of the line was taken, so nothing has to be cut."""
        immutable = False

        class ImmutableFiles(Files):
            def write(self, fd: int, data: bytes | memoryview) -> int:
                if immutable:
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                return super().write(fd, data)

            def cut(self, fd: int, size: int) -> None:
                if immutable:
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                super().cut(fd, size)

        writer = await JournalWriter.open(tmp_path, files=ImmutableFiles(tmp_path))
        await writer.append(samples.create_queue("0"))
        immutable = True
        with pytest.raises(StorageError, match="Operation not permitted"):
            await writer.append(samples.create_queue("1"))
        assert writer.failure is not None
        immutable = False
        await asyncio.sleep(writer_module.RETRY_INTERVAL_S)
        writer.check()
        await writer.append(samples.create_queue("2"))
        await writer.close()
        assert names(tmp_path) == ["0", "2"]

    @pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
    async def test_a_directory_that_takes_nothing_is_reported_at_the_start(self, tmp_path: Path, error: int) -> None:
        files = FaultyFiles(tmp_path, lambda op: error if op in ("create", "write") else 0)
        with pytest.raises(StorageError) as caught:
            await JournalWriter.open(tmp_path, files=files)
        assert os.strerror(error) in caught.value.message
        assert "--data-dir" in caught.value.hint
        await (await JournalWriter.open(tmp_path)).close()  # and nothing half-made is left

    async def test_a_data_directory_below_a_file_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError, match="Not a directory"):
            await JournalWriter.open(tmp_path / "file" / "r")

    async def test_a_limit_of_the_kernel_that_is_real(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """RLIMIT_FSIZE: the kernel itself makes the write short, then refuses. No fault is injected."""
        monkeypatch.setattr(writer_module, "RETRY_INTERVAL_S", 0.0)
        writer = await JournalWriter.open(tmp_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
        taken = 0
        try:
            for _ in range(50):
                await writer.append(samples.create_queue(str(taken)))
                taken += 1
        except StorageError as error:
            assert "File too large" in error.message
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert 1 < taken < 50
        writer.check()
        await writer.append(samples.create_queue("after"))
        await writer.close()
        assert names(tmp_path) == [*map(str, range(taken)), "after"]


class TestOpening:
    async def test_a_torn_tail_is_cut_kept_and_reported(self, tmp_path: Path) -> None:
        whole = samples.write_journal(tmp_path, [samples.create_queue("a"), samples.create_queue("b")])
        path = tmp_path / JOURNAL_NAME
        path.write_bytes(whole[:-20])
        writer = await JournalWriter.open(tmp_path)
        assert "torn end" in writer.warnings[0]
        await writer.append(samples.create_queue("c"))
        await writer.close()
        assert names(tmp_path) == ["a", "c"]
        (kept,) = tmp_path.glob(f"{JOURNAL_NAME}.torn-*")
        assert whole[:-20].endswith(kept.read_bytes())
        assert kept.name in writer.warnings[0]

    async def test_a_last_line_that_only_lost_its_line_feed_is_kept(self, tmp_path: Path) -> None:
        whole = samples.write_journal(tmp_path, [samples.create_queue("a"), samples.create_queue("b")])
        (tmp_path / JOURNAL_NAME).write_bytes(whole[:-1])
        writer = await JournalWriter.open(tmp_path)
        assert writer.warnings == []
        assert await writer.append(samples.create_queue("c")) == 3
        await writer.close()
        assert names(tmp_path) == ["a", "b", "c"]

    async def test_a_header_without_line_feed_is_completed(self, tmp_path: Path) -> None:
        whole = samples.write_journal(tmp_path, [])
        (tmp_path / JOURNAL_NAME).write_bytes(whole[:-1])
        writer = await JournalWriter.open(tmp_path)
        await writer.append(samples.create_queue("a"))
        await writer.close()
        assert names(tmp_path) == ["a"]

    async def test_an_empty_file_becomes_a_recording(self, tmp_path: Path) -> None:
        (tmp_path / JOURNAL_NAME).touch()
        assert "is empty" in read(tmp_path).warnings[0]
        writer = await JournalWriter.open(tmp_path, emulator={"name": "moto"})
        await writer.append(samples.create_queue("a"))
        await writer.close()
        header = read(tmp_path).header
        assert header is not None
        assert header.emulator == {"name": "moto"}
        assert names(tmp_path) == ["a"]

    async def test_a_damaged_end_is_refused_not_cut(self, tmp_path: Path) -> None:
        whole = samples.write_journal(tmp_path, [samples.create_queue("a"), samples.create_queue("b")])
        path = tmp_path / JOURNAL_NAME
        path.write_bytes(whole[:-30] + b"X" + whole[-29:])
        with pytest.raises(RecordingError, match="line 3, at byte"):
            await JournalWriter.open(tmp_path)
        assert path.read_bytes() == whole[:-30] + b"X" + whole[-29:]

    async def test_the_lock_is_released_when_opening_fails(self, tmp_path: Path) -> None:
        (tmp_path / JOURNAL_NAME).write_text("something else\n")
        with pytest.raises(RecordingError, match="not a recording"):
            await JournalWriter.open(tmp_path)
        (tmp_path / JOURNAL_NAME).unlink()
        await (await JournalWriter.open(tmp_path)).close()

    async def test_a_symbolic_link_in_place_of_the_journal_is_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_text("precious")
        (tmp_path / "r").mkdir()
        (tmp_path / "r" / JOURNAL_NAME).symlink_to(outside)
        with pytest.raises(StorageError, match="symbolic link, not a file"):
            await JournalWriter.open(tmp_path / "r")
        assert outside.read_text() == "precious"

    async def test_a_data_directory_that_is_a_symbolic_link_is_its_owners_choice(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        writer = await JournalWriter.open(tmp_path / "link")
        await writer.append(samples.create_queue("a"))
        await writer.close()
        assert names(tmp_path / "real") == ["a"]

    async def test_a_fifo_in_place_of_the_journal_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / JOURNAL_NAME)
        async with asyncio.timeout(60):
            with pytest.raises(RecordingError, match="not a file"):
                await JournalWriter.open(tmp_path)
