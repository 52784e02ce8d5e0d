"""Watching an emulator that somebody else runs."""

from __future__ import annotations

import asyncio

import pytest

from replay_proxy.proxy.lifecycle.backend import ExternalEmulator


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
