"""Temporary credentials whose time is over are not asked for again, unless what stays was signed with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator

ROLE: dict[str, Any] = {"RoleArn": "arn:aws:iam::222222222222:role/deploy", "RoleSessionName": "deploy"}


def kept(lab: Lab, hours: float) -> list[str]:
    return operations(live_calls(lab.records, now=datetime.now(UTC) + timedelta(hours=hours)).kept)


def test_credentials_that_are_over(lab: Lab) -> None:
    lab.client("sts").assume_role(**ROLE)
    lab.client("sts").get_session_token(DurationSeconds=7200)
    lab.client("sqs").create_queue(QueueName="jobs")
    assert operations(live_calls(lab.records).kept) == ["AssumeRole", "GetSessionToken", "CreateQueue"]
    assert kept(lab, 0.5) == ["AssumeRole", "GetSessionToken", "CreateQueue"]
    assert kept(lab, 1.5) == ["GetSessionToken", "CreateQueue"]
    assert kept(lab, 3) == ["CreateQueue"]


def test_credentials_with_which_something_was_made_that_stays(lab: Lab) -> None:
    role = lab.client("sts").assume_role(**ROLE)["Credentials"]
    as_role = lab.client("sts", key=role["AccessKeyId"])
    deeper = as_role.assume_role(**ROLE)["Credentials"]
    queues = lab.client("sqs", key=deeper["AccessKeyId"])
    gone = queues.create_queue(QueueName="gone")["QueueUrl"]
    assert kept(lab, 30) == ["AssumeRole", "AssumeRole", "CreateQueue"]
    queues.delete_queue(QueueUrl=gone)
    assert kept(lab, 30) == []
    assert kept(lab, 0.5) == ["AssumeRole", "AssumeRole"]


def test_the_key_of_a_user_has_no_end(lab: Lab) -> None:
    lab.client("iam").create_user(UserName="u")
    lab.client("iam").create_access_key(UserName="u")
    assert kept(lab, 10_000) == ["CreateUser", "CreateAccessKey"]
