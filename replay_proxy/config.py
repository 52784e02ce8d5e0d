"""Every setting once: flag, environment variable, default, meaning, and the group under which help lists it.

The settings themselves stand in `settings`, a module for each group. `SETTINGS` lists all of them; the command line's
options, `--help`, the environment and `docs/cli.md` are all read from it. A flag wins over the environment, the
environment over the default. Names that LocalStack's users already know (`PERSISTENCE`, `DATA_DIR`, `SNAPSHOT_*`) keep
LocalStack's spelling and meaning.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from replay_proxy.errors import UsageError
from replay_proxy.settings.init_scripts import InitSettings
from replay_proxy.settings.interception import InterceptSettings
from replay_proxy.settings.logging import LoggingSettings
from replay_proxy.settings.pods import PodSettings
from replay_proxy.settings.recording import RecordingSettings
from replay_proxy.settings.restoring import RestoringSettings
from replay_proxy.settings.security import SecuritySettings
from replay_proxy.settings.setting import Setting, SettingGroup
from replay_proxy.settings.timeouts import TimeoutSettings
from replay_proxy.settings.where import WhereSettings
from replay_proxy.values import parse_switch


@dataclass(frozen=True, kw_only=True)
class Settings(
    WhereSettings,
    RecordingSettings,
    RestoringSettings,
    InitSettings,
    PodSettings,
    TimeoutSettings,
    InterceptSettings,
    SecuritySettings,
    LoggingSettings,
):
    """The value of every setting, as `resolve` returns it."""


SETTINGS: tuple[Setting, ...] = tuple(
    sorted(
        (Setting(each.name, *each.metadata["setting"]) for each in fields(Settings)),
        key=lambda setting: tuple(SettingGroup).index(setting.group),
    )
)
"""In the order of their groups."""


def add_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Give `parser` an option for every setting of `verb`, each under the heading of its group."""
    parser.epilog = "Each setting can be given by the environment variable in brackets, too; an option wins over it."
    for group in SettingGroup:
        settings = [setting for setting in SETTINGS if setting.group is group and verb in setting.verbs]
        if not settings:
            continue
        heading = parser.add_argument_group(group)
        for setting in settings:
            default = f"default: {setting.default}" if setting.default else "not set by default"
            is_switch = setting.parse is parse_switch
            more: dict[str, Any] = (
                {"nargs": "?", "const": "1" if is_switch else ""} if is_switch or setting.bare else {}
            )
            option = heading.add_argument(
                setting.flag,
                dest=setting.name,
                metavar=setting.metavar,
                default=None,
                **more,
                help=f"{setting.meaning} [{setting.env}; {default}]",
            )
            if setting.values:
                option.completer = lambda values=setting.values, **_: values  # type: ignore[attr-defined]  # for argcomplete


def resolve(
    args: argparse.Namespace, env: Mapping[str, str] | None = None, defaults: Mapping[str, str] | None = None
) -> Settings:
    """Return the value of every setting: from the command line, else from the environment, else the default.

    env: the environment variables; None for those of this process. defaults: texts that stand for the default of the
    settings of these names.

    Raises:
        UsageError: a value cannot be understood. The message names the flag or the variable that it came from.
    """
    environment = os.environ if env is None else env
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        default = (defaults or {}).get(setting.name, setting.default)
        given: str | None = getattr(args, setting.name, None)
        source = setting.flag
        if given == "" and setting.bare:
            given = environment.get(setting.env) or setting.bare
        if given is None:
            given, source = environment.get(setting.env) or default, setting.env
        try:
            values[setting.name] = setting.parse(given) if given else None
        except UsageError as error:
            raise UsageError(f"{source}: {error.message}", hint=error.hint) from error
        if values[setting.name] is None and given is not None and source == setting.flag and default:
            raise UsageError(f"{source}: an empty value", hint=f"leave it out for the default, {default}")
    return Settings(**values)
