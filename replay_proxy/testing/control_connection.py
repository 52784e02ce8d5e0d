"""The connection by which a test suite asks the proxy's own endpoints: one for all of them, since each test asks.

Requests may be sent twice, where the connection was closed while it was idle. Answers are read by those who asked.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from replay_proxy.errors import EmulatorError

_Read = TypeVar("_Read")
_AWAY = (OSError, http.client.HTTPException)


class ControlConnection:
    """A connection to the proxy at `url`. timeout_s: for each read. last_words: what the proxy said last, for errors."""

    def __init__(self, url: str, timeout_s: float, last_words: Callable[[], str]) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)
        self._last_words = last_words

    def ask(self, method: str, path: str) -> http.client.HTTPResponse:
        """Return the answer to a request; it is to be read to its end before the next one.

        Raises:
            EmulatorError: the proxy does not answer, or refuses.
        """
        try:
            answer = self._send(method, path)
        except _AWAY:
            self.close()
            answer = self.read(lambda: self._send(method, path))
        if answer.status >= 400:
            said = self.read(answer.read).decode("utf-8", "replace")
            raise EmulatorError(f"{method} {path} was answered with {answer.status}: {said}")
        return answer

    def read(self, read: Callable[[], _Read]) -> _Read:
        """Return what `read` reads of an answer. Raises EmulatorError where the proxy does not answer."""
        try:
            return read()
        except _AWAY as error:
            self.close()
            said = self._last_words()
            raise EmulatorError(f"the proxy does not answer: {error}", hint=f"it said last:\n{said}") from error

    def _send(self, method: str, path: str) -> http.client.HTTPResponse:
        self._connection.request(method, path, body=b"" if method == "POST" else None)
        return self._connection.getresponse()

    def close(self) -> None:
        """Close it; the next request opens it again."""
        self._connection.close()
