"""JSON answers, and the guard against web pages that post to a local port."""

from __future__ import annotations

from http import HTTPStatus
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

    Browsers say so in fields that pages cannot forge (Fetch Metadata: `Sec-Fetch-Site`; RFC 6454: `Origin`).
    """
    site = incoming.headers.get("sec-fetch-site")
    if site and site not in ("same-origin", "none"):
        return True
    origin = incoming.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != incoming.headers.get("host")
