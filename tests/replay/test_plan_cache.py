"""A cached plan says what planning would say, or is not used."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_proxy.call_filter import CallFilter
from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.encode import encode_control, encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record
from replay_proxy.journal.read.index_cache import INDEX_NAME
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning import plan_cache
from replay_proxy.replay.planning.partial_plans import PartialPlans
from replay_proxy.replay.planning.plan import Plan, plan_of
from replay_proxy.replay.planning.plan_cache import PLAN_NAME, plan_for, update_cached_plan
from replay_proxy.values import NameFilter
from tests.journal import samples
from tests.replay.test_partial_plans import PlanningError, deleted, message, parameter, queue, refuse_to_plan

NOW = datetime.now(UTC) + timedelta(seconds=1)
HISTORY = [
    queue("work"),
    message("work", "one"),
    parameter("/p", "1"),
    queue("gone"),
    message("gone", "two"),
    deleted("gone"),
    parameter("/p", "2"),
    parameter("/q", "1"),
    message("work", "three"),
]


@pytest.fixture(autouse=True)
def short_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache, "RECORDS_MIN", 1)


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """Writes records behind those that are there."""
    journal = tmp_path / JOURNAL_NAME
    count = 0

    def write(*records: Record) -> Path:
        nonlocal count
        if not count:
            journal.write_bytes(encode_header(samples.HEADER))
        with journal.open("ab") as out:
            for each in records:
                count += 1
                out.write(encode_record(each, count))
        an_hour_ago = NOW.timestamp() - 3600 + count
        os.utime(journal, (an_hour_ago, an_hour_ago))
        return tmp_path

    return write


def keep(root: Path, now: datetime = NOW) -> bool:
    return update_cached_plan(read(root), now, lambda: None)


def same(plan: Plan, other: Plan) -> None:
    assert list(plan.records()) == list(other.records())
    assert plan.graph == other.graph
    assert plan.superseded_count == other.superseded_count
    assert (plan.mutation_count, plan.partial, plan.valid_until) == (
        other.mutation_count,
        other.partial,
        other.valid_until,
    )
    assert plan.losses == other.losses


def test_a_cached_plan_equals_a_fresh_one(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    assert keep(root)
    again = read(root)
    assert again.found.unread
    plan = plan_for(again, NOW)
    assert not plan.is_new
    fresh = plan_of(read(root), NOW)
    same(plan, fresh)
    assert plan.superseded_count == 3
    assert not keep(root), "there is nothing to be done"


def test_later_calls_are_planned_with_the_remainder(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    assert keep(root)
    recorded(deleted("work"), parameter("/r", "1"))
    plan = plan_for(read(root), NOW)
    assert plan.is_new
    same(plan, plan_of(read(root), NOW))
    assert [record.seq for record in plan.records()] == [3, 7, 8, 11]
    assert keep(root)
    same(plan_for(read(root), NOW), plan)


@pytest.mark.parametrize(("service", "left"), [("", []), ("sqs", [3, 7, 8]), ("s3", [1, 2, 3, 7, 8, 9])])
def test_a_reset_in_the_last_line_ends_what_the_cached_plan_replays(
    recorded: Callable[..., Path], service: str, left: list[int]
) -> None:
    root = recorded(*HISTORY)
    assert keep(root)
    with (root / JOURNAL_NAME).open("ab") as out:
        out.write(encode_control(ControlRecord(0, "2026-01-31T12:00:00.000000Z", ControlKind.RESET, service), 10))
    recording = read(root)
    plan = plan_for(recording, NOW)
    same(plan, plan_of(read(root), NOW))
    assert [record.seq for record in plan.records()] == left
    everything = list(plan_of(recording, NOW, supersede=False).records())
    assert all(record.head is not None and service not in ("", record.head.service) for record in everything)
    assert keep(root), "the plan of before is of no use any more"
    same(plan_for(read(root), NOW), plan)
    assert plan_for(read(root), NOW).order == left


def test_planning_goes_on_from_the_remainder_alone(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    recorded(parameter("/r", "1"))
    looked_at = 0

    def pace() -> None:
        nonlocal looked_at
        looked_at += 1

    recording = read(root)
    graph_reads = 1 + len(plan_of(recording, NOW).order)
    assert update_cached_plan(recording, NOW, pace)
    assert looked_at <= 7 + graph_reads


@pytest.mark.parametrize("name", [INDEX_NAME, PLAN_NAME])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_damaged_or_missing_cache_is_not_used(recorded: Callable[..., Path], name: str, data: st.DataObject) -> None:
    root = recorded()
    if not (root / INDEX_NAME).exists():  # the first example: all of them share one recording
        keep(recorded(*HISTORY))
    path = root / name
    whole = path.read_bytes()
    how = data.draw(st.sampled_from(["cut", "flip", "gone"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    try:
        if how == "cut":
            path.write_bytes(whole[:at])
        elif how == "flip":
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :])
        else:
            path.unlink()
        recording = read(root)
        plan = plan_for(recording, NOW)
        assert plan.is_new
        same(plan, plan_of(read(root), NOW))
    finally:
        path.write_bytes(whole)


def test_a_journal_that_somebody_edited_is_read_anew(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    journal = root / JOURNAL_NAME
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:6] + lines[7:]))  # the queue is not deleted any more
    plan = plan_for(read(root), NOW)
    assert plan.is_new
    assert [record.seq for record in plan.records()] == [1, 2, 3, 4, 5, 7, 8, 9]


def test_a_copy_of_a_recording_brings_its_plan_along(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    journal = root / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes())
    recording = read(root)
    assert recording.found.kept is not None
    assert not recording.found.unread
    assert not plan_for(recording, NOW).is_new


def test_a_damaged_live_line_is_found_before_anything_is_replayed(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    journal = root / JOURNAL_NAME
    times = journal.stat().st_atime_ns, journal.stat().st_mtime_ns
    whole = journal.read_bytes()
    with journal.open("r+b") as file:
        file.write(whole.replace(b"one", b"onE"))
    os.utime(journal, ns=times)
    recording = read(root)
    assert recording.found.unread
    with pytest.raises(RecordingError, match=r"line 3, .* is damaged"):
        plan_for(recording, NOW)


def test_a_cached_plan_holds_until_the_first_message_is_beyond_its_retention(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    before, after = NOW + timedelta(days=3), NOW + timedelta(days=5)
    assert not plan_for(read(root), before).is_new
    plan = plan_for(read(root), after)
    assert plan.is_new
    assert [record.seq for record in plan.records()] == [1, 3, 7, 8]
    assert plan.superseded_count == plan_of(read(root), after).superseded_count


def test_a_clock_that_went_back_is_not_believed(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root, NOW + timedelta(days=3))
    assert plan_for(read(root), NOW).is_new


def test_another_version_plans_anew(recorded: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = recorded(*HISTORY)
    keep(root)
    monkeypatch.setattr(plan_cache, "_program", lambda: "another")
    assert plan_for(read(root), NOW).is_new


def test_a_filter_is_applied_to_the_remainder(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    choice = CallFilter(NameFilter(frozenset({"ssm"})), NameFilter(), "--restore-services", "--restore-kinds")
    plan = plan_for(read(root), NOW, call_filter=choice)
    assert [record.seq for record in plan.records()] == [3, 7, 8]
    fresh = plan_of(read(root), NOW, call_filter=choice)
    assert (plan.superseded_count, plan.switched_off_count) == (fresh.superseded_count, fresh.switched_off_count)


def test_a_restore_in_parts_uses_the_cached_plan(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    parts = PartialPlans(read(root), NOW, supersede=True)
    assert parts.whole(refuse_to_plan).order == [1, 2, 3, 7, 8, 9]
    part = parts.part({"ssm"})
    assert (part.seqs, part.superseded) == ([3, 7, 8], 0)
    part = parts.part({"sqs"})
    assert (part.seqs, part.superseded) == ([1, 2, 9], 3)


def test_a_restore_in_parts_plans_on_from_the_cached_plan(recorded: Callable[..., Path]) -> None:
    root = recorded(*HISTORY)
    keep(root)
    recorded(deleted("work"), parameter("/r", "1"))
    parts = PartialPlans(read(root), NOW, supersede=True)
    with pytest.raises(PlanningError):
        parts.whole(refuse_to_plan)
    assert parts.calls == {"sqs": 7, "ssm": 4}
    part = parts.part({"ssm"})
    assert (part.seqs, part.superseded) == ([3, 7, 8, 11], 0)
    assert parts.part({"sqs"}).superseded == 7
