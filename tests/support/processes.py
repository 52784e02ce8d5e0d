"""Real emulators, and the proxy, as subprocesses on free loopback ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from replay_proxy.emulators.process import free_port
from tests.support.warm_starts import Forked, can_stand_for, starter

EMULATORS = ("moto", "ministack", "localstack")
START_LIMIT = 120.0


def localstack_python() -> str | None:
    """The interpreter that has LocalStack community, where `scripts/test` found a Python 3.13 for it."""
    return os.environ.get("LOCALSTACK_PYTHON") or None


LONG = "REPLAY_LONG_TESTS"


def left_out(minutes: float) -> str | None:
    """Why a test that takes so long is not run, or None where it is."""
    return None if os.environ.get(LONG) else f"takes about {minutes:g} minutes: {LONG}=1 scripts/test runs it"


def amount(usual: int, long: int) -> int:
    """How many of something to take: `long` where the long tests are run, too."""
    return long if os.environ.get(LONG) else usual


def missing(emulator: str) -> str | None:
    """Why `emulator` cannot run here, or None where it can."""
    if emulator == "localstack" and localstack_python() is None:
        return "LocalStack community needs a Python 3.13, and none was found (LOCALSTACK_PYTHON)"
    return None


def emulator_command(emulator: str, port: int, scratch: Path) -> tuple[list[str], dict[str, str]]:
    """Command line and additional environment."""
    match emulator:
        case "moto":
            return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], {}
        case "ministack":
            return [sys.executable, "-m", "ministack"], {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
        case "localstack":
            python = localstack_python()
            assert python is not None
            return [python, "-m", "localstack.runtime.main"], {
                "GATEWAY_LISTEN": f"127.0.0.1:{port}",
                "FILESYSTEM_ROOT": str(scratch / f"localstack-{port}"),
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DISABLE_EVENTS": "1",
            }
    raise AssertionError(emulator)


def http_status(url: str) -> int | None:
    """The status of a GET, None where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


AnyProcess = subprocess.Popen[bytes] | Forked


class Process:
    """A server as a subprocess, in a process group of its own; its output lies in a file."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path, url: str) -> None:
        self.url = url
        self.log_path = log
        with log.open("ab") as out:
            self.process = self._begin(command, environment, out)

    def _begin(self, command: Sequence[str], environment: dict[str, str], out: IO[bytes]) -> AnyProcess:
        return subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True
        )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_until(self, path: str, accept: Sequence[int] | None, limit: float = START_LIMIT) -> None:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log}")
            status = http_status(self.url + path)
            if status is not None and (accept is None or status in accept):
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready in {limit} s:\n{self.log}")

    def wait_for_log(self, text: str, limit: float = 30.0) -> None:
        """Wait until the output says `text`: what is logged and what is answered come by different ways."""
        deadline = time.monotonic() + limit
        while text not in self.log:
            assert time.monotonic() < deadline, f"{text!r} was not logged in {limit} s:\n{self.log}"
            time.sleep(0.05)

    def _wait(self, path: str, accept: Sequence[int] | None) -> None:
        """Wait for a start; leave nothing behind where it fails."""
        try:
            self.wait_until(path, accept)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """SIGKILL to the process alone."""
        self.process.kill()
        self.process.wait(30)

    def end(self) -> None:
        """SIGKILL for it and whatever is left of its group: for the end of a test, which asks nothing of it any more."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM, then whatever is left of its group by force; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.returncode


class Emulator(Process):
    """A real emulator."""

    def __init__(self, name: str, scratch: Path, port: int | None = None) -> None:
        self.name = name
        self.scratch = scratch
        self.port = port or free_port()
        command, environment = emulator_command(name, self.port, scratch)
        url = f"http://127.0.0.1:{self.port}"
        super().__init__(command, environment, scratch / f"{name}-{self.port}.log", url)
        self._wait("/_localstack/health", None)

    def stop(self) -> int:
        """At once: how an emulator ends by itself is nobody's question here, and it can take seconds.

        Not LocalStack, which has to end the servers that it started in sessions of their own.
        """
        if self.name == "localstack":
            return super().stop()
        self.end()
        return self.process.returncode

    def restart(self) -> None:
        """SIGKILL, and an empty one on the same port."""
        self.end()
        self.__init__(self.name, self.scratch, self.port)  # type: ignore[misc] # a new process behind the same address


class Proxy(Process):
    """`replay-proxy serve` as a user starts it."""

    def __init__(
        self,
        scratch: Path,
        *options: str,
        port: int | None = None,
        environment: dict[str, str] | None = None,
        data_dir: Path | None = None,
        wait: bool = True,
        program: Sequence[str] = (),
        fresh: bool = False,
    ) -> None:
        """program: what to run in place of `replay-proxy`. fresh: in an interpreter that has imported nothing yet."""
        self.scratch = scratch
        self.program = program or replay_proxy()
        self.fresh = fresh or bool(program) or bool(os.environ.get(LONG))
        self.options = options
        self.port = port or free_port()
        self.data_dir = data_dir or scratch / "recordings"
        # A process for the checks before each save is left to the tests of these checks.
        self.environment = {
            "REPLAY_PODS_DIR": str(scratch / "pods"),
            "REPLAY_CHECK_SAVES": "off",
            **(environment or {}),
        }
        command = [*self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self.data_dir)]
        url = f"http://127.0.0.1:{self.port}"
        super().__init__([*command, *options], self.environment, scratch / f"proxy-{self.port}.log", url)
        if wait:
            self._wait("/_localstack/health", [200])

    def _begin(self, command: Sequence[str], environment: dict[str, str], out: IO[bytes]) -> AnyProcess:
        if self.fresh or not can_stand_for(environment):
            return super()._begin(command, environment, out)
        return starter().start(command, {**os.environ, **environment}, out)

    def status(self, token: str = "") -> dict[str, Any]:
        fields = {"X-Replay-Token": token.encode().decode("latin-1")} if token else {}
        request = urllib.request.Request(self.url + "/_replay/status", headers=fields)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))

    def kill_all(self, token: str = "") -> None:
        """SIGKILL for the proxy and the emulator that it started."""
        pid = self.status(token)["emulator"]["pid"]
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self.kill()

    def again(self, *, wait: bool = True) -> Proxy:
        """Start it once more: the same command line, port and recording."""
        self.__init__(  # type: ignore[misc] # a new process behind the same address
            self.scratch,
            *self.options,
            port=self.port,
            environment=self.environment,
            data_dir=self.data_dir,
            wait=wait,
            program=self.program if self.fresh else (),
            fresh=self.fresh,
        )
        return self

    @property
    def journal(self) -> Path:
        return self.data_dir / "recorded_api_calls.json"

    def records(self, kind: str = "mutation") -> list[dict[str, Any]]:
        """The journal's records of one kind as JSON, as a reader with `jq` sees them."""
        lines = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [line for line in lines if line.get("kind") == kind]

    def operations(self) -> list[str]:
        return [f"{record['service']}:{record['operation']}" for record in self.records()]


def replay_proxy() -> list[str]:
    """The console script beside this interpreter, as a user has it."""
    script = Path(sys.executable).parent / "replay-proxy"
    return [str(script)] if script.exists() else [sys.executable, "-m", "replay_proxy"]


def aws_cli() -> str | None:
    """The AWS CLI beside this interpreter."""
    beside = Path(sys.executable).parent / "aws"
    return str(beside) if beside.exists() else shutil.which("aws")
