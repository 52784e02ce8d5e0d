"""Watching and emptying an emulator."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.emulators.kinds import Launch
from replay_proxy.exchange import Answer, Request
from replay_proxy.proxy.lifecycle.backend import ExternalEmulator, ManagedEmulator


async def test_who_does_not_wait_any_more_for_the_end_of_a_stranger_leaves_no_task_behind() -> None:
    """A task that nobody holds is collected at some time, and then complains in the log."""
    kept = []  # since Python 3.13 a writer that nobody holds closes its connection
    server = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        before = asyncio.all_tasks()
        watching = asyncio.create_task(ExternalEmulator(f"http://127.0.0.1:{port}", ready_timeout=1).lost())
        async with asyncio.timeout(60):
            while len(asyncio.all_tasks() - before) < 3:  # itself, the line, and whether it is reported
                await asyncio.sleep(0.01)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == before
        for writer in kept:
            writer.close()


class Busy:
    """An emulator that answers nothing in time."""

    async def exchange(self, request: Request) -> Answer:
        raise TimeoutError


async def test_an_emulator_that_is_too_busy_to_say_how_it_is_emptied_is_started_anew(tmp_path: Path) -> None:
    """But for one that may keep its state in a place of its own: that one would hold it again."""
    busy: Any = Busy()
    launch = Launch("program", (sys.executable, "-c", "pass"))
    options: Any = {"show_output": False, "ready_timeout": 1, "ready_path": ""}
    own = ManagedEmulator(launch, "http://127.0.0.1:9", scratch=tmp_path / "own", **options)
    assert await own.emptying(busy, by_own_reset=True) is not None
    users = ManagedEmulator(launch, "http://127.0.0.1:9", scratch=None, **options)
    with pytest.raises(TimeoutError):
        await users.emptying(busy)
