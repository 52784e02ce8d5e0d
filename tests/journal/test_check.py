"""Verifying and repairing: everything wrong is named, and nothing that was recorded is taken away unasked."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef, Request
from replay_proxy.journal.check import CheckReport, Severity, check, repair
from replay_proxy.journal.compaction.rewrite import NOT_LOADED
from replay_proxy.journal.format.encode import encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.planning.compact_recording import compact_recording
from tests.journal import samples
from tests.journal.test_faults import name_of


@pytest.fixture
async def recording(tmp_path: Path) -> Path:
    """Three calls, the second with a large body."""
    writer = await JournalWriter.open(tmp_path)
    await writer.append(samples.create_queue("a"))
    ref = await writer.blobs.put(b"large" * 1000)
    call = samples.create_queue("b")
    request = Request("PUT", "/b/k", call.request.headers, ref)
    await writer.append(Record(0, call.time, 1.0, call.kind, call.head, request, call.answer, call.credential))
    await writer.append(samples.create_queue("c"))
    await writer.close()
    return tmp_path


def lines_of(directory: Path) -> list[bytes]:
    return (directory / JOURNAL_NAME).read_bytes().splitlines(keepends=True)


def put(directory: Path, lines: list[bytes]) -> None:
    (directory / JOURNAL_NAME).write_bytes(b"".join(lines))


def damaged(line: bytes) -> bytes:
    return line.replace(b"sqs", b"sqz", 1)


def only_blob(directory: Path) -> Path:
    (path,) = [path for path in (directory / "blobs").rglob("*") if path.is_file()]
    return path


def told(report: CheckReport, severity: Severity) -> list[str]:
    return [str(finding) for finding in report.findings if finding.severity is severity]


def test_a_whole_recording(recording: Path) -> None:
    report = check(recording)
    assert report.ok
    assert report.findings == []
    assert (report.records, report.in_effect, report.blobs, report.blob_bytes) == (3, 3, 1, 5000)
    assert report.version == 1
    assert repair(recording) == []
    json.dumps(report.as_json())


def test_checking_changes_nothing(recording: Path) -> None:
    lines = lines_of(recording)
    put(recording, [*lines, b'{"torn'])
    before = {path: path.stat().st_mtime_ns for path in recording.rglob("*")}
    check(recording)
    assert {path: path.stat().st_mtime_ns for path in recording.rglob("*")} == before


def test_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no recording"):
        check(tmp_path)


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_text("some\nother\nfile\n")
    with pytest.raises(RecordingError, match="is not a recording"):
        check(tmp_path)


class TestTornTail:
    def test_it_is_a_warning_and_repaired(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [*lines, b'{"seq":4,"ti'])
        report = check(recording)
        assert report.ok
        assert "the end (12 bytes) is torn" in told(report, Severity.WARNING)[0]
        (step,) = repair(recording)
        assert "cut 12 bytes" in step
        assert lines_of(recording) == lines
        (kept,) = recording.glob("*.torn-*")
        assert kept.read_bytes() == b'{"seq":4,"ti'
        assert check(recording).findings == []


class TestDamagedLines:
    def test_all_of_them_are_named_with_line_and_offset(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [lines[0], damaged(lines[1]), lines[2], damaged(lines[3])])
        report = check(recording)
        assert not report.ok
        assert report.damaged_lines == [2, 4]
        first, second = told(report, Severity.ERROR)
        assert f"line 2, byte {len(lines[0])}: damaged: its checksum" in first
        assert f"line 4, byte {len(b''.join(lines[:3]))}: damaged" in second

    def test_a_repair_refuses_to_lose_them_unasked(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [lines[0], damaged(lines[1]), *lines[2:]])
        with pytest.raises(RecordingError, match="1 line is damaged, the first is line 2") as caught:
            repair(recording)
        assert "--drop-damaged" in caught.value.hint
        assert lines_of(recording)[1] == damaged(lines[1])

    def test_when_asked_the_rest_is_kept_and_the_original_too(self, recording: Path) -> None:
        lines = lines_of(recording)
        broken = [lines[0], damaged(lines[1]), *lines[2:], b'{"torn']
        put(recording, broken)
        (step,) = repair(recording, drop_damaged=True)
        assert "left out 1 damaged line (2)" in step
        assert lines_of(recording) == [lines[0], *lines[2:]]
        (kept,) = recording.glob("*.damaged-*")
        assert kept.read_bytes() == b"".join(broken)
        report = check(recording)
        assert report.ok
        assert "numbers 1 to 1 are missing" in told(report, Severity.WARNING)[0]
        assert [record.seq for record in read(recording)] == [2, 3]

    def test_a_damaged_header_is_written_anew(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [b"X" + lines[0][1:], *lines[1:]])
        report = check(recording)
        assert report.damaged_lines == [1]
        assert report.records == 3
        repair(recording, drop_damaged=True)
        assert len(list(read(recording))) == 3

    def test_a_line_out_of_order(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [*lines, encode_record(samples.create_queue("again"), 2)])
        report = check(recording)
        assert "its seq is 2, and an earlier line has 3" in told(report, Severity.ERROR)[0]
        repair(recording, drop_damaged=True)
        assert [record.seq for record in read(recording)] == [1, 2, 3]

    def test_a_damaged_line_does_not_make_its_blob_look_unreferenced(self, recording: Path) -> None:
        lines = lines_of(recording)
        put(recording, [*lines[:2], damaged(lines[2]), lines[3]])
        assert told(check(recording), Severity.INFO) == []


class TestBlobs:
    def test_a_missing_one(self, recording: Path) -> None:
        only_blob(recording).unlink()
        (error,) = told(check(recording), Severity.ERROR)
        assert re.search("body blobs/../[0-9a-f]{64} is missing", error)

    def test_a_changed_one_is_found_by_reading_it(self, recording: Path) -> None:
        path = only_blob(recording)
        path.write_bytes(b"l@rge" * 1000)
        assert "does not have the content" in told(check(recording), Severity.ERROR)[0]
        assert check(recording, blobs=False).ok

    def test_a_shortened_one_is_found_without_reading_it(self, recording: Path) -> None:
        path = only_blob(recording)
        path.write_bytes(b"large")
        assert "has 5 bytes, recorded were 5000" in told(check(recording, blobs=False), Severity.ERROR)[0]

    async def test_unreferenced_ones_are_told_and_removed_only_when_asked(self, recording: Path) -> None:
        writer = await JournalWriter.open(recording)
        ref = await writer.blobs.put(b"never recorded")
        writer.blobs.begin().write(b"never completed")
        await writer.close()
        report = check(recording)
        assert report.ok
        infos = told(report, Severity.INFO)
        assert "1 stored body (14 bytes)" in infos[0]
        assert "1 body was never completed" in infos[1]
        assert repair(recording) == ["removed 1 body that a crash left incomplete"]
        assert (recording / "blobs" / ref.sha256[:2] / ref.sha256).exists()
        assert repair(recording, remove_unreferenced=True) == ["removed 1 body (14 bytes) that nothing refers to"]
        assert check(recording).findings == []


class TestOther:
    def test_edited_lines(self, recording: Path) -> None:
        lines = lines_of(recording)
        edited = json.loads(lines[1])
        del edited["crc"]
        put(recording, [lines[0], json.dumps(edited).encode() + b"\n", *lines[2:]])
        report = check(recording)
        assert report.ok
        assert report.unverified == 1

    def test_modes(self, recording: Path) -> None:
        (recording / JOURNAL_NAME).chmod(0o644)
        assert "others may read" in told(check(recording), Severity.WARNING)[0]

    async def test_a_recording_in_use(self, recording: Path) -> None:
        writer = await JournalWriter.open(recording)
        assert f"in use by process {os.getpid()}" in told(check(recording), Severity.INFO)[0]
        with pytest.raises(RecordingError, match="in use"):
            repair(recording)
        await writer.close()

    async def test_calls_that_were_never_saved(self, recording: Path) -> None:
        writer = await JournalWriter.open(recording, strategy="MANUAL")
        await writer.append(samples.create_queue("d"))
        await writer.close()
        report = check(recording)
        assert (report.records, report.in_effect) == (4, 3)
        assert "never saved" in told(report, Severity.INFO)[0]

    async def test_calls_of_a_load_that_failed_are_not_of_the_save_strategy(self, recording: Path) -> None:
        """Under no name of a strategy that was never used, when it is read, checked or compacted, also once more."""
        writer = await JournalWriter.open(recording)
        await writer.begin_trial()
        await writer.append(samples.create_queue("tried"))
        writer.drop_trial()
        await writer.append(samples.create_queue("after"))
        await writer.close()
        for _time in range(2):
            found = read(recording)
            assert (len(list(found)), found.warnings) == (4, [])
        report = check(recording)
        assert told(report, Severity.INFO) == [
            "info: 1 call was recorded of a pod whose load failed (they are not restored)"
        ]
        assert compact_recording(recording).reasons.get(NOT_LOADED) == 1
        assert told(check(recording), Severity.INFO) == []

    def test_a_gap_in_the_journal_is_told(self) -> None:
        report = check(Path(__file__).parents[1] / "golden" / "v1")
        assert any("were not recorded: No space left on device" in each for each in told(report, Severity.WARNING))

    def test_what_is_left_after_a_repair_is_what_was_there(self, recording: Path) -> None:
        before = list(read(recording))
        put(recording, [*lines_of(recording), b"\0" * 4096])
        repair(recording)
        assert list(read(recording)) == before
        assert isinstance(before[1].request.body, BlobRef)
        assert name_of(before[0]) == "a"
