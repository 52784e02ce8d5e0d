"""What is said of a restore that a person ends."""

from __future__ import annotations

from replay_proxy.cli.progress import RestoreProgress


def test_before_the_first_call_is_done_an_emulator_that_had_answered_may_hold_it() -> None:
    """The calls that are under way are not counted; an emulator that is still waited for has had none."""
    said = RestoreProgress().so_far()
    assert said.startswith(
        "no recorded call was done by then; an emulator that had answered may hold the first of them"
    )
