"""How a process gives way that does for a proxy what takes long, so that requests do not wait for it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

NICENESS: Final = 10
_REAL_TIME: Final = ("SCHED_FIFO", "SCHED_RR")


def give_way() -> None:
    """Take a low priority, whatever the parent has. Where it may not, go on.

    A real-time policy is inherited, and knows no niceness: a process that keeps it would go before everything else. Somebody may
    wait for what is done here, so niceness is all: where Linux shares the processor among sessions first (`autogroup`), the
    session keeps its share, or a save on a busy machine would hardly go on.
    """
    policies = {getattr(os, name) for name in _REAL_TIME if hasattr(os, name)}
    with suppress(OSError):
        if policies and os.sched_getscheduler(0) in policies:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with suppress(OSError):
        os.nice(NICENESS)
