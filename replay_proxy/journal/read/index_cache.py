"""The index of a journal, kept beside it, so that the next reader need not walk over every line again.

A cache and nothing more: it may be missing, of another version, damaged, or of another journal. Then it is not used,
and the journal is walked over as if it had never been there. It speaks of a *prefix* of the journal: lines are only
ever appended, so what was found of them once stays true, and a reader goes on behind them. Whether the journal still
begins with that prefix is told by its CRC-32, or, without reading it, by the file being the same and unchanged: device,
inode, length and time of its last change, as `git` tells of its index. A file that changed within the last moment
before the index was written could change once more without its time telling so, and is read.

Where the prefix was not read, its lines were not verified either; `Recording.verify` does that for those that matter.

The file: a line of JSON, then the columns of the index as they lie in memory.
"""

from __future__ import annotations

import sys
import time
import zlib
from array import array
from typing import Any, Final

import orjson

from replay_proxy.journal.format.records import JOURNAL_NAME, RecordKind
from replay_proxy.journal.read.index import CallType, Index, JournalIndex, Prefix
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.files import Files, replace

INDEX_NAME: Final = f"{JOURNAL_NAME}.index"
VERSION: Final = 3
_TEMPORARY: Final = f"{INDEX_NAME}.tmp"
_BLOCK: Final = 1 << 20
_MOMENT_NS: Final = 50_000_000
_LONGEST_HEAD: Final = 64 << 20
_COLUMNS: Final = ("seqs", "offsets", "lengths", "type_places")


def store_index(files: Files, fd: int, found: JournalIndex, end: int) -> Prefix:
    """Keep what was found of the first `end` bytes, whole lines, of the journal that is open as `fd`. Blocking.

    Raises OSError, with what was kept before as it was.
    """
    before = files.identity(fd)
    prefix = Prefix(end, found.lines, _crc(files, fd, end))
    index = found.index
    columns = b"".join(getattr(index, name).tobytes() for name in _COLUMNS)
    head = {
        "version": VERSION,
        "prefix": [prefix.end, prefix.lines, prefix.crc],
        "file": list(before),
        "kept": time.time_ns(),
        "machine": _machine(index),
        "records": len(index),
        "kinds": [list(what) for what in index.call_types],
        "warnings": index.warnings,
        "last_seq": found.last_seq,
        "effect": found.effect.as_json(),
    }
    text = orjson.dumps(head)
    crc = zlib.crc32(columns, zlib.crc32(text))
    replace(files, INDEX_NAME, [b"%08x" % crc, text, b"\n", columns], temporary=_TEMPORARY)
    return prefix


def load_index(files: Files, fd: int, end: int) -> JournalIndex | None:
    """Return what was kept of the journal that is open as `fd` and has `end` bytes of whole lines; None where it is of no use."""
    try:
        return _kept(files, fd, end)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _kept(files: Files, fd: int, end: int) -> JournalIndex | None:
    data = files.content(INDEX_NAME)
    cut = data.find(b"\n", 0, _LONGEST_HEAD)
    if cut < 0 or data[:8] != b"%08x" % zlib.crc32(data[cut + 1 :], zlib.crc32(data[8:cut])):
        return None
    head = orjson.loads(data[8:cut])
    if head["version"] != VERSION or head["machine"] != _machine(Index()):
        return None
    prefix = Prefix(*head["prefix"])
    if prefix.end > end:
        return None
    file = files.identity(fd)
    unread = list(file) == head["file"] and file.size == prefix.end and head["kept"] - file.changed_ns > _MOMENT_NS
    if not unread and _crc(files, fd, prefix.end) != prefix.crc:
        return None
    index = _index(head, memoryview(data)[cut + 1 :])
    return JournalIndex(SavePoints.of_json(head["effect"]), index, head["last_seq"], prefix.lines, prefix, unread)


def _index(head: dict[str, Any], columns: memoryview) -> Index:
    index = Index([CallType(RecordKind(kind), service, operation) for kind, service, operation in head["kinds"]])
    at = 0
    for name in _COLUMNS:
        column: array[int] = getattr(index, name)
        size = head["records"] * column.itemsize
        column.frombytes(columns[at : at + size])
        at += size
    if at != len(columns):
        raise ValueError("the columns are not of the length that the head says")
    index.warnings.extend(head["warnings"])
    return index


def _crc(files: Files, fd: int, end: int) -> int:
    """Return the CRC-32 of the first `end` bytes. Raises OSError where there are fewer."""
    crc = at = 0
    while at < end:
        block = files.read_at(fd, min(_BLOCK, end - at), at)
        if not block:
            raise OSError("the file became shorter while it was read")
        crc = zlib.crc32(block, crc)
        at += len(block)
    return crc


def _machine(index: Index) -> list[Any]:
    """Return how columns lie in the memory of this machine."""
    return [sys.byteorder, *(getattr(index, name).itemsize for name in _COLUMNS)]
