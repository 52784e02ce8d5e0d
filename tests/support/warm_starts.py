"""Starts of `replay-proxy` out of a process that has imported it: nine tenths of a start are imports.

A process of this module is asked for each start, forks, and the child is what the console script would have become: the
same entry point, in a session of its own, with the arguments, environment and output that were asked for. What holds
only for a fresh interpreter (memory, the importing itself, variables that the interpreter or TLS read at its start) is
not to be tested so: `can_stand_for` tells. With `REPLAY_LONG_TESTS` every start is a fresh one.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

_READ_AT_START = ("PYTHON", "SSL_", "MALLOC_", "LD_")
_MESSAGE_LIMIT = 1 << 20
IMPORTED = (
    "cli.serve",
    "cli.loop",
    "cli.pod.at_start",
    "cli.progress",
    "control.routes",
    "proxy.lifecycle.backend",
    "proxy.lifecycle.proxy",
    "proxy.lifecycle.restoring.restore",
)
"""What `serve` imports once it knows that it is to serve."""


def can_stand_for(environment: Mapping[str, str]) -> bool:
    """Whether a start with these variables, added to this process's, may be a fork of what has been imported."""
    return not any(name.startswith(_READ_AT_START) for name in environment)


class Forked:
    """A process that was forked elsewhere, as `subprocess.Popen` shows one."""

    def __init__(self, starter: Starter, pid: int, command: Sequence[str]) -> None:
        self.args = list(command)
        self.pid = pid
        self._starter = starter

    @property
    def returncode(self) -> int | None:
        return self._starter.ended.get(self.pid)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        with self._starter.told:
            if not self._starter.told.wait_for(lambda: self.returncode is not None, timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Starter:
    """The process that has imported everything. It ends with the one that asks it."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        """Return codes by process id."""
        self.told = threading.Condition()
        """Notified of all that the process says."""
        self._started: list[int] = []
        self._asking = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt is for those who ask
            )
        threading.Thread(target=self._hear, daemon=True).start()

    def start(self, command: Sequence[str], environment: Mapping[str, str], out: IO[bytes]) -> Forked:
        """Start `replay-proxy` with the words of `command` behind its name, both outputs going to `out`."""
        asked = {"words": list(command[1:]), "environment": dict(environment), "directory": str(Path.cwd())}
        with self._asking, self.told:
            socket.send_fds(self._socket, [json.dumps(asked).encode()], [out.fileno()])
            if not self.told.wait_for(lambda: self._started, 60):
                raise AssertionError("the process that forks does not answer")
            return Forked(self, self._started.pop(), command)

    def _hear(self) -> None:
        while said := self._socket.recv(_MESSAGE_LIMIT):
            with self.told:
                match json.loads(said):
                    case ["started", int(pid)]:
                        self.ended.pop(pid, None)  # a number that was another process's before
                        self._started.append(pid)
                    case ["ended", int(pid), int(code)]:
                        self.ended[pid] = code
                self.told.notify_all()


@cache
def starter() -> Starter:
    """The process that forks for this one."""
    return Starter()


def _serve(asks: socket.socket) -> None:
    """Fork for whoever asks, and tell how what was forked ended, until nobody can ask any more."""
    for name in IMPORTED:
        import_module(f"replay_proxy.{name}")
    gc.collect()
    gc.freeze()
    waiting: dict[int, int] = {}  # file descriptors by process
    while True:
        for ready in select.select([asks, *waiting.values()], [], [])[0]:
            if ready is not asks:
                _tell_end(asks, waiting, ready)
                continue
            said, fds, _, _ = socket.recv_fds(asks, _MESSAGE_LIMIT, 1)
            if not said:
                return
            pid = os.fork()
            if pid == 0:
                for each in waiting.values():
                    os.close(each)
                asks.close()
                _become(json.loads(said), fds[0])
            os.close(fds[0])
            waiting[pid] = os.pidfd_open(pid)
            asks.send(json.dumps(["started", pid]).encode())


def _tell_end(asks: socket.socket, waiting: dict[int, int], fd: int) -> None:
    pid = next(pid for pid, each in waiting.items() if each == fd)
    _, status = os.waitpid(pid, 0)
    os.close(waiting.pop(pid))
    with suppress(BrokenPipeError):
        asks.send(json.dumps(["ended", pid, os.waitstatus_to_exitcode(status)]).encode())


def _become(asked: Any, out: int) -> None:
    """Be the console script, and end."""
    from replay_proxy.cli.main import entry

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, place in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(fd, place)
    os.close(nothing)
    os.close(out)
    os.chdir(asked["directory"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    random.seed()
    sys.argv = ["replay-proxy", *asked["words"]]
    code: Any = 1
    try:
        code = entry()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
