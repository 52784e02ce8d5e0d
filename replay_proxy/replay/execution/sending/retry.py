"""How often, and how long, a replayed call is sent again. tenacity keeps the bounds.

Only what may pass is worth waiting for: a resource that is still being created, a connection that is not there yet, an
emulator that asks to slow down (`repeatable`). Everything else fails the same way the second time, and a restore must not
wait for it.

Each retry is a log line at level debug, `retry`, written before the wait: the record's number, service and operation of the
call, the number of the attempt that follows, the reason, and how long is waited before it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import tenacity

from replay_proxy import log
from replay_proxy.exchange import CallHead

_log = log.get("restore")

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

RETRIES_MAX: Final = 3
FIRST_WAIT_S: Final = 0.05
WAIT_S_MAX: Final = 1.0


def retrying(seconds: float, before_wait: Callable[[int, float], None]) -> tenacity.AsyncRetrying:
    """Return further attempts at something that failed once: at most `RETRIES_MAX`, all within `seconds`, with growing pauses.

    The caller asks for the next one by raising `tenacity.TryAgain`. When the attempts are used up, that is raised.
    before_wait: called before each pause with the number of the attempts so far, from 1 on, and the pause in seconds.
    """

    def tell(state: tenacity.RetryCallState) -> None:
        assert state.next_action is not None
        before_wait(state.attempt_number, state.next_action.sleep)

    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(RETRIES_MAX) | tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=2 * FIRST_WAIT_S, max=WAIT_S_MAX),
        retry=tenacity.retry_if_exception_type(tenacity.TryAgain),
        before_sleep=tell,
        reraise=True,
    )


def log_retry(seq: int, head: CallHead, attempt: int, reason: str, wait_s: float = 0.0) -> None:
    """Log that a call is sent again.

    seq: of its record; of a batch, the first. attempt: the number of the attempt that follows; the first sending is 1.
    reason: why the last attempt did not suffice. wait_s: seconds until the attempt.
    """
    _log.debug(
        "retry",
        seq=seq,
        service=head.service,
        operation=head.operation,
        attempt=attempt,
        reason=reason,
        wait_seconds=round(wait_s, 3),
    )
