"""Whether an address is a replay-proxy: the traffic of a remote must not pass one, since it would be recorded.

What is told is the role, not the address: the endpoint of health of a proxy says that it is one, under whatever name or port.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener, getproxies, proxy_bypass

import orjson

TIMEOUT_S: Final = 3.0
_ANSWER_BYTES_MAX: Final = 1 << 20


@lru_cache(maxsize=64)
def is_replay_proxy(url: str) -> bool:
    """Return whether what listens at `url` (`http://HOST:PORT`) is a replay-proxy. Nobody there is none."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    try:
        opener = build_opener(ProxyHandler({}))
        with opener.open(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/_replay/health", timeout=TIMEOUT_S
        ) as answer:
            content = answer.read(_ANSWER_BYTES_MAX)
    except HTTPError as error:  # 503 while it restores
        content = error.read(_ANSWER_BYTES_MAX)
    except (OSError, ValueError):
        return False
    try:
        found = orjson.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("replay_proxy"), dict)


def outgoing_proxies(url: str) -> dict[str, str]:
    """Return the HTTP proxies of the environment for requests to `url`, by scheme, as `requests` and botocore take them.

    A replay-proxy that clients are led through (HTTPS_PROXY) is left out.
    """
    host = urlsplit(url).hostname or ""
    if proxy_bypass(host):
        return {}
    found = getproxies()
    wanted = {scheme: found.get(scheme) or found.get("all", "") for scheme in ("http", "https")}
    return {scheme: proxy for scheme, proxy in wanted.items() if proxy and not is_replay_proxy(proxy)}


def ca_bundle() -> str | bool:
    """Return the certificates to verify servers with, where the environment names some; else True for the usual ones."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get(name):
            return os.environ[name]
    return True
