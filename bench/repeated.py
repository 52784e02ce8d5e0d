"""Longer recordings out of a real one: what has passed in it is repeated under other names, as often as wanted.

The live state stays exactly what it was; only the history that is dead by the end grows. The lines are real ones; in a copy,
names of what was temporary and the ids of its messages are others, so that nothing is deleted twice. The lines keep the format's
checksums, which are computed here anew (docs/journal-format.md).
"""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.read.index_cache import INDEX_NAME
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning.plan import plan_of
from replay_proxy.replay.planning.plan_cache import PLAN_NAME

_NAMES = re.compile(rb"\b(tmp/|passing-|/passing/)(\d+)")
_MESSAGE = re.compile(rb"\b[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
_AFTER = re.compile(rb'"after":(\d+)')
_SEQ = re.compile(rb'\{"seq":(\d+),')
_CRC = len(b',"crc":"01234567"}')


def copies_for(source: Path, lines: int) -> int:
    """How many copies make a recording of at least `lines` lines."""
    recording = read(source)
    passed = len(plan_of(recording).omissions)
    return max(0, -(-(lines - recording.records_total) // passed))


def lengthened(source: Path, target: Path, copies: int) -> int:
    """Write the recording in `source` to `target`, what has passed in it `copies` times more; its number of lines."""
    shutil.copytree(source, target)
    for name in ("session.json", INDEX_NAME, PLAN_NAME):
        (target / name).unlink(missing_ok=True)
    plan = plan_of(read(source))
    dead = {dropped.seq for dropped in plan.omissions}
    journal = (source / JOURNAL_NAME).read_bytes().splitlines()
    header, records = journal[0], journal[1:]
    first = next(at for at, line in enumerate(records) if _seq(line) in dead)
    passed = [line for line in records if _seq(line) in dead]
    shift = copies * len(passed)

    def written() -> Iterator[bytes]:
        yield from records[:first]
        for copy in range(copies):
            for line in passed:
                yield _renamed(line, copy)
        for line in records[first:]:
            yield _AFTER.sub(lambda found: b'"after":%d' % _moved(int(found[1]), first, shift), line)

    with (target / JOURNAL_NAME).open("wb") as out:
        out.write(header + b"\n")
        count = 0
        for count, line in enumerate(written(), start=1):
            text = b'{"seq":%d,' % count + line[line.index(b",") + 1 : -_CRC]
            out.write(b'%s,"crc":"%08x"}\n' % (text, zlib.crc32(text)))
    return count


def _moved(seq: int, first: int, shift: int) -> int:
    return seq + shift if seq > first else seq


def _renamed(line: bytes, copy: int) -> bytes:
    line = _NAMES.sub(rb"\g<1>r%dx\2" % copy, line)
    if b'"service":"sqs"' in line[:200]:
        line = _MESSAGE.sub(rb"%08x\1" % (copy + 1), line)
    return line


def _seq(line: bytes) -> int:
    found = _SEQ.match(line)
    assert found is not None, line[:80]
    return int(found[1])
