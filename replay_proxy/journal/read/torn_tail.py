"""Find where a journal ends, and whether its end is torn, without reading what is before it.

A process that dies in the middle of an append, or a power cut, can leave an end that was never acknowledged. It is told
from damage by rules that no complete append can meet:

- a last line without a line feed that is not a whole record (one that is whole lost only its line feed, and is kept);
- a last line with zero bytes in it: JSON has none, but a page that never reached the disk reads as zeros. After such a
  line the one before it is looked at in the same way.

Everything else that cannot be read is damage, and is refused: a last line that ends properly was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replay_proxy.journal.format.checksum import LINE_BYTES_MAX, LineError
from replay_proxy.journal.format.decode import decode_line

ReadAt = Callable[[int, int], bytes]
"""Returns at most so many bytes from an offset."""

Number = Callable[[bytes], int]
"""Returns the sequence number of a line. Raises LineError."""

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tail:
    """How a journal ends.

    end: offset behind its last whole line; what follows, up to `size`, is torn.
    last_seq: the number of the last record or control record; 0 where there is only a header.
    unterminated: the last whole line lacks its line feed.
    """

    end: int
    size: int
    last_seq: int
    unterminated: bool = False

    @property
    def torn(self) -> int:
        """How many bytes are to be cut."""
        return self.size - self.end


class TailDamage(ValueError):
    """The last line, at `offset` in bytes, is damaged and not torn."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


def _number(line: bytes) -> int:
    return decode_line(line).item.seq


def find_tail(read_at: ReadAt, size: int, first: int, number: Number = _number) -> Tail:
    """Return the tail of a journal of `size` bytes whose header takes the first `first` ones. number: reads a line.

    Raises:
        TailDamage: the last line is neither whole nor torn.
        OSError: as `read_at` does.
    """
    end = size
    blank = 0  # where empty lines behind the last whole line end; editors leave them, and they do no harm
    while end > first:
        start, line = _line_before(read_at, end, first)
        whole = line.endswith(b"\n")
        if whole and not line.strip():
            blank = blank or end
            end = start
            continue
        if b"\0" not in line:
            try:
                seq = number(line)
            except LineError as error:
                if whole:
                    raise TailDamage(start, str(error)) from error
            else:
                return Tail(blank or end, size, seq, unterminated=not whole)
        blank = 0
        end = start
    return Tail(blank or first, size, 0)


def _line_before(read_at: ReadAt, end: int, first: int) -> tuple[int, bytes]:
    """Return offset and bytes of the line that ends at `end`."""
    pieces: list[bytes] = []
    at = end
    while at > first:
        begin = max(first, at - _BLOCK)
        block = _exactly(read_at, at - begin, begin)
        # The line feed at `end` is this line's own.
        found = block.rfind(b"\n", 0, len(block) - 1 if at == end else len(block))
        if found >= 0:
            pieces.append(block[found + 1 :])
            return begin + found + 1, b"".join(reversed(pieces))
        pieces.append(block)
        at = begin
        if end - at > LINE_BYTES_MAX:
            raise TailDamage(at, f"the last line is longer than {LINE_BYTES_MAX} bytes")
    return first, b"".join(reversed(pieces))


def _exactly(read_at: ReadAt, size: int, offset: int) -> bytes:
    data = read_at(size, offset)
    while len(data) < size:
        more = read_at(size - len(data), offset + len(data))
        if not more:
            raise TailDamage(offset, "the file became shorter while it was read")
        data += more
    return data
