"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import EMULATORS, Emulator, Proxy, missing


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Start the proxy as a subprocess; every one is killed at the end, and its emulator goes with it."""
    with ExitStack() as stack:

        def start(*options: str, **more: Any) -> Proxy:
            proxy = Proxy(tmp_path, *options, **more)
            stack.callback(proxy.end)
            return proxy

        yield start


@pytest.fixture
def start_emulator(tmp_path: Path) -> Iterator[Callable[[str], Emulator]]:
    """Start an emulator as a subprocess, or skip by name where it cannot run here."""
    with ExitStack() as stack:

        def start(name: str, **more: Any) -> Emulator:
            reason = missing(name)
            if reason is not None:
                pytest.skip(reason)
            emulator = Emulator(name, tmp_path, **more)
            stack.callback(emulator.stop)
            return emulator

        yield start


@pytest.fixture(params=EMULATORS)
def emulator_name(request: pytest.FixtureRequest) -> str:
    """Each emulator that the project is tested against; a named skip for one that cannot run here."""
    name = str(request.param)
    reason = missing(name)
    if reason is not None:
        pytest.skip(reason)
    return name
