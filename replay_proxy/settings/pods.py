"""Pods: their store, what is loaded at the start, and the bounds for a stranger's pod."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replay_proxy.settings.setting import SettingGroup, setting
from replay_proxy.values import one_of, parse_bytes, parse_count, parse_path

MERGE_STRATEGIES = ("overwrite", "account-region-merge", "service-merge")


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """The settings of this group (`SettingGroup.PODS`)."""

    check_saves: str = setting(
        SettingGroup.PODS,
        "REPLAY_CHECK_SAVES",
        "warn",
        one_of("off", "warn", "strict"),
        "before a save (of a pod, or by POST /_localstack/state/save) look whether something is under way or not as it was "
        "recorded, for 30 s at most. warn: say so, and save; strict: refuse the save; off: do not look",
        "off|warn|strict",
    )
    pods_dir: Path | None = setting(
        SettingGroup.PODS,
        "REPLAY_PODS_DIR",
        "",
        parse_path,
        "where pods are kept, an OCI image layout; not set: replay-proxy/pods below XDG_DATA_HOME, or below ~/.local/share",
        "DIR",
        verbs="serve inspect diff report pod",
    )
    pod_author: str | None = setting(
        SettingGroup.PODS,
        "REPLAY_POD_AUTHOR",
        "",
        str,
        "who is named as the author of the versions that are saved; nobody when not set",
        "TEXT",
        verbs="serve pod",
    )
    auto_load_pod: str | None = setting(
        SettingGroup.PODS,
        "AUTO_LOAD_POD",
        "",
        str,
        "pods that are loaded at the start, before the first request is let through: NAME, NAME:VERSION or files, separated by "
        "commas. Each is loaded as --pod-merge says",
        "LIST",
    )
    init_pods_dir: Path | None = setting(
        SettingGroup.PODS,
        "REPLAY_INIT_PODS_DIR",
        "/etc/localstack/init-pods.d",
        parse_path,
        "a folder whose pod files are loaded at the start, in the order of their names",
        "DIR",
    )
    pod_merge: str = setting(
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
    pod_max_size: int = setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_SIZE",
        "64g",
        parse_bytes,
        "the size above which a pod, or what it unpacks to, is refused",
        "BYTES",
        verbs="serve inspect diff report pod",
    )
    pod_max_ratio: int = setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_RATIO",
        "200",
        parse_count,
        "how often the size of a pod it may unpack to, beyond 64 MiB; more is refused",
        "N",
        verbs="serve inspect diff report pod",
    )
    pod_max_layers: int = setting(
        SettingGroup.PODS,
        "REPLAY_POD_MAX_LAYERS",
        "400k",
        parse_bytes,
        "how many layers a pod may have; more are refused",
        "N",
        verbs="serve inspect diff report pod",
    )
