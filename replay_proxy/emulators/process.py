"""One child process: started in a process group of its own, watched, stopped, and never outliving the proxy.

A proxy that is killed with SIGKILL cannot clean up after itself. So beside each emulator runs a *watcher*: a shell that
waits for the end of its standard input, whose other end only the proxy holds, and then kills the emulator's process
group. The kernel closes that pipe however the proxy dies. (`PR_SET_PDEATHSIG` would need no second process, but it is
Linux alone, and follows the thread that started the child.)
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import secrets
import signal
import socket
import sys

from replay_proxy.emulators.kinds import Launch, child_environment
from replay_proxy.errors import EmulatorError

_WATCHER = 'read -r _ ; kill -s KILL -- "-$1" 2>/dev/null'
_TAIL_LINES = 30
_LINE_LIMIT = 1 << 16


_PORTS = range(20_000, 32_768)
"""Below those that kernels give to outgoing connections (Linux from 32768, macOS from 49152). An emulator needs its port a second
or two after it was chosen, and again whenever it has died: nobody's connection must sit on it then."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that no outgoing connection is given."""
    for _ in range(100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(_PORTS)))
            return int(probe.getsockname()[1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmulatorProcess:
    """An emulator that runs as our child. Its output is kept (the last lines) and shown when it dies."""

    def __init__(self, launch: Launch, *, show_output: bool) -> None:
        self.launch = launch
        self._show_output = show_output
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def last_output(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self._tail)

    async def start(self) -> None:
        """Start it.

        Raises:
            EmulatorError: the command cannot be run.
        """
        self._tail.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.launch.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=child_environment(os.environ, self.launch.environment),
                start_new_session=True,
            )
        except OSError as error:
            raise EmulatorError(
                f"the emulator's command {self.launch.command[0]!r} cannot be run: {error.strerror or error}",
                hint="check the command after --",
            ) from error
        self._watcher = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WATCHER,
            "watcher",
            str(self._process.pid),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # A group of its own: an interrupt typed at the terminal must not end the watcher before the proxy.
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read_output(self._process))

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        pending = b""
        while chunk := await process.stdout.read(_LINE_LIMIT):
            if self._show_output:
                sys.stderr.buffer.write(chunk)
                sys.stderr.flush()
            *lines, pending = (pending + chunk).split(b"\n")
            self._tail.extend(line.decode("utf-8", "replace") for line in lines)
            pending = pending[-_LINE_LIMIT:]
        if pending:
            self._tail.append(pending.decode("utf-8", "replace"))

    async def wait(self) -> int:
        """Wait until it ends; its exit status (negative: the signal that ended it)."""
        assert self._process is not None
        status = await self._process.wait()
        if self._reader is not None:
            # A grandchild may hold the pipe open for longer than the emulator lived.
            await asyncio.wait({self._reader}, timeout=1)
        await self._end_watcher()
        return status

    async def stop(self, grace: float = 10.0) -> None:
        """End it and everything it started: politely, and after `grace` seconds by force."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), grace)
            except TimeoutError:
                _signal_group(process.pid, signal.SIGKILL)
                await process.wait()
        _signal_group(process.pid, signal.SIGKILL)
        await self._end_watcher()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None

    async def _end_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.returncode is None:
            # Killed before its pipe closes: the group id may belong to somebody else by then.
            watcher.kill()
            await watcher.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
