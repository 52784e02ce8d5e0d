"""Calls that cannot be recorded: refused, or let through with a loud warning (`--when-unrecordable`).

The default is to refuse, before a call is sent where that is known by then. What was executed already and could not be
recorded is not acknowledged, and a gap is marked in the journal.
"""

from __future__ import annotations

import time

from replay_proxy import log
from replay_proxy.errors import StorageError
from replay_proxy.exchange import CallHead

_log = log.get("recorder")

WARN_SECONDS = 10.0
"""At most one warning in this time: thousands of calls may meet the same full disk."""


class Unrecorded:
    """What becomes of calls that cannot be recorded. count: those that clients were told of nevertheless."""

    def __init__(self, *, go_on: bool) -> None:
        self.go_on = go_on
        self.count = 0
        self._told = 0
        self._next_warning = 0.0

    def excuse(self, head: CallHead, error: StorageError) -> None:
        """The call `head` cannot be recorded. Raises `error` where calls are refused then, else counts and warns."""
        if not self.go_on:
            raise error
        self.count += 1
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARN_SECONDS
            _log.error(
                "CALLS ARE NOT RECORDED and will be missing after a restart",
                reason=error.message,
                hint=error.hint,
                calls=self.count - self._told,
                latest=f"{head.service}:{head.operation}",
            )
            self._told = self.count
