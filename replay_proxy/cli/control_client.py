"""Asks the endpoints of a running proxy, for the commands that need one."""

from __future__ import annotations

import argparse
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from replay_proxy.client_environment import client_url
from replay_proxy.config import Settings
from replay_proxy.errors import DivergedError, EmulatorError, ReplayProxyError, UsageError

TIMEOUT_S = 600.0


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option that names the proxy."""
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        default="",
        help="the running proxy; not set: where --listen says that it listens, or AWS_ENDPOINT_URL",
    )


def proxy_url(args: argparse.Namespace, settings: Settings) -> str:
    """Return the URL of the proxy that a command names: by --endpoint, by --listen, else by AWS_ENDPOINT_URL or its settings.

    Raises:
        UsageError: what names it is no URL.
    """
    given = args.endpoint or ("" if args.listen is not None else os.environ.get("AWS_ENDPOINT_URL", ""))
    if not given:
        return client_url(settings.listen.host, settings.listen.port)
    parts = urlsplit(given if "://" in given else f"http://{given}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"{given!r} is no address of a proxy", hint="write http://HOST:PORT")
    return f"{parts.scheme}://{parts.netloc}"


class ControlClient:
    """The endpoints of the proxy at `url`. token: its control token; empty where it has none."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token

    @classmethod
    def named(cls, args: argparse.Namespace, settings: Settings) -> ControlClient:
        """Return the client of the proxy that a command names: see `proxy_url`. Raises UsageError."""
        return cls(proxy_url(args, settings), settings.control_token or "")

    @staticmethod
    def quoted(names: Iterable[str]) -> str:
        """Return names as a list, separated by commas, for a path or a query."""
        return ",".join(quote(each, safe="") for each in names)

    def post(self, target: str, body: bytes = b"") -> Any:
        """Return what the proxy answers to a POST, read as JSON.

        Raises:
            EmulatorError: no proxy answers, or it cannot do what is asked. UsageError: it refuses what is asked.
        """
        return self._asked("POST", target, body, TIMEOUT_S)

    def get(self, target: str, timeout: float = TIMEOUT_S) -> Any:
        """Return what the proxy answers to a GET, read as JSON. Raises as `post`."""
        return self._asked("GET", target, None, timeout)

    def _asked(self, method: str, target: str, body: bytes | None, timeout: float) -> Any:
        import orjson

        request = urllib.request.Request(self.url + target, data=body, method=method)  # noqa: S310 - http, and its own address
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            # A proxy of the environment is for other machines than this one's.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=timeout) as answer:
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise refusal_of(error.code, error.read(), self.url) from error
        except (OSError, ValueError) as error:
            raise EmulatorError(
                f"no proxy answers at {self.url}: {_reason_of(error)}",
                hint="start it, or name the address of one that is running by --listen, --endpoint or AWS_ENDPOINT_URL",
            ) from error


def _reason_of(error: Exception) -> str:
    """Return why nothing answered, without the number of the error."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause)


def refusal_of(status: int, body: bytes, address: str) -> ReplayProxyError:
    """Return the error for an answer of the proxy that says no."""
    import orjson

    try:
        told: Any = orjson.loads(body)
        message, hint = str(told["error"]), str(told.get("hint", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        message, hint = f"{address} answered with {status}", "is that the address of a replay-proxy?"
    if status == 412:
        return DivergedError(message, hint=hint)
    if status == 401:  # what it hints at is a header field
        return UsageError(message, hint="name the token of that proxy by REPLAY_CONTROL_TOKEN or --control-token")
    if status in (400, 404, 409):
        return UsageError(message, hint=hint)
    return EmulatorError(message, hint=hint)
