"""Compacting the recording in the background, when its dead part may have outgrown its live part.

How large the dead part is, only a plan could say. As Redis does for its append-only file, growth is the estimate: after a
compaction everything lives, so what came since then is what may be dead. When the recording has grown by a percentage of what
was left then, and is not small, it is looked at; where nothing was dead, it has to grow by as much again.

A child process decides and writes (`compacting_child`); meanwhile the journal grows on. Then the writer changes to the
new journal (`JournalWriter.adopt`), carrying over what came since.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import ReplayProxyError, StorageError
from replay_proxy.journal.codec import scan_line
from replay_proxy.journal.compacting import CompactionReport
from replay_proxy.journal.durable import Files
from replay_proxy.journal.file import inspect, pinned, raw_lines
from replay_proxy.journal.switching import give_up
from replay_proxy.journal.writer import JournalWriter

_log = log.get("compaction")

LOOK_SECONDS = 0.25
"""Between two looks at the size, which cost nothing."""
PAUSE_SECONDS = 60.0
"""After a failure; twice as long after each further one, up to an hour."""


class Compaction:
    """Watches the size of a recording, and compacts it. `allowed` says whether now is a time for it."""

    def __init__(self, writer: JournalWriter, settings: Settings, allowed: Callable[[], bool]) -> None:
        self._writer = writer
        self._percentage = settings.compact_percentage
        self._min_size = settings.compact_min_size
        self._allowed = allowed
        self._files = Files(settings.data_dir.resolve())
        self._task: asyncio.Task[None] | None = None
        # Bytes that were live after the latest compaction; of them, in large bodies; and what had been stored by then.
        self._base = self._base_bodies = self._base_stored = 0
        self._failures = 0
        self._not_before = 0.0
        self._runs = 0
        self._last: dict[str, Any] | None = None
        if self._percentage:
            writer.blobs.guard()

    def start(self) -> None:
        """Begin to watch."""
        if self._percentage and self._task is None:
            self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End; a change of journals that has begun is finished by the writer's `close`."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def as_json(self) -> dict[str, Any]:
        """For `/_replay/status`."""
        return {"automatic": bool(self._percentage), "runs": self._runs, "last": self._last}

    async def _watch(self) -> None:
        self._base = await asyncio.to_thread(compacted_size, self._files)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_due() and self._allowed():
                try:
                    await self._compact()
                    self._failures = 0
                except ReplayProxyError as error:
                    pause = min(PAUSE_SECONDS * 2**self._failures, 3600.0)
                    self._failures += 1
                    self._not_before = time.monotonic() + pause
                    _log.warning(
                        "the recording could not be compacted; it is as it was", reason=error.message, hint=error.hint
                    )

    def _is_due(self) -> bool:
        size = self._size
        grown = size - self._base
        return (
            size >= self._min_size
            and grown > 0
            and grown * 100 >= self._base * self._percentage
            and time.monotonic() >= self._not_before
            and self._writer.failure is None
        )

    @property
    def _size(self) -> int:
        """Bytes of the journal, and of those large bodies that are known of: of the latest compaction, and since."""
        bodies = self._base_bodies + self._writer.blobs.stored_bytes - self._base_stored
        return self._writer.position + bodies

    async def _compact(self) -> None:
        begun = time.monotonic()
        self._writer.blobs.guard()
        stored, end = self._writer.blobs.stored_bytes, self._writer.position
        report = await self._staged(end)
        if report.worth_it:
            await self._writer.adopt(end)
            await asyncio.to_thread(self._writer.blobs.discard, report.unneeded)
        self._base, self._base_bodies = report.journal_after + report.bodies_after, report.bodies_after
        self._base_stored = stored
        self._runs += 1
        self._last = {**report.as_json(), "seconds": round(time.monotonic() - begun, 3)}
        told = {
            "calls": f"{report.calls_before} to {report.calls_after}",
            "bytes": f"{report.journal_before + report.bodies_before} to {self._base}",
            "seconds": self._last["seconds"],
        }
        _log.info("compacted the recording" if report.worth_it else "the recording has nothing to leave out", **told)

    async def _staged(self, end: int) -> CompactionReport:
        """Let a child do the work. Raises ReplayProxyError."""
        command = [sys.executable, "-m", "replay_proxy.proxy.compacting_child", str(self._files.root), str(end)]
        try:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise StorageError(f"no process can be started: {error}", hint="look at the limits of this user") from error
        try:
            assert child.stdout is not None and child.stderr is not None
            told, complaint = await asyncio.gather(child.stdout.read(), child.stderr.read())
            code = await child.wait()
        except asyncio.CancelledError:
            await _kill(child)
            give_up(self._files)
            raise
        try:
            answer = orjson.loads(told)
        except orjson.JSONDecodeError:
            give_up(self._files)
            lines = complaint.decode(errors="replace").strip().splitlines() or [f"it ended with {code}"]
            raise StorageError(
                f"the compacting process failed: {lines[-1]}", hint="`replay-proxy compact` does the same by hand"
            ) from None
        if code:
            raise StorageError(answer["message"], hint=answer["hint"])
        return CompactionReport(**answer)


async def _kill(child: Process) -> None:
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def compacted_size(files: Files) -> int:
    """Bytes of the journal's part that was compacted already; 0 where none was, or where it cannot be read. Blocking."""
    try:
        pin = pinned(files)
        shape = inspect(files, pin)
        if shape.header is None or not shape.header.through:
            return 0
        for _number, offset, line in raw_lines(files, shape.first, shape.tail.end, pin):
            if line.strip() and scan_line(line) > shape.header.through:
                return offset
        return shape.tail.end
    except (ReplayProxyError, ValueError):
        return 0
