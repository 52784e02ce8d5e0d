"""Put in order what is left of a journal that somebody emptied or cut while it was in use.

The open file goes on taking lines behind the cut, which may lie in the middle of a line. What is there is copied as it is
first, for the user. Then a journal of its whole lines is written in its place, which the next start can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace as changed
from itertools import chain
from typing import Final

from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import decode_header, scan_line
from replay_proxy.journal.format.encode import encode_control, encode_header
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, RecordingHeader, utc_now
from replay_proxy.journal.storage.files import Files, replace

_BLOCK: Final = 1 << 20
_BEGINNING: Final = b'{"seq":'
_TEMPORARY: Final = f"{JOURNAL_NAME}.tmp"


def rebuild_cut_journal(
    files: Files, fd: int, header: RecordingHeader, last_seq: int, reason: str, *, manual: bool
) -> str:
    """Write a journal of what a cut left, and of what was appended since, that the next start can read.

    A `gap` record with `reason` is its last line. manual: calls count only once they are saved, also where the line that
    said so is gone. Return the name of a copy of what was left; "" where that was nothing. Blocking.

    Raises:
        OSError: with the journal as it is.
    """
    kept = ""
    if files.size(fd):
        kept = f"{JOURNAL_NAME}.cut-{utc_now().replace(':', '').replace('-', '').replace('.', '')}"
        replace(files, kept, _blocks(files, fd), temporary=_TEMPORARY)
    gap = encode_control(ControlRecord(0, utc_now(), ControlKind.GAP, reason=reason), last_seq + 1)
    replace(files, JOURNAL_NAME, chain(_whole_lines(files, fd, header, manual=manual), [gap]), temporary=_TEMPORARY)
    return kept


def _whole_lines(files: Files, fd: int, header: RecordingHeader, *, manual: bool) -> Iterator[bytes]:
    source = _lines(files, fd)
    first = next(source, b"")
    begun = False
    with suppress(LineError):
        decode_header(first)
        begun = first.endswith(b"\n")
    yield first if begun else encode_header(changed(header, compacted=None))
    last = 0
    for found in source if begun else chain([first], source):
        seq = 0
        # Behind a cut in the middle of a line stands the next one; in texts of a line this would be escaped.
        line = found[max(found.rfind(_BEGINNING), 0) :]
        if line.endswith(b"\n"):
            with suppress(LineError):
                seq = scan_line(line)
        if seq > last:
            if not begun and manual and not last and seq > 1:
                yield encode_control(ControlRecord(0, utc_now(), ControlKind.SESSION, manual=True), seq - 1)
            last = seq
            yield line


def _lines(files: Files, fd: int) -> Iterator[bytes]:
    rest = b""
    for block in _blocks(files, fd):
        *whole, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def _blocks(files: Files, fd: int) -> Iterator[bytes]:
    at = 0
    while block := files.read_at(fd, _BLOCK, at):
        yield block
        at += len(block)
