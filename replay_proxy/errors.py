"""What can go wrong in front of a user: what happened, to what, why, and what to do next.

Each class has its exit code (docs/cli.md lists them); a command prints `error:` and `hint:` lines and leaves with it.
"""

from __future__ import annotations


class ReplayProxyError(Exception):
    """The base of every error that a user can meet. `hint` says what to do; `exit_code` is the process's."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ReplayProxyError):
    """An option, a setting or an argument that cannot be understood."""

    exit_code = 2


class DivergedError(ReplayProxyError):
    """A restore ran to its end, and not every call had an equivalent outcome."""

    exit_code = 3


class RecordingError(ReplayProxyError):
    """A recording that is damaged, not ours, of a newer format, or in use."""

    exit_code = 4


class StorageError(ReplayProxyError):
    """The data directory cannot be read or written."""

    exit_code = 5


class EmulatorError(ReplayProxyError):
    """The emulator cannot be started, does not answer, or went away for good."""

    exit_code = 6


class ListenError(ReplayProxyError):
    """The address to listen on is taken or not ours."""

    exit_code = 7


class MalformedMessage(ReplayProxyError):
    """A request or an answer that its protocol does not allow (raised by `wire` only)."""

    exit_code = 8
