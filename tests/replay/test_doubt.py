"""What is known of a call while it is sent: each event in each state (the table in `sending.doubt`)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from replay_proxy.errors import MalformedMessage
from replay_proxy.replay.execution.sending.doubt import Doubt, DoubtState
from replay_proxy.wire.codecs.answers import Outcome

SETTLED, UNDER_WAY, LOST = DoubtState.SETTLED, DoubtState.UNDER_WAY, DoubtState.LOST

EVENTS: dict[str, Callable[[Doubt], None]] = {
    "sent": lambda doubt: doubt.sent(),
    "unsent": lambda doubt: doubt.unsent(),
    "refused connection": lambda doubt: doubt.failed(ConnectionRefusedError("nobody listens")),
    "lost answer": lambda doubt: doubt.failed(ConnectionResetError("reset")),
    "unreadable answer": lambda doubt: doubt.garbled(MalformedMessage("no JSON")),
    "time over": lambda doubt: doubt.timed_out("no answer within 1 s"),
    "success": lambda doubt: doubt.answered(Outcome(200, {})),
    "refusal": lambda doubt: doubt.answered(Outcome(400, {}, "ValidationError", "no")),
    "failure on the way": lambda doubt: doubt.answered(Outcome(502, {}, "502", "")),
}


@pytest.mark.parametrize(
    ("event", "from_under_way", "from_lost"),
    [
        ("sent", UNDER_WAY, LOST),
        ("unsent", SETTLED, LOST),
        ("refused connection", SETTLED, LOST),
        ("lost answer", LOST, LOST),
        ("unreadable answer", LOST, LOST),
        ("time over", LOST, LOST),
        ("success", SETTLED, SETTLED),
        ("refusal", SETTLED, LOST),
        ("failure on the way", LOST, LOST),
    ],
)
def test_each_event_leads_to_its_state(event: str, from_under_way: DoubtState, from_lost: DoubtState) -> None:
    for doubt, expected in ((Doubt(), from_under_way), (Doubt("an earlier answer was lost"), from_lost)):
        doubt.sent()
        EVENTS[event](doubt)
        assert doubt.state is expected
        assert bool(doubt.reason) is (expected is LOST)
        assert bool(doubt) is (expected is not SETTLED)


def test_the_time_that_is_over_does_not_replace_the_reason_of_a_lost_answer() -> None:
    doubt = Doubt("an earlier answer was lost")
    doubt.sent()
    doubt.timed_out("no answer within 1 s")
    assert doubt.reason == "an earlier answer was lost"
    assert repr(doubt) == "<Doubt: lost, an earlier answer was lost>"
