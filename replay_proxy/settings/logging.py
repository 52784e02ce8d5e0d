"""What the log shows, and how."""

from __future__ import annotations

from dataclasses import dataclass

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import one_of

LOG_FORMATS = ("console", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class LoggingSettings:
    """The settings of this group (`SettingGroup.LOGGING`)."""

    log_format: str = setting(
        SettingGroup.LOGGING,
        "REPLAY_LOG_FORMAT",
        "console",
        one_of(*LOG_FORMATS),
        "console is for reading; json is one JSON object a line",
        "|".join(LOG_FORMATS),
        verbs="serve restore",
    )
    log_level: str = setting(
        SettingGroup.LOGGING,
        "REPLAY_LOG_LEVEL",
        "info",
        one_of(*LOG_LEVELS),
        "the least important message that is logged",
        "|".join(LOG_LEVELS),
        verbs="serve restore",
    )
