"""Tells in the log which hosts were refused, and why: the client that was refused may say nothing of it."""

from __future__ import annotations

from typing import Final

from replay_proxy import log
from replay_proxy.proxy.intercept.routes import REASONS, Route

_log = log.get("intercept")

_HOSTS_MAX: Final = 100


class RefusedHosts:
    """Tells of each host once, since clients try again and again; of a hundred hosts."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, host: str, route: Route) -> None:
        """Take note that something for `host` was refused."""
        name = host.lower()
        if name not in self._told and len(self._told) < _HOSTS_MAX:
            self._told.add(name)
            _log.warning("a request was refused", host=name, reason=REASONS[route])
