"""Files of other tools, opened and taken apart within bounds: whatever is in them, memory and time stay those of one call.

Nothing but regular files is opened (a named pipe would be waited for, `/dev/zero` never ends, and all is read twice). JSON is
read as events (`ijson`), so that of a document of any size one entry is in memory at a time; an entry, or a line, has at
most `ENTRY_BYTES_MAX`, `ENTRY_VALUES_MAX` values, and is nested at most `ENTRY_DEPTH_MAX` deep.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import ijson
import orjson

from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.storage.files import storage_error

ENTRY_BYTES_MAX: Final = 64 << 20
"""The most bytes of one call as another tool's file writes it."""
ENTRY_VALUES_MAX: Final = 100_000
ENTRY_DEPTH_MAX: Final = 64

# A line up to here is parsed at once: what it can become in memory is bounded by its own length.
_PLAIN: Final = 1 << 20
# The parser begins a text anew with each piece that it gets: small pieces make large texts slow.
_CHUNK: Final = 1 << 20
_OTHERS: Final = {
    b"\x1f\x8b": ("compressed with gzip", "gunzip it first"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "unzstd it first"),
    b"BZh": ("compressed with bzip2", "bunzip2 it first"),
    b"\xfd7zXZ": ("compressed with xz", "unxz it first"),
    b"\xff\xfe": ("in UTF-16", "turn it into UTF-8: iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("in UTF-16", "turn it into UTF-8: iconv -f UTF-16 -t UTF-8"),
    b"{\0": ("in UTF-16", "turn it into UTF-8: iconv -f UTF-16LE -t UTF-8"),
    b"\0{": ("in UTF-16", "turn it into UTF-8: iconv -f UTF-16BE -t UTF-8"),
}
# An escape in a JSON text: a pair, half of one (the group), or any other.
_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_PAIR: Final = len(r"\ud800\udc00")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Event = tuple[str, Any]


class NotJson(LineError):
    """A line that is no JSON, or only a part of it."""


class BeyondBounds(ValueError):
    """An entry that is larger, fuller or deeper than one call may be."""


@contextmanager
def opened(path: Path) -> Generator[IO[bytes]]:
    """A file to import, behind a byte order mark where it has one.

    Raises:
        RecordingError: it is no regular file, or is compressed, or in UTF-16. StorageError: it cannot be read.
    """
    try:
        # Without O_NONBLOCK a named pipe that nobody writes to would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(fd, "rb", _CHUNK) as source:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise RecordingError(
                    f"{path} is not a file",
                    hint="name a file; it is read twice, so save what comes through a pipe first",
                )
            beginning = source.read(8)
            for start, (what, hint) in _OTHERS.items():
                if beginning.startswith(start):
                    raise RecordingError(f"{path} is {what}", hint=hint)
            source.seek(len(_BYTE_ORDER_MARK) if beginning.startswith(_BYTE_ORDER_MARK) else 0)
            yield source
    except OSError as error:
        raise storage_error("read the file to import", path, error, missing="check the name") from error


class EventSource:
    """The JSON values of a file as ijson's events, with the offset up to which it was read.

    `begin` is called where an entry begins, and what is read counts for it until `end`; outside of entries, from event
    to event.
    """

    def __init__(self, source: IO[bytes], *, several: bool = False, exact: bool = True) -> None:
        """several: one value after the other may stand in it. exact: what the parser would change is refused."""
        self._source = source
        self._exact = exact
        self._several = several
        self._bytes = 0
        self._inside = False
        self._rest = b""
        self.offset = source.tell()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, for ijson. Raises BeyondBounds, ValueError."""
        block = self._source.read(min(size, _CHUNK) if size >= 0 else _CHUNK) if size else b""
        # All that was read since the entry began belongs to it, or the parser would have told its end by now.
        if block and self._bytes >= ENTRY_BYTES_MAX:
            raise BeyondBounds(f"it has more than {ENTRY_BYTES_MAX} bytes")
        self.offset += len(block)
        self._bytes += len(block)
        if self._exact:
            self._refuse_halves(self._rest + block, last=not block)
        return block

    def _refuse_halves(self, text: bytes, *, last: bool) -> None:
        """Refuse half a surrogate pair, for which the parser would write a question mark and say nothing. Raises ValueError.

        text: what was left the last time, from the beginning of an escape on, and what came since.
        """
        keep, looked_to = len(text), 0
        if b"\\ud" in text or b"\\uD" in text:
            for found in _ESCAPE.finditer(text):
                if found.start() > len(text) - _PAIR and not last:
                    keep = found.start()
                    break
                if found[1]:
                    raise ValueError(f"a text holds half a surrogate pair, {found[1].decode()}, which is no character")
                looked_to = found.end()
        at = text.rfind(b"\\", max(len(text) - _PAIR, 0))
        if keep == len(text) and at >= looked_to and (at + 1 - len(text[: at + 1].rstrip(b"\\"))) % 2:
            keep = at
        self._rest = text[keep:]

    def begin(self) -> None:
        """An entry begins."""
        self._bytes, self._inside = 0, True

    def end(self) -> None:
        """The entry is complete."""
        self._bytes, self._inside = 0, False

    def __iter__(self) -> Iterator[Event]:
        """Raises BeyondBounds, and ValueError where it is not JSON."""
        parsed = ijson.basic_parse(self, use_float=True, multiple_values=self._several, buf_size=_CHUNK)
        try:
            for event in parsed:
                yield event
                if not self._inside:
                    self._bytes = 0
        except ijson.JSONError as error:
            # Its other lines show what stands there.
            raise ValueError(str(error).partition("\n")[0].strip()) from error


def value_of(first: Event, events: Iterator[Event]) -> Any:
    """Return the value that begins with the event `first`. Raises BeyondBounds, and ValueError where it is not JSON."""
    kind, value = first
    if kind not in ("start_map", "start_array"):
        return value
    root: dict[str, Any] | list[Any] = {} if kind == "start_map" else []
    stack: list[tuple[dict[str, Any] | list[Any], str]] = [(root, "")]
    count = 0
    for kind, value in events:
        count += 1
        if count > 2 * ENTRY_VALUES_MAX:
            raise BeyondBounds(f"it has more than {ENTRY_VALUES_MAX} values")
        holder, key = stack[-1]
        if kind == "map_key":
            stack[-1] = (holder, value)
            continue
        if kind in ("end_map", "end_array"):
            stack.pop()
            if not stack:
                return root
            continue
        item: Any = value
        if kind in ("start_map", "start_array"):
            if len(stack) >= ENTRY_DEPTH_MAX:
                raise BeyondBounds(f"it is nested more than {ENTRY_DEPTH_MAX} deep")
            item = {} if kind == "start_map" else []
            stack.append((item, ""))
        if isinstance(holder, dict):
            holder[key] = item
        else:
            holder.append(item)
    raise ValueError("it ends in the middle of a value")


def object_of(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line. Raises LineError."""
    try:
        if len(line) <= _PLAIN:
            value = orjson.loads(line)
        else:
            source = EventSource(io.BytesIO(line))
            source.begin()
            events = iter(source)
            value = value_of(next(events), events)
            for _more in events:
                raise ValueError("more than one value")
    except BeyondBounds as error:
        raise LineError(str(error)) from error
    except (ValueError, StopIteration) as error:
        raise NotJson(f"it is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise LineError("it is not a JSON object")
    return value


def members(path: Path, decisive: tuple[frozenset[str], ...]) -> dict[str, Any]:
    """Return the first members of a file's first JSON object, with their values where those are simple; empty without one.

    Read up to where one of the `decisive` sets is complete.
    """
    found: dict[str, Any] = {}
    with opened(path) as source:
        try:
            depth, key = 0, ""
            for kind, value in EventSource(source, several=True, exact=False):
                if kind == "map_key" and depth == 1:
                    key = value
                    found.setdefault(key, None)
                    if len(found) > ENTRY_DEPTH_MAX:
                        return found
                elif kind.startswith("start_"):
                    if not depth and kind != "start_map":
                        return {}
                    depth += 1
                elif kind.startswith("end_"):
                    depth -= 1
                elif depth == 0:
                    return {}
                elif depth == 1:
                    found[key] = value if isinstance(value, bool | int | float) or value is None else value[:100]
                if depth == 0 or (kind != "map_key" and any(names <= found.keys() for names in decisive)):
                    return found
        except ValueError:
            return found
    return found
