"""Lines and records: exact both ways, and damage is never parsed into something else."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format import checksum
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import NewerFormat, decode_header, decode_line
from replay_proxy.journal.format.encode import encode_control, encode_header, encode_record
from replay_proxy.journal.format.records import (
    CompactedRange,
    ControlKind,
    ControlRecord,
    Record,
    RecordingHeader,
    RecordKind,
)
from tests.journal import samples


@given(samples.records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    line = encode_record(record, record.seq)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    decoded = decode_line(line)
    assert decoded.verified
    assert decoded.item == record


@given(st.binary(max_size=2000))
@example(b"")
@example(b"plain text")
@example("naïve ☃".encode())
@example(b"\xff\xfe")
@example(b"a\x00b")
@example(b"a\x7fb")
@example("a\u2028b\ufffe".encode())
@example(b"\xed\xa0\x80")  # a surrogate, which UTF-8 must not have
@example(b'{"a":"\\u0000"}')
def test_a_body_comes_back_byte_for_byte(body: bytes) -> None:
    record = samples.create_queue()
    record = replace(record, request=replace(record.request, body=body), answer=replace(record.answer, body=body))
    item = decode_line(encode_record(record, 1)).item
    assert isinstance(item, Record)
    assert item.request.body == body
    assert item.answer.body == body


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b"", "body"),
        (b'{"QueueName":"orders"}', "body"),
        (b"Action=CreateTopic&Name=a\r\n\tb", "body"),
        ("Grüße, 世界".encode(), "body"),
        (b"PK\x03\x04", "body_base64"),
        (b"\x80abc", "body_base64"),
        (b"a\x1b[0m", "body_base64"),
    ],
)
def test_text_stays_text_and_binary_becomes_base64(body: bytes, member: str) -> None:
    record = samples.create_queue()
    line = json.loads(encode_record(replace(record, request=replace(record.request, body=body)), 1))
    assert [name for name in line["request"] if name.startswith("body")] == [member]


@pytest.mark.parametrize(
    "control",
    [
        ControlRecord(3, "t", ControlKind.SESSION, manual=True),
        ControlRecord(4, "t", ControlKind.SESSION, manual=False),
        ControlRecord(5, "t", ControlKind.SAVE),
        ControlRecord(6, "t", ControlKind.SAVE, service="sqs"),
        ControlRecord(7, "t", ControlKind.GAP, reason="No space left on device"),
        ControlRecord(8, "t", ControlKind.RESET),
        ControlRecord(9, "t", ControlKind.RESET, service="sqs"),
    ],
)
def test_a_control_record_comes_back_as_it_was(control: ControlRecord) -> None:
    decoded = decode_line(encode_control(control, control.seq))
    assert decoded.verified
    assert decoded.item == control


def test_one_changed_bit_is_never_read() -> None:
    """Every bit of a line, one at a time: each is noticed."""
    line = encode_record(samples.create_queue(), 7)[:-1]
    for bit in range(len(line) * 8):
        changed = bytearray(line)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(LineError):
            decode_line(bytes(changed))


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(raw: bytes) -> None:
    try:
        decode_line(raw)
    except LineError as error:
        assert str(error)


@given(samples.json_values)
@example({"seq": 1, "time": "t", "ms": 1e400, "kind": "mutation", "request": {}, "answer": {}})
@example({"seq": True, "time": "t", "mark": "save"})
@example({"seq": 0, "time": "t", "mark": "save"})
@example({"seq": 1, "time": "t", "mark": ["save"]})
@example({"seq": 1, "time": "t", "mark": "save", "manual": 1})
def test_any_json_decodes_or_is_refused(value: object) -> None:
    try:
        decode_line(json.dumps(value).encode())
    except LineError as error:
        assert str(error)


def test_a_wrong_type_anywhere_is_refused() -> None:
    """Each leaf of a record, put into another type."""
    whole = json.loads(encode_record(samples.create_queue(), 1))
    del whole["crc"]
    assert not decode_line(json.dumps(whole).encode()).verified
    required = {("seq",), ("time",), ("ms",), ("kind",), ("request",), ("answer",)}
    paths = [path for path, _leaf in _leaves(whole)]
    assert len(paths) > 20
    for path in paths:
        changed = json.loads(json.dumps(whole))
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = {"an": "object"} if path[-1] != "notes" else 1
        with pytest.raises(LineError):
            decode_line(json.dumps(changed).encode())
    for (member,) in required:
        changed = {name: value for name, value in whole.items() if name != member}
        with pytest.raises(LineError, match=member):
            decode_line(json.dumps(changed).encode())


def _leaves(value: object, path: tuple[object, ...] = ()) -> list[tuple[tuple[object, ...], object]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*path, name))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in _leaves(inner, (*path, index))]
    return [(path, value)]


class TestEditedLines:
    def test_a_line_without_checksum_is_read_as_unverified(self) -> None:
        whole = json.loads(encode_record(samples.create_queue("orders"), 1))
        del whole["crc"]
        decoded = decode_line(json.dumps(whole).encode())
        assert not decoded.verified
        assert decoded.item.seq == 1

    def test_spaces_and_another_order_of_members_are_fine_without_a_checksum(self) -> None:
        whole = json.loads(encode_record(samples.create_queue("orders"), 1))
        del whole["crc"]
        shuffled = json.dumps(dict(sorted(whole.items())), indent=None, separators=(" , ", " : "))
        assert decode_line(shuffled.encode() + b"\r\n").item.seq == 1

    def test_an_edit_that_keeps_the_checksum_is_damage(self) -> None:
        line = encode_record(samples.create_queue("orders"), 1).replace(b"orders", b"others")
        with pytest.raises(LineError, match="checksum does not match"):
            decode_line(line)

    def test_a_checksum_in_another_place_is_damage(self) -> None:
        whole = json.loads(encode_record(samples.create_queue("orders"), 1))
        with pytest.raises(LineError, match="checksum"):
            decode_line(json.dumps(dict(sorted(whole.items()))).encode())

    def test_a_line_feed_of_windows_does_no_harm(self) -> None:
        line = encode_record(samples.create_queue(), 1)
        assert decode_line(line[:-1] + b"\r\n").verified

    def test_unknown_members_are_refused(self) -> None:
        whole = json.loads(encode_record(samples.create_queue(), 1))
        crc = whole.pop("crc")
        with pytest.raises(LineError, match="crb"):
            decode_line(json.dumps({**whole, "crb": crc}).encode())

    def test_text_that_no_byte_of_the_wire_stands_for_is_refused(self) -> None:
        whole = json.loads(encode_record(samples.create_queue(), 1))
        del whole["crc"]
        whole["request"]["target"] = "/snowman-☃"
        with pytest.raises(LineError, match="character"):
            decode_line(json.dumps(whole).encode())

    @pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
    def test_jq_reads_a_line_and_an_edit_with_jq_is_accepted(self) -> None:
        line = encode_record(samples.create_queue("orders"), 1)
        program = 'del(.crc) | .request.body |= (fromjson | .QueueName = "others" | tojson)'
        edited = subprocess.run(["jq", "-c", program], input=line, capture_output=True, check=True).stdout
        item = decode_line(edited).item
        assert isinstance(item, Record)
        assert item.request.body == b'{"QueueName":"others"}'


class TestHeader:
    def test_it_comes_back(self) -> None:
        assert decode_header(encode_header(samples.HEADER)) == (samples.HEADER, True)

    def test_what_a_compaction_left_out_comes_back(self) -> None:
        header = replace(samples.HEADER, version=2, compacted=CompactedRange(10, 3, "2026-01-31T12:00:00.000000Z"))
        assert decode_header(encode_header(header)) == (header, True)

    def test_a_byte_order_mark_in_front_does_no_harm(self) -> None:
        assert decode_header(b"\xef\xbb\xbf" + encode_header(samples.HEADER))[0] == samples.HEADER

    def test_a_newer_version_says_so(self) -> None:
        with pytest.raises(NewerFormat, match=r"version 3.*up to 2"):
            decode_header(encode_header(RecordingHeader("i", "c", {}, version=3)))

    def test_a_newer_version_may_have_members_that_we_do_not_know(self) -> None:
        with pytest.raises(NewerFormat):
            decode_header(b'{"format":"replay-proxy-recording","version":3,"whatever":1}')

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"format":"another","version":1}',
            b'{"format":"replay-proxy-recording"}',
            b'{"format":"replay-proxy-recording","version":true}',
            b'{"format":"replay-proxy-recording","version":0}',
            b'{"format":"replay-proxy-recording","version":1,"id":1,"created":""}',
            b'{"format":"replay-proxy-recording","version":1,"id":"","created":"","emulator":[]}',
            b'{"format":"replay-proxy-recording","version":1,"id":"","created":"","other":1}',
            b'{"format":"replay-proxy-recording","version":1,"id":"","created":"","compacted":{"through":1,"removed":1,"time":""}}',
            b'{"format":"replay-proxy-recording","version":2,"id":"","created":"","compacted":{"through":1}}',
            b'{"format":"replay-proxy-recording","version":2,"id":"","created":"","compacted":{"through":-1,"removed":1,"time":""}}',
        ],
    )
    def test_anything_else_is_refused(self, line: bytes) -> None:
        with pytest.raises(LineError):
            decode_header(line)


class TestWhatJsonCannotHold:
    def record(self, **changes: object) -> Record:
        plain = Record(1, "t", 1.0, RecordKind.MUTATION, None, Request("GET", "/", Headers()), Answer(200, Headers()))
        return replace(plain, **changes)  # type: ignore[arg-type]  # the changes are those of a record

    def test_a_lone_surrogate(self) -> None:
        with pytest.raises(ValueError, match="JSON cannot hold it"):
            encode_record(self.record(notes={"text": "\ud800"}), 1)

    def test_a_value_that_is_no_json(self) -> None:
        with pytest.raises(ValueError, match="JSON cannot hold it"):
            encode_record(self.record(notes={"text": object()}), 1)

    def test_a_line_longer_than_readers_take(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checksum, "LINE_BYTES_MAX", 1000)
        with pytest.raises(ValueError, match="longer than"):
            encode_record(self.record(head=CallHead("s", "o", "p"), notes={"text": "x" * 2000}), 1)
