"""Recordings of other tools become recordings of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.interchange.foreign.formats import Format, ImportTally, detect, expand, records
from replay_proxy.journal.interchange.import_ import import_files
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal import samples

FOREIGN = Path(__file__).parents[1] / "golden" / "foreign"
SECRETS = ("SESSIONTOKENSECRET", "Signature=", "53ac9510", "AWS4-HMAC")


def operations(found: list[Record]) -> list[str]:
    return [f"{record.head.service}:{record.head.operation}" if record.head else "?" for record in found]


class TestLocalStack:
    def test_calls_that_change_state_are_taken(self) -> None:
        tally = ImportTally()
        found = list(records(FOREIGN / "localstack_single_file.json", tally))
        assert operations(found) == ["s3:CreateBucket", "sqs:CreateQueue", "dynamodb:DeleteTable", "s3:PutObjectAcl"]
        assert tally.taken == 4
        assert tally.left_out == {"it only reads": 1}  # ReceiveMessage, which LocalStack recorded
        assert found[1].request.body == b"Action=CreateQueue&Version=2012-11-05&QueueName=orders"
        assert b"/000000000000/orders" in bytes(found[1].answer.body)  # type: ignore[arg-type]
        assert [record.notes["answer"] for record in found] == ["body only", "body only", "missing", "body only"]
        assert found[0].credential.access_key == "test"
        assert "x-localstack-edge" not in found[0].request.headers

    def test_files_per_service_come_in_an_order_that_can_be_replayed(self) -> None:
        paths = expand([FOREIGN / "localstack_file_per_service"])
        assert [path.name for path in paths] == ["api_calls_s3.json", "api_calls_sqs.json", "api_calls_dynamodb.json"]
        assert all(detect(path) is Format.LOCALSTACK for path in paths)

    async def test_a_legacy_file_in_the_data_directory_is_read_as_it_is(self, tmp_path: Path) -> None:
        content = (FOREIGN / "localstack_single_file.json").read_bytes()
        (tmp_path / JOURNAL_NAME).write_bytes(content)
        recording = read(tmp_path)
        before = list(recording)
        assert len(before) == 4
        assert any("1 call reads only, in LocalStack's file" in warning for warning in recording.warnings)
        writer = await JournalWriter.open(tmp_path)
        assert "was LocalStack's legacy file" in writer.warnings[0]
        await writer.append(samples.create_queue("new"))
        await writer.close()
        after = list(read(tmp_path))
        assert operations(after) == [*operations(before), "sqs:CreateQueue"]
        assert [record.request for record in after[:-1]] == [record.request for record in before]
        (kept,) = tmp_path.glob(f"{JOURNAL_NAME}.localstack-*")
        assert kept.read_bytes() == content

    def test_a_torn_last_line_is_left_out(self, tmp_path: Path) -> None:
        content = (FOREIGN / "localstack_single_file.json").read_bytes()
        (tmp_path / "f").write_bytes(content[:-10])
        assert len(list(records(tmp_path / "f", ImportTally()))) == 3

    def test_a_damaged_line_is_told_with_its_place(self, tmp_path: Path) -> None:
        lines = (FOREIGN / "localstack_single_file.json").read_bytes().splitlines(keepends=True)
        (tmp_path / "f").write_bytes(lines[0] + b"{}\n" + lines[1])
        with pytest.raises(RecordingError, match=rf"line 2, at byte {len(lines[0])}, cannot be read"):
            list(records(tmp_path / "f", ImportTally()))

    @pytest.mark.parametrize("member", ["d", "rd"])
    def test_a_body_that_is_no_base64_is_told(self, tmp_path: Path, member: str) -> None:
        call = {"a": "s3", "m": "PUT", "p": "/b", "d": "", "h": {}, "rd": ""} | {member: "%%%"}
        (tmp_path / "f").write_text(json.dumps(call) + "\n")
        with pytest.raises(RecordingError, match=f"its {member} is not base64"):
            list(records(tmp_path / "f", ImportTally()))


class TestMoto:
    def test_a_file_that_moto_wrote(self) -> None:
        tally = ImportTally()
        found = list(records(FOREIGN / "moto_recording", tally))
        assert operations(found) == [
            "sqs:CreateQueue",
            "sqs:SendMessage",
            "s3:CreateBucket",
            "s3:PutObject",
            "sns:CreateTopic",
            "dynamodb:CreateTable",
            "dynamodb:PutItem",
        ]
        assert tally.left_out == {"it only reads": 2}
        assert found[3].request.target == "/things/a%20key/%C3%A9"
        assert found[3].request.body == bytes(range(256))
        assert all(record.notes == {"imported_from": "moto", "answer": "missing"} for record in found)
        assert found[0].request.headers.get("host") == "127.0.0.1:5000"


class TestHar:
    def test_a_file(self) -> None:
        tally = ImportTally()
        found = list(records(FOREIGN / "calls.har", tally))
        assert operations(found) == ["sqs:CreateQueue", "s3:PutObject", "sns:CreateTopic"]
        assert tally.left_out == {"it only reads": 1, "it failed": 1, "not an AWS API call": 1}
        first, upload, form = found
        assert first.time == "2026-01-31T12:00:00.123000Z"
        assert first.duration_ms == 12.5
        assert first.request.headers.get("host") == "sqs.us-east-1.amazonaws.com"
        assert not any(name.startswith(":") for name, _value in first.request.headers)
        assert "content-encoding" not in first.answer.headers
        assert b"QueueUrl" in bytes(first.answer.body)  # type: ignore[arg-type]
        assert upload.request.body == bytes(range(256))
        assert upload.request.target == "/a%20key?x-id=PutObject"
        assert form.request.body == b"Action=CreateTopic&Version=2010-03-31&Name=news+%26+more"
        assert [record.notes["answer"] for record in found] == ["complete", "complete", "missing"]

    @pytest.mark.parametrize(
        "content",
        ['{"log":', '{"log":{}}', '{"log":{"entries":5}}', '{"log":{"entries":[{}]}}', '{"log":{"entries":[1]}}'],
    )
    def test_a_broken_one(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "f.har").write_text(content)
        with pytest.raises(RecordingError):
            list(records(tmp_path / "f.har", ImportTally()))


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", "no recording that can be imported"),
            (b"hello", "no recording that can be imported"),
            (b'{"format":"replay-proxy-recording","version":1}', "already"),
        ],
    )
    def test_they_are_refused(self, tmp_path: Path, content: bytes, expected: str) -> None:
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(RecordingError, match=expected):
            detect(tmp_path / "f")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="No such file"):
            detect(tmp_path / "f")

    def test_a_directory_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match="holds no"):
            expand([tmp_path])


class TestImporting:
    async def test_everything_into_one_recording(self, tmp_path: Path) -> None:
        sources = [FOREIGN / "localstack_file_per_service", FOREIGN / "moto_recording", FOREIGN / "calls.har"]
        report = await import_files(sources, tmp_path / "r", threshold=200)
        assert report.imported == 4 + 7 + 3
        assert report.left_out == {"it only reads": 4, "it failed": 1, "not an AWS API call": 1}
        recording = read(tmp_path / "r")
        found = list(recording)
        assert [record.seq for record in found] == list(range(1, 15))
        blobs = [record.request.body for record in found if isinstance(record.request.body, BlobRef)]
        assert blobs
        for ref in blobs:
            recording.blobs.verify(ref)
        text = (tmp_path / "r" / JOURNAL_NAME).read_text()
        assert not [secret for secret in SECRETS if secret in text]

    async def test_a_recording_that_holds_calls_is_not_added_to_unasked(self, tmp_path: Path) -> None:
        source = FOREIGN / "moto_recording"
        await import_files([source], tmp_path)
        with pytest.raises(RecordingError, match="holds recorded calls already") as caught:
            await import_files([source], tmp_path)
        assert "--append" in caught.value.hint
        await import_files([source], tmp_path, append=True)
        assert read(tmp_path).records_total == 14

    async def test_nothing_is_written_where_a_source_is_broken(self, tmp_path: Path) -> None:
        (tmp_path / "broken.har").write_text('{"log":{"entries":[{}]}}')
        with pytest.raises(RecordingError):
            await import_files([FOREIGN / "moto_recording", tmp_path / "broken.har"], tmp_path / "r")
        assert not (tmp_path / "r").exists()

    async def test_a_legacy_file_that_lies_in_the_data_directory_is_converted(self, tmp_path: Path) -> None:
        content = (FOREIGN / "localstack_single_file.json").read_bytes()
        (tmp_path / JOURNAL_NAME).write_bytes(content)
        report = await import_files([tmp_path], tmp_path)
        assert report.imported == 4
        assert read(tmp_path).header is not None
        assert [path.read_bytes() for path in tmp_path.glob("*.localstack-*")] == [content]
