"""Every error that a user can meet: what happened, to what, why, and what to do next.

Each class has its exit code (docs/cli.md lists them); a command prints `error:` and `hint:` lines and leaves with it.

Two attributes of each class are for programs, which must not parse messages:

- `may_help_to_repeat`: the same attempt may succeed the next time, without a change by anybody.
- `may_have_been_carried_out`: the call that failed may have changed the emulator all the same. Such a call is repeated
  only where that does no harm (`replay.execution`), whatever `may_help_to_repeat` says.

| error | may help to repeat | may have been carried out |
|---|---|---|
| `ConnectError`: nothing of the request was sent | yes | no |
| `AnswerError`: it was sent, and no whole answer came back | yes | yes |
| `AnswerTimeoutError`: it was sent, and the emulator was silent for too long | no | yes |
| `RemoteUnavailableError`: a remote of pods does not answer, or not now | yes | yes |
| all others | no | no |
"""

from __future__ import annotations

UNEXPECTED = 1
"""The exit code of an unexpected error: a fault of this program."""
INTERRUPTED = 130
"""The exit code after an interrupt at the keyboard that left no time to end in order."""
TERMINATED = 143
"""The exit code after SIGTERM, of all commands but `serve`, which ends in order, and `run`, which passes it on."""


class ReplayProxyError(Exception):
    """The base of every error that a user can meet.

    message: what happened, to what, and why. hint: what to do next; empty where there is nothing. exit_code: of a process
    that ends with the error.
    """

    exit_code = UNEXPECTED
    may_help_to_repeat = False
    may_have_been_carried_out = False

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
    """A recording that is damaged, of another program, of a newer format, or in use."""

    exit_code = 4


class StorageError(ReplayProxyError):
    """The data directory, or another file that was named, cannot be read or written."""

    exit_code = 5


class UnsafeFileError(RecordingError, StorageError):
    """Something that is no regular file has the name of a file in a data directory."""

    # Both, since whoever handles files that cannot be read handles this, and to a user the recording is not ours.


class EmulatorError(ReplayProxyError):
    """The emulator cannot be started, does not answer, or went away for good."""

    exit_code = 6


class UpstreamError(EmulatorError, ConnectionError):
    """The emulator gave no whole answer to a request, which may have been carried out."""

    may_have_been_carried_out = True


class ConnectError(UpstreamError):
    """The emulator cannot be reached; it has seen nothing of the request."""

    may_help_to_repeat = True
    may_have_been_carried_out = False


class AnswerError(UpstreamError):
    """The connection broke, or carried nonsense, after the request was (partly) sent."""

    may_help_to_repeat = True


class AnswerTimeoutError(AnswerError, TimeoutError):
    """The emulator was silent, or read nothing of a body, for longer than it may."""

    may_help_to_repeat = False


class ListenError(ReplayProxyError):
    """The address to listen on is in use, or is not one of this machine."""

    exit_code = 7


class MalformedMessage(ReplayProxyError):
    """A request or an answer that its protocol does not allow (raised by `wire` only)."""

    exit_code = 8


class UnsendableError(MalformedMessage, ValueError):
    """A request that HTTP cannot carry, or that no restore may send.

    A space or a control character in its target, a line break in a field; a path that would control the emulator.
    """


class RemoteError(ReplayProxyError):
    """A remote of pods refuses something, lacks it, or cannot be reached."""

    exit_code = 9


class RemoteUnavailableError(RemoteError):
    """A remote of pods does not answer, or not now."""

    may_help_to_repeat = True
    may_have_been_carried_out = True


def may_have_been_carried_out(error: BaseException) -> bool:
    """Return whether the call that failed with this error may have changed the emulator.

    It may where an error does not say, except for a refused connection, which has carried nothing.
    """
    stated = getattr(error, "may_have_been_carried_out", None)
    return not isinstance(error, ConnectionRefusedError) if stated is None else bool(stated)
