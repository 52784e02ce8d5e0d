"""The ways in which a pod is loaded into what is there; the values are those of Cloud Pods."""

from __future__ import annotations

from enum import StrEnum


class MergeStrategy(StrEnum):
    """overwrite: exactly the pod. account-region-merge: whole services of the pod. service-merge: resources of both."""

    OVERWRITE = "overwrite"
    ACCOUNT_REGION = "account-region-merge"
    SERVICE = "service-merge"
