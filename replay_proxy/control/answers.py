"""JSON answers, and the guard against web pages that post to a local port."""

from __future__ import annotations

import hmac
from base64 import b64decode
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson

from replay_proxy import log
from replay_proxy.errors import DivergedError, RemoteError, ReplayProxyError, StorageError, UsageError
from replay_proxy.exchange import Headers
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.store import NoSuchPodError
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from replay_proxy.proxy.lifecycle.restoring.requested_load import NotNowError
from replay_proxy.supervision import describe_error
from replay_proxy.wire.models.service_names import UnknownServiceError

_log = log.get("control")


def json_answer(content: Any, status: int = 200) -> Outgoing:
    """Return an answer with `content` as an indented JSON document."""
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str)
    headers = Headers((("Content-Type", "application/json"), ("Cache-Control", "no-store")))
    return Outgoing(status, HTTPStatus(status).phrase, headers, body)


def problem(status: int, error: str, hint: str = "") -> Outgoing:
    """Return the answer for an error of the proxy's own endpoints."""
    return json_answer({"error": error, "hint": hint} if hint else {"error": error}, status)


def status_of_error(error: Exception) -> int:
    """Return the status that tells a client what kind of error it was."""
    match error:
        case UnknownServiceError() | NoSuchPodError():
            return 404
        case NotNowError() | StorageError():
            return 503
        case PodError():
            return 400
        case RemoteError():
            return 502
        case UsageError():
            return 409
        case DivergedError():
            return 412
    return 500


def failure_of(error: Exception) -> tuple[str, str]:
    """Return what happened, and what to do, for a client; an error that nobody expected is logged."""
    if isinstance(error, ReplayProxyError):
        return error.message, error.hint
    if not isinstance(error, OSError):
        _log.error("an error that nobody expected", reason=describe_error(error))
        _log.debug("where that was", exc_info=error)
    return describe_error(error), "the log says more"


def from_foreign_page(incoming: Incoming, *, of_any_name: bool = False) -> bool:
    """Return whether this request was made by a web page of another origin.

    Browsers say so in fields that pages cannot forge (Fetch Metadata: `Sec-Fetch-Site`; RFC 6454: `Origin`). A page
    whose own name was made to resolve to this machine (DNS rebinding) is of the same origin, but has a name: pages are
    only believed where the browser was pointed at an address, or at a name that cannot be somebody else's.

    of_any_name: the request carries what such a page cannot know, so it may have any name.
    """
    site = incoming.headers.get("sec-fetch-site")
    if site and site not in ("same-origin", "none"):
        return True
    origin = incoming.headers.get("origin")
    if not origin and site in ("", "none"):
        return False
    host = incoming.headers.get("host")
    return (bool(origin) and _authority(origin) != host.lower()) or not (of_any_name or _is_ours(host))


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_ours(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ip_address(name)
    except ValueError:
        name = _name_of(host)
        return name in _LOCAL_NAMES or name.endswith(".localhost")
    return True


_LOCAL_NAMES = frozenset({"localhost", "localhost.localstack.cloud"})
"""Names that are of this machine: the second is a public name of 127.0.0.1, which LocalStack's clients use."""


def _name_of(host: str) -> str:
    """Return the name in a Host field, without its port."""
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def carries(incoming: Incoming, token: str) -> bool:
    """Return whether this request carries the control token: in a field of ours, or as LocalStack's clients carry theirs."""
    scheme, _blank, credentials = incoming.headers.get("authorization").partition(" ")
    match scheme.lower():
        case "bearer":
            offered = credentials.strip()
        case "basic":
            offered = _password_in(credentials)
        case _:
            offered = incoming.headers.get("x-replay-token")
    return hmac.compare_digest(offered.encode("latin-1"), token.encode())


def _password_in(credentials: str) -> str:
    try:
        return b64decode(credentials.strip(), validate=True).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""
