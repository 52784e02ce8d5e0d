"""One child process: started in a process group of its own, watched, stopped, and never outliving the proxy.

A proxy that is killed with SIGKILL cannot clean up after itself. So beside each emulator runs a *watcher*: a shell that
waits for the end of its standard input, whose other end only the proxy holds, and then kills the emulator's process
group. The kernel closes that pipe however the proxy dies. (`PR_SET_PDEATHSIG` would need no second process, but it is
Linux alone, and follows the thread that started the child.) It is started first, so that there is no moment without it.

An emulator starts servers of its own, some in sessions of theirs (LocalStack does), which no signal to its group reaches, and
which have lost their parent when it is killed. They are found by a variable in their environment, the *run*, which
every process inherits from the one that started it; where the system shows that (`/proc`, Linux), nothing is left behind.
The watcher removes the emulator's scratch directory, too.
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
from pathlib import Path

from replay_proxy.emulators.environment import child_environment
from replay_proxy.emulators.kinds import Launch
from replay_proxy.errors import EmulatorError
from replay_proxy.supervision import Supervisor

READING = "reading the emulator's output"
"""What the errors of that are reported under."""
RUN_NAME = "REPLAY_EMULATOR_RUN"
"""The variable by which the processes of one emulator are known."""

_WATCHER = """
group=
while read -r told; do group=$told; done
[ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null
for turn in 1 2 3 4 5; do
    found=$(grep -lsF -e "$1" /proc/[0-9]*/environ)
    [ -n "$found" ] || break
    for each in $found; do each=${each#/proc/}; kill -s KILL "${each%/environ}" 2>/dev/null; done
    sleep 0.1
done
[ -z "$2" ] || rm -rf -- "$2"
"""
_SWEEPS_MAX = 5
_SWEEP_PAUSE_S = 0.05
_LAST_LINES_MAX = 30
_LINE_BYTES_MAX = 1 << 16


_PORTS = range(20_000, 32_768)
"""Below those that kernels give to outgoing connections (Linux from 32768, macOS from 49152). An emulator needs its port a second
or two after it was chosen, and again whenever it has died: nobody's connection must sit on it then."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, and that no outgoing connection is given."""
    for _ in range(100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(_PORTS)))
            return int(probe.getsockname()[1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmulatorProcess:
    """An emulator that runs as a child of the proxy. Its output is kept (the last lines) and shown when it dies.

    scratch: a directory of its own, removed where the proxy is killed; None where it has none.
    """

    def __init__(self, launch: Launch, *, show_output: bool, scratch: Path | None = None) -> None:
        self.launch = launch
        self._show_output = show_output
        self._scratch = scratch
        self._run = secrets.token_hex(16)
        self._supervisor = Supervisor()
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._last_lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES_MAX)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def last_output(self) -> str:
        """The last lines that it printed, at most `_LAST_LINES_MAX`."""
        return "\n".join(self._last_lines)

    async def start(self) -> None:
        """Start it.

        Raises:
            EmulatorError: the command cannot be run.
        """
        self._last_lines.clear()
        await self._start_watcher()
        extra = {**self.launch.environment, RUN_NAME: self._run}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.launch.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=child_environment(os.environ, extra, self.launch.withheld),
                start_new_session=True,
            )
        except OSError as error:
            await self._end_watcher()
            raise EmulatorError(
                f"the emulator's command {self.launch.command[0]!r} cannot be run: {error.strerror or error}",
                hint="check the command after --",
            ) from error
        assert self._watcher is not None
        assert self._watcher.stdin is not None
        self._watcher.stdin.write(b"%d\n" % self._process.pid)
        self._reader = self._supervisor.start(READING, self._read_output(self._process))

    async def _start_watcher(self) -> None:
        self._watcher = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WATCHER,
            "watcher",
            f"{RUN_NAME}={self._run}",
            "" if self._scratch is None else str(self._scratch),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # A group of its own: an interrupt typed at the terminal must not end the watcher before the proxy.
            start_new_session=True,
        )

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        pending = b""
        while chunk := await process.stdout.read(_LINE_BYTES_MAX):
            if self._show_output:
                # Where that cannot be written, it is lost; an emulator whose output nobody reads any more would stand still.
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.buffer.write(chunk)
                    sys.stderr.flush()
            *lines, pending = (pending + chunk).split(b"\n")
            self._last_lines.extend(line.decode("utf-8", "replace") for line in lines)
            pending = pending[-_LINE_BYTES_MAX:]
        if pending:
            self._last_lines.append(pending.decode("utf-8", "replace"))

    async def wait(self) -> int:
        """Wait until it ends. Return its exit status (negative: the signal that ended it)."""
        assert self._process is not None
        status = await self._process.wait()
        if self._reader is not None:
            # A grandchild may hold the pipe open for longer than the emulator lived.
            await asyncio.wait({self._reader}, timeout=1)
        await self._end_watcher()
        return status

    async def stop(self, grace_s: float = 10.0) -> None:
        """End it and everything it started: by SIGTERM, and after `grace_s` seconds by SIGKILL."""
        process = self._process
        if process is not None:
            if process.returncode is None:
                _signal_group(process.pid, signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), grace_s)
                except TimeoutError:
                    _signal_group(process.pid, signal.SIGKILL)
                    await process.wait()
            _signal_group(process.pid, signal.SIGKILL)
        await self._sweep()
        await self._end_watcher()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None

    async def _sweep(self) -> None:
        """Kill the processes that it started outside of its process group."""
        for _ in range(_SWEEPS_MAX):
            found = await asyncio.to_thread(processes_of, self._run)
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(_SWEEP_PAUSE_S)

    async def _end_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.returncode is None:
            # Killed before its pipe closes: the group id may belong to somebody else by then.
            watcher.kill()
            await watcher.wait()


def processes_of(run: str) -> list[int]:
    """Return the ids of the living processes of one run of an emulator; none where the system does not show environments."""
    found = []
    sought = f"{RUN_NAME}={run}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if sought in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
