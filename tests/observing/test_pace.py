"""How often is looked at what nothing is known to have happened to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.observing.pace import DOUBLED_MAX, QUIET_LOOKS, Pace


@given(
    st.integers(1, 50),
    st.floats(0.1, 20.0),
    st.lists(st.tuples(st.floats(0.001, 5.0), st.booleans()), min_size=20, max_size=60),
)
def test_looks_take_no_more_than_their_share(share: int, interval: float, looks: list[tuple[float, bool]]) -> None:
    pace, now, busy = Pace(share, interval), 0.0, 0.0
    for took, found in looks:
        assert pace.is_due(now)
        begun, now, busy = now, now + took, busy + took
        pace.note(now, took, found=found)
        assert not pace.is_due(begun + interval * 0.999), "never more often than at every interval"
        now = pace._due_at
    assert busy <= now * share / 100 * 1.001


def test_where_nothing_is_found_it_is_looked_more_seldom_until_something_is() -> None:
    pace, rests = Pace(10, 0.5), []
    for _ in range(QUIET_LOOKS * (DOUBLED_MAX + 2)):
        pace.note(100.0, 1.0, found=False)
        rests.append(round(pace._due_at - 100.0, 6))
    assert rests[0] == 9.0 and rests[-1] == 9.0 * 2**DOUBLED_MAX and rests == sorted(rests)
    pace.note(100.0, 1.0, found=True)
    assert round(pace._due_at - 100.0, 6) == 9.0
    pace.note(100.0, 0.001, found=False)
    assert pace._due_at == 100.5, "what costs little is looked at in every interval, however quiet it is"


def test_a_share_of_none_looks_never() -> None:
    pace = Pace(0, 0.5)
    pace.note(100.0, 1.0, found=True)
    assert not pace.is_due(1e9)
