"""What a request says of its call outside of its body: read once, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.models.endpoint_hosts import Host, parse_host
from replay_proxy.wire.recognition.form_fields import parse_query
from replay_proxy.wire.signing.credentials import Credentials, read_credentials

_NO_QUERY: Mapping[str, str] = {}


class Evidence(NamedTuple):
    """What a request says of its call outside of its body.

    path: raw, without scheme and host; empty where the target has none. query: decoded, the first of each name.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    credentials: Credentials
    host: Host


def read_evidence(request: Request) -> Evidence:
    """Return the evidence of a request. Never raises."""
    path, query_string = split_target(request.target)
    headers = request.headers
    query = parse_query(query_string) if query_string else _NO_QUERY
    credentials = read_credentials(headers, query)
    return Evidence(request.method, path, query, headers, credentials, parse_host(headers.get("host")))


def split_target(target: str) -> tuple[str, str]:
    """Return raw path and query string of a request target; an empty path where it has none (`*`, `host:443`)."""
    path, _, query = target.partition("?")
    if path.startswith("/"):
        return path, query
    if path.startswith(("http://", "https://")):
        # The absolute form, as clients write it to a proxy (RFC 9112, section 3.2.2).
        _, slash, rest = path.partition("://")[2].partition("/")
        return f"/{rest}" if slash else "/", query
    return "", query
