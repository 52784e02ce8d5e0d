"""What is recorded, when it is saved, and what is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import (
    NameFilter,
    one_of,
    parse_bytes,
    parse_name_filter,
    parse_percentage,
    parse_seconds,
    parse_switch,
)

SAVE_STRATEGIES = ("ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN", "MANUAL")
WHEN_UNRECORDABLE = ("refuse", "continue")
OBSERVE_MODES = ("exposed", "all", "off")


@dataclass(frozen=True, kw_only=True)
class RecordingSettings:
    """The settings of this group (`SettingGroup.RECORDING`)."""

    persistence: bool = setting(
        SettingGroup.RECORDING, "PERSISTENCE", "1", parse_switch, "1 records and restores; 0 only forwards", "0|1"
    )
    read_only: bool = setting(
        SettingGroup.RECORDING,
        "REPLAY_READ_ONLY",
        "0",
        parse_switch,
        "1 restores the recording, and writes nothing into its directory; several proxies may share one then",
        "0|1",
    )
    save_strategy: str = setting(
        SettingGroup.RECORDING,
        "SNAPSHOT_SAVE_STRATEGY",
        "SCHEDULED",
        one_of(*SAVE_STRATEGIES),
        "what an acknowledged call survives. ON_REQUEST: a power cut. SCHEDULED: the death of proxy and emulator; of a "
        "power cut, all but the last interval. ON_SHUTDOWN: as SCHEDULED, with one fsync at a clean stop. MANUAL: a "
        "restore goes back to the last save that was asked for",
        "|".join(SAVE_STRATEGIES),
    )
    flush_interval: float = setting(
        SettingGroup.RECORDING,
        "SNAPSHOT_FLUSH_INTERVAL",
        "15",
        parse_seconds,
        "seconds between two fsyncs under SCHEDULED",
        "SECONDS",
    )
    when_unrecordable: str = setting(
        SettingGroup.RECORDING,
        "REPLAY_WHEN_UNRECORDABLE",
        "refuse",
        one_of(*WHEN_UNRECORDABLE),
        "what happens to state-changing calls while they cannot be recorded (a full disk). refuse: a 503 that says why, "
        "before they are sent. continue: they go through, with a loud warning, and will be missing after a restart",
        "|".join(WHEN_UNRECORDABLE),
    )
    record_services: NameFilter = setting(
        SettingGroup.RECORDING,
        "REPLAY_RECORD_SERVICES",
        "all",
        parse_name_filter,
        "the services whose calls are recorded: sqs,sns are these alone; all,-sqs are all but one",
        "LIST",
    )
    record_kinds: NameFilter = setting(
        SettingGroup.RECORDING,
        "REPLAY_RECORD_KINDS",
        "all",
        parse_name_filter,
        "the kinds of calls that are recorded: infrastructure, data (objects, items, messages), or all",
        "LIST",
    )
    body_threshold: int = setting(
        SettingGroup.RECORDING,
        "REPLAY_BODY_THRESHOLD",
        "256k",
        parse_bytes,
        "bodies larger than this are streamed, and recorded as files in blobs/",
        "BYTES",
    )
    observe: str = setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE",
        "exposed",
        one_of(*OBSERVE_MODES),
        "whose data is read now and then, and recorded where the emulator changed it by itself. exposed: of queues, tables, "
        "buckets, streams, logs, parameters and secrets that a subscription, a rule, a function or the like can reach. all: "
        "of all. off: of none",
        "|".join(OBSERVE_MODES),
    )
    observe_share: int = setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE_SHARE",
        "3",
        parse_percentage,
        "how much of the emulator's time may go into reading data that nothing is known to have changed; 0 reads it only "
        "when asked and at the end",
        "PERCENT",
    )
    observe_max_size: int = setting(
        SettingGroup.RECORDING,
        "REPLAY_OBSERVE_MAX_SIZE",
        "64m",
        parse_bytes,
        "the size above which an object that the emulator wrote by itself is not read",
        "BYTES",
    )
    compact_percentage: int = setting(
        SettingGroup.RECORDING,
        "REPLAY_COMPACT_PERCENTAGE",
        "100",
        parse_percentage,
        "rewrite the recording to its live part, in the background, when it has grown by so much since the last time; "
        "0 never does",
        "PERCENT",
    )
    compact_min_size: int = setting(
        SettingGroup.RECORDING,
        "REPLAY_COMPACT_MIN_SIZE",
        "4m",
        parse_bytes,
        "the size, large bodies included, below which a recording is not rewritten in the background",
        "BYTES",
    )
