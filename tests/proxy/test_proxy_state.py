"""The states of the proxy: which may follow which, and that the gate keeps to it."""

from __future__ import annotations

import pytest

from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.proxy_state import TRANSITIONS, ForbiddenTransitionError, ProxyState

PAIRS = [(now, wanted) for now in ProxyState for wanted in ProxyState]


def gate_in(state: ProxyState) -> Gate:
    gate = Gate()
    if state is not ProxyState.STARTING:
        gate.move(state, "before")
    return gate


@pytest.mark.parametrize(("now", "wanted"), PAIRS, ids=[f"{now}-{wanted}" for now, wanted in PAIRS])
def test_the_gate_moves_as_the_table_says(now: ProxyState, wanted: ProxyState) -> None:
    gate = gate_in(now)
    if now is ProxyState.STOPPING:
        gate.move(wanted)
        assert gate.state is ProxyState.STOPPING, "what ends with the proxy does not bring it back"
    elif wanted is now or wanted in TRANSITIONS[now]:
        gate.move(wanted, "after")
        assert (gate.state, gate.reason) == (wanted, "after")
    else:
        with pytest.raises(ForbiddenTransitionError, match=f"from {now.value} to {wanted.value}"):
            gate.move(wanted)
        assert gate.state is now


def test_requests_do_not_pass_after_a_failure_before_a_restore() -> None:
    assert ProxyState.READY not in TRANSITIONS[ProxyState.FAILED]
    assert {state for state in ProxyState if ProxyState.READY in TRANSITIONS[state]} == {
        ProxyState.STARTING,
        ProxyState.RESTORING,
        ProxyState.LOST,
    }


def test_every_state_has_a_row_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(ProxyState)
    assert set().union(*TRANSITIONS.values()) == set(ProxyState)


def test_a_gate_shows_where_it_is() -> None:
    assert repr(Gate()) == "<Gate starting unrestricted>"
    gate = gate_in(ProxyState.FAILED)
    assert repr(gate) == "<Gate failed (before) unrestricted>"
