"""Whether settings ask for an interception door, and the door that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay_proxy.config import Settings
from replay_proxy.proxy.http.fast_path_api import FastPath
from replay_proxy.proxy.http.streams import Handler

if TYPE_CHECKING:
    from replay_proxy.proxy.intercept.door import InterceptionDoor


def interception_door_of(settings: Settings, handler: Handler, fast_path: FastPath) -> InterceptionDoor | None:
    """Return the door, None where none is asked for. Raises `UsageError` where mitmproxy is not installed."""
    if settings.intercept is None and settings.intercept_socks is None:
        return None
    from replay_proxy.proxy.intercept.door import InterceptionDoor
    from replay_proxy.proxy.intercept.routes import Routes

    routes = Routes(others_pass=settings.intercept_others == "pass", tunnel=settings.intercept_tunnel)
    return InterceptionDoor(
        handler,
        fast_path,
        routes,
        listen=settings.intercept,
        socks=settings.intercept_socks,
        ca_directory=settings.ca_directory,
    )
