"""The states of a writer: where each event leads, and what is accepted and told there."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.errors import StorageError
from replay_proxy.journal.write.availability import TRANSITIONS, Availability, WriterState
from replay_proxy.journal.write.displacement import Displacement

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")
MOVED = Displacement("the journal was replaced", "put it back")
CUT = Displacement("the journal was cut", "bring it back", lasting=True)

# What can happen, and in which states: a line is only appended, and so can only fail, where it is accepted.
APPENDING = frozenset({WriterState.READY, WriterState.FULL})
EVENTS: dict[str, tuple[Callable[[Availability], object], frozenset[WriterState]]] = {
    "a disk that is full": (lambda each: each.full(FULL), APPENDING),
    "a write that fails": (lambda each: each.fail("append", BROKEN, final=False), APPENDING),
    "a sync that fails": (lambda each: each.fail("sync", BROKEN, final=True), frozenset(WriterState)),
    "files that are moved": (lambda each: each.displace(MOVED), frozenset(WriterState) - {WriterState.LOST}),
    "a journal that is cut": (lambda each: each.displace(CUT), frozenset(WriterState)),
    "files that are back": (lambda each: each.resume(), frozenset(WriterState)),
    "space again": (lambda each: each.recover(), frozenset({WriterState.FULL, WriterState.FAILED})),
    "a change that is final": (lambda each: each.lose(StorageError("lost", hint="look")), frozenset(WriterState)),
    "the end": (lambda each: each.close(), frozenset(WriterState)),
}


@given(st.lists(st.sampled_from(sorted(EVENTS))))
def test_whatever_happens_a_state_is_one_that_may_follow(names: list[str]) -> None:
    writer = Availability(Path("journal"))
    for name in names:
        event, possible_in = EVENTS[name]
        before = writer.state
        if before not in possible_in:
            continue
        event(writer)
        assert writer.state in TRANSITIONS[before], name
        assert writer.accepts == (writer.state in APPENDING)
        assert writer.is_ready == (writer.state is WriterState.READY)
        assert writer.is_ready <= (writer.failure is None)
        assert writer.state in (WriterState.READY, WriterState.CLOSED) or writer.failure is not None
        assert writer.state.value in repr(writer)


def test_files_that_are_back_do_not_make_a_full_disk_empty() -> None:
    writer = Availability(Path("journal"))
    writer.full(FULL)
    writer.displace(MOVED)
    assert writer.resume() is MOVED
    assert writer.state is WriterState.FULL
    writer.recover()
    assert writer.is_ready


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_what_is_lost_stays_lost_until_it_is_closed(event: str) -> None:
    writer = Availability(Path("journal"))
    writer.fail("sync", BROKEN, final=True)
    happens, possible_in = EVENTS[event]
    if WriterState.LOST in possible_in:
        happens(writer)
    assert writer.state is (WriterState.CLOSED if event == "the end" else WriterState.LOST)
    assert writer.failure is not None
    with pytest.raises(StorageError):
        raise writer.error()
