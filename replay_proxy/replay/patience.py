"""When to send a replayed call again, and when to give up. tenacity keeps the bounds.

Only "not yet" is worth waiting for: a resource that is still being created, a connection that is not there yet, an
emulator that asks to slow down. Everything else fails the same way the second time, and a boot must not wait for it.
"""

from __future__ import annotations

from typing import Final

import tenacity

NOT_YET: Final = frozenset(
    {
        # A dependency is still being created or changed.
        "ConcurrentModificationException",
        "DependencyViolation",
        "IncorrectState",
        "InvalidStateException",
        "OperationAborted",
        "PendingVerification",
        "ResourceInUseException",
        "ResourceNotReadyException",
        # The emulator wants fewer calls, or failed in a way that it calls passing.
        "InternalError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 1.0


def worth_another_try(status: int, error_code: str) -> bool:
    """Does this answer mean "not yet"? A recorded call succeeded once, so a passing refusal may pass."""
    return error_code in NOT_YET or status in (429, 502, 503, 504)


def retrying(seconds: float) -> tenacity.AsyncRetrying:
    """Further attempts at a call that failed once: at most `ATTEMPTS`, all within `seconds`, with growing pauses.

    The caller decides by raising `tenacity.TryAgain`; when the attempts are used up the last answer stands.
    """
    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=2 * FIRST_WAIT, max=LONGEST_WAIT),
        retry=tenacity.retry_if_exception_type((tenacity.TryAgain, ConnectionError)),
        reraise=True,
    )
