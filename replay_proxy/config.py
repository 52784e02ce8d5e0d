"""Every setting once: flag, environment variable, default, meaning, and the group under which help lists it.

`SETTINGS` is the one definition; the command line's options, `--help`, the environment and `docs/cli.md` are all
read from it. A flag wins over the environment, the environment over the default. Names that LocalStack's users already
know (`PERSISTENCE`, `DATA_DIR`, `SNAPSHOT_*`) keep LocalStack's spelling and meaning.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from replay_proxy.errors import UsageError
from replay_proxy.intercept_settings import InterceptSettings
from replay_proxy.setting import Setting, SettingGroup
from replay_proxy.setting import setting as _setting
from replay_proxy.values import (
    Address,
    NameFilter,
    one_of,
    parse_address,
    parse_bytes,
    parse_count,
    parse_name_filter,
    parse_path,
    parse_percentage,
    parse_seconds,
    parse_switch,
    parse_url,
)

EMULATORS = ("moto", "ministack", "localstack")
SAVE_STRATEGIES = ("ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN", "MANUAL")
LOAD_STRATEGIES = ("ON_STARTUP", "ON_REQUEST", "MANUAL")
WHEN_UNRECORDABLE = ("refuse", "continue")
MAPPING_POSITIONS = ("end", "recorded")
INIT_RUNS = ("always", "once")
MERGE_STRATEGIES = ("overwrite", "account-region-merge", "service-merge")
OBSERVE_MODES = ("exposed", "all", "off")
LOG_FORMATS = ("console", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class Settings(InterceptSettings):
    """The value of every setting, as `resolve` returns it.

    Each field's metadata define the setting; `SETTINGS` lists them. Fields of one group stand together.
    """

    listen: Address = _setting(
        SettingGroup.WHERE,
        "REPLAY_LISTEN",
        "127.0.0.1:4566",
        parse_address,
        "where clients reach the proxy; AWS_ENDPOINT_URL of the clients points here. PORT+ takes a free port "
        "where PORT is taken; `run` does so by default",
        "HOST:PORT",
        verbs="serve env observe doctor reset pod",
    )
    upstream: str | None = _setting(
        SettingGroup.WHERE,
        "REPLAY_UPSTREAM",
        "",
        parse_url,
        "where the emulator listens, when it is not one that the proxy starts by its name",
        "URL",
        verbs="serve restore doctor",
    )
    emulator: str | None = _setting(
        SettingGroup.WHERE,
        "REPLAY_EMULATOR",
        "",
        one_of(*EMULATORS),
        "an emulator that the proxy starts and supervises itself on a free loopback port; moto when neither this nor "
        "--upstream is given",
        "|".join(EMULATORS),
    )
    emulator_python: Path | None = _setting(
        SettingGroup.WHERE,
        "REPLAY_EMULATOR_PYTHON",
        "",
        parse_path,
        "the Python interpreter that has the --emulator installed; the proxy's own when not set",
        "PATH",
    )
    data_dir: Path = _setting(
        SettingGroup.WHERE,
        "DATA_DIR",
        "./recordings",
        parse_path,
        "the recording: recorded_api_calls.json, blobs/ and what belongs to them",
        "DIR",
        verbs="serve restore inspect diff plan compact check import aliases export pod doctor",
    )
    persistence: bool = _setting(
        SettingGroup.RECORDING, "PERSISTENCE", "1", parse_switch, "1 records and restores; 0 only forwards", "0|1"
    )
    read_only: bool = _setting(
        SettingGroup.RECORDING,
        "REPLAY_READ_ONLY",
        "0",
        parse_switch,
        "1 restores the recording, and writes nothing into its directory; several proxies may share one then",
        "0|1",
    )
    save_strategy: str = _setting(
        SettingGroup.RECORDING,
        "SNAPSHOT_SAVE_STRATEGY",
        "SCHEDULED",
        one_of(*SAVE_STRATEGIES),
        "what an acknowledged call survives. ON_REQUEST: a power cut. SCHEDULED: the death of proxy and emulator; of a "
        "power cut, all but the last interval. ON_SHUTDOWN: as SCHEDULED, with one fsync at a clean stop. MANUAL: a "
        "restore goes back to the last save that was asked for",
        "|".join(SAVE_STRATEGIES),
    )
    flush_interval: float = _setting(
        SettingGroup.RECORDING,
        "SNAPSHOT_FLUSH_INTERVAL",
        "15",
        parse_seconds,
        "seconds between two fsyncs under SCHEDULED",
        "SECONDS",
    )
    when_unrecordable: str = _setting(
        SettingGroup.RECORDING,
        "REPLAY_WHEN_UNRECORDABLE",
        "refuse",
        one_of(*WHEN_UNRECORDABLE),
        "what happens to state-changing calls while they cannot be recorded (a full disk). refuse: a 503 that says why, "
        "before they are sent. continue: they go through, with a loud warning, and will be missing after a restart",
        "|".join(WHEN_UNRECORDABLE),
    )
    record_services: NameFilter = _setting(
        SettingGroup.RECORDING,
        "REPLAY_RECORD_SERVICES",
        "all",
        parse_name_filter,
        "the services whose calls are recorded: sqs,sns are these alone; all,-sqs are all but one",
        "LIST",
    )
    record_kinds: NameFilter = _setting(
        SettingGroup.RECORDING,
        "REPLAY_RECORD_KINDS",
        "all",
        parse_name_filter,
        "the kinds of calls that are recorded: infrastructure, data (objects, items, messages), or all",
        "LIST",
    )
    body_threshold: int = _setting(
        SettingGroup.RECORDING,
        "REPLAY_BODY_THRESHOLD",
        "256k",
        parse_bytes,
        "bodies larger than this are streamed, and recorded as files in blobs/",
        "BYTES",
    )
    observe: str = _setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE",
        "exposed",
        one_of(*OBSERVE_MODES),
        "whose data is read now and then, and recorded where the emulator changed it by itself. exposed: of queues, tables, "
        "buckets, streams, logs, parameters and secrets that a subscription, a rule, a function or the like can reach. all: "
        "of all. off: of none",
        "|".join(OBSERVE_MODES),
    )
    observe_share: int = _setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE_SHARE",
        "3",
        parse_percentage,
        "how much of the emulator's time may go into reading data that nothing is known to have changed; 0 reads it only "
        "when asked and at the end",
        "PERCENT",
    )
    observe_max_size: int = _setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE_MAX_SIZE",
        "64m",
        parse_bytes,
        "the size above which an object that the emulator wrote by itself is not read",
        "BYTES",
    )
    compact_percentage: int = _setting(
        SettingGroup.RECORDING,
        "REPLAY_COMPACT_PERCENTAGE",
        "100",
        parse_percentage,
        "rewrite the recording to its live part, in the background, when it has grown by so much since the last time; "
        "0 never does",
        "PERCENT",
    )
    compact_min_size: int = _setting(
        SettingGroup.RECORDING,
        "REPLAY_COMPACT_MIN_SIZE",
        "4m",
        parse_bytes,
        "the size, large bodies included, below which a recording is not rewritten in the background",
        "BYTES",
    )
    load_strategy: str = _setting(
        SettingGroup.RESTORING,
        "SNAPSHOT_LOAD_STRATEGY",
        "ON_STARTUP",
        one_of(*LOAD_STRATEGIES),
        "ON_STARTUP restores before the first request is let through. ON_REQUEST is ready at once, restores a service with "
        "what it needs at its first request, and the rest when idle. MANUAL restores when asked, by POST "
        "/_localstack/state/load or /_localstack/state/SERVICE/load",
        "|".join(LOAD_STRATEGIES),
    )
    compaction: bool = _setting(
        SettingGroup.RESTORING,
        "REPLAY_COMPACTION",
        "1",
        parse_switch,
        "1 leaves out of a restore what no longer matters, such as messages that were deleted; 0 replays every call",
        "0|1",
        verbs="serve restore plan",
    )
    check_wiring: bool = _setting(
        SettingGroup.RESTORING,
        "REPLAY_CHECK_WIRING",
        "1",
        parse_switch,
        "some seconds after each restore, ask the emulator whether everything is there and wired, and log it in a line; "
        "`replay-proxy doctor` shows more",
        "0|1",
    )
    check_saves: str = _setting(
        SettingGroup.PODS,
        "REPLAY_CHECK_SAVES",
        "warn",
        one_of("off", "warn", "strict"),
        "before a save (of a pod, or by POST /_localstack/state/save) look whether something is under way or not as it was "
        "recorded, for 30 s at most. warn: say so, and save; strict: refuse the save; off: do not look",
        "off|warn|strict",
    )
    smoke: Path | None = _setting(
        SettingGroup.RESTORING,
        "REPLAY_SMOKE",
        "",
        parse_path,
        "a file of smoke tests (docs/doctor.md): they are carried out some seconds after each restore, and logged",
        "FILE",
    )
    restore_concurrency: int | None = _setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_CONCURRENCY",
        "",
        parse_count,
        "how many calls of a restore are under way at a time, as far as their order allows; 1 replays them one by one. "
        "Not set: the number of processors, at least 2, at most 8",
        "N",
        verbs="serve restore plan",
    )
    restore_services: NameFilter = _setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_SERVICES",
        "all",
        parse_name_filter,
        "the services whose recorded calls are restored; as --record-services. The others stay in the recording",
        "LIST",
        verbs="serve restore plan",
    )
    restore_kinds: NameFilter = _setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_KINDS",
        "all",
        parse_name_filter,
        "the kinds of recorded calls that are restored; as --record-kinds",
        "LIST",
        verbs="serve restore plan",
    )
    init_dir: Path = _setting(
        SettingGroup.INIT,
        "REPLAY_INIT_DIR",
        "/etc/replay-proxy/init",
        parse_path,
        "where scripts (*.sh, *.py) lie that are run: boot.d before anything else, start.d while the emulator starts, ready.d "
        "when the state is restored, shutdown.d before the end. The names of LocalStack, so its directory can be named here",
        "DIR",
    )
    init_run: str = _setting(
        SettingGroup.INIT,
        "REPLAY_INIT_RUN",
        "always",
        one_of(*INIT_RUNS),
        "when scripts of ready.d run. always: at every start, on a state that may hold already what they make. once: once "
        "per recording, as long as a script succeeded and its content stays the same",
        "|".join(INIT_RUNS),
    )
    init_timeout: float = _setting(
        SettingGroup.INIT,
        "REPLAY_INIT_TIMEOUT",
        "600",
        parse_seconds,
        "how long one of these scripts may run before it is ended and counts as failed",
        "SECONDS",
    )
    pods_dir: Path | None = _setting(
        SettingGroup.PODS,
        "REPLAY_PODS_DIR",
        "",
        parse_path,
        "where pods are kept, an OCI image layout; not set: replay-proxy/pods below XDG_DATA_HOME, or below ~/.local/share",
        "DIR",
        verbs="serve inspect diff report pod",
    )
    pod_author: str | None = _setting(
        SettingGroup.PODS,
        "REPLAY_POD_AUTHOR",
        "",
        str,
        "who is named as the author of the versions that are saved; nobody when not set",
        "TEXT",
        verbs="serve pod",
    )
    auto_load_pod: str | None = _setting(
        SettingGroup.PODS,
        "AUTO_LOAD_POD",
        "",
        str,
        "pods that are loaded at the start, before the first request is let through: NAME, NAME:VERSION or files, separated by "
        "commas. Each is loaded as --pod-merge says",
        "LIST",
    )
    init_pods_dir: Path | None = _setting(
        SettingGroup.PODS,
        "REPLAY_INIT_PODS_DIR",
        "/etc/localstack/init-pods.d",
        parse_path,
        "a folder whose pod files are loaded at the start, in the order of their names",
        "DIR",
    )
    pod_merge: str = _setting(
        SettingGroup.PODS,
        "REPLAY_POD_MERGE",
        "account-region-merge",
        one_of(*MERGE_STRATEGIES),
        "how a pod is loaded into what is there, where nobody says it: overwrite is exactly the pod; account-region-merge takes "
        "whole services of an account and region from the pod, and keeps the others; service-merge unites resources, and the "
        "data of those that both have",
        "|".join(MERGE_STRATEGIES),
        verbs="serve pod",
    )
    pod_max_size: int = _setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_SIZE",
        "64g",
        parse_bytes,
        "the size above which a pod, or what it unpacks to, is refused",
        "BYTES",
        verbs="serve inspect diff report pod",
    )
    pod_max_ratio: int = _setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_RATIO",
        "200",
        parse_count,
        "how often the size of a pod it may unpack to, beyond 64 MiB; more is refused",
        "N",
        verbs="serve inspect diff report pod",
    )
    pod_max_layers: int = _setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_LAYERS",
        "400k",
        parse_bytes,
        "how many layers a pod may have; more are refused",
        "N",
        verbs="serve inspect diff report pod",
    )
    gate_timeout: float = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_GATE_TIMEOUT",
        "300",
        parse_seconds,
        "how long a request may wait for the emulator or a restore before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    lost_timeout: float = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_LOST_TIMEOUT",
        "10",
        parse_seconds,
        "how long a request waits for an --upstream that went away before it gets a 503 that SDKs retry",
        "SECONDS",
    )
    answer_timeout: float = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_ANSWER_TIMEOUT",
        "900",
        parse_seconds,
        "how long the emulator may be silent before a request to it is given up with a 503; longer than the longest that it "
        "may rightly take (a Lambda function runs for 15 minutes at most)",
        "SECONDS",
    )
    ready_timeout: float = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_READY_TIMEOUT",
        "120",
        parse_seconds,
        "how long to wait for the emulator to answer after a start",
        "SECONDS",
        verbs="serve restore",
    )
    ready_path: str = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_READY_PATH",
        "",
        str,
        "a path of the emulator that answers a GET with success (2xx) once its own init scripts are done; a restore waits for "
        "that. Not set: MiniStack, LocalStack and Floci are asked by the endpoints that they have for it",
        "PATH",
        verbs="serve restore",
    )
    mapping_position: str = _setting(
        SettingGroup.RESTORING,
        "REPLAY_MAPPING_POSITION",
        "end",
        one_of(*MAPPING_POSITIONS),
        "where event source mappings and pipes begin to read the streams that are restored. end: behind what is restored, "
        "which counts as processed. recorded: where they began at first, so that everything is processed once more",
        "|".join(MAPPING_POSITIONS),
        verbs="serve restore",
    )
    call_timeout: float = _setting(
        SettingGroup.TIMEOUTS,
        "REPLAY_CALL_TIMEOUT",
        "60",
        parse_seconds,
        "how long one replayed call may take, its retries included, before the restore goes on without it",
        "SECONDS",
        verbs="serve restore",
    )
    control_token: str | None = _setting(
        SettingGroup.SECURITY,
        "REPLAY_CONTROL_TOKEN",
        "",
        str,
        "a secret that requests to the proxy's own endpoints must carry, except for health and `/_replay/ready`: "
        "`Authorization: Bearer TOKEN` or `X-Replay-Token: TOKEN`",
        "TOKEN",
        verbs="serve observe doctor reset pod",
    )
    secret_key: str | None = _setting(
        SettingGroup.SECURITY,
        "REPLAY_SECRET_KEY",
        "",
        str,
        "the secret access key to sign with, for an emulator that verifies signatures; without it replayed requests "
        "carry a placeholder, and presigned URLs are signed with the usual `test`",
        "KEY",
        verbs="serve restore",
    )
    log_format: str = _setting(
        SettingGroup.LOGGING,
        "REPLAY_LOG_FORMAT",
        "console",
        one_of(*LOG_FORMATS),
        "console is for reading; json is one JSON object a line",
        "|".join(LOG_FORMATS),
        verbs="serve restore",
    )
    log_level: str = _setting(
        SettingGroup.LOGGING,
        "REPLAY_LOG_LEVEL",
        "info",
        one_of(*LOG_LEVELS),
        "the least important message that is logged",
        "|".join(LOG_LEVELS),
        verbs="serve restore",
    )


SETTINGS: tuple[Setting, ...] = tuple(Setting(each.name, *each.metadata["setting"]) for each in fields(Settings))


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
