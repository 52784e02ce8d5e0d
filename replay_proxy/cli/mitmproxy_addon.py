"""The addon for your own mitmproxy: mitmdump -s "$(replay-proxy addon)". Settings come from the environment, as for `serve`."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable

from replay_proxy.cli.serving import serve_until, serving_settings
from replay_proxy.errors import ReplayProxyError
from replay_proxy.proxy.intercept.hosted import HostedInterception, RunningProxy


async def _serve(stopped: asyncio.Event, announce: Callable[[RunningProxy], None]) -> None:
    """Run a proxy with the settings of the environment until `stopped` is set. Tells what it failed with in mitmproxy's log."""
    theirs = list(logging.root.handlers)
    try:
        settings = serving_settings(argparse.Namespace(), {"listen": "127.0.0.1:4566+"})
        logging.root.handlers = theirs
        await serve_until(stopped, settings, [], announce)
    except ReplayProxyError as error:
        logging.root.handlers = theirs
        logging.getLogger(__name__).error("replay_proxy: %s%s", error.message, f" ({error.hint})" if error.hint else "")


addons = [HostedInterception(_serve)]
