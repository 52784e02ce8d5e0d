"""A recording that is followed adds up to the same as one that is read, whatever happens to its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay_proxy.control.console.followed_recording import FollowedRecording
from replay_proxy.journal.format.encode import encode_header
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record
from replay_proxy.reports.inspect_document import resource_document
from replay_proxy.resources.build import build_model
from replay_proxy.resources.folding.model import ResourceModel
from tests.resources.recordings import HEADER, Tape, line_of, no_blobs, queue, queue_url


def shown(model: ResourceModel) -> list[dict[str, Any]]:
    return [resource_document(model, each) for each in model.resources.values()]


def followed(folder: Path) -> FollowedRecording:
    recording = FollowedRecording(folder)
    recording.load()
    return recording


def append(folder: Path, *items: Record | ControlRecord) -> None:
    with (folder / JOURNAL_NAME).open("ab") as journal:
        journal.writelines(map(line_of, items))


def test_what_is_appended_is_seen_and_a_link_that_finds_its_end_changes_who_holds_it(tmp_path: Path) -> None:
    tape = Tape()
    arn = "arn:aws:sqs:eu-west-1:111122223333:dead"
    queue(tape, "orders", RedrivePolicy=f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}')
    tape.write(tmp_path)
    recording = followed(tmp_path)
    (orders,) = recording.model.resources.values()
    assert [link.target for link in recording.model.links(orders)] == [0]

    queue(tape, "dead")
    append(tmp_path, tape.items[-1])
    news = recording.follow()
    assert news is not None
    assert [call.operation for call in news.calls] == ["CreateQueue"]
    assert sorted(recording.model.resources) == sorted(news.changed), "the other queue's link has an end now"
    assert shown(recording.model) == shown(build_model(tape.items, no_blobs))
    assert recording.follow() == type(news)()
    assert recording.recording.fetch(tape.items[-1].seq) == tape.items[-1]


def test_what_is_deleted_or_reset_away_is_told(tmp_path: Path) -> None:
    tape = Tape()
    for name in ("one", "two", "three"):
        queue(tape, name)
    tape.write(tmp_path)
    recording = followed(tmp_path)
    one, two, three = recording.model.resources
    tape.call("sqs", "DeleteQueue", {"QueueUrl": queue_url("one")})
    append(tmp_path, tape.items[-1])
    news = recording.follow()
    assert news is not None
    assert news.changed == [one]
    recording._next_sweep_s = 0.0
    tape.reset()
    append(tmp_path, tape.items[-1])
    news = recording.follow()
    assert news is not None
    assert (news.calls, sorted(news.changed)) == ([], [two, three])
    assert sorted(recording.model.gone) == [one, two, three]


def test_a_line_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    tape = Tape()
    queue(tape, "one")
    tape.write(tmp_path)
    recording = followed(tmp_path)
    queue(tape, "two")
    line = line_of(tape.items[-1])
    with (tmp_path / JOURNAL_NAME).open("ab") as journal:
        journal.write(line[:40])
        journal.flush()
        assert not recording.follow()
        journal.write(line[40:])
    news = recording.follow()
    assert news is not None
    assert len(news.calls) == 1


def test_another_file_a_shorter_one_a_new_session_and_a_first_one_are_read_anew(tmp_path: Path) -> None:
    recording = followed(tmp_path)
    assert recording.follow() is not None, "nothing is recorded yet"
    tape = Tape()
    queue(tape, "one")
    tape.write(tmp_path)
    assert recording.follow() is None
    recording.load()
    assert len(recording.model.calls) == 1

    journal = tmp_path / JOURNAL_NAME
    (tmp_path / "other").write_bytes(journal.read_bytes())
    (tmp_path / "other").replace(journal)
    assert recording.follow() is None
    recording.load()

    journal.write_bytes(journal.read_bytes()[:-10])
    assert recording.follow() is None
    recording.load()
    assert recording.model.calls == []

    tape.write(tmp_path)
    recording.load()
    append(tmp_path, ControlRecord(2, "2026-01-31T13:00:00.000000Z", ControlKind.SESSION))
    assert recording.follow() is None
    journal.unlink()
    assert recording.follow() is None


def test_what_may_still_be_saved_is_there_and_what_never_will_be_is_not(tmp_path: Path) -> None:
    tape = Tape()
    session = ControlRecord(1, "2026-01-31T12:00:00.000000Z", ControlKind.SESSION, manual=True)
    tape.items.append(session)
    queue(tape, "never-saved")
    tape.items.append(ControlRecord(3, "2026-01-31T13:00:00.000000Z", ControlKind.SESSION, manual=True))
    queue(tape, "pending")
    tape.write(tmp_path)
    assert [each.label for each in followed(tmp_path).model.resources.values()] == ["pending"]


def test_a_journal_with_a_header_alone_is_followed(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(encode_header(HEADER))
    recording = followed(tmp_path)
    append(tmp_path, ControlRecord(1, "2026-01-31T12:00:00.000000Z", ControlKind.GAP, reason="the disk was full"))
    news = recording.follow()
    assert news is not None
    assert not news
