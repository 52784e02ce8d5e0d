"""How a process gives way that does for a proxy what takes long, so that requests do not wait for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NICENESS: Final = 10
_AUTOGROUP: Final = Path("/proc/self/autogroup")
_REAL_TIME: Final = ("SCHED_FIFO", "SCHED_RR")


def give_way() -> None:
    """Take a low priority, also against processes of other sessions, and whatever the parent has. Where it may not, go on.

    Linux may share the processor among sessions first (`sched_autogroup_enabled`); then the niceness of a process says nothing
    against those of another session, but that of its session does. A real-time policy is inherited, and knows no niceness.
    """
    policies = {getattr(os, name) for name in _REAL_TIME if hasattr(os, name)}
    with suppress(OSError):
        if policies and os.sched_getscheduler(0) in policies:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with suppress(OSError):
        os.nice(NICENESS)
    if os.getsid(0) == os.getpid():  # else it would be the session of whoever started it
        with suppress(OSError):
            _AUTOGROUP.write_text(str(NICENESS))
