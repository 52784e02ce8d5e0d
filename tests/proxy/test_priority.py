"""Processes that work for the proxy give way to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay_proxy.priority import NICENESS

PROGRAM = """
import os
from pathlib import Path
from replay_proxy.priority import give_way
give_way()
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "", os.sched_getscheduler(0) == os.SCHED_OTHER)
"""


def _said(*, new_session: bool, before: str = "") -> list[str]:
    command = [sys.executable, "-c", before + PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=new_session)
    return done.stdout.split()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel knows no groups of sessions")
def test_a_session_of_its_own_is_lowered_and_that_of_others_is_not() -> None:
    """The kernel compares sessions first, so that the niceness of a process in another one would say nothing."""
    before = Path("/proc/self/autogroup").read_text()
    here = before.split()[-1]
    nice = str(min(19, os.nice(0) + NICENESS))
    assert _said(new_session=True)[:2] == [nice, str(NICENESS)]
    assert _said(new_session=False)[:2] == [nice, here]
    assert Path("/proc/self/autogroup").read_text() == before


def test_a_real_time_policy_is_not_inherited() -> None:
    """It would go before everything that the proxy does."""
    before = "import os\nos.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))\n"
    try:
        found = _said(new_session=True, before=before)
    except subprocess.CalledProcessError:
        pytest.skip("this user may not choose a real-time policy")
    assert found[-1] == "True"
