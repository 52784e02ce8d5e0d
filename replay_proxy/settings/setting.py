"""What a setting is: its flag, environment variable, default, meaning, and the group under which help lists it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class SettingGroup(StrEnum):
    """The heading under which `--help` and docs/cli.md list a setting, in the order in which they list them."""

    WHERE = "where"
    RECORDING = "recording"
    RESTORING = "restoring"
    INIT = "init scripts"
    PODS = "pods"
    TIMEOUTS = "timeouts"
    INTERCEPTION = "interception"
    SECURITY = "security"
    LOGGING = "logging"


@dataclass(frozen=True, slots=True)
class Setting:
    """The definition of one setting.

    default: text, as a user would write it; empty means that the setting has no value by default. parse: from such a
    text to the value; raises UsageError. verbs: the commands that take the setting.
    """

    name: str
    group: SettingGroup
    env: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    metavar: str
    verbs: frozenset[str]
    bare: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values that a shell can offer for this setting; empty where they cannot be listed."""
        return tuple(self.metavar.split("|")) if "|" in self.metavar else ()

    @property
    def flag(self) -> str:
        """Return the option of the command line, as in `--data-dir`."""
        return "--" + self.name.replace("_", "-")


def setting(
    group: SettingGroup,
    env: str,
    default: str,
    parse: Callable[[str], Any],
    meaning: str,
    metavar: str,
    *,
    verbs: str = "serve",
    bare: str = "",
) -> Any:
    """Return a field of `Settings`. verbs: the commands that take the setting, separated by blanks; what `serve` takes,
    `run` takes, too. bare: what the option means without a value.
    """
    taken = frozenset(verbs.split())
    parts = (group, env, default, parse, meaning, metavar, taken | {"run"} if "serve" in taken else taken, bare)
    return field(default=None, metadata={"setting": parts})
