"""A pod file from an HTTP address, without credentials: what `pod url` gives to others."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final
from urllib.parse import urlsplit

import tenacity

from replay_proxy.errors import RemoteError, RemoteUnavailableError, UsageError
from replay_proxy.journal.storage.scratch import scratch_file
from replay_proxy.pods.limits import Limits, PodError
from replay_proxy.pods.remotes.own_proxy import outgoing_proxies
from replay_proxy.pods.remotes.remote import CHUNK_BYTES
from replay_proxy.wording import size

TIMEOUT_S: Final = 60.0
ATTEMPTS: Final = 5
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
Progress = Callable[[int, int], None] | None


def is_address(text: str) -> bool:
    """Return whether a text is an address that `downloaded` takes."""
    return text.startswith(("https://", "http://"))


@contextmanager
def downloaded(url: str, limits: Limits, progress: Progress = None) -> Iterator[IO[bytes]]:
    """Download a file, and open it; it is gone at the end. A connection that breaks goes on where it was.

    progress: called with the bytes that are there, and all of them (0 where nobody says).

    Raises:
        UsageError: that is no address. PodError: the file is larger than the limits.
        RemoteError: it is refused, or not there. RemoteUnavailableError: nobody answers. StorageError: it cannot be written.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no address", hint="write https://HOST/PATH, as `replay-proxy pod url` prints it")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(outgoing_proxies(url)), _Redirects())
    with scratch_file() as file:
        _Download(opener, url, limits, progress).into(file)
        file.seek(0)
        yield file


class _Download:
    """One file on its way."""

    def __init__(self, opener: urllib.request.OpenerDirector, url: str, limits: Limits, progress: Progress) -> None:
        self._opener = opener
        self._url = url
        self._shown = url.partition("?")[0]  # what follows is what makes it a secret
        self._limits = limits
        self._progress = progress
        self._etag = ""

    def into(self, file: IO[bytes]) -> None:
        """Write it into `file`."""
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RemoteUnavailableError),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.3, max=5),
            reraise=True,
        ):
            with attempt:
                self._attempt(file)

    def _attempt(self, file: IO[bytes]) -> None:
        at = file.tell() if self._etag else 0
        request = urllib.request.Request(self._url)  # noqa: S310 - http and https alone, as was checked
        if at:
            request.add_header("Range", f"bytes={at}-")
            request.add_header("If-Range", self._etag)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                if answer.status != 206:
                    at = 0
                file.seek(at)
                file.truncate()
                self._etag = answer.headers.get("ETag", "")
                left = int(answer.headers.get("Content-Length") or 0)
                self._refuse_large(at + left)
                while chunk := answer.read(CHUNK_BYTES):
                    file.write(chunk)
                    at += len(chunk)
                    left -= len(chunk)
                    self._refuse_large(at)
                    if self._progress is not None:
                        self._progress(at, at + max(0, left))
                if left > 0:
                    raise RemoteUnavailableError(f"{self._shown} ended before its end", hint="try again")
        except urllib.error.HTTPError as error:
            raise self._refusal(error.code) from error
        except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise RemoteUnavailableError(
                f"{self._shown} cannot be read: {getattr(error, 'reason', None) or error}",
                hint="is the address right, and the network up?",
            ) from error

    def _refuse_large(self, found: int) -> None:
        if found > self._limits.size_bytes:
            raise PodError(
                f"{self._shown} is larger than {size(self._limits.size_bytes)}",
                hint="REPLAY_POD_MAX_SIZE allows more, where you trust whoever made it",
            )

    def _refusal(self, status: int) -> RemoteError:
        if status in _LATER:
            return RemoteUnavailableError(f"{self._shown} answers {status}", hint="try again later")
        if status in (401, 403):
            return RemoteError(
                f"{self._shown} refuses: {status}",
                hint="the URL has expired, or is cut off; `replay-proxy pod url` makes another one",
            )
        return RemoteError(f"{self._shown} answers {status}", hint="is that the whole address?")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other addresses of HTTP, never from https to http."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the request to `newurl`. Raises RemoteError where that would be less safe."""
        if urlsplit(newurl).scheme not in ("http", "https") or (
            req.type == "https" and not newurl.startswith("https:")
        ):
            raise RemoteError(
                f"{req.host} leads on to {newurl.partition('?')[0]}",
                hint="that is less safe than https; nothing was read",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
