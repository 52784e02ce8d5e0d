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


async def repeat_calls(proxy: Proxy, seqs: Sequence[int]) -> list[dict[str, Any]]:
    """Make recorded calls again, one after the other. Return of each its number, its name, and why it was refused, if so.

    Raises:
        RecordingError, StorageError: the recording cannot be read.
    """
    recording = await asyncio.to_thread(read, proxy.settings.data_dir)
    settings, translator = proxy.settings, proxy.engine.translator
    sender = RequestSender(proxy.upstream, recording.blobs, call_timeout=settings.call_timeout)
    executor = Executor(target_of(sender, translator.endpoints, settings, translator.session_state))
    report = RestoreReport(str(settings.data_dir))
    slots = executor.new_slots()
    done = []
    for seq in seqs:
        try:
            record = await asyncio.to_thread(recording.fetch, seq)
        except (RecordingError, StorageError, LookupError) as error:
            done.append({"seq": seq, "call": "", "problem": f"it cannot be read: {error}"})
            continue
        async with slots:
            result = await executor.replay(record, report)
        problem = (
            "" if result.result in (Result.RESTORED, Result.DIVERGED) else result.reason or "; ".join(result.details)
        )
        done.append({"seq": seq, "call": f"{result.service}:{result.operation}", "problem": problem})
    if proxy.session is not None and not settings.read_only:
        await asyncio.to_thread(proxy.session.save, translator.session_state)
    return done
