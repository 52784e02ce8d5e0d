"""Unique version numbers in places that can write, list and delete, and cannot compare and swap: registries, most buckets.

Who wants a number first puts a *claim* on it that has a name of its own, and then looks who else has one. Two who look after they
have put their claims cannot both miss the other's: when the later of the two was put, the earlier one was there. So a number is
taken only by one who then sees nobody else's claim on it and no version under it, and such a claim stays until the version is
there. Among several, the lowest claim waits until the others have withdrawn theirs and gone on to the next number.

Clocks are needed for nothing but patience: a process may stand still at any point for any time, or die. A claim that somebody
died with is never taken for a version; its number stays without one.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.wording import duration

TOKEN_BYTES: Final = 4
PATIENCE_S: Final = 5.0
"""How long the lowest claim waits for others to be withdrawn. Who died does not withdraw."""
LIMIT_S: Final = 300.0
_PAUSE_S: Final = 0.02
_PAUSE_MAX_S: Final = 0.5


class NumberTakenError(RemoteError):
    """A version came under the number that was claimed. Raised where a remote can refuse to overwrite."""


class Numbers(Protocol):
    """The numbers of one pod in one remote."""

    def highest(self) -> int:
        """Return the highest number that has a claim, has a version, or had one; 0 where there is none.

        Claims are looked at before versions: one that is gone by then has its version there.
        """

    def claimants(self, number: int) -> Collection[str]:
        """Return the tokens of the claims on a number that are not withdrawn."""

    def is_taken(self, number: int) -> bool:
        """Return whether a version has a number, or had it. It is asked after `claimants`, never with it."""

    def claim(self, number: int, token: str) -> None:
        """Put a claim on a number."""

    def withdraw(self, number: int, token: str) -> None:
        """Take a claim away again; also one whose version is there."""

    def complete(self, number: int) -> None:
        """Let the version be there. Raises NumberTakenError where there is one."""


def take_number(
    numbers: Numbers, *, sleep: Callable[[float], None] = time.sleep, patience_s: float = PATIENCE_S
) -> int:
    """Publish a version under a number that nobody else takes, the next free one, and return it.

    Raises:
        RemoteUnavailableError: others took all numbers for minutes.
    """
    deadline = time.monotonic() + LIMIT_S
    pause_s = _PAUSE_S
    while time.monotonic() < deadline:
        number = 1 + numbers.highest()
        token = secrets.token_hex(TOKEN_BYTES)
        numbers.claim(number, token)
        if _is_ours(numbers, number, token, sleep, patience_s):
            try:
                numbers.complete(number)
            except NumberTakenError:
                numbers.withdraw(number, token)
                continue
            numbers.withdraw(number, token)
            return number
        numbers.withdraw(number, token)
        sleep(random.uniform(0, pause_s))  # noqa: S311 - so that those who met do not meet again
        pause_s = min(pause_s * 2, _PAUSE_MAX_S)
    raise RemoteUnavailableError(
        f"no version number was free in {duration(LIMIT_S)}: too many push at the same time", hint="push it once more"
    )


def _is_ours(numbers: Numbers, number: int, token: str, sleep: Callable[[float], None], patience_s: float) -> bool:
    """Return whether `number` is for the one with `token`, after the others have gone on to the next."""
    end = time.monotonic() + patience_s
    while True:
        others = set(numbers.claimants(number)) - {token}
        if numbers.is_taken(number) or (others and min(others) < token):
            return False
        if not others:
            return True
        if time.monotonic() > end:
            return False
        sleep(_PAUSE_S)
