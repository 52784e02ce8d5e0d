"""The memory of the proxy's process does not follow what passes through it, nor what had passed when it starts again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bench import talk
from bench.processes import memory_of
from replay_proxy.emulators.process import free_port
from tests.support.processes import Process, Proxy

PASSING: dict[str, tuple[Callable[[int], Iterable[talk.Call]], int]] = {
    "large answers to ReceiveMessage": (talk.receives, 120),
    "messages of words that never come again": (talk.words, 1_000),
    "made-up services, keys, regions, hosts and fields": (talk.made_up, 1_000),
}
MORE_MIB = 60.0
"""Than an idle proxy: what is remembered, and what is under way."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[str]:
    """What answers so fast and so much that the proxy is what counts."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = Process([sys.executable, "-m", "bench.talk", str(port)], {}, tmp_path / "talk.log", url)
    try:
        server.wait_until("/", None)
        yield url
    finally:
        server.end()


@pytest.mark.parametrize("what", PASSING)
def test_memory_does_not_follow_what_passes(tmp_path: Path, upstream: str, what: str) -> None:
    calls, count = PASSING[what]
    proxy = Proxy(tmp_path, "--upstream", upstream, "--compact-percentage", "0", fresh=True)
    try:
        idle = memory_of(proxy.process.pid)
        talk.talk(proxy.port, calls(count))
        assert memory_of(proxy.process.pid, "VmHWM") - idle < MORE_MIB
    finally:
        proxy.stop()
    again = Proxy(tmp_path, "--upstream", upstream, "--compact-percentage", "0", fresh=True)
    try:
        assert memory_of(again.process.pid, "VmHWM") - idle < MORE_MIB
    finally:
        again.stop()
