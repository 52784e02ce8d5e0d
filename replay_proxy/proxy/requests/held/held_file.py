"""What clients hold, written down, so that it means something after a kill of the proxy and the emulator.

A client holds what an answer gave it for its next request: the receipt of a message, the place in a stream, the token of a
session. What such a value stood for is written beside the journal as one line of JSON, a list, in a file for each kind of value.
A value itself is never written, only a digest of it.

It is written some milliseconds after the answer, and not synced: it has to outlive processes, not a power cut. Two files take
turns, so the latest `FILE_BYTES_MAX` bytes are there, and at most twice as many. What cannot be written or read is left out
with a warning: then a value means after a restart what the emulator of that day makes of it. Lines that mean nothing are passed
over: nothing that stands there can stop a start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.journal.storage.files import Files, write_all

_log = log.get("held")

FILE_BYTES_MAX = 4 << 20
LOST = ["lost"]
"""A line: the emulator has lost its memory here. What was given before means nothing to the one of today."""
DELAY_S = 0.005
"""After which lines are written, so that those of one moment are written at once."""


class HeldFile:
    """The lines of one kind of value. place: the data directory. name: of the file."""

    def __init__(self, place: Path, name: str) -> None:
        self._files = Files(place)
        self._name, self._older_name = name, f"{name}.older"
        self._lines: list[bytes] = []
        self._size: int | None = None
        self._fd: int | None = None
        self._delay: asyncio.TimerHandle | None = None
        self._is_given_up = False

    def read(self) -> list[list[Any]]:
        """Return the lines, the oldest first. Blocking."""
        return [*self._lines_of(self._older_name), *self._lines_of(self._name)]

    def _lines_of(self, name: str) -> Iterator[list[Any]]:
        try:
            content = self._latest_bytes(name)
        except FileNotFoundError:
            return
        except OSError as error:
            self._give_up("read", error)
            return
        for line in content.splitlines():
            with suppress(orjson.JSONDecodeError):  # a line that a kill has cut
                entry = orjson.loads(line)
                if isinstance(entry, list) and entry:
                    yield entry

    def _latest_bytes(self, name: str) -> bytes:
        """Return the end of a file. Much longer than that is none that was written here."""
        fd = self._files.open_read(name)
        try:
            size = self._files.size(fd)
            return self._files.read_at(fd, 2 * FILE_BYTES_MAX, max(0, size - 2 * FILE_BYTES_MAX))
        finally:
            self._files.close(fd)

    def add(self, *entry: Any) -> None:
        """Write a line soon. Never fails: what JSON cannot say is left out."""
        try:
            self._lines.append(orjson.dumps(entry))
        except orjson.JSONEncodeError:
            return
        if self._delay is None:
            self._delay = asyncio.get_running_loop().call_later(DELAY_S, self.flush)

    def flush(self) -> None:
        """Write what is to be written now."""
        if self._delay is not None:
            self._delay.cancel()
            self._delay = None
        lines, self._lines = self._lines, []
        if not lines or self._is_given_up:
            return
        data = b"\n".join([*lines, b""])
        try:
            if self._fd is None:
                self._open()
            assert self._fd is not None
            write_all(self._files, self._fd, data)
            self._size = (self._size or 0) + len(data)
            if self._size > FILE_BYTES_MAX:
                self.close()
                self._files.rename(self._name, self._older_name)
        except OSError as error:
            self._give_up("written", error)

    def _open(self) -> None:
        with suppress(FileExistsError):
            self._files.close(self._files.create(self._name))
        self._fd = self._files.open_append(self._name)
        self._size = self._files.size(self._fd)
        write_all(self._files, self._fd, b"\n")  # ends a line that a kill has cut

    def close(self) -> None:
        """Close the file; it is opened again where there is more to write."""
        if self._fd is not None:
            self._files.close(self._fd)
            self._fd = None

    def _give_up(self, what: str, error: OSError) -> None:
        self._is_given_up = True
        _log.warning(
            f"what clients hold cannot be {what}: receipts and tokens that they were given mean nothing after a restart",
            file=str(self._files.root / self._name),
            reason=error.strerror or str(error),
        )
