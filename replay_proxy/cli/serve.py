"""Put the proxy in front of an emulator: record what changes its state, and restore that after a restart.

  replay-proxy serve                                        an embedded moto
  replay-proxy serve --emulator ministack                   another one that the proxy starts and supervises
  replay-proxy serve --upstream http://127.0.0.1:5000       one that somebody else runs
  replay-proxy serve --upstream http://127.0.0.1:5000 -- COMMAND ARGUMENT ...
                                                            any command, started and supervised by the proxy

Clients are pointed at the proxy with AWS_ENDPOINT_URL; those that know no such setting, with --intercept, HTTPS_PROXY and a
certificate authority (`replay-proxy ca`). SIGTERM and SIGINT (Ctrl-C) end it in order, a second SIGINT at once.
"Restored N API calls" counts the recorded calls whose replay had an equivalent outcome, and no others.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from replay_proxy.cli.serving import serve_until, serving_settings
from replay_proxy.config import Settings, add_options
from replay_proxy.errors import INTERRUPTED, UsageError
from replay_proxy.values import Address

if TYPE_CHECKING:
    import asyncio

    from replay_proxy.proxy.lifecycle.proxy import Proxy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `serve`."""
    add_options(parser, "serve")
    parser.add_argument(
        "command",
        metavar="-- COMMAND ...",
        nargs="*",
        help="a command that runs the emulator of --upstream; started, watched and stopped by the proxy",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until the process gets a signal, and return the exit code."""
    settings = serving_settings(args)
    if args.command and settings.upstream is None:
        raise UsageError(
            "a COMMAND after -- needs to be told where its emulator listens",
            hint="add --upstream http://127.0.0.1:PORT",
        )
    from replay_proxy.cli.loop import run_loop

    run_loop(_serve(settings, args.command))
    return 0


async def _serve(settings: Settings, command: list[str]) -> None:
    import asyncio
    import signal

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, stopped, "SIGTERM")
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _interrupt, stopped)
    await serve_until(stopped, settings, command, lambda proxy: _announce(proxy, settings))


def _interrupt(stopped: asyncio.Event) -> None:
    """End in order; at a second interrupt end at once. What was acknowledged is recorded, and the emulator is ended, too."""
    if stopped.is_set():
        sys.stderr.write("interrupted again: ended at once\n")
        sys.stderr.flush()
        from replay_proxy.init_scripts.script_process import kill_running

        kill_running()
        os._exit(INTERRUPTED)
    _stop(stopped, "SIGINT")


def _stop(stopped: asyncio.Event, name: str) -> None:
    from replay_proxy import log

    if not stopped.is_set():
        log.get("proxy").info(
            "stopping: requests under way are finished, and the recording is made durable", signal=name
        )
    stopped.set()


def _announce(proxy: Proxy, settings: Settings) -> None:
    from replay_proxy import log

    host, port = proxy.door.address
    shown = f"[{host}]" if ":" in host else host
    recording = "off" if proxy.recording is None else str(proxy.recording.path)
    logger = log.get("proxy")
    logger.info(
        "ready",
        listen=f"http://{shown}:{port}",
        emulator=f"{proxy.backend.name} at {proxy.backend.url}",
        recording=recording,
        save="nothing, the recording is only read" if settings.read_only else settings.save_strategy,
    )
    hosts = {host}
    if (interception_door := proxy.interception_door) is not None:
        bound = {"http": interception_door.address, "socks5": interception_door.socks_address}
        shown_at = {
            scheme: f"{scheme}://{Address(*address)}" for scheme, address in bound.items() if address is not None
        }
        logger.info("intercepting", ca=str(settings.ca_directory), others=settings.intercept_others, **shown_at)
        hosts |= {address[0] for address in bound.values() if address is not None}
    for open_host in sorted(hosts - {"127.0.0.1", "::1", "localhost"}):
        logger.warning(
            "this address can be reached from other machines; emulators check no credentials", listen=open_host
        )
    if settings.log_format == "console" and sys.stderr.isatty():
        sys.stderr.write(f"\n  export AWS_ENDPOINT_URL=http://{shown}:{port}\n")
        if interception_door is not None and interception_door.address is not None:
            door = Address(*interception_door.address)
            sys.stderr.write(f'  eval "$(replay-proxy env --intercept {door})"    for clients without an endpoint\n')
        sys.stderr.write("\n")
