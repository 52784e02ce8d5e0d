"""Compacting a journal: numbers, marks, bodies, and who reads or writes meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.check import check, repair
from replay_proxy.journal.compaction.file_swap import BACKUP_NAME, STAGED_NAME, FileSwap
from replay_proxy.journal.compaction.rewrite import NEVER_SAVED, CompactionChoices, CompactionInput, write_compacted
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.planning.compact_recording import compact_recording, stage_compaction
from tests.journal import samples
from tests.journal.compacting import bucket, objects, put_object


async def recorded(root: Path, *records: Record, strategy: str = "SCHEDULED") -> None:
    writer = await JournalWriter.open(root, strategy=strategy)
    for each in records:
        await writer.append(each)
    await writer.close()


def numbers(root: Path) -> list[int]:
    return [record.seq for record in read(root)]


async def overwritten(root: Path, times: int = 3) -> None:
    await recorded(root, bucket(), *(put_object("k", b"%d" % n) for n in range(times)))


class TestNumbers:
    async def test_lines_keep_theirs_and_nobody_misses_the_others(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        lines = (tmp_path / JOURNAL_NAME).read_bytes().splitlines()
        report = compact_recording(tmp_path)
        assert report.reasons == {"the object was overwritten": 2}
        kept = (tmp_path / JOURNAL_NAME).read_bytes().splitlines()
        assert kept[1:] == [lines[1], lines[4]]
        recording = read(tmp_path)
        assert [record.seq for record in recording] == [1, 4]
        assert recording.warnings == []
        assert [str(finding) for finding in check(tmp_path).findings] == []

    async def test_lines_that_somebody_removed_are_still_missed(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        compact_recording(tmp_path)
        await recorded(tmp_path, *(put_object(f"new{n}", b"") for n in range(3)))
        lines = (tmp_path / JOURNAL_NAME).read_bytes().splitlines(keepends=True)
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join(line for line in lines if b'"seq":6' not in line))
        recording = read(tmp_path)
        list(recording)
        assert recording.warnings == ["line 5: the numbers 6 to 6 are missing; were lines removed?"]

    async def test_none_is_given_twice_where_all_calls_went(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        source = CompactionInput(Files(tmp_path))
        write_compacted(
            source, CompactionChoices(dict.fromkeys(range(1, 5), "for a test"), frozenset(), lambda record: record)
        )
        FileSwap(Files(tmp_path)).carry_out()
        assert numbers(tmp_path) == []
        await recorded(tmp_path, bucket())
        assert numbers(tmp_path) == [5]

    async def test_the_header_adds_up_and_says_version_2(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        assert json.loads((tmp_path / JOURNAL_NAME).read_bytes().splitlines()[0])["version"] == 1
        compact_recording(tmp_path)
        await recorded(tmp_path, put_object("k", b"once more"))
        compact_recording(tmp_path)
        header = json.loads((tmp_path / JOURNAL_NAME).read_bytes().splitlines()[0])
        assert header["version"] == 2
        assert (header["compacted"]["through"], header["compacted"]["removed"]) == (5, 3)
        recording = read(tmp_path)
        assert recording.header is not None
        assert recording.header.id == header["id"]


class TestNothingToDo:
    async def test_the_second_time(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        compact_recording(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.name != "recording.lock"}
        report = compact_recording(tmp_path)
        assert not report.worth_it
        assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.name != "recording.lock"} == before

    async def test_a_dry_run_changes_nothing(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        assert stage_compaction(Files(tmp_path), write=False).reasons == {"the object was overwritten": 2}
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


class TestMarks:
    async def test_what_is_pending_stays_pending_and_what_is_void_goes(self, tmp_path: Path) -> None:
        await recorded(tmp_path, bucket(), put_object("k", b"1"), put_object("k", b"2"))
        await recorded(tmp_path, put_object("void", b""), strategy="MANUAL")
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(put_object("k", b"saved"))
        await writer.save()
        await writer.append(put_object("k", b"pending"))
        await writer.append(put_object("k", b"pending, too"))
        await writer.close()
        report = compact_recording(tmp_path)
        assert report.reasons == {"the object was overwritten": 2, NEVER_SAVED: 1}
        assert report.waiting == 2
        before = objects(read(tmp_path))
        assert list(before) == ["k"]
        assert [record.request.body for record in read(tmp_path)][1:] == [b"saved"]
        assert check(tmp_path).records - check(tmp_path).in_effect == 2
        assert not compact_recording(tmp_path).worth_it
        assert objects(read(tmp_path)) == before

    async def test_what_is_pending_can_be_saved_after_a_compaction_in_use(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        for record in (bucket(), put_object("k", b"1"), put_object("k", b"2")):
            await writer.append(record)
        await writer.save()
        await writer.append(put_object("k", b"3"))
        end = writer.position
        assert stage_compaction(Files(tmp_path), end).worth_it
        await writer.append(put_object("other", b"4"))
        await writer.adopt(end)
        assert [record.request.body for record in read(tmp_path)] == [b"", b"2"]
        await writer.save()
        assert [record.request.body for record in read(tmp_path)] == [b"", b"2", b"3", b"4"]
        await writer.append(put_object("k", b"void"))
        writer.rollback()
        await writer.close()
        assert [record.request.body for record in read(tmp_path)] == [b"", b"2", b"3", b"4"]

    async def test_a_save_of_one_service(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="MANUAL")
        await writer.append(samples.create_queue("pending"))
        for record in (bucket(), put_object("k", b"1"), put_object("k", b"2")):
            await writer.append(record)
        await writer.save("s3")
        await writer.close()
        before = numbers(tmp_path)
        assert compact_recording(tmp_path).reasons == {}
        assert numbers(tmp_path) == before

    async def test_a_gap_is_told_for_ever(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        await writer.append(bucket())
        writer.gap("no space")
        await writer.append(put_object("k", b"1"))
        await writer.append(put_object("k", b"2"))
        await writer.close()
        assert compact_recording(tmp_path).worth_it
        recording = read(tmp_path)
        list(recording)
        assert "were not recorded: no space" in recording.warnings[0]


class TestBodies:
    async def record(self, root: Path, *contents: bytes) -> None:
        writer = await JournalWriter.open(root)
        for content in contents:
            await writer.append(put_object("k", await writer.blobs.put(content)))
        await writer.close()

    def stored(self, root: Path) -> int:
        return len(list(BlobStore(root).stored()))

    async def test_they_go_one_compaction_later_with_the_journal_that_needed_them(self, tmp_path: Path) -> None:
        await recorded(tmp_path, bucket())
        await self.record(tmp_path, b"1" * 999, b"2" * 999)
        assert compact_recording(tmp_path).bodies_removed == 0
        assert self.stored(tmp_path) == 2
        told = [str(finding) for finding in check(tmp_path).findings]
        assert told == [
            f"info: 1 stored body is needed by {BACKUP_NAME} alone (999 bytes) (`replay-proxy compact --discard-original` "
            "removes both)"
        ]
        repair(tmp_path, remove_unreferenced=True)
        assert self.stored(tmp_path) == 2
        await self.record(tmp_path, b"3" * 999)
        assert compact_recording(tmp_path).bodies_removed == 1
        assert self.stored(tmp_path) == 2
        assert check(tmp_path).ok

    async def test_or_at_once(self, tmp_path: Path) -> None:
        await recorded(tmp_path, bucket())
        await self.record(tmp_path, b"1" * 999, b"2" * 999)
        report = compact_recording(tmp_path, discard_original=True)
        assert (report.bodies_removed, report.body_bytes_removed) == (1, 999)
        assert not (tmp_path / BACKUP_NAME).exists()
        assert list(objects(read(tmp_path))) == ["k"]

    async def test_the_journal_that_was_kept_can_take_its_place_again(self, tmp_path: Path) -> None:
        await recorded(tmp_path, bucket())
        await self.record(tmp_path, b"1" * 999, b"2" * 999)
        before = numbers(tmp_path)
        compact_recording(tmp_path)
        (tmp_path / BACKUP_NAME).rename(tmp_path / JOURNAL_NAME)
        assert numbers(tmp_path) == before
        assert check(tmp_path).ok

    async def test_what_was_stored_lately_is_not_discarded(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        old = await store.put(b"old")
        store.guard()
        young = await store.put(b"young")
        again = await store.put(b"old")
        assert store.discard([young.sha256, again.sha256]) == (0, 0)
        store.guard()
        assert store.discard([young.sha256]) == (0, 0)
        store.guard()
        assert store.discard([young.sha256, old.sha256, "0" * 64]) == (2, 8)
        store.sync()


class TestOthersMeanwhile:
    async def test_a_recording_in_use_is_refused(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        writer = await JournalWriter.open(tmp_path)
        with pytest.raises(RecordingError, match="is in use by process"):
            compact_recording(tmp_path)
        await writer.close()

    async def test_a_reader_goes_on_with_what_it_opened(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        recording = read(tmp_path)
        records = iter(recording)
        first = next(records)
        compact_recording(tmp_path, discard_original=True)
        assert [first.seq, *(record.seq for record in records)] == [1, 2, 3, 4]
        assert [record.seq for record in recording] == [1, 2, 3, 4]
        assert numbers(tmp_path) == [1, 4]

    async def test_a_writer_goes_on_in_the_new_one(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST")
        for record in (bucket(), put_object("k", b"1"), put_object("k", b"2")):
            await writer.append(record)
        end = writer.position
        stage_compaction(Files(tmp_path), end)
        assert await writer.append(put_object("k", b"3")) == 4
        await writer.adopt(end)
        assert await writer.append(put_object("k", b"4")) == 5
        assert writer.position == (tmp_path / JOURNAL_NAME).stat().st_size
        await writer.close()
        assert numbers(tmp_path) == [1, 3, 4, 5]
        assert read(tmp_path).warnings == []

    async def test_a_journal_that_is_removed_afterwards_is_written_again(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path, strategy="ON_REQUEST")
        for record in (bucket(), put_object("k", b"1"), put_object("k", b"2")):
            await writer.append(record)
        end = writer.position
        stage_compaction(Files(tmp_path), end)
        await writer.adopt(end)
        (tmp_path / JOURNAL_NAME).unlink()
        await writer.append(put_object("k", b"3"))
        await writer.close()
        assert numbers(tmp_path) == [1, 3, 4]

    async def test_one_that_was_replaced_meanwhile_is_not_mistaken_for_the_compacted_one(self, tmp_path: Path) -> None:
        writer = await JournalWriter.open(tmp_path)
        for record in (bucket(), put_object("k", b"1"), put_object("k", b"2")):
            await writer.append(record)
        end = writer.position
        stage_compaction(Files(tmp_path), end)
        (tmp_path / JOURNAL_NAME).rename(tmp_path / "ours")
        (tmp_path / JOURNAL_NAME).write_text("theirs")
        with pytest.raises(StorageError, match="was replaced by another file"):
            await writer.adopt(end)
        assert (tmp_path / JOURNAL_NAME).read_text() == "theirs"
        await writer.close()

    async def test_what_a_killed_compaction_left_is_explained_and_tidied(self, tmp_path: Path) -> None:
        await overwritten(tmp_path)
        (tmp_path / STAGED_NAME).write_bytes(b"half a li")
        assert any("a compaction was interrupted" in str(finding) for finding in check(tmp_path).findings)
        assert "tidied up" in repair(tmp_path)[0]
        assert not (tmp_path / STAGED_NAME).exists()


async def test_a_legacy_file_is_converted_on_the_way(tmp_path: Path) -> None:
    scope = "test/20260101/us-east-1/s3/aws4_request"
    call = {
        "a": "s3",
        "m": "PUT",
        "p": "/bucket",
        "d": "",
        "h": {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"},
    }
    lines = [call, {**call, "p": "/bucket/k"}, {**call, "p": "/bucket/k"}]
    (tmp_path / JOURNAL_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = compact_recording(tmp_path)
    assert "LocalStack's legacy file; it was converted" in report.warnings[0]
    assert (report.calls_before, report.calls_after) == (3, 2)
    assert numbers(tmp_path) == [1, 3]
