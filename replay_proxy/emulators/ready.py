"""Waiting, with a bound, until an emulator answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import tenacity

from replay_proxy import log
from replay_proxy.errors import EmulatorError
from replay_proxy.wording import duration

Probe = Callable[[], Awaitable[bool]]
"""True when the emulator gave any HTTP answer at all. May raise ConnectionError, which says why there was none."""

_log = log.get("emulator")

_TOLD_AFTER_S = 3.0
_FIRST_PAUSE_S = 0.02
_PAUSE_MAX_S = 0.1


async def wait_until_ready(
    probe: Probe, timeout: float, *, address: str, died: Callable[[], str | None] = lambda: None
) -> None:
    """Return when `probe` succeeds, within `timeout` seconds.

    `died` tells, as text, that the process behind `address` has ended, so that nobody waits for it in vain.

    Raises:
        EmulatorError: it did not answer in time, or died. The message has the latest reason of the probe.
    """
    reason, told = "", False

    async def attempt() -> bool:
        nonlocal reason, told
        if not told and asyncio.get_running_loop().time() > deadline - timeout + _TOLD_AFTER_S:
            told = True
            _log.info(
                "waiting for the emulator", address=address, at_most=duration(timeout), reason=reason.removeprefix(": ")
            )
        last_output = died()
        if last_output is not None:
            raise EmulatorError(
                f"the emulator for {address} ended before it answered",
                hint="its last output:\n" + last_output if last_output else "it printed nothing; run it by hand",
            )
        try:
            async with asyncio.timeout_at(deadline):
                return await probe()
        except ConnectionError as error:
            reason = f": {error}"
            return False
        except TimeoutError:
            return False

    deadline = asyncio.get_running_loop().time() + timeout
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_delay(timeout),
        wait=tenacity.wait_exponential(multiplier=_FIRST_PAUSE_S, max=_PAUSE_MAX_S),
        retry=tenacity.retry_if_result(lambda answered: not answered),
        retry_error_callback=lambda _state: False,
    )
    if not await retrying(attempt):
        raise EmulatorError(
            f"the emulator at {address} did not answer within {duration(timeout)}{reason}",
            hint="check that it runs and that --upstream names its address; --ready-timeout allows more time",
        )
