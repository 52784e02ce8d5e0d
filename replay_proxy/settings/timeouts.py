"""How long something is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import parse_seconds


@dataclass(frozen=True, kw_only=True)
class TimeoutSettings:
    """The settings of this group (`SettingGroup.TIMEOUTS`)."""

    gate_timeout: float = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_GATE_TIMEOUT",
        "300",
        parse_seconds,
        "how long a request may wait for the emulator or a restore before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    lost_timeout: float = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_LOST_TIMEOUT",
        "10",
        parse_seconds,
        "how long a request waits for an --upstream that went away before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    answer_timeout: float = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_ANSWER_TIMEOUT",
        "900",
        parse_seconds,
        "how long the emulator may be silent before a request to it is given up with a 503; longer than the longest that it "
        "may rightly take (a Lambda function runs for 15 minutes at most)",
        "SECONDS",
    )
    ready_timeout: float = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_READY_TIMEOUT",
        "120",
        parse_seconds,
        "how long to wait for the emulator to answer after a start",
        "SECONDS",
        verbs="serve restore",
    )
    ready_path: str = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_READY_PATH",
        "",
        str,
        "a path of the emulator that answers a GET with success (2xx) once its own init scripts are done; a restore waits for "
        "that. Not set: MiniStack, LocalStack and Floci are asked by the endpoints that they have for it",
        "PATH",
        verbs="serve restore",
    )
    call_timeout: float = setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_CALL_TIMEOUT",
        "60",
        parse_seconds,
        "how long one replayed call may take, its retries included, before the restore goes on without it",
        "SECONDS",
        verbs="serve restore",
    )
