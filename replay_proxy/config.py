"""Every setting once: flag, environment variable, default, meaning.

`SETTINGS` is the one definition; the command line's options, `--help`, the environment and `docs/settings.md` are all
read from it. A flag wins over the environment, the environment over the default. Names that LocalStack's users already
know (`PERSISTENCE`, `DATA_DIR`, `SNAPSHOT_*`) keep LocalStack's spelling and meaning.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from replay_proxy.errors import UsageError
from replay_proxy.values import (
    Address,
    Choice,
    choice_of,
    parse_address,
    parse_bytes,
    parse_choice,
    parse_count,
    parse_path,
    parse_percentage,
    parse_seconds,
    parse_switch,
    parse_url,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """The definition of one setting. `default` is text, as a user would write it; empty means "not set"."""

    name: str
    env: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    metavar: str
    verbs: frozenset[str]

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")


def _setting(
    env: str, default: str, parse: Callable[[str], Any], meaning: str, metavar: str, *, verbs: str = "serve"
) -> Any:
    """A field of `Settings`; `verbs` are the commands that take it, separated by blanks."""
    parts = (env, default, parse, meaning, metavar, frozenset(verbs.split()))
    return field(default=None, metadata={"setting": parts})


EMULATORS = ("moto", "ministack", "localstack")
SAVE_STRATEGIES = ("ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN", "MANUAL")
LOAD_STRATEGIES = ("ON_STARTUP", "ON_REQUEST", "MANUAL")
WHEN_UNRECORDABLE = ("refuse", "continue")
LOG_FORMATS = ("console", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The value of every setting. Made by `resolve`."""

    listen: Address = _setting(
        "REPLAY_LISTEN",
        "127.0.0.1:4566",
        parse_address,
        "where clients reach the proxy; AWS_ENDPOINT_URL of the clients points here",
        "HOST:PORT",
    )
    upstream: str | None = _setting(
        "REPLAY_UPSTREAM",
        "",
        parse_url,
        "the emulator behind the proxy, which somebody else runs (or COMMAND, given after --)",
        "URL",
        verbs="serve restore",
    )
    emulator: str | None = _setting(
        "REPLAY_EMULATOR",
        "",
        choice_of(*EMULATORS),
        "an emulator that the proxy starts and supervises itself on a free loopback port; moto when neither this nor "
        "--upstream is given",
        "|".join(EMULATORS),
    )
    emulator_python: Path | None = _setting(
        "REPLAY_EMULATOR_PYTHON",
        "",
        parse_path,
        "the Python interpreter that has the --emulator installed; the proxy's own when not set",
        "PATH",
    )
    data_dir: Path = _setting(
        "DATA_DIR",
        "./recordings",
        parse_path,
        "the recording: recorded_api_calls.json, blobs/ and what belongs to them",
        "DIR",
        verbs="serve restore plan compact check import aliases export",
    )
    persistence: bool = _setting("PERSISTENCE", "1", parse_switch, "1 records and restores; 0 only forwards", "0|1")
    save_strategy: str = _setting(
        "SNAPSHOT_SAVE_STRATEGY",
        "SCHEDULED",
        choice_of(*SAVE_STRATEGIES),
        "what an acknowledged call survives. ON_REQUEST: a power cut. SCHEDULED: the death of proxy and emulator; of a "
        "power cut, all but the last interval. ON_SHUTDOWN: as SCHEDULED, with one fsync at a clean stop. MANUAL: a "
        "restore goes back to the last save that was asked for",
        "|".join(SAVE_STRATEGIES),
    )
    flush_interval: float = _setting(
        "SNAPSHOT_FLUSH_INTERVAL",
        "15",
        parse_seconds,
        "seconds between two fsyncs under SCHEDULED",
        "SECONDS",
    )
    when_unrecordable: str = _setting(
        "REPLAY_WHEN_UNRECORDABLE",
        "refuse",
        choice_of(*WHEN_UNRECORDABLE),
        "what happens to state-changing calls while they cannot be recorded (a full disk). refuse: a 503 that says why, "
        "before they are sent. continue: they go through, with a loud warning, and will be missing after a restart",
        "|".join(WHEN_UNRECORDABLE),
    )
    load_strategy: str = _setting(
        "SNAPSHOT_LOAD_STRATEGY",
        "ON_STARTUP",
        choice_of(*LOAD_STRATEGIES),
        "ON_STARTUP restores before the first request is let through. ON_REQUEST is ready at once, restores a service with "
        "what it needs at its first request, and the rest when idle. MANUAL restores when asked, by POST "
        "/_localstack/state/load or /_localstack/state/SERVICE/load",
        "|".join(LOAD_STRATEGIES),
    )
    compaction: bool = _setting(
        "REPLAY_COMPACTION",
        "1",
        parse_switch,
        "1 leaves out of a restore what no longer matters, such as messages that were deleted; 0 replays every call",
        "0|1",
        verbs="serve restore plan",
    )
    compact_percentage: int = _setting(
        "REPLAY_COMPACT_PERCENTAGE",
        "100",
        parse_percentage,
        "rewrite the recording to its live part, in the background, when it has grown by so much since the last time; "
        "0 never does",
        "PERCENT",
    )
    compact_min_size: int = _setting(
        "REPLAY_COMPACT_MIN_SIZE",
        "4m",
        parse_bytes,
        "the size, large bodies included, below which a recording is not rewritten in the background",
        "BYTES",
    )
    restore_concurrency: int | None = _setting(
        "REPLAY_RESTORE_CONCURRENCY",
        "",
        parse_count,
        "how many calls of a restore are under way at a time, as far as their order allows; 1 replays them one by one. "
        "Not set: the number of processors, at least 2, at most 8",
        "N",
        verbs="serve restore plan",
    )
    record_services: Choice = _setting(
        "REPLAY_RECORD_SERVICES",
        "all",
        parse_choice,
        "the services whose calls are recorded: sqs,sns are these alone; all,-sqs are all but one",
        "LIST",
    )
    record_kinds: Choice = _setting(
        "REPLAY_RECORD_KINDS",
        "all",
        parse_choice,
        "the kinds of calls that are recorded: infrastructure, data (objects, items, messages), or all",
        "LIST",
    )
    restore_services: Choice = _setting(
        "REPLAY_RESTORE_SERVICES",
        "all",
        parse_choice,
        "the services whose recorded calls are restored; as --record-services. The others stay in the recording",
        "LIST",
        verbs="serve restore plan",
    )
    restore_kinds: Choice = _setting(
        "REPLAY_RESTORE_KINDS",
        "all",
        parse_choice,
        "the kinds of recorded calls that are restored; as --record-kinds",
        "LIST",
        verbs="serve restore plan",
    )
    read_only: bool = _setting(
        "REPLAY_READ_ONLY",
        "0",
        parse_switch,
        "1 restores the recording, and writes nothing into its directory; several proxies may share one then",
        "0|1",
    )
    gate_timeout: float = _setting(
        "REPLAY_GATE_TIMEOUT",
        "300",
        parse_seconds,
        "how long a request may wait for the emulator or a restore before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    lost_timeout: float = _setting(
        "REPLAY_LOST_TIMEOUT",
        "10",
        parse_seconds,
        "how long a request waits for an --upstream that went away before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    answer_timeout: float = _setting(
        "REPLAY_ANSWER_TIMEOUT",
        "900",
        parse_seconds,
        "how long the emulator may be silent before a request to it is given up with a 503; longer than the longest that it "
        "may rightly take (a Lambda function runs for 15 minutes at most)",
        "SECONDS",
    )
    ready_timeout: float = _setting(
        "REPLAY_READY_TIMEOUT",
        "120",
        parse_seconds,
        "how long to wait for the emulator to answer after a start",
        "SECONDS",
        verbs="serve restore",
    )
    call_timeout: float = _setting(
        "REPLAY_CALL_TIMEOUT",
        "60",
        parse_seconds,
        "how long one replayed call may take, its retries included, before the restore goes on without it",
        "SECONDS",
        verbs="serve restore",
    )
    body_threshold: int = _setting(
        "REPLAY_BODY_THRESHOLD",
        "256k",
        parse_bytes,
        "bodies larger than this are streamed, and recorded as files in blobs/",
        "BYTES",
    )
    control_token: str | None = _setting(
        "REPLAY_CONTROL_TOKEN",
        "",
        str,
        "a secret that requests to the proxy's own endpoints must carry, except for health: `Authorization: Bearer TOKEN` or "
        "`X-Replay-Token: TOKEN`",
        "TOKEN",
    )
    secret_key: str | None = _setting(
        "REPLAY_SECRET_KEY",
        "",
        str,
        "the secret access key to sign with, for an emulator that verifies signatures; without it replayed requests "
        "carry a placeholder",
        "KEY",
        verbs="serve restore",
    )
    log_format: str = _setting(
        "REPLAY_LOG_FORMAT",
        "console",
        choice_of(*LOG_FORMATS),
        "console is for reading; json is one JSON object a line",
        "|".join(LOG_FORMATS),
        verbs="serve restore",
    )
    log_level: str = _setting(
        "REPLAY_LOG_LEVEL",
        "info",
        choice_of(*LOG_LEVELS),
        "the least important message that is logged",
        "|".join(LOG_LEVELS),
        verbs="serve restore",
    )


SETTINGS: tuple[Setting, ...] = tuple(Setting(each.name, *each.metadata["setting"]) for each in fields(Settings))


def add_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Give `parser` an option for every setting of `verb`."""
    for setting in SETTINGS:
        if verb in setting.verbs:
            default = f"default: {setting.default}" if setting.default else "not set by default"
            more: dict[str, Any] = {"nargs": "?", "const": "1"} if setting.parse is parse_switch else {}
            parser.add_argument(
                setting.flag,
                dest=setting.name,
                metavar=setting.metavar,
                default=None,
                **more,
                help=f"{setting.meaning} [{setting.env}; {default}]",
            )


def resolve(args: argparse.Namespace, env: Mapping[str, str] | None = None) -> Settings:
    """The value of every setting: from the command line, else from the environment, else the default.

    Raises:
        UsageError: a value that cannot be understood; the message names the flag or the variable it came from.
    """
    environment = os.environ if env is None else env
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        given: str | None = getattr(args, setting.name, None)
        source = setting.flag
        if given is None:
            given, source = environment.get(setting.env) or setting.default, setting.env
        try:
            values[setting.name] = setting.parse(given) if given else None
        except UsageError as error:
            raise UsageError(f"{source}: {error.message}", hint=error.hint) from error
        if values[setting.name] is None and given is not None and source == setting.flag and setting.default:
            raise UsageError(f"{source}: an empty value", hint=f"leave it out for the default, {setting.default}")
    return Settings(**values)
