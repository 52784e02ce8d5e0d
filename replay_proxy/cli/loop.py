"""The event loop of the commands that serve or send: uvloop's, where it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_loop(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run `work` to its end; return what it returns, and raise what it raises."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
