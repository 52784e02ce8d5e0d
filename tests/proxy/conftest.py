"""Event loops for the tests of the transport: modules that say `BOTH_LOOPS = True` run on asyncio's and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop

_ASYNCIO = {"asyncio": asyncio.new_event_loop}
_BOTH = {**_ASYNCIO, "uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: Any
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that a test runs on. (Before pytest-asyncio 1.4 the hook is unknown, and there is only one.)"""
    return _BOTH if getattr(item.module, "BOTH_LOOPS", False) else _ASYNCIO
