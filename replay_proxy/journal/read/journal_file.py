"""A journal as a file: held open, its layout by a look at both ends, and its lines as bytes.

`reader` says what the lines mean, and which of them count.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.checksum import LINE_BYTES_MAX, LineError
from replay_proxy.journal.format.decode import NewerFormat, decode_header, decode_line
from replay_proxy.journal.format.localstack_legacy import is_legacy_line, legacy_record
from replay_proxy.journal.format.records import JOURNAL_NAME, RecordingHeader
from replay_proxy.journal.read.torn_tail import Number, Tail, TailDamage, find_tail
from replay_proxy.journal.storage.files import Files, storage_error

_CRC_HINT: Final = (
    "if somebody edited this line, remove its member \"crc\" and it is accepted: `jq -c 'del(.crc)'`. Otherwise bring "
    "the file back from a copy, or look at `replay-proxy check`, which can leave damaged lines out"
)


_NO_TAIL: Final = Tail(0, 0, 0)


class HeldJournal:
    """A journal that stays open for as long as somebody holds this object, whatever gets its name meanwhile."""

    def __init__(self, files: Files, name: str = JOURNAL_NAME) -> None:
        """Raises OSError."""
        self._files = files
        self.fd = files.open_read(name)

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):
            self._files.close(self.fd)


@dataclass(frozen=True, slots=True)
class JournalLayout:
    """What a look at both ends of a journal tells. first: the length of the header line in bytes. tail: how the file ends.

    header is None where the file is missing, empty, or (`legacy`) LocalStack's.
    """

    exists: bool
    header: RecordingHeader | None = None
    header_verified: bool = True
    legacy: bool = False
    first: int = 0
    tail: Tail = _NO_TAIL

    @property
    def through(self) -> int:
        """Up to this number, missing numbers are explained by a compaction."""
        return self.header.through if self.header is not None else 0


def hold_journal(files: Files) -> HeldJournal | None:
    """Open the journal and hold it; None where there is none. Raises StorageError."""
    try:
        return HeldJournal(files)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error("read the recording", files.root / JOURNAL_NAME, error) from error


def require_recording(data_dir: Path) -> None:
    """Raises RecordingError where there is no recording in `data_dir`."""
    if not (data_dir / JOURNAL_NAME).exists():
        raise no_recording(data_dir)


def no_recording(data_dir: Path) -> RecordingError:
    """Return the error that there is no recording in `data_dir`."""
    return RecordingError(f"there is no recording in {data_dir}", hint="name its directory with --data-dir (DATA_DIR)")


def inspect(files: Files, held: HeldJournal | None = None) -> JournalLayout:
    """Look at the beginning and the end of the journal below `files.root` (or the one held open). Raises as `read`."""
    path = files.root / JOURNAL_NAME
    held = held or hold_journal(files)
    if held is None:
        return JournalLayout(exists=False)
    try:
        return _inspect(files, held.fd, path)
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


def _inspect(files: Files, fd: int, path: Path) -> JournalLayout:
    size = files.size(fd)
    if size == 0:
        return JournalLayout(exists=True)
    first_line = _first_line(files, fd)
    if is_legacy_line(first_line):
        return JournalLayout(
            exists=True, legacy=True, tail=_tail(files, fd, path, size, 0, lambda line: legacy_record(line, 1).seq)
        )
    try:
        header, verified = decode_header(first_line)
    except NewerFormat as error:
        raise RecordingError(
            f"{path}: {error}", hint="use the version of replay-proxy that wrote it, or a newer one"
        ) from error
    except LineError as error:
        raise _not_ours(path, first_line, str(error)) from error
    first = len(first_line)
    tail = _tail(files, fd, path, size, first, lambda line: decode_line(line).item.seq)
    if tail.end == first and not first_line.endswith(b"\n"):
        tail = Tail(first, size, 0, unterminated=True)
    return JournalLayout(True, header, verified, False, first, tail)


def _tail(files: Files, fd: int, path: Path, size: int, first: int, number: Number) -> Tail:
    try:
        return find_tail(lambda count, offset: files.read_at(fd, count, offset), size, first, number)
    except TailDamage as error:
        line = line_number(files, fd, error.offset)
        raise damage(path, line, error.offset, error.reason) from error


def damage(path: Path, line: int, offset: int, reason: str) -> RecordingError:
    """Return the error for a line that cannot be read, with its place and what to do."""
    return RecordingError(f"{path}: line {line}, at byte {offset}, is damaged: {reason}", hint=_CRC_HINT)


def _not_ours(path: Path, first_line: bytes, reason: str) -> RecordingError:
    text = first_line[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b'"replay-proxy-recording"' in text:
        return damage(path, 1, 0, reason)
    if first_line.strip() in (b"{", b"["):
        hint = (
            "a recording has one object a line; after pretty-printing, `jq -c .` brings that form back. A HAR file is "
            "read by `replay-proxy import FILE`"
        )
    elif text.startswith((b'{"log"', b'{"headers"', b'{"method"', b'{"url"')):
        hint = "`replay-proxy import FILE` reads HAR files, moto's recorder files and LocalStack's"
    else:
        hint = "move this file away, or choose another directory with --data-dir (DATA_DIR)"
    return RecordingError(f"{path} is not a recording: its first line is no header ({reason})", hint=hint)


def _first_line(files: Files, fd: int) -> bytes:
    pieces: list[bytes] = []
    offset = 0
    while offset < LINE_BYTES_MAX and (block := files.read_at(fd, 64 * 1024, offset)):
        found = block.find(b"\n")
        if found >= 0:
            pieces.append(block[: found + 1])
            break
        pieces.append(block)
        offset += len(block)
    return b"".join(pieces)


def line_number(files: Files, fd: int, offset: int) -> int:
    """Return the number, from 1, of the line that begins at an offset. Raises OSError."""
    line, at = 1, 0
    while at < offset and (block := files.read_at(fd, min(1 << 20, offset - at), at)):
        line += block.count(b"\n")
        at += len(block)
    return line


def journal_size(files: Files) -> int:
    """Return the length of the journal in bytes. Raises StorageError."""
    try:
        return files.stat(JOURNAL_NAME).st_size
    except OSError as error:
        raise storage_error("read the recording", files.root / JOURNAL_NAME, error) from error


def raw_lines(
    files: Files, start: int, end: int, held: HeldJournal | None = None
) -> Generator[tuple[int, int, bytes], None, None]:
    """Yield number (from 1), offset and bytes of every line of the journal from `start`, 0 or the header's end, to `end`.

    held: the file to read, where it is held open; else the one that has the journal's name now.

    Raises:
        RecordingError: a line too long to be one. StorageError: the file cannot be read.
    """
    path = files.root / JOURNAL_NAME
    offset, number = start, 1 if start else 0
    try:
        with io.BufferedReader(_Raw(files, held or HeldJournal(files), offset), 1 << 20) as source:
            while offset < end:
                line = source.readline(min(LINE_BYTES_MAX + 1, end - offset))
                number += 1
                if not line:
                    raise damage(path, number, offset, "the file became shorter while it was read")
                if len(line) > LINE_BYTES_MAX:
                    raise damage(path, number, offset, f"it is longer than {LINE_BYTES_MAX} bytes")
                yield number, offset, line
                offset += len(line)
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


class _Raw(io.RawIOBase):
    """A file of `Files` with the interface that Python's buffered reader needs."""

    def __init__(self, files: Files, held: HeldJournal, offset: int) -> None:
        self._files = files
        self._pin = held
        self._offset = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer that BufferedReader gives
        data = self._files.read_at(self._pin.fd, len(buffer), self._offset)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)
