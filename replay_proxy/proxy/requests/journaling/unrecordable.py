"""Calls that cannot be recorded: refused, or let through with a loud warning (`--when-unrecordable`).

The default is to refuse them, before they are sent where it is known by then that they cannot be recorded. A call that was
carried out and then could not be recorded gets a 503, and the journal is marked with a gap.
"""

from __future__ import annotations

import time

from replay_proxy import log
from replay_proxy.errors import StorageError
from replay_proxy.exchange import CallHead
from replay_proxy.proxy.requests.journaling.omissions import Omissions

_log = log.get("recorder")

WARNING_INTERVAL_S = 10.0
"""At most one warning in this time, since thousands of calls may meet the same full disk."""


class UnrecordedCalls:
    """Decides what becomes of calls that cannot be recorded. count: those that were let through."""

    def __init__(self, omissions: Omissions, *, continue_unrecorded: bool) -> None:
        self._omissions = omissions
        self.continue_unrecorded = continue_unrecorded
        self.count = 0
        self._warned_count = 0
        self._next_warning = 0.0

    def allow_or_raise(self, head: CallHead, error: StorageError) -> None:
        """Let a call through that cannot be recorded: count it, and warn. Raises `error` where such calls are refused."""
        if not self.continue_unrecorded:
            raise error
        self.count += 1
        self._omissions.count(error.message, f"{head.service}:{head.operation}")
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARNING_INTERVAL_S
            _log.error(
                "CALLS ARE NOT RECORDED and will be missing after a restart",
                reason=error.message,
                hint=error.hint,
                calls=self.count - self._warned_count,
                latest=f"{head.service}:{head.operation}",
            )
            self._warned_count = self.count
