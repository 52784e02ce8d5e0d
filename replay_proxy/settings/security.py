"""Who may use the proxy's own endpoints, and what requests are signed with."""

from __future__ import annotations

from dataclasses import dataclass

from replay_proxy.settings.setting import SettingGroup, setting


@dataclass(frozen=True, kw_only=True)
class SecuritySettings:
    """The settings of this group (`SettingGroup.SECURITY`)."""

    control_token: str | None = setting(
        SettingGroup.SECURITY,
        "REPLAY_CONTROL_TOKEN",
        "",
        str,
        "a secret that requests to the proxy's own endpoints must carry, except for health and `/_replay/ready`: "
        "`Authorization: Bearer TOKEN` or `X-Replay-Token: TOKEN`",
        "TOKEN",
        verbs="serve observe doctor reset pod",
    )
    secret_key: str | None = setting(
        SettingGroup.SECURITY,
        "REPLAY_SECRET_KEY",
        "",
        str,
        "the secret access key to sign with, for an emulator that verifies signatures; without it replayed requests "
        "carry a placeholder, and presigned URLs are signed with the usual `test`",
        "KEY",
        verbs="serve restore",
    )
