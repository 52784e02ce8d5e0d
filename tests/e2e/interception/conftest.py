"""The proxy with both of its doors open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.interception import Interceptor


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Interceptor]]:
    """Start a proxy with both doors; every one is killed at the end, and its emulator goes with it."""
    with ExitStack() as stack:

        def start(*options: str, **more: Any) -> Interceptor:
            proxy = Interceptor(tmp_path, *options, **more)
            stack.callback(proxy.end)
            return proxy

        yield start
