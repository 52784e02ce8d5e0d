"""Random histories over many services, under names that nobody would choose."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.scenarios.names import SETS
from tests.support.scenarios.world import FURTHER, STEPS, Step, World

REGIONS = ("us-east-1", "us-east-1", "eu-west-2")
SERVICES_MAX, STEPS_MIN, STEPS_MAX = 4, 8, 28
LARGEST = 7
"""Steps choose among few names, things and values, so that they meet each other."""


@dataclass(frozen=True)
class History:
    """Steps in one account and region. behind: what they made is read behind the proxy's back."""

    names: tuple[str, ...]
    services: tuple[str, ...]
    region: str
    behind: bool
    steps: tuple[tuple[int, int, int, int], ...]

    def play(self, world: World) -> None:
        possible = [step for service in self.services for step in _weighted(service)]
        for which, *numbers in self.steps:
            world.take(possible[which % len(possible)], (numbers[0], numbers[1], numbers[2]))


def _weighted(service: str) -> list[Step]:
    """What ends something comes as often as one in three."""
    steps = [*STEPS[service], *FURTHER[service]]
    makes = [step for step in steps if not step.ends]
    return [*makes, *makes, *(step for step in steps if step.ends)]


def histories(services: tuple[str, ...]) -> st.SearchStrategy[History]:
    """Histories over some of these services."""
    small = st.integers(0, LARGEST)
    return st.builds(
        History,
        names=SETS.map(tuple),
        services=st.lists(st.sampled_from(services), min_size=1, max_size=SERVICES_MAX, unique=True).map(tuple),
        region=st.sampled_from(REGIONS),
        behind=st.booleans(),
        steps=st.lists(
            st.tuples(st.integers(0, 1023), small, small, small), min_size=STEPS_MIN, max_size=STEPS_MAX
        ).map(tuple),
    )
