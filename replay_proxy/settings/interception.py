"""The settings of the interception door, for clients that cannot be told an endpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import Address, HostPatterns, one_of, parse_address, parse_host_patterns, parse_path

OTHER_HOSTS = ("refuse", "pass")
DEFAULT_PORT = "4567"
"""Where the door listens when `--intercept` is given without an address."""


@dataclass(frozen=True, kw_only=True)
class InterceptSettings:
    """The settings of the interception door."""

    intercept: Address | None = setting(
        SettingGroup.INTERCEPTION,
        "REPLAY_INTERCEPT",
        "",
        parse_address,
        "where clients find the interception door, an HTTP proxy (HTTPS_PROXY) for those that know no endpoint setting; "
        f"without an address, port {DEFAULT_PORT}. PORT+ takes a free port where PORT is taken. Needs the extra `intercept`",
        "[HOST:]PORT",
        verbs="serve env",
        bare=DEFAULT_PORT,
    )
    intercept_socks: Address | None = setting(
        SettingGroup.INTERCEPTION,
        "REPLAY_INTERCEPT_SOCKS",
        "",
        parse_address,
        "where the interception door speaks SOCKS5 as well, for clients that know no HTTP proxy (ALL_PROXY=socks5h://...)",
        "[HOST:]PORT",
        verbs="serve env",
    )
    intercept_others: str = setting(
        SettingGroup.INTERCEPTION,
        "REPLAY_INTERCEPT_OTHERS",
        "refuse",
        one_of(*OTHER_HOSTS),
        "what becomes of requests to hosts that are not of AWS. refuse: they get a 403 that says why. pass: they go where they "
        "are addressed to. No request for a host of AWS is ever passed on",
        "|".join(OTHER_HOSTS),
    )
    intercept_tunnel: HostPatterns | None = setting(
        SettingGroup.INTERCEPTION,
        "REPLAY_INTERCEPT_TUNNEL",
        "",
        parse_host_patterns,
        "hosts, as in pypi.org,*.npmjs.org, to which connections are passed on without being decrypted",
        "HOSTS",
    )
    ca_dir: Path | None = setting(
        SettingGroup.INTERCEPTION,
        "REPLAY_CA_DIR",
        "",
        parse_path,
        "where the certificate authority of the interception door lies, with its private key; made at its first use. Not set: "
        "replay-proxy/ca in $XDG_DATA_HOME, or in ~/.local/share",
        "DIR",
        verbs="serve env ca",
    )

    @property
    def ca_directory(self) -> Path:
        """Where the certificate authority lies."""
        if self.ca_dir is not None:
            return self.ca_dir
        data_home = os.environ.get("XDG_DATA_HOME", "")
        # A relative path is to be ignored (XDG Base Directory Specification).
        home = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
        return home / "replay-proxy" / "ca"
