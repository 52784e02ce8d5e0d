"""Waiting, with a bound, until an emulator answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import tenacity

from replay_proxy.errors import EmulatorError

Probe = Callable[[], Awaitable[bool]]
"""True when the emulator gave any HTTP answer at all."""

_FIRST_WAIT = 0.02
_LONGEST_WAIT = 0.1


async def wait_until_ready(
    probe: Probe, timeout: float, *, address: str, died: Callable[[], str | None] = lambda: None
) -> None:
    """Return when `probe` succeeds, within `timeout` seconds.

    `died` tells, as text, that the process behind `address` has ended, so that nobody waits for it in vain.

    Raises:
        EmulatorError: it did not answer in time, or died.
    """

    async def attempt() -> bool:
        last_words = died()
        if last_words is not None:
            raise EmulatorError(
                f"the emulator for {address} ended before it answered",
                hint="its last output:\n" + last_words if last_words else "it printed nothing; run it by hand",
            )
        try:
            async with asyncio.timeout_at(deadline):
                return await probe()
        except TimeoutError:
            return False

    deadline = asyncio.get_running_loop().time() + timeout
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_delay(timeout),
        wait=tenacity.wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
        retry=tenacity.retry_if_result(lambda answered: not answered),
        retry_error_callback=lambda _state: False,
    )
    if not await retrying(attempt):
        raise EmulatorError(
            f"the emulator at {address} did not answer within {timeout:g} s",
            hint="check that it runs and that --upstream names its address; --ready-timeout allows more time",
        )
