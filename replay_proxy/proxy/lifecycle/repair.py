"""Making single recorded calls again in an emulator that is in use, as a restore makes them: for `doctor --repair`.

Requests pass meanwhile. What the answers teach is known to the proxy at once, so that clients keep their identifiers. Nothing is
recorded: the calls are in the recording.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.read.reader import read
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.restoring.restore import target_of
from replay_proxy.proxy.lifecycle.sender import RequestSender
from replay_proxy.replay.execution.executor import Executor
from replay_proxy.replay.execution.reporting.report import RestoreReport, Result


async def repeat_calls(proxy: Proxy, seqs: Sequence[int], done: list[dict[str, Any]]) -> None:
    """Make recorded calls again, one after the other. Add of each its number, its name, and why it was refused, if so, to `done`.

    A call that has begun is made wholly, also where this is cancelled.

    Raises:
        RecordingError, StorageError: the recording cannot be read.
    """
    recording = await asyncio.to_thread(read, proxy.settings.data_dir)
    settings, translator = proxy.settings, proxy.engine.translator
    sender = RequestSender(proxy.upstream, recording.blobs, call_timeout=settings.call_timeout)
    executor = Executor(target_of(sender, translator.endpoints, settings, translator.session_state))
    report = RestoreReport(str(settings.data_dir))
    slots = executor.new_slots()

    async def made_again(seq: int) -> dict[str, Any]:
        try:
            record = await asyncio.to_thread(recording.fetch, seq)
        except (RecordingError, StorageError, LookupError) as error:
            return {"seq": seq, "call": "", "problem": f"it cannot be read: {error}"}
        async with slots:
            result = await executor.replay(record, report)
        is_well = result.result in (Result.RESTORED, Result.DIVERGED)
        problem = "" if is_well else result.reason or "; ".join(result.details)
        return {"seq": seq, "call": f"{result.service}:{result.operation}", "problem": problem}

    try:
        for seq in seqs:
            making = asyncio.ensure_future(made_again(seq))
            try:
                done.append(await asyncio.shield(making))
            except asyncio.CancelledError:
                done.append(await making)
                raise
    finally:
        if proxy.session is not None and not settings.read_only:
            await asyncio.to_thread(proxy.session.save, translator.session_state)
