"""Processes that work for the proxy give way to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from replay_proxy.priority import NICENESS

PROGRAM = """
import os
from replay_proxy.priority import give_way
give_way()
print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_OTHER)
"""


def test_a_real_time_policy_is_not_inherited() -> None:
    """It would go before everything that the proxy does."""
    before = "import os\nos.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))\n"
    done = subprocess.run([sys.executable, "-c", before + PROGRAM], capture_output=True, text=True, check=False)
    if "PermissionError" in done.stderr:
        pytest.skip("this user may not choose a real-time policy")
    assert done.stdout.split() == [str(min(19, os.nice(0) + NICENESS)), "True"]
