"""Which calls go together: the greatest set in which no proposal leans on a call that stays."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions

CALLS = range(1, 7)
proposals = st.lists(st.tuples(st.sampled_from(CALLS), st.sets(st.sampled_from(CALLS), max_size=3)), max_size=10)
certain = st.sets(st.sampled_from(CALLS), max_size=2)


def consistent(dropped: set[int], given_: list[tuple[int, set[int]]], sure: set[int]) -> bool:
    """Is each of them certain, or has a proposal all of whose leanings are dropped?"""
    return all(seq in sure or any(of == seq and unless - {seq} <= dropped for of, unless in given_) for seq in dropped)


@given(given_=proposals, sure=certain, sure_first=st.booleans())
def test_the_largest_consistent_set_is_superseded(
    given_: list[tuple[int, set[int]]], sure: set[int], sure_first: bool
) -> None:
    decisions = SupersessionDecisions()
    for turn in (sure_first, not sure_first):
        if turn:
            for seq in sure:
                decisions.supersede(seq, "certain")
        else:
            for seq, unless in given_:
                decisions.supersede_unless(seq, "proposed", 0, unless)
    every = chain.from_iterable(combinations(CALLS, size) for size in range(len(CALLS) + 1))
    largest = max((set(some) for some in every if sure <= set(some) and consistent(set(some), given_, sure)), key=len)
    assert set(decisions.decide().superseded) == largest


def test_a_circle_goes_as_a_whole_or_not_at_all() -> None:
    decisions = SupersessionDecisions()
    for seq, other in ((1, 2), (2, 3), (3, 1)):
        decisions.supersede_unless(seq, "in a circle", other, [other])
    assert set(decisions.decide().superseded) == {1, 2, 3}
    decisions = SupersessionDecisions()
    for seq, other in ((1, 2), (2, 3), (3, 4)):
        decisions.supersede_unless(seq, "leans on one that stays in the end", other, [other])
    assert decisions.decide().superseded == {}


def test_a_batch_goes_with_its_last_entry() -> None:
    decisions = SupersessionDecisions()
    decisions.note_batch(1, 2)
    decisions.supersede_entry(1, 1, "deleted", 5)
    assert decisions.decide().removed_entries == {1: frozenset({1})}
    decisions.supersede_entry(1, 0, "deleted", 6)
    decided = decisions.decide()
    assert (decided.removed_entries, decided.superseded[1].because_of) == ({}, 6)


def test_the_first_reason_stands_and_a_valid_one_is_given() -> None:
    decisions = SupersessionDecisions()
    decisions.supersede(1, "first", 8)
    decisions.supersede(1, "second", 9)
    decisions.supersede_unless(2, "leans on what stays", 7, [3])
    decisions.supersede_unless(2, "holds", 6, [1])
    assert [(each.seq, each.reason, each.because_of) for each in decisions.decide().superseded.values()] == [
        (1, "first", 8),
        (2, "holds", 6),
    ]


def test_negative_numbers_are_no_calls() -> None:
    decisions = SupersessionDecisions()
    decisions.supersede(1, "superseded")
    decisions.supersede_unless(-1, "what it made is gone", 0, [5])
    decisions.supersede_unless(2, "hangs on what 1 made", 0, [-1])
    assert set(decisions.decide().superseded) == {1}
