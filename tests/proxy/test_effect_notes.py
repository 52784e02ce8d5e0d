"""What is noted for the observer: all that links things, of data what is asked for, and no more than fits."""

from __future__ import annotations

import tracemalloc

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.journaling.effect_notes import NOTED_BYTES_MAX, NOTED_MAX, EffectNotes

DONE = Answer(200, Headers())
PUT, SUBSCRIBE, PUBLISH = (
    CallHead("dynamodb", "PutItem", "json"),
    CallHead("sns", "Subscribe", "query"),
    CallHead("sns", "Publish", "query"),
)


def request(body: bytes = b"{}") -> Request:
    return Request("POST", "/", Headers(), body)


def noted(notes: EffectNotes) -> list[str]:
    found = []
    while (each := notes.take()) is not None:
        found.append(each.head.operation)
    return found


def test_data_is_noted_only_where_something_can_act_on_it() -> None:
    notes = EffectNotes()
    notes.note_passed(PUBLISH, request())
    assert noted(notes) == []
    for services in (frozenset[str](), frozenset({"dynamodb"})):
        notes.services = services
        notes.note_change(SUBSCRIBE, request(), DONE, {})
        notes.note_change(PUT, request(), DONE, {})
        notes.note_passed(PUBLISH, request())
        notes.note_passed(CallHead("sqs", "ReceiveMessage", "json"), request())
    # The first call that links anything need not be taken in yet when the next one is made.
    assert noted(notes) == ["Subscribe", "Publish", "Subscribe", "PutItem", "Publish"]


@pytest.mark.parametrize("size", [10, 200_000])
def test_what_is_noted_has_a_bound(size: int) -> None:
    notes = EffectNotes()
    notes.services = frozenset({"dynamodb"})
    tracemalloc.start()
    try:
        for _ in range(2 * NOTED_MAX if size < 1000 else 100):
            notes.note_change(PUT, request(bytes(size)), DONE, {})
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < NOTED_BYTES_MAX + 1000 * NOTED_MAX
    assert notes.overflowed, "what was forgotten is read in the recording"
    assert len(notes) <= NOTED_MAX
