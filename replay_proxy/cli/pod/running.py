"""The proxy that is running, as the actions ask it: its state as a file, and a file to be loaded."""

from __future__ import annotations

import argparse
import http.client
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol
from urllib.parse import urlencode, urlsplit

from replay_proxy.cli.control_client import proxy_url, refusal_of
from replay_proxy.config import Settings
from replay_proxy.errors import EmulatorError, UsageError

TIMEOUT_S = 3600.0
PROBE_TIMEOUT_S = 30.0
_CHUNK = 1 << 20


def is_at_rest(args: argparse.Namespace) -> bool:
    """Return whether a recording at rest is meant, and not a running proxy: a data directory is named, and no endpoint."""
    if getattr(args, "endpoint", ""):
        return False
    return args.data_dir is not None or (bool(os.environ.get("DATA_DIR")) and not os.environ.get("AWS_ENDPOINT_URL"))


def running_proxy(args: argparse.Namespace, settings: Settings) -> RunningProxy:
    """Return the running proxy. Raises EmulatorError where none answers."""
    proxy = RunningProxy(proxy_url(args, settings), settings.control_token or "")
    proxy.require()
    return proxy


@contextmanager
def going_on(message: Callable[[], str]) -> Iterator[None]:
    """Say what the proxy does where a person, or SIGTERM, ends the command that asked for it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(f"interrupted: {message()}", file=sys.stderr)
        raise


class Sink(Protocol):
    """What takes bytes, as an open file does."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes. Raises StorageError, OSError."""


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """A proxy at a URL. token: its control token; empty for none."""

    url: str
    token: str

    def require(self) -> None:
        """Raise EmulatorError where no proxy answers."""
        with self._answer("GET", "/_replay/status", timeout_s=PROBE_TIMEOUT_S) as answer:
            self._read(answer, None)

    def saved_file(self, asked: dict[str, str], sink: Sink) -> dict[str, Any]:
        """Write the state as a pod file, and return the report about it. Raises ReplayProxyError, OSError."""
        import orjson

        with self._answer("POST", f"/_replay/pods/save?{urlencode(asked)}") as answer:
            left = int(answer.headers.get("Content-Length", "0"))
            while chunk := self._read(answer):
                sink.write(chunk)
                left -= len(chunk)
            if left:
                raise EmulatorError(
                    f"{self.url} sent a part of the state alone", hint="is the proxy still there? try again"
                )
            report: dict[str, Any] = orjson.loads(answer.headers.get("X-Replay-Report", "{}"))
            return report

    def load_file(self, asked: dict[str, str], source: IO[bytes]) -> Iterator[dict[str, Any]]:
        """Have a pod file loaded, and yield what the proxy tells, up to the completion. Raises ReplayProxyError."""
        yield from self._events("POST", f"/_replay/pods/load?{urlencode(asked)}", source)

    def reset(self, service: str = "") -> dict[str, Any]:
        """Have the emulator forget everything, or one service, and return what its answer says. Raises ReplayProxyError."""
        from urllib.parse import quote

        import orjson

        path = f"/_localstack/state/{quote(service, safe='')}/reset" if service else "/_localstack/state/reset"
        with self._answer("POST", path) as answer:
            try:
                told = orjson.loads(self._read(answer, None))
            except ValueError:
                return {}
        return told if isinstance(told, dict) else {}

    def _events(self, method: str, path: str, body: IO[bytes]) -> Iterator[dict[str, Any]]:
        import orjson

        completed = False
        with self._answer(method, path, body) as answer:
            for line in self._lines(answer):
                if line.strip():
                    event: dict[str, Any] = orjson.loads(line)
                    completed = completed or event.get("event") == "completion"
                    yield event
        if not completed:
            raise EmulatorError(f"{self.url} ended in the middle of its answer", hint="look at the log of the proxy")

    def _lines(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        """Yield the lines of an answer. Raises EmulatorError."""
        try:
            yield from answer
        except (OSError, http.client.HTTPException) as error:
            raise self._broken_off(error) from error

    def _read(self, answer: http.client.HTTPResponse, amount: int | None = _CHUNK) -> bytes:
        """Return the next piece of an answer, or with None all that is left of it. Raises EmulatorError."""
        try:
            return answer.read(amount)
        except (OSError, http.client.HTTPException) as error:
            raise self._broken_off(error) from error

    def _broken_off(self, error: Exception) -> EmulatorError:
        return EmulatorError(f"{self.url} broke off its answer: {error}", hint="is the proxy still there? try again")

    def _answer(
        self, method: str, path: str, body: IO[bytes] | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> http.client.HTTPResponse:
        """Send a request, and return the answer, whose status is a success. Raises ReplayProxyError."""
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{self.url!r} is no address of a proxy", hint="write http://HOST:PORT")
        connection_type = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers |= {"Content-Length": str(os.fstat(body.fileno()).st_size - body.tell())}
        elif method == "POST":
            headers |= {"Content-Length": "0"}
        try:
            # A proxy of the environment is for other machines than this one's.
            connection = connection_type(parts.hostname, parts.port, timeout=timeout_s)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
        except (
            ConnectionResetError,
            BrokenPipeError,
        ) as error:  # it had taken the connection; no answer at all is one, too
            raise EmulatorError(
                f"{self.url} broke off before it answered: {error.strerror or error}",
                hint="is the proxy still there? its log tells why it ended; then try again",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise EmulatorError(
                f"no proxy answers at {self.url}: {error}",
                hint="start it, name it with --endpoint, or name a recording at rest with --data-dir",
            ) from error
        if answer.status >= 300:
            raise refusal_of(answer.status, answer.read(1 << 20), self.url)
        return answer
