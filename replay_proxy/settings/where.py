"""Where clients, the emulator and the recording are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import Address, one_of, parse_address, parse_path, parse_url

EMULATORS = ("moto", "ministack", "localstack")


@dataclass(frozen=True, kw_only=True)
class WhereSettings:
    """The settings of this group (`SettingGroup.WHERE`)."""

    listen: Address = setting(
        SettingGroup.WHERE,
        "REPLAY_LISTEN",
        "127.0.0.1:4566",
        parse_address,
        "where clients reach the proxy; AWS_ENDPOINT_URL of the clients points here. PORT+ takes a free port "
        "where PORT is taken; `run` does so by default",
        "HOST:PORT",
        verbs="serve env observe doctor reset pod",
    )
    upstream: str | None = setting(
        SettingGroup.WHERE,
        "REPLAY_UPSTREAM",
        "",
        parse_url,
        "where the emulator listens, when it is not one that the proxy starts by its name",
        "URL",
        verbs="serve restore doctor",
    )
    emulator: str | None = setting(
        SettingGroup.WHERE,
        "REPLAY_EMULATOR",
        "",
        one_of(*EMULATORS),
        "an emulator that the proxy starts and supervises itself on a free loopback port; moto when neither this nor "
        "--upstream is given",
        "|".join(EMULATORS),
    )
    emulator_python: Path | None = setting(
        SettingGroup.WHERE,
        "REPLAY_EMULATOR_PYTHON",
        "",
        parse_path,
        "the Python interpreter that has the --emulator installed; the proxy's own when not set",
        "PATH",
    )
    data_dir: Path = setting(
        SettingGroup.WHERE,
        "DATA_DIR",
        "./recordings",
        parse_path,
        "the recording: recorded_api_calls.json, blobs/ and what belongs to them",
        "DIR",
        verbs="serve restore inspect diff report plan compact check import aliases export pod doctor",
    )
