"""The end of the proxy: what was begun is ended, step by step, and each step is taken whatever became of those before it.

So the recording is closed and the emulator stopped even where something else fails. The time limits of all steps together
are below the 10 s after which a container engine kills what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from replay_proxy.errors import StorageError
from replay_proxy.proxy.lifecycle.restoring.restore import update_plan_cache
from replay_proxy.supervision import Supervisor

DRAIN_TIMEOUT_S = 4.0
"""For requests under way."""
LAST_CHANGES_TIMEOUT_S = 2.0
"""For changes that were sent, and whose client has gone."""
PLAN_CACHE_TIMEOUT_S = 3.0
"""To plan what was recorded, for the next restore."""

Step = tuple[str, Callable[[], Awaitable[None]]]
"""What a log calls the step, and the step."""


async def take_steps(steps: Sequence[Step], supervisor: Supervisor) -> None:
    """Take each step, in this order. What one fails with is reported to `supervisor`.

    Raises:
        StorageError: the last calls could not be made durable. It is raised after the last step.
    """
    async with contextlib.AsyncExitStack() as stack:
        for name, step in reversed(steps):
            stack.push_async_callback(_take, name, step, supervisor)


async def _take(name: str, step: Callable[[], Awaitable[None]], supervisor: Supervisor) -> None:
    try:
        await step()
    except StorageError:
        raise
    except Exception as error:
        supervisor.trouble(name, error)


async def plan_ahead(data_dir: Path) -> None:
    """Plan what was recorded for the next restore, within `PLAN_CACHE_TIMEOUT_S`."""
    await asyncio.to_thread(update_plan_cache, data_dir, PLAN_CACHE_TIMEOUT_S)
