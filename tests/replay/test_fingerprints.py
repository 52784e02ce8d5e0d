"""A bounded set of strings: what it holds, how much that takes, and what it forgets."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.replay.fingerprints import SLOT_BYTES, Fingerprints

BYTES_MAX = 1 << 15


def named(begin: int, end: int) -> list[bytes]:
    return [b"subnet-%017x" % number for number in range(begin, end)]


@given(st.lists(st.binary(max_size=8)), st.lists(st.binary(max_size=8)))
def test_a_set_holds_what_was_added_and_nothing_else(added: list[bytes], others: list[bytes]) -> None:
    held = Fingerprints(BYTES_MAX)
    held.update(added)
    assert held.missing(added) == []
    assert held.missing(others) == [each for each in others if each not in set(added)]


def test_a_set_of_many_needs_few_bytes() -> None:
    held = Fingerprints(16 << 20)
    tracemalloc.start()
    try:
        held.update(b"subnet-%017x" % number for number in range(200_000))
        size, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held.missing(named(0, 200_000)) == []
    assert held.missing(named(200_000, 300_000)) == named(200_000, 300_000)
    assert max(held.bytes_held, size) <= 5 << 20
    assert most <= 8 << 20


def test_strings_that_nobody_asks_for_are_forgotten_first_and_the_bound_holds() -> None:
    held = Fingerprints(BYTES_MAX)
    generation = BYTES_MAX // 2 // SLOT_BYTES * 3 // 4
    asked_for = named(0, 100)
    held.update(asked_for)
    for begin in range(100, 20 * generation, 1000):
        held.update(named(begin, begin + 1000))
        assert held.missing(asked_for) == []
        assert held.missing(named(begin, begin + 1000)) == []
        assert held.bytes_held <= BYTES_MAX
        assert len(held) <= 2 * generation
    assert held.missing(named(100, 200)) == named(100, 200)
