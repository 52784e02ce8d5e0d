"""Compacting the recording in the background, when its dead part may have outgrown its live part.

How large the dead part is, only a plan could say. As Redis does for its append-only file, growth is the estimate: after a
compaction everything lives, so what came since then is what may be dead. When the recording has grown by a percentage of what
was left then, and is not small, it is looked at; where nothing was dead, it has to grow by as much again.

A child process decides and writes (`compaction_worker`); meanwhile the journal grows on. Then the writer changes to the
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
from replay_proxy.journal.compaction.file_swap import remove_staged
from replay_proxy.journal.compaction.rewrite import CompactionReport
from replay_proxy.journal.format.decode import scan_line
from replay_proxy.journal.read.journal_file import hold_journal, inspect, raw_lines
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.supervision import Supervisor, describe_error

_log = log.get("compaction")

LOOK_INTERVAL_S = 0.25
"""Between two looks at the size, which cost nothing."""
COMPACTION = "compacting the recording"
"""What an error is reported under."""
FAILURE_PAUSE_S = 60.0
"""After a failure; twice as long after each further one, up to an hour."""


class BackgroundCompaction:
    """Watches the size of a recording, and compacts it. `allowed` says whether now is a time for it."""

    def __init__(
        self, writer: JournalWriter, settings: Settings, allowed: Callable[[], bool], supervisor: Supervisor
    ) -> None:
        self._writer = writer
        self._percentage = settings.compact_percentage
        self._min_size = settings.compact_min_size
        self._allowed = allowed
        self._supervisor = supervisor
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
        """Begin to watch the size."""
        if self._percentage and self._task is None:
            self._task = self._supervisor.start(COMPACTION, self._watch())

    async def stop(self) -> None:
        """End the watching. A change of journals that has begun is finished by the writer's `close`."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def as_json(self) -> dict[str, Any]:
        """Return whether compaction is automatic, and what the latest one did, for `/_replay/status`."""
        return {"automatic": bool(self._percentage), "runs": self._runs, "last": self._last}

    async def _watch(self) -> None:
        self._base = await asyncio.to_thread(compacted_size, self._files)
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            if self._is_due() and self._allowed():
                try:
                    await self._compact()
                    self._failures = 0
                    self._supervisor.well(COMPACTION)
                except Exception as error:
                    pause = min(FAILURE_PAUSE_S * 2**self._failures, 3600.0)
                    self._failures += 1
                    self._not_before = time.monotonic() + pause
                    self._supervisor.trouble(COMPACTION, error)
                    _log.warning(
                        "the recording could not be compacted; it is as it was",
                        reason=describe_error(error),
                        hint=error.hint if isinstance(error, ReplayProxyError) else "",
                        again_in_seconds=pause,
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
        """The bytes of the journal, and of those large bodies that are known of: of the latest compaction, and since."""
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
        shown = {
            "calls": f"{report.calls_before} to {report.calls_after}",
            "bytes": f"{report.journal_before + report.bodies_before} to {self._base}",
            "seconds": self._last["seconds"],
        }
        _log.info("compacted the recording" if report.worth_it else "the recording has nothing to leave out", **shown)

    async def _staged(self, end: int) -> CompactionReport:
        """Compact what is below `end` in a child process. Return its report. Raises ReplayProxyError."""
        command = [
            sys.executable,
            "-m",
            "replay_proxy.proxy.lifecycle.compaction_worker",
            str(self._files.root),
            str(end),
        ]
        try:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise StorageError(f"no process can be started: {error}", hint="look at the limits of this user") from error
        try:
            assert child.stdout is not None and child.stderr is not None
            output, complaint = await asyncio.gather(child.stdout.read(), child.stderr.read())
            code = await child.wait()
        except asyncio.CancelledError:
            await _kill(child)
            remove_staged(self._files)
            raise
        try:
            answer = orjson.loads(output)
        except orjson.JSONDecodeError:
            remove_staged(self._files)
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
    """Return the bytes of the journal that were compacted already; 0 where none were, or it cannot be read. Blocking."""
    try:
        held = hold_journal(files)
        layout = inspect(files, held)
        if layout.header is None or not layout.header.through:
            return 0
        for _number, offset, line in raw_lines(files, layout.first, layout.tail.end, held):
            if line.strip() and scan_line(line) > layout.header.through:
                return offset
        return layout.tail.end
    except (ReplayProxyError, ValueError):
        return 0
