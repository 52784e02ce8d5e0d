"""A proxy with an emulator of its own, whose state can be brought back to that of a recording.

The proxy works on a copy of the recording, under the save strategy MANUAL: what tests do is not part of what a restore
brings back. So "as at the start" is one request, `load?reset=own`: the emulator empties itself, and the recorded state is
restored. It is made only where something changed since.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from replay_proxy.client_environment import (
    PLACEHOLDER_CREDENTIALS,
    PLACEHOLDER_REGION,
    ClientEnvironment,
    client_environment,
)
from replay_proxy.config import SETTINGS
from replay_proxy.errors import EmulatorError, RecordingError
from replay_proxy.wording import duration

START_TIMEOUT_S = 300.0
REQUEST_TIMEOUT_S = 300.0
END_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.02
_INHERITED = ("REPLAY_EMULATOR_PYTHON",)
_PODS = "REPLAY_POD"
"""How the names of the variables begin that say where pods are."""
_CHANGES = ("recorded", "transient", "switched_off", "unrecognised")
"""The counts of requests in /_replay/status that may have changed the emulator."""


class ReplayProxy:
    """A running proxy with its emulator.

    endpoint_url: for `AWS_ENDPOINT_URL`. recording: the directory, or the pod by its name or file, whose state it serves; None
    for an empty one. data_dir: the copy of it, in which what tests do is recorded.
    """

    def __init__(self, emulator: str, recording: Path | str | None = None) -> None:
        """Start it, and wait until the state is restored.

        Raises:
            RecordingError: there is no such recording or pod. EmulatorError: it did not start; the message has its last words.
        """
        if isinstance(recording, Path) and not recording.is_dir():
            raise RecordingError(
                f"there is no recording {recording}", hint="name a directory that `replay-proxy serve` has written"
            )
        self.recording = recording
        self._folder = Path(tempfile.mkdtemp(prefix="replay-proxy-pytest-"))
        self.data_dir = self._folder / "recording"
        self._log = self._folder / "proxy.log"
        if isinstance(recording, str):
            self._load_pod(recording)
        elif recording is not None:
            left_out = shutil.ignore_patterns("*.lock", "session*")
            shutil.copytree(recording, self.data_dir, ignore=left_out)
        self._process = self._start(emulator)
        try:
            self.endpoint_url = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self._changes_at_start = self._changes()

    def _load_pod(self, pod: str) -> None:
        """Write what a pod holds into the copy. Raises RecordingError."""
        own = {setting.env for setting in SETTINGS if not setting.env.startswith(_PODS)} | {"AWS_ENDPOINT_URL"}
        done = subprocess.run(
            [sys.executable, "-m", "replay_proxy", "pod", "load", pod, "--data-dir", str(self.data_dir), "--yes"],
            env={name: value for name, value in os.environ.items() if name not in own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise RecordingError(f"the pod {pod} cannot be loaded:\n{done.stderr.strip()}")

    def _start(self, emulator: str) -> subprocess.Popen[bytes]:
        own = {setting.env for setting in SETTINGS} - set(_INHERITED)
        options = {
            "--emulator": emulator,
            "--data-dir": str(self.data_dir),
            "--listen": "127.0.0.1:0",
            "--save-strategy": "MANUAL",
            "--init-dir": str(self._folder),  # none: the state is that of the recording
            "--log-format": "json",
        }
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "replay_proxy", "serve", *(word for pair in options.items() for word in pair)],
                env={name: value for name, value in os.environ.items() if name not in own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            for event in self._events():
                if event.get("event") == "ready":
                    return str(event["listen"])
            if self._process.poll() is not None:
                raise EmulatorError(f"the proxy did not start:\n{self.last_words()}", hint="the lines above say why")
            time.sleep(POLL_INTERVAL_S)
        raise EmulatorError(f"the proxy was not ready within {duration(START_TIMEOUT_S)}:\n{self.last_words()}")

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_bytes().splitlines():
            if line.startswith(b"{"):
                try:
                    event = json.loads(line)
                except ValueError:  # its end is not written yet
                    continue
                yield event

    def last_words(self) -> str:
        """Return the end of what the proxy has logged."""
        return self._log.read_text(errors="replace")[-4000:]

    @property
    def environment(self) -> ClientEnvironment:
        """Return what clients need in order to reach it, given the environment of this process."""
        return client_environment(self.endpoint_url, os.environ)

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of a service at this proxy. options: as for `boto3.client`."""
        import boto3

        keys = PLACEHOLDER_CREDENTIALS
        usual = {
            "endpoint_url": self.endpoint_url,
            "region_name": PLACEHOLDER_REGION,
            "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(service, **{**usual, **options})

    def bring_back(self) -> bool:
        """Bring the state of the recording back, where a request may have changed it. Return whether that was needed.

        Raises:
            EmulatorError: the state could not be restored.
        """
        if self._changes() == self._changes_at_start:
            return False
        answer = self._ask("POST", "/_localstack/state/load?reset=own")
        lines = [json.loads(line) for line in answer.splitlines() if line]
        if bad := next((line for line in lines if line.get("status") not in (None, "ok")), None):
            raise EmulatorError(f"the state could not be restored: {json.dumps(bad)}", hint=self.last_words())
        self._changes_at_start = self._changes()
        return True

    def _changes(self) -> Mapping[str, int]:
        requests = json.loads(self._ask("GET", "/_replay/status"))["requests"]
        return {name: int(requests[name]) for name in _CHANGES}

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(self.endpoint_url + path, method=method)  # noqa: S310 - its own address
        if method == "POST":
            request.data = b""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")
            raise EmulatorError(f"{method} {path} was answered with {error.code}: {said}") from error
        except OSError as error:
            raise EmulatorError(f"the proxy does not answer: {error}\n{self.last_words()}") from error

    def stop(self) -> None:
        """End proxy and emulator, and remove the copy of the recording."""
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<ReplayProxy {self.endpoint_url} {self.recording or 'from nothing'}>"
