"""A proxy with an emulator of its own, whose state can be brought back to that of a recording.

The proxy works on a copy of the recording, under the save strategy MANUAL: what tests do is not part of what a restore
brings back. So "as at the start" is one request, `load?reset=own`: the emulator empties itself, and the recorded state is
restored. It is made only where something changed since. Where that takes but a moment, nobody waits for its end: requests
wait in the proxy until the state is there, and a test makes its clients meanwhile.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
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
from replay_proxy.testing.control_connection import ControlConnection
from replay_proxy.wording import duration

START_TIMEOUT_S = 300.0
REQUEST_TIMEOUT_S = 300.0
END_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.02
LAST_LINES_MAX = 20
"""Of what the proxy has said, in a message."""
UNAWAITED_S_MAX = 1.0
"""How long the latest restore may have taken for the next one not to be waited for. Clients wait longer than that."""
_INHERITED = ("REPLAY_EMULATOR_PYTHON",)
_PODS = "REPLAY_POD"
"""How the names of the variables begin that say where pods are."""
_CHANGES = ("recorded", "transient", "switched_off", "unrecognised", "renewals")
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
        self._at_end = ExitStack()
        self._process = self._start(emulator)
        try:
            self.endpoint_url = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self._control = ControlConnection(self.endpoint_url, REQUEST_TIMEOUT_S, self.last_words)
        self._at_end.callback(self._control.close)
        self._under_way: http.client.HTTPResponse | None = None
        self._took_s = UNAWAITED_S_MAX
        self._changes_then = self._changes()

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
            message, hint = _told_error(done.stderr)
            raise RecordingError(f"the pod {pod} cannot be loaded: {message}", hint=hint)

    def _start(self, emulator: str) -> subprocess.Popen[bytes]:
        own = {setting.env for setting in SETTINGS} - set(_INHERITED)
        options = {
            "--emulator": emulator,
            "--data-dir": str(self.data_dir),
            "--listen": "127.0.0.1:0",
            "--save-strategy": "MANUAL",
            "--observe": "off",  # what tests make the emulator do is not brought back
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
                raise self._not_started()
            time.sleep(POLL_INTERVAL_S)
        raise EmulatorError(f"the proxy was not ready within {duration(START_TIMEOUT_S)}:\n{self.last_words()}")

    def _not_started(self) -> EmulatorError:
        said = self.last_words().replace(str(self.data_dir), str(self.recording or self.data_dir))
        message, hint = _told_error(said)
        return EmulatorError(f"the proxy did not start: {message}", hint=hint)

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_bytes().splitlines():
            if line.startswith(b"{"):
                try:
                    event = json.loads(line)
                except ValueError:  # its end is not written yet
                    continue
                yield event

    def last_words(self) -> str:
        """Return the end of what the proxy has said, a line for each event that it has logged."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(map(_line_of, lines[-LAST_LINES_MAX:]))

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

        From its return on, requests find that state, though they may have to wait for it; `brought_back` waits.

        Raises:
            EmulatorError: the state could not be restored.
        """
        self.brought_back()
        changes = self._changes()
        if changes == self._changes_then:
            return False
        awaited, begun = self._took_s >= UNAWAITED_S_MAX, time.monotonic()
        self._under_way = answer = self._control.ask("POST", "/_localstack/state/load?reset=own&begun=1")
        self._control.read(answer.readline)
        # What changed before the restore began is undone by it; what comes later counts the next time.
        self._changes_then = changes
        if awaited:
            self.brought_back()
            self._took_s = time.monotonic() - begun
        return True

    def brought_back(self) -> None:
        """Wait until the state that `bring_back` asked for is there. Raises EmulatorError where it could not be restored."""
        answer, self._under_way = self._under_way, None
        if answer is None:
            return
        lines = [json.loads(line) for line in self._control.read(answer.read).splitlines() if line]
        if bad := next((line for line in lines if line.get("status") not in (None, "ok")), None):
            raise EmulatorError(
                f"the state could not be restored: {bad.get('error') or json.dumps(bad)}",
                hint=bad.get("hint") or f"what the proxy said last:\n{self.last_words()}",
            )

    def _changes(self) -> Mapping[str, int]:
        answer = self._control.ask("GET", "/_replay/status")
        requests = json.loads(self._control.read(answer.read))["requests"]
        return {name: int(requests[name]) for name in _CHANGES}

    def stop(self) -> None:
        """End proxy and emulator, and remove the copy of the recording."""
        self._at_end.close()
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<ReplayProxy {self.endpoint_url} {self.recording or 'from nothing'}>"


def _line_of(logged: str) -> str:
    """Return what a line of the log says to people."""
    try:
        event = json.loads(logged) if logged.startswith("{") else None
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return logged
    told = (event.get("level"), event.get("event"), event.get("reason"), event.get("hint"))
    return ": ".join(str(each) for each in told if each)


def _told_error(said: str) -> tuple[str, str]:
    """Return the error that `replay-proxy` has told on standard error, and its hint; all that it said, where it told none."""
    found = re.search(r"^error: (.*?)(?:^hint: (.*))?\Z", said, re.MULTILINE | re.DOTALL)
    return (found[1].strip(), (found[2] or "").strip()) if found else (said.strip(), "")
