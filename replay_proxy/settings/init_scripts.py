"""The user's init scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import one_of, parse_path, parse_seconds

INIT_RUNS = ("always", "once")


@dataclass(frozen=True, kw_only=True)
class InitSettings:
    """The settings of this group (`SettingGroup.INIT`)."""

    init_dir: Path = setting(
        SettingGroup.INIT,
        "REPLAY_INIT_DIR",
        "/etc/replay-proxy/init",
        parse_path,
        "where scripts (*.sh, *.py) lie that are run: boot.d before anything else, start.d while the emulator starts, ready.d "
        "when the state is restored, shutdown.d before the end. The names of LocalStack, so its directory can be named here",
        "DIR",
    )
    init_run: str = setting(
        SettingGroup.INIT,
        "REPLAY_INIT_RUN",
        "always",
        one_of(*INIT_RUNS),
        "when scripts of ready.d run. always: at every start, on a state that may hold already what they make. once: once "
        "per recording, as long as a script succeeded and its content stays the same",
        "|".join(INIT_RUNS),
    )
    init_timeout: float = setting(
        SettingGroup.INIT,
        "REPLAY_INIT_TIMEOUT",
        "600",
        parse_seconds,
        "how long one of these scripts may run before it is ended and counts as failed",
        "SECONDS",
    )
