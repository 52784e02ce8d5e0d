"""The processes that the benchmarks measure or need: each on a loopback port of its own, stopped when done."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that is to answer on `port`."""

    def __init__(
        self, name: str, command: list[str], port: int, scratch: Path, env: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self._log = scratch / f"{name}.log"
        with self._log.open("wb") as log:
            environment = {**os.environ, **(env or {})}
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, start_new_session=True
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Until it gives any HTTP answer that is not a 503. Ends the benchmark where that takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                try:
                    urllib.request.urlopen(f"{self.url}/_localstack/health", timeout=5).read()
                except urllib.error.HTTPError as error:
                    if error.code == 503:
                        raise ConnectionError from error
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: {self.name} does not answer:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of processor time used so far, by the kernel's account (its clock ticks every 10 ms)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()


class Servers:
    """Starts servers side by side, and stops them all."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._running: list[Server] = []

    def start(self, name: str, command: list[str], port: int, env: dict[str, str] | None = None) -> Server:
        """Start one; `wait` for it before it is used."""
        server = Server(name, command, port, self.scratch, env)
        self._running.append(server)
        return server

    def proxy(self, name: str, url: str, *options: str, data_dir: Path | None = None) -> Server:
        """A replay_proxy in front of `url`."""
        port = free_port()
        data = data_dir or self.scratch / f"data-{name}"
        command = [sys.executable, "-m", "replay_proxy", "serve", "--listen", f"127.0.0.1:{port}", "--upstream", url]
        return self.start(name, [*command, "--data-dir", str(data), *options], port)

    def stop(self) -> None:
        while self._running:
            self._running.pop().stop()


@contextlib.contextmanager
def servers(scratch: Path) -> Iterator[Servers]:
    """A place to start servers in."""
    place = Servers(scratch)
    try:
        yield place
    finally:
        place.stop()


def nginx_command(port: int, scratch: Path, answers: dict[str, bytes]) -> list[str] | None:
    """nginx as a server of fixed JSON answers by `X-Amz-Target` (empty: every other); None where it is not installed."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        return None
    rules = "\n".join(
        f"if ($http_x_amz_target = \"{target}\") {{ return 200 '{body.decode()}'; }}"
        for target, body in answers.items()
        if target
    )
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "\n".join(
        f"{kind}_temp_path {scratch}/nginx-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = scratch / "nginx.conf"
    configuration.write_text(
        f"""{user} worker_processes 1; daemon off; pid {scratch}/nginx.pid; error_log {scratch}/nginx-errors.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; client_header_timeout 1h;
  default_type application/x-amz-json-1.0; {temporary}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      add_header x-amzn-RequestId 0a1b2c3d-0000-0000-0000-000000000000;
      {rules}
      return 200 '{answers[""].decode()}';
    }}
  }}
}}
"""
    )
    return [nginx, "-c", str(configuration), "-p", str(scratch)]
