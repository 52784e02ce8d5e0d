"""What is restored, when, and what is checked afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import NameFilter, one_of, parse_count, parse_name_filter, parse_path, parse_switch

LOAD_STRATEGIES = ("ON_STARTUP", "ON_REQUEST", "MANUAL")
MAPPING_POSITIONS = ("end", "recorded")


@dataclass(frozen=True, kw_only=True)
class RestoringSettings:
    """The settings of this group (`SettingGroup.RESTORING`)."""

    load_strategy: str = setting(
        SettingGroup.RESTORING,
        "SNAPSHOT_LOAD_STRATEGY",
        "ON_STARTUP",
        one_of(*LOAD_STRATEGIES),
        "ON_STARTUP restores before the first request is let through. ON_REQUEST is ready at once, restores a service with "
        "what it needs at its first request, and the rest when idle. MANUAL restores when asked, by POST "
        "/_localstack/state/load or /_localstack/state/SERVICE/load",
        "|".join(LOAD_STRATEGIES),
    )
    compaction: bool = setting(
        SettingGroup.RESTORING,
        "REPLAY_COMPACTION",
        "1",
        parse_switch,
        "1 leaves out of a restore what no longer matters, such as messages that were deleted; 0 replays every call",
        "0|1",
        verbs="serve restore plan",
    )
    check_wiring: bool = setting(
        SettingGroup.RESTORING,
        "REPLAY_CHECK_WIRING",
        "1",
        parse_switch,
        "some seconds after each restore, ask the emulator whether everything is there and wired, and log it in a line; "
        "`replay-proxy doctor` shows more. `restore` waits for it, and so does it only when told to",
        "0|1",
        verbs="serve restore",
    )
    smoke: Path | None = setting(
        SettingGroup.RESTORING,
        "REPLAY_SMOKE",
        "",
        parse_path,
        "a file of smoke tests (docs/doctor.md): they are carried out some seconds after each restore, and logged",
        "FILE",
        verbs="serve restore",
    )
    restore_concurrency: int | None = setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_CONCURRENCY",
        "",
        parse_count,
        "how many calls of a restore are under way at a time, as far as their order allows; 1 replays them one by one. "
        "Not set: the number of processors, at least 2, at most 8",
        "N",
        verbs="serve restore plan",
    )
    restore_services: NameFilter = setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_SERVICES",
        "all",
        parse_name_filter,
        "the services whose recorded calls are restored; as --record-services. The others stay in the recording",
        "LIST",
        verbs="serve restore plan",
    )
    restore_kinds: NameFilter = setting(
        SettingGroup.RESTORING,
        "REPLAY_RESTORE_KINDS",
        "all",
        parse_name_filter,
        "the kinds of recorded calls that are restored; as --record-kinds",
        "LIST",
        verbs="serve restore plan",
    )
    mapping_position: str = setting(
        SettingGroup.RESTORING,
        "REPLAY_MAPPING_POSITION",
        "end",
        one_of(*MAPPING_POSITIONS),
        "where event source mappings and pipes begin to read the streams that are restored. end: behind what is restored, "
        "which counts as processed. recorded: where they began at first, so that everything is processed once more",
        "|".join(MAPPING_POSITIONS),
        verbs="serve restore",
    )
