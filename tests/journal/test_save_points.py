"""Which calls are in effect, and which an emulator has forgotten: worked out from control records alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replay_proxy.journal.format.records import ControlKind, ControlRecord, Record, RecordKind
from replay_proxy.journal.read.save_points import SavePoints
from tests.journal import samples


def points(*controls: tuple[int, ControlKind, object]) -> SavePoints:
    found = SavePoints()
    for seq, kind, what in controls:
        found.add(
            ControlRecord(
                seq,
                "t",
                kind,
                service=what if isinstance(what, str) else "",
                manual=what is True,
            )
        )
    return SavePoints.of_json(found.as_json())


def call(seq: int, service: str = "sqs", **notes: int) -> Record:
    record = replace(samples.of_service(service), seq=seq, notes=notes)
    return replace(record, kind=RecordKind.WITNESS) if notes else record


RESET, SAVE, SESSION = ControlKind.RESET, ControlKind.SAVE, ControlKind.SESSION


@pytest.mark.parametrize(
    ("controls", "forgotten"),
    [
        ([], {}),
        ([(5, RESET, "")], {("sqs", 4): 5, ("s3", 4): 5, ("sqs", 6): 0}),
        ([(5, RESET, "sqs")], {("sqs", 4): 5, ("s3", 4): 0}),
        ([(5, RESET, ""), (9, RESET, "sqs")], {("sqs", 8): 9, ("s3", 4): 5, ("s3", 8): 0}),
        # Never saved: it undoes nothing, as what came after it never was.
        ([(3, SESSION, True), (5, RESET, "")], {("sqs", 2): 0}),
        ([(3, SESSION, True), (5, RESET, ""), (7, SESSION, False)], {("sqs", 2): 0}),
        ([(3, SESSION, True), (5, RESET, ""), (6, SAVE, "")], {("sqs", 2): 5, ("sqs", 4): 5}),
        ([(3, SESSION, True), (5, RESET, ""), (6, SAVE, "sqs")], {("sqs", 2): 5, ("s3", 2): 0}),
        ([(3, SESSION, True), (5, SAVE, ""), (6, RESET, "")], {("sqs", 4): 0}),
    ],
)
def test_what_a_reset_makes_forgotten(
    controls: list[tuple[int, ControlKind, object]], forgotten: dict[tuple[str, int], int]
) -> None:
    found = points(*controls)
    assert {key: found.reset_after(call(key[1], key[0])) for key in forgotten} == forgotten


def test_a_read_counts_where_it_was_made() -> None:
    found = points((5, RESET, ""))
    assert found.reset_after(call(6, after=4)) == 5
    assert found.reset_after(call(6, after=5)) == 0


def test_which_resets_a_compaction_keeps() -> None:
    def kept(*controls: tuple[int, ControlKind, object]) -> list[int]:
        found = points(*controls)
        return [
            seq for seq, kind, what in controls if found.is_needed(ControlRecord(seq, "t", kind, service=str(what)))
        ]

    assert kept((5, RESET, ""), (9, RESET, "")) == [9]
    assert kept((5, RESET, "sqs"), (9, RESET, "s3"), (11, RESET, "sqs")) == [9, 11]
    latest = points((3, SESSION, True), (5, RESET, ""))
    assert latest.is_needed(ControlRecord(5, "t", RESET)), "it may be saved yet"
    void = points((3, SESSION, True), (4, SAVE, ""), (5, RESET, ""), (7, SESSION, True))
    assert not void.is_needed(ControlRecord(5, "t", RESET))
    partly = points((3, SESSION, True), (5, RESET, ""), (6, SAVE, "sqs"), (7, SESSION, True))
    assert partly.is_needed(ControlRecord(5, "t", RESET))
