"""Version numbers without compare-and-swap: unique under any order of steps, dense where nobody dies."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.pods.remotes.numbering import take_number

_T = TypeVar("_T")


class _Died(BaseException):
    """The process is gone."""


class _Place:
    """What a registry holds: claims and versions. Each request is one step, and who comes next is decided by `turn`."""

    def __init__(self, people: int, seed: int) -> None:
        self.claimed: dict[int, set[str]] = {}
        self.given: dict[int, list[int]] = {}
        self._random = random.Random(seed)
        self._waiting: set[int] = set(range(people))
        self._turn: int | None = None
        self._moved = threading.Condition()

    def step(self, person: int, act: Callable[[], _T]) -> _T:
        """Wait for this person's turn, act, and draw who is next."""
        with self._moved:
            self._moved.wait_for(lambda: self._turn == person)
            try:
                return act()
            finally:
                self._draw()

    def leave(self, person: int) -> None:
        with self._moved:
            self._waiting.discard(person)
            if self._turn == person:
                self._draw()

    def begin(self) -> None:
        with self._moved:
            self._draw()

    def _draw(self) -> None:
        self._turn = self._random.choice(sorted(self._waiting)) if self._waiting else None
        self._moved.notify_all()


class _Person:
    """One who pushes. dies_after: so many steps; 0 for never."""

    def __init__(self, place: _Place, number: int, dies_after: int) -> None:
        self._place, self._number, self._left = place, number, dies_after

    def _step(self, act: Callable[[], _T]) -> _T:
        if self._left:
            self._left -= 1
            if not self._left:
                raise _Died
        return self._place.step(self._number, act)

    def highest(self) -> int:
        claimed = self._step(lambda: max((each for each, tokens in self._place.claimed.items() if tokens), default=0))
        return max(claimed, self._step(lambda: max(self._place.given, default=0)))

    def claimants(self, number: int) -> Collection[str]:
        return self._step(lambda: set(self._place.claimed.get(number, ())))

    def is_taken(self, number: int) -> bool:
        return self._step(lambda: number in self._place.given)

    def claim(self, number: int, token: str) -> None:
        self._step(lambda: self._place.claimed.setdefault(number, set()).add(token))

    def withdraw(self, number: int, token: str) -> None:
        self._step(lambda: self._place.claimed[number].discard(token))

    def complete(self, number: int) -> None:
        self._step(lambda: self._place.given.setdefault(number, []).append(self._number))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), min_size=2, max_size=5), st.integers(0, 1 << 32))
def test_nobody_gets_the_number_of_another(deaths: list[int], seed: int) -> None:
    """Several push twice each, some die at some step, steps come in any order: each number is given once."""
    place = _Place(len(deaths), seed)
    told: dict[int, list[int]] = {}

    def push(person: int) -> None:
        numbers = _Person(place, person, deaths[person])
        try:
            for _ in range(2):
                # Nobody waits for a clock here: patience is a number of looks.
                told.setdefault(person, []).append(take_number(numbers, sleep=lambda _s: None, patience_s=0.01))
        except _Died:
            pass
        finally:
            place.leave(person)

    threads = [threading.Thread(target=push, args=(person,), daemon=True) for person in range(len(deaths))]
    for each in threads:
        each.start()
    place.begin()
    for each in threads:
        each.join(60)
        assert not each.is_alive()
    assert all(len(people) == 1 for people in place.given.values()), place.given
    for person, numbers in told.items():
        assert all(place.given[number] == [person] for number in numbers)
        assert deaths[person] or len(numbers) == 2


def test_numbers_have_no_gaps_where_nobody_dies() -> None:
    """Ten who push five times each at the same time get 1 to 50."""
    place = _Place(10, 7)
    told: list[int] = []

    def push(person: int) -> None:
        numbers = _Person(place, person, 0)
        told.extend(take_number(numbers, sleep=lambda _s: None, patience_s=60) for _ in range(5))
        place.leave(person)

    threads = [threading.Thread(target=push, args=(person,), daemon=True) for person in range(10)]
    for each in threads:
        each.start()
    place.begin()
    for each in threads:
        each.join(60)
    assert sorted(told) == list(range(1, 51))
