"""JSON answers, and the guard against web pages that post to a local port."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson

from replay_proxy.exchange import Headers
from replay_proxy.proxy.streams import Incoming, Outgoing


def json_answer(content: Any, status: int = 200) -> Outgoing:
    """`content` as an indented JSON document."""
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str)
    headers = Headers((("Content-Type", "application/json"), ("Cache-Control", "no-store")))
    return Outgoing(status, HTTPStatus(status).phrase, headers, body)


def problem(status: int, error: str, hint: str = "") -> Outgoing:
    """An error of the control interface."""
    return json_answer({"error": error, "hint": hint} if hint else {"error": error}, status)


def from_foreign_page(incoming: Incoming) -> bool:
    """Was this request made by a web page of another origin?

    Browsers say so in fields that pages cannot forge (Fetch Metadata: `Sec-Fetch-Site`; RFC 6454: `Origin`). A page
    whose own name was made to resolve to this machine (DNS rebinding) is of the same origin, but has a name: pages are
    only believed where the browser was pointed at an address, or at a name that cannot be somebody else's.
    """
    site = incoming.headers.get("sec-fetch-site")
    if site and site not in ("same-origin", "none"):
        return True
    origin = incoming.headers.get("origin")
    if not origin and site in ("", "none"):
        return False
    host = incoming.headers.get("host")
    return (bool(origin) and _authority(origin) != host.lower()) or not _is_ours(host)


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
        return _name_of(host) == "localhost" or _name_of(host).endswith(".localhost")
    return True


def _name_of(host: str) -> str:
    """The name in a Host field, without its port."""
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def carries(incoming: Incoming, token: str) -> bool:
    """Does this request carry the control token?"""
    scheme, _blank, credentials = incoming.headers.get("authorization").partition(" ")
    offered = credentials.strip() if scheme.lower() == "bearer" else incoming.headers.get("x-replay-token")
    return hmac.compare_digest(offered.encode("latin-1"), token.encode())
