"""The index of a journal: the same records as when every line is decoded, however they are written."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.encode import encode_control, encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, RecordKind
from replay_proxy.journal.read import index as module
from replay_proxy.journal.read.index import CallType, Index, call_type_of
from replay_proxy.journal.read.lookup import RecordLookup, SelectedRecords
from replay_proxy.journal.read.reader import read
from tests.journal import samples

CREATE = CallType(RecordKind.MUTATION, "sqs", "CreateQueue")


def journal(directory: Path, *lines: bytes) -> Path:
    (directory / JOURNAL_NAME).write_bytes(encode_header(samples.HEADER) + b"".join(lines))
    return directory


def queues(count: int) -> list[bytes]:
    return [encode_record(samples.create_queue("q" * (seq % 7 + 1)), seq) for seq in range(1, count + 1)]


@pytest.mark.parametrize("block", [64, 300, 4096, module.BLOCK])
def test_the_index_finds_what_decoding_every_line_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    lines = queues(40)
    lines.insert(20, b"\n")
    recording = read(journal(tmp_path, *lines))
    assert [recording.index.call_type(position) for position in range(len(recording.index))] == [CREATE] * 40
    lookup = RecordLookup(recording)
    assert [lookup.record(position) for position in range(40)] == list(recording.records())


def test_an_edited_line_without_a_checksum_is_indexed_by_what_it_says(tmp_path: Path) -> None:
    edited = {key: value for key, value in reversed(json.loads(queues(2)[1]).items()) if key != "crc"}
    recording = read(journal(tmp_path, queues(1)[0], json.dumps(edited).encode() + b"\n"))
    assert recording.index.call_type(1) == CREATE
    assert recording.index.seqs[1] == 2
    assert [RecordLookup(recording).record(1)] == list(recording.records())[1:]


def test_a_selection_keeps_to_what_is_wanted_and_in_effect(tmp_path: Path) -> None:
    lines = [
        encode_control(ControlRecord(1, "2026-01-01T00:00:00.000000Z", ControlKind.SESSION, manual=True), 1),
        encode_record(samples.create_queue("saved"), 2),
        encode_control(ControlRecord(3, "2026-01-01T00:00:00.000000Z", ControlKind.SAVE), 3),
        encode_record(samples.create_queue("pending"), 4),
    ]
    lookup = RecordLookup(read(journal(tmp_path, *lines)))
    assert [record.seq for record in SelectedRecords(lookup, lambda what: what == CREATE).records()] == [2]
    assert list(SelectedRecords(lookup, lambda what: what.service == "s3").records()) == []
    assert list(lookup.tally()) == [(CREATE, 1, 2)]


def test_damage_in_a_line_that_is_not_wanted_is_refused_all_the_same(tmp_path: Path) -> None:
    lines = queues(3)
    lines[1] = lines[1].replace(b"mutation", b"mutatiom")
    with pytest.raises(RecordingError, match=r"line 3, at byte .* its checksum does not match"):
        read(journal(tmp_path, *lines))


def test_a_line_that_does_not_decode_is_named_by_its_place(tmp_path: Path) -> None:
    lines = queues(3)
    bare = lines[2].partition(b',"crc"')[0].replace(b'"status":200', b'"status":two')
    lines[2] = b'%s,"crc":"%08x"}\n' % (bare, zlib.crc32(bare))
    recording = read(journal(tmp_path, *lines, encode_record(samples.create_queue("last"), 4)))
    with pytest.raises(RecordingError, match="line 4, at byte"):
        RecordLookup(recording).record(2)


def test_a_position_is_found_by_its_number(tmp_path: Path) -> None:
    lines = queues(3)
    recording = read(journal(tmp_path, lines[0], lines[2]))
    assert recording.index.position(3) == 1
    with pytest.raises(KeyError):
        recording.index.position(2)


def test_an_index_up_to_a_number(tmp_path: Path) -> None:
    lines = queues(5)
    recording = read(journal(tmp_path, *lines[:2], *lines[3:]))
    for through, seqs in ((0, []), (2, [1, 2]), (3, [1, 2]), (4, [1, 2, 4]), (9, [1, 2, 4, 5])):
        part = recording.through(through)
        lookup = RecordLookup(part)
        assert [record.seq for record in SelectedRecords(lookup, lambda _what: True).records()] == seqs
        assert sum(count for _what, count, _first in lookup.tally()) == len(seqs)
        assert part.found.last_seq == through
    assert len(recording.index) == 4


def test_made_up_names_are_found_without_comparing_each_with_all(tmp_path: Path) -> None:
    """A recording, or an old file of LocalStack's, may hold as many different names as calls."""
    compared = 0

    class Counting(str):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    index = Index()
    for seq in range(1, 2001):
        index.add(seq, seq, 1, CallType(RecordKind.MUTATION, Counting(f"s{seq}"), "X"))
        index.add(seq + 5000, seq, 1, CallType(RecordKind.MUTATION, Counting(f"s{seq}"), "X"))
    assert len(index.call_types) == 2000
    assert compared < 20_000


def test_a_tally_has_the_first_number_of_each_kind(tmp_path: Path) -> None:
    lines = [
        encode_record(each, seq)
        for seq, each in enumerate(map(samples.of_service, ("sqs", "s3", "sqs", "sns", "s3")), 3)
    ]
    recording = read(journal(tmp_path, *lines))
    expected: dict[CallType, list[int]] = {}
    for record in recording.records():
        expected.setdefault(call_type_of(record), []).append(record.seq)
    told = {what: (count, first) for what, count, first in RecordLookup(recording).tally()}
    assert told == {what: (len(seqs), seqs[0]) for what, seqs in expected.items()}


def test_what_is_missing_is_told_as_after_decoding(tmp_path: Path) -> None:
    gap = encode_control(
        ControlRecord(4, "2026-01-01T00:00:00.000000Z", ControlKind.GAP, reason="the disk was full"), 4
    )
    lines = queues(3)
    recording = read(journal(tmp_path, lines[0], lines[2], gap))
    assert len(list(recording.records())) == 2
    assert recording.index.warnings == recording.warnings
    assert len(recording.warnings) == 2
