"""What `serve` and `run` share: settings that fit together, and a proxy that runs until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from replay_proxy.config import SETTINGS, Settings, resolve
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.proxy.lifecycle.proxy import Proxy

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


def serving_settings(args: argparse.Namespace, defaults: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a proxy, and set the log up. defaults: texts that stand for a setting's own default, by name.

    Raises:
        UsageError: a value cannot be understood, or two exclude each other.
    """
    settings = resolve(args, defaults=defaults)
    if settings.upstream is not None and settings.emulator is not None:
        raise UsageError(
            "--upstream and --emulator exclude each other", hint="leave one of them out (environment included)"
        )
    if str(settings.init_dir) != DEFAULTS["init_dir"] and not settings.init_dir.is_dir():
        raise UsageError(
            f"there is no directory of init scripts {settings.init_dir}",
            hint="--init-dir (REPLAY_INIT_DIR) names the directory that holds boot.d, start.d, ready.d or shutdown.d",
        )
    if settings.intercept is not None or settings.intercept_socks is not None:
        from replay_proxy.proxy.intercept.mitmproxy_extra import need_mitmproxy

        need_mitmproxy()
    if settings.smoke is not None:
        from replay_proxy.doctor.smoke.document import read_smoke_tests

        read_smoke_tests(settings.smoke)  # a mistake in it is told before anything is started
    from replay_proxy import log
    from replay_proxy.call_filter import to_record, to_restore

    to_record(settings), to_restore(settings)  # a name that does not exist is told before anything is started
    log.set_up(settings.log_format, settings.log_level)
    return settings


async def serve_until(
    stopped: asyncio.Event, settings: Settings, command: list[str], announce: Callable[[Proxy], None]
) -> None:
    """Run a proxy until `stopped` is set.

    command: what runs the emulator, or nothing. announce: called once requests pass for the first time.

    Raises:
        ReplayProxyError: it could not begin, the emulator keeps ending, or the last calls could not be made durable.
    """
    from replay_proxy.cli.pod.at_start import load_at_start
    from replay_proxy.cli.progress import RestoreProgress
    from replay_proxy.control.routes import front_of
    from replay_proxy.proxy.lifecycle.backend import backend_of
    from replay_proxy.proxy.lifecycle.proxy import Proxy
    from replay_proxy.proxy.lifecycle.restoring.restore import open_recording

    backend = backend_of(settings, command)
    try:
        loaded = await load_at_start(settings, backend.name)
        recording = await open_recording(settings, backend.name) if settings.persistence else None
    except BaseException:
        await backend.down()
        raise
    proxy = Proxy(settings, backend, recording, front_of, RestoreProgress(), begins_empty=bool(loaded))
    # What start-up made (modules, models' indexes) stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 50)

    def announced(proxy: Proxy) -> None:
        announce(proxy)
        if (settings.check_wiring or settings.smoke is not None) and recording is not None:
            from replay_proxy.control.doctor.after_restore import check_after_restores

            proxy.supervisor.start("the check after restores", check_after_restores(proxy))

    await proxy.run(stopped, announced)
