"""What the processes have in common that do for a proxy what takes long: they give way to it, and end with it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from replay_proxy.priority import give_way


def become_worker() -> None:
    """Take the lowest priority, and end when standard input does: its other end is open for as long as the parent lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    give_way()


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(1)
