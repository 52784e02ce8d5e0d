"""Processes that a benchmark measures or needs: emulators, the proxy, servers of this folder; on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from replay_proxy.emulators.process import free_port

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT = 90.0
EMULATORS = ("moto", "ministack")
RESET = {"moto": "/moto-api/reset", "ministack": "/_ministack/reset"}
"""The path that makes an emulator forget everything."""
DEFAULT_ACCOUNT = {"moto": "123456789012", "ministack": "000000000000"}


class Process:
    """A process that answers HTTP on `port`, to `path`; made ready by `ready`."""

    def __init__(
        self, command: list[str], port: int, log: Path, *, path: str = "/", environment: dict[str, str] | None = None
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._path = path
        self.begun = time.perf_counter()
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def ready(self, pause: float = 0.02) -> float:
        """Wait until it answers, with anything but "unavailable"; seconds since its start."""
        while status_of(self.url + self._path) in (0, 503):
            if self.process.poll() is not None or time.perf_counter() - self.begun > START_LIMIT:
                self.stop()
                sys.exit(f"error: {self.process.args!r} does not answer:\n{self.log.read_text()}")
            time.sleep(pause)
        return time.perf_counter() - self.begun

    def cpu(self) -> float:
        """Seconds of processor time used so far, by the kernel's account (its clock ticks every 10 ms)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, field: str = "VmRSS") -> float:
        """Resident memory in MiB: now, or the most there ever was (`VmHWM`)."""
        return memory_of(self.process.pid, field)

    def stop(self) -> None:
        """End it, and whatever it has started."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Process:
        self.ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def status_of(url: str, method: str = "GET", timeout: float = 10) -> int:
    """The status of an answer; 0 where there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def memory_of(pid: int, field: str = "VmRSS") -> float:
    """`VmRSS` or `VmHWM` of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def emulator(name: str, scratch: Path) -> Process:
    """moto or MiniStack."""
    port = free_port()
    log = scratch / f"{name}-{port}.log"
    if name == "moto":
        return Process([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, log)
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    return Process([sys.executable, "-m", "ministack"], port, log, path="/_ministack/health", environment=environment)


def reset(server: Process, name: str) -> None:
    """Make an emulator forget everything."""
    status = status_of(server.url + RESET[name], "POST")
    if status != 200:
        sys.exit(f"error: {name} answered its reset with {status}")


def proxy(upstream: str, data_dir: Path, *options: str, log: Path) -> Process:
    """`replay-proxy serve` in front of `upstream`; ready when its state is back."""
    port = free_port()
    command = [sys.executable, "-m", "replay_proxy", "serve", "--listen", f"127.0.0.1:{port}", "--upstream", upstream]
    command += ["--data-dir", str(data_dir), *options]
    return Process(command, port, log, path="/_localstack/health")


class Processes:
    """Starts processes side by side, and stops them all."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._running: list[Process] = []

    def start(self, name: str, command: list[str], port: int, environment: dict[str, str] | None = None) -> Process:
        """Start one; it must become `ready` before it is used."""
        return self._keep(Process(command, port, self.scratch / f"{name}.log", environment=environment))

    def proxy(self, name: str, upstream: str, *options: str, data_dir: Path | None = None) -> Process:
        """A replay_proxy in front of `upstream`."""
        data = data_dir or self.scratch / f"data-{name}"
        return self._keep(proxy(upstream, data, *options, log=self.scratch / f"{name}.log"))

    def _keep(self, process: Process) -> Process:
        self._running.append(process)
        return process

    def stop(self) -> None:
        """End them all."""
        while self._running:
            self._running.pop().stop()


@contextlib.contextmanager
def processes(scratch: Path) -> Iterator[Processes]:
    """A place to start processes in."""
    place = Processes(scratch)
    try:
        yield place
    finally:
        place.stop()
