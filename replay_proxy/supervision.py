"""Tasks in the background, none of which ends unseen.

asyncio reports an error in a task that nobody awaits late, in words for programmers, or never. And whoever waits for what
the task was to do waits for ever. So each such task belongs to a `Supervisor`: an error that nobody expected is logged with
its place, is shown in `/_replay/status`, and is given to whoever must act on it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from replay_proxy import log
from replay_proxy.errors import ReplayProxyError

_log = log.get("proxy")

_PACKAGE = Path(__file__).parent


class Supervisor:
    """Owns background tasks, and knows which of them are in trouble."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, str] = {}

    def start(
        self,
        name: str,
        work: Coroutine[Any, Any, None],
        on_failure: Callable[[Exception], None] | None = None,
    ) -> asyncio.Task[None]:
        """Run `work` as a task that never fails: what it raises is reported under `name`, and given to `on_failure`."""
        task = asyncio.create_task(self._watched(name, work, on_failure), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watched(
        self, name: str, work: Coroutine[Any, Any, None], on_failure: Callable[[Exception], None] | None
    ) -> None:
        try:
            await work
        except Exception as error:
            self.trouble(name, error)
            if on_failure is not None:
                on_failure(error)

    def trouble(self, name: str, error: Exception) -> str:
        """Log an error of `name` with its place, and show it in `troubles` until `well`. Return it in words."""
        reason = describe_error(error)
        self._troubles[name] = reason
        _log.error(f"{name} failed", reason=reason, hint=getattr(error, "hint", "") or _HINT)
        _log.debug("where that was", exc_info=error)
        return reason

    def well(self, name: str) -> None:
        """Take `name` out of `troubles`: it works again."""
        self._troubles.pop(name, None)

    @property
    def troubles(self) -> dict[str, str]:
        """What is not working as it should, each with the reason."""
        return dict(self._troubles)


_HINT = "an error inside the proxy; --log-level debug shows all of it"


def describe_error(error: BaseException) -> str:
    """Return an error in one line: its message where it was made for people; else its class, its text and its place."""
    if isinstance(error, ReplayProxyError):
        return error.message
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {text}' if text else ''} ({place_of(error)})"


def place_of(error: BaseException) -> str:
    """Return where an error was raised: the innermost line of this package that it passed, or of whatever it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE) and frame.name != "_watched"]
    for frame in reversed(ours or frames):
        path = Path(frame.filename)
        shown = path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else path.name
        return f"{shown}:{frame.lineno} in {frame.name}"
    return "place unknown"


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what no task and no caller has caught: errors in callbacks and timers, and of tasks that nobody supervises."""

    def caught(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        reason = describe_error(error) if isinstance(error, BaseException) else ""
        _log.error("an error that nobody expected", what=str(context.get("message", "")), reason=reason)
        if isinstance(error, BaseException):
            _log.debug("where that was", exc_info=error)

    loop.set_exception_handler(caught)
