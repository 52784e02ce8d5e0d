"""Why a recorded call could not be carried out again."""

from __future__ import annotations


class NotRestored(Exception):
    """A recorded call was not carried out again, or nobody knows whether it was; the text says why.

    in_doubt: it was sent, and may have been carried out. unreachable: nothing was sent, because the emulator could not be
        reached; a restore that goes on when the emulator is back makes the call. absent: the emulator says that what the call
        names is not there. broken_off: neither the call nor the emulator is the reason: the connection broke, or what is to be
        sent could not be read. Another time it may well be carried out.
    """

    def __init__(
        self,
        reason: str,
        *,
        in_doubt: bool = False,
        unreachable: bool = False,
        absent: bool = False,
        broken_off: bool = False,
    ) -> None:
        super().__init__(reason)
        self.broken_off = broken_off
        self.absent = absent
        self.in_doubt = in_doubt
        self.unreachable = unreachable


def left_in_doubt(error: NotRestored) -> NotRestored:
    """Return the error for a call that may have been carried out and may not be sent again. error: what it failed with."""
    text = f"it may have been carried out, and was not sent again: {error}"
    return NotRestored(text, in_doubt=True, broken_off=error.broken_off)
