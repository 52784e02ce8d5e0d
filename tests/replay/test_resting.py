"""How long is waited before a trigger of a stack is armed again."""

from __future__ import annotations

from dataclasses import replace

from replay_proxy.replay.execution.echoes import Echoes
from replay_proxy.replay.execution.resting import RestingTriggers
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.replay.resting_trigger import RestingTrigger
from tests.replay.lab import Lab

MAPPING = RestingTrigger("lambda", "m", (), frozenset({"kinesis"}), 2.0, True, 1, "", "us-east-1", "test")


def test_it_is_waited_from_the_last_call_on_that_may_have_written(lab: Lab) -> None:
    now = [100.0]
    target = lab.target()
    sender = EmulatorSender(target, 1)
    echoes = Echoes(sender, target.known.aliases, target.endpoints.upstream)
    resting = RestingTriggers(target, sender, echoes, lambda: now[0])
    assert resting.unsettled_s(MAPPING) == 2.0
    now[0] = 105.0
    assert resting.unsettled_s(MAPPING) == 0.0, "nothing was written since"
    resting.note_made(["kinesis", "s3"])
    now[0] = 106.5
    assert resting.unsettled_s(MAPPING) == 0.5
    resting.note_made(["s3"])
    assert resting.unsettled_s(MAPPING) == 0.5
    assert resting.unsettled_s(replace(MAPPING, settles_s=0.0)) == 0.0
