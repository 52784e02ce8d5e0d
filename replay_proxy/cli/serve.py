"""Put the proxy in front of an emulator: record what changes its state, and restore that after a restart.

  replay-proxy serve                                        an embedded moto
  replay-proxy serve --emulator ministack                   another one that the proxy starts and supervises
  replay-proxy serve --upstream http://127.0.0.1:5000       one that somebody else runs
  replay-proxy serve --upstream http://127.0.0.1:5000 -- COMMAND ARGUMENT ...
                                                            any command, started and supervised by the proxy

Clients are pointed at the proxy with AWS_ENDPOINT_URL. An option wins over its environment variable (in brackets).
"Restored N API calls" counts the recorded calls whose replay had an equivalent outcome, and no others.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.proxy.lifecycle import Proxy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add_options(parser, "serve")
    parser.add_argument(
        "command",
        metavar="-- COMMAND ...",
        nargs="*",
        help="a command that runs the emulator of --upstream; started, watched and stopped by the proxy",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    settings = resolve(args)
    if args.command and settings.upstream is None:
        raise UsageError(
            "a COMMAND after -- needs to be told where its emulator listens",
            hint="add --upstream http://127.0.0.1:PORT",
        )
    if settings.upstream is not None and settings.emulator is not None:
        raise UsageError(
            "--upstream and --emulator exclude each other", hint="leave one of them out (environment included)"
        )
    from replay_proxy import log
    from replay_proxy.cli.loop import run_loop
    from replay_proxy.wire.selection import to_record, to_restore

    to_record(settings), to_restore(settings)  # a name that does not exist is told before anything is started
    log.set_up(settings.log_format, settings.log_level)
    run_loop(_serve(settings, args.command))
    return 0


async def _serve(settings: Settings, command: list[str]) -> None:
    import asyncio
    import gc
    import signal

    from replay_proxy.cli.progress import RestoreProgress
    from replay_proxy.control.routes import front_of
    from replay_proxy.proxy.backend import backend_of
    from replay_proxy.proxy.lifecycle import Proxy
    from replay_proxy.proxy.restoring import open_recording

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    backend = backend_of(settings, command)
    try:
        recording = await open_recording(settings, backend.name) if settings.persistence else None
    except BaseException:
        await backend.down()
        raise
    proxy = Proxy(settings, backend, recording, front_of, RestoreProgress())
    # What start-up made (modules, models' indexes) stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 50)
    await proxy.run(stopped, lambda ready: _announce(ready, settings))


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
    if host not in ("127.0.0.1", "::1", "localhost"):
        logger.warning("this address can be reached from other machines; emulators check no credentials", listen=host)
    if settings.log_format == "console" and sys.stderr.isatty():
        sys.stderr.write(f"\n  export AWS_ENDPOINT_URL=http://{shown}:{port}\n\n")
