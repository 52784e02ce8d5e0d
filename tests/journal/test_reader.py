"""Reading: any file loads, loads with a reported torn tail, or is refused with line and offset."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, RecordingHeader
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from tests.journal import samples
from tests.journal.test_faults import name_of
from tests.support.processes import amount

WHOLE = b"".join(
    [encode_header(samples.HEADER)] + [encode_record(samples.create_queue(name), n) for n, name in enumerate("abcd", 1)]
)
STARTS = [0, *(found.end() for found in re.finditer(b"\n", WHOLE[:-1]))]


def put(directory: Path, content: bytes) -> Path:
    (directory / JOURNAL_NAME).write_bytes(content)
    return directory


def names(directory: Path) -> list[str]:
    return [name_of(record) for record in read(directory)]


class TestWhatThereMayBe:
    def test_no_directory(self, tmp_path: Path) -> None:
        recording = read(tmp_path / "nowhere")
        assert recording.header is None
        assert list(recording) == []
        assert recording.warnings == []

    def test_no_file(self, tmp_path: Path) -> None:
        assert list(read(tmp_path)) == []

    def test_an_empty_file(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, b""))
        assert list(recording) == []
        assert "is empty" in recording.warnings[0]

    def test_only_a_header(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, encode_header(samples.HEADER)))
        assert recording.header == samples.HEADER
        assert list(recording) == []

    def test_a_whole_recording(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, WHOLE))
        assert [record.seq for record in recording] == [1, 2, 3, 4]
        assert [record.seq for record in recording] == [1, 2, 3, 4]  # as often as one likes
        assert recording.records_total == 4
        assert recording.warnings == []
        assert recording.unverified == 0

    def test_it_may_be_read_while_it_is_written(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, WHOLE))
        with (tmp_path / JOURNAL_NAME).open("ab") as journal:
            journal.write(encode_record(samples.create_queue("e"), 5))
        assert len(list(recording)) == 4
        assert len(list(read(tmp_path))) == 5

    def test_reading_changes_nothing(self, tmp_path: Path) -> None:
        list(read(put(tmp_path, WHOLE[:-7])))
        assert (tmp_path / JOURNAL_NAME).read_bytes() == WHOLE[:-7]
        assert [path.name for path in (tmp_path).iterdir()] == [JOURNAL_NAME]


class TestTornTails:
    @pytest.mark.parametrize("cut", range(1, len(WHOLE) - STARTS[-1]))
    def test_a_last_line_cut_anywhere(self, tmp_path: Path, cut: int) -> None:
        recording = read(put(tmp_path, WHOLE[:-cut]))
        found = [name_of(record) for record in recording]
        if cut == 1:  # only the line feed is missing: the record is whole
            assert found == list("abcd")
            assert recording.torn == 0
        else:
            assert found == list("abc")
            assert recording.torn == len(WHOLE) - STARTS[-1] - cut
            assert (recording.torn == 0) == (recording.warnings == [])

    @pytest.mark.parametrize("zeros", [1, 100, 5000, 100_000])
    def test_zeros_at_the_end_are_pages_that_never_reached_the_disk(self, tmp_path: Path, zeros: int) -> None:
        recording = read(put(tmp_path, WHOLE + bytes(zeros)))
        assert [name_of(record) for record in recording] == list("abcd")
        assert recording.torn == zeros

    def test_zeros_within_the_last_lines(self, tmp_path: Path) -> None:
        """A page that spans the end of one line and the beginning of the next."""
        holed = bytearray(WHOLE)
        holed[STARTS[-1] - 50 : STARTS[-1] + 50] = bytes(100)
        recording = read(put(tmp_path, bytes(holed)))
        assert [name_of(record) for record in recording] == list("ab")
        assert recording.torn == len(WHOLE) - STARTS[3]

    def test_a_hole_with_a_whole_line_behind_it_is_damage(self, tmp_path: Path) -> None:
        holed = bytearray(WHOLE)
        holed[STARTS[2] + 10 : STARTS[2] + 20] = bytes(10)
        with pytest.raises(RecordingError, match=rf"line 3, at byte {STARTS[2]}, is damaged"):
            names(put(tmp_path, bytes(holed)))

    def test_a_long_torn_line_is_found_across_blocks(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, WHOLE + b'{"seq":5,' + b"x" * 300_000))
        assert len(list(recording)) == 4
        assert recording.torn == 300_009

    def test_a_torn_line_of_a_legacy_file(self, tmp_path: Path) -> None:
        """LocalStack issue 1494: one truncated line was an endless crash loop."""
        call = {
            "a": "sqs",
            "m": "POST",
            "p": "/",
            "d": "eyJRdWV1ZU5hbWUiOiJhIn0=",
            "h": {"X-Amz-Target": samples.TARGET},
        }
        line = json.dumps(call).encode() + b"\n"
        recording = read(put(tmp_path, line + line[:-20]))
        assert [name_of(record) for record in recording] == ["a"]
        assert recording.torn == len(line) - 20


class TestDamage:
    def test_it_names_line_offset_reason_and_remedy(self, tmp_path: Path) -> None:
        changed = WHOLE.replace(b'{\\"QueueName\\":\\"b\\"}', b'{\\"QueueName\\":\\"B\\"}')
        with pytest.raises(RecordingError) as caught:
            names(put(tmp_path, changed))
        assert f"line 3, at byte {STARTS[2]}, is damaged" in caught.value.message
        assert "checksum does not match" in caught.value.message
        assert "del(.crc)" in caught.value.hint
        assert "replay-proxy check" in caught.value.hint

    def test_it_is_refused_before_the_first_call_is_given(self, tmp_path: Path) -> None:
        """Else a restore would have replayed half of a recording when it meets the damage."""
        with pytest.raises(RecordingError, match="line 4"):
            read(put(tmp_path, WHOLE[: STARTS[3]] + b"{}\n" + WHOLE[STARTS[3] :]))

    def test_a_line_twice(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match="its seq is 2, and the line before has 2"):
            names(put(tmp_path, WHOLE[: STARTS[3]] + WHOLE[STARTS[2] :]))

    def test_a_missing_line_is_told(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, WHOLE[: STARTS[2]] + WHOLE[STARTS[3] :]))
        assert [name_of(record) for record in recording] == list("acd")
        assert any("numbers 2 to 2 are missing" in warning for warning in recording.warnings)

    def test_a_newer_format(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match="format version 7") as caught:
            read(put(tmp_path, encode_header(RecordingHeader("i", "c", {}, version=7))))
        assert "newer" in caught.value.hint

    @pytest.mark.parametrize(
        ("content", "hint"),
        [
            (b"hello\n", "move this file away"),
            (b"\x7fELF\x02\x01\x01\x00\x00", "move this file away"),
            (b'{\n  "format": "replay-proxy-recording",\n', "jq -c"),
            (b'{"log":{"entries":[]}}', "replay-proxy import"),
            (b'{"headers":{},"method":"GET","url":"/"}\n', "replay-proxy import"),
            (b"[1,2,3]\n", "move this file away"),
            (b"\0" * 100, "move this file away"),
        ],
    )
    def test_another_file(self, tmp_path: Path, content: bytes, hint: str) -> None:
        with pytest.raises(RecordingError, match="not a recording") as caught:
            read(put(tmp_path, content))
        assert hint in caught.value.hint

    def test_a_damaged_header(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match="line 1, at byte 0, is damaged: its checksum"):
            read(put(tmp_path, WHOLE.replace(b'"moto"', b'"mote"')))


class TestEdited:
    def test_lines_without_checksums_are_read_and_told(self, tmp_path: Path) -> None:
        lines = WHOLE.splitlines(keepends=True)
        edited = json.loads(lines[2])
        del edited["crc"]
        lines[2] = json.dumps(edited).encode() + b"\n"
        recording = read(put(tmp_path, b"".join(lines)))
        assert len(list(recording)) == 4
        assert recording.unverified == 1
        assert any("1 line carries no checksum" in warning for warning in recording.warnings)

    def test_empty_lines_and_line_feeds_of_windows(self, tmp_path: Path) -> None:
        content = WHOLE.replace(b"\n", b"\r\n\r\n") + b"\n\n"
        assert names(put(tmp_path, content)) == list("abcd")


class TestFileSystem:
    def test_a_directory_of_that_name(self, tmp_path: Path) -> None:
        (tmp_path / JOURNAL_NAME).mkdir()
        with pytest.raises(RecordingError, match="a directory, not a file"):
            read(tmp_path)

    def test_a_symbolic_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(WHOLE)
        (tmp_path / "r").mkdir()
        (tmp_path / "r" / JOURNAL_NAME).symlink_to("../secret")
        with pytest.raises(StorageError) as caught:
            read(tmp_path / "r")
        assert "symbolic links" in caught.value.hint

    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        class Forbidden(Files):
            def open_read(self, name: str) -> int:
                raise PermissionError(13, "Permission denied")

        put(tmp_path, WHOLE)
        with pytest.raises(StorageError, match="Permission denied") as caught:
            read(tmp_path, files=Forbidden(tmp_path))
        assert "--data-dir" in caught.value.hint

    def test_an_error_in_the_middle_of_reading(self, tmp_path: Path) -> None:
        class Broken(Files):
            broken = False

            def read_at(self, fd: int, size: int, offset: int) -> bytes:
                if self.broken:
                    raise OSError(5, "Input/output error")
                return super().read_at(fd, size, offset)

        files = Broken(put(tmp_path, WHOLE))
        recording = read(tmp_path, files=files)
        files.broken = True
        with pytest.raises(StorageError, match="Input/output error"):
            list(recording)

    def test_a_file_that_becomes_shorter(self, tmp_path: Path) -> None:
        recording = read(put(tmp_path, WHOLE))
        put(tmp_path, WHOLE[: STARTS[2]])
        with pytest.raises(RecordingError, match="became shorter"):
            list(recording)


@settings(max_examples=amount(133, 400), deadline=None)
@given(st.data())
def test_any_damage_to_a_recording_is_refused_reported_or_harmless(data: st.DataObject) -> None:
    """Bytes changed, removed, repeated or put in at random: no other kind of exception, no wrong record."""
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 60))
        match data.draw(st.sampled_from(["cut", "remove", "change", "repeat", "zero"])):
            case "cut":
                del content[at:]
            case "remove":
                del content[at : at + length]
            case "change":
                content[at : at + length] = data.draw(st.binary(min_size=0, max_size=60))
            case "repeat":
                content[at:at] = content[at : at + length * 20]
            case "zero":
                content[at : at + length] = bytes(len(content[at : at + length]))
    judge(bytes(content))


@settings(max_examples=amount(66, 200), deadline=None)
@given(st.binary(max_size=500), st.booleans())
@example(b"", True)
@example(b"\n\n\n", True)
@example(b"\0", True)
@example(b'{"a":1,"m":2,"p":3}\n', False)
@example(b'{"a":"s3","m":"PUT","p":"/b"}\n{"a"', False)
def test_any_file_is_refused_or_read(noise: bytes, after_header: bool) -> None:
    judge((encode_header(samples.HEADER) if after_header else b"") + noise)


def judge(content: bytes) -> None:
    originals = {name: samples.create_queue(name) for name in "abcd"}
    with tempfile.TemporaryDirectory() as directory:
        put(Path(directory), content)
        try:
            recording = read(Path(directory))
            found = list(recording)
        except RecordingError as error:
            place = re.search(r"line \d+, at byte \d+, is damaged: .", error.message)
            assert place or "is not a recording" in error.message or "format version" in error.message
            assert error.hint
            return
        if recording.layout.legacy:
            return
        whole = not recording.warnings
        if whole and recording.header is not None:
            assert [record.seq for record in found] == list(range(1, len(found) + 1))
        for record in found:
            original = originals[name_of(record)] if recording.unverified == 0 else None
            if original is not None:
                assert record.request == original.request
                assert record.answer == original.answer


def test_a_journal_of_200_000_calls_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """More than 100 MB of lines, read by a process that may grow by 16 MB."""
    line = encode_record(samples.create_queue("x" * 150), 1)
    body, _, _ = line[len(b'{"seq":1') :].rpartition(b',"crc"')
    with (tmp_path / JOURNAL_NAME).open("wb") as journal:
        journal.write(encode_header(samples.HEADER))
        for seq in range(1, 200_001):
            journal.write(b'{"seq":%d%s}\n' % (seq, body))
    assert (tmp_path / JOURNAL_NAME).stat().st_size > 100_000_000
    program = (
        "import resource, sys; from pathlib import Path; from replay_proxy.journal.read.reader import read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); recording = read(Path(sys.argv[1])); count = sum(1 for _ in recording)\n"
        "print(count, peak() - before)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=True, text=True
    ).stdout.split()
    assert int(output[0]) == 200_000
    assert int(output[1]) < 16 * 1024
