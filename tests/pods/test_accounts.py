"""Pods with several accounts: whoever holds the credentials that a pod was made with reaches what was made with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_accounts import OTHER, Holder
from tests.e2e.test_restore import emulator_options
from tests.pods.test_pods import pod
from tests.support.processes import Proxy, left_out, missing

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(left_out(1)), reason=str(left_out(1))),
]


def _make(holder: Holder, name: str) -> None:
    holder("sqs").create_queue(QueueName=name)
    holder("sns").create_topic(Name=name)
    holder("s3").create_bucket(Bucket=f"bucket-{name}")
    holder("ssm").put_parameter(Name="/who", Value=name, Type="String")


def _views(*holders: Holder) -> list[dict[str, Any]]:
    """What each sees; what an emulator calls somebody who is nobody of IAM is its own matter."""
    views = [each.view() for each in holders]
    return [
        {name: value for name, value in each.items() if name != "arn" or number} for number, each in enumerate(views)
    ]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("moto", "ministack"),
        ("ministack", "moto"),
        ("moto", "moto"),
        ("moto", "localstack"),
    ],
)
@pytest.mark.parametrize("strategy", ["overwrite", "service-merge"])
def test_credentials_lead_where_they_led(
    start_proxy: Callable[..., Proxy], tmp_path: Path, source: str, target: str, strategy: str
) -> None:
    """Who one is, and what one sees: with plain keys, with a role of another account, with the key of a user there."""
    for each in (source, target):
        if reason := missing(each):
            pytest.skip(reason)
    proxy = start_proxy(*emulator_options(source), data_dir=tmp_path / "source")
    home = Holder(proxy.url)
    role = home.assume(OTHER, "deploy")
    _make(home, "home")
    _make(role, "theirs")
    role("iam").create_user(UserName="ann")
    user = Holder(proxy.url, role("iam").create_access_key(UserName="ann")["AccessKey"])
    # MiniStack takes a key of a user for one of its default account, whoever's it is.
    holders = [home, role] if "ministack" in (source, target) else [home, role, user]
    before = _views(*holders)
    assert before[0]["account"] != before[1]["account"] == OTHER
    pod(proxy, "save", "accounts")
    proxy.stop()
    proxy = start_proxy(*emulator_options(target), port=proxy.port, data_dir=tmp_path / "target")
    if strategy == "service-merge":
        Holder(proxy.url)("ssm").put_parameter(Name="/kept", Value="1", Type="String")
    loaded = pod(proxy, "load", "accounts", "--merge", strategy, "--yes")
    assert [each for each in loaded["restore"]["problems"] if each["result"] != "diverged"] == []
    assert _views(*holders) == before
    values = [each("ssm").get_parameter(Name="/who")["Parameter"]["Value"] for each in holders]
    assert values == ["home", "theirs", "theirs"][: len(holders)]
    if strategy == "service-merge":
        assert home("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "1"
    proxy.kill_all()
    proxy.again()
    assert _views(*holders) == before, "after a restart"


OURS, PODS = "000000000000", "123456789012"
"""What MiniStack and moto call the account of clients that name none."""


def _numbers(proxy: Proxy) -> dict[str, Any]:
    """What clients chose that is spelled like the number of an account, by where it stands."""
    holder = Holder(proxy.url)
    sqs, ssm, logs = holder("sqs"), holder("ssm"), holder("logs")
    return {
        "values": {each["Name"]: each["Value"] for each in ssm.get_parameters_by_path(Path="/n")["Parameters"]},
        "queues": {
            url.rpartition("/")[2]: sqs.list_queue_tags(QueueUrl=url).get("Tags")
            for url in sqs.list_queues()["QueueUrls"]
        },
        "groups": [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]],
        "topics": {each["TopicArn"].partition("us-east-1:")[2] for each in holder("sns").list_topics()["Topics"]},
    }


def _make_numbers(proxy: Proxy, number: str) -> None:
    holder = Holder(proxy.url)
    holder("ssm").put_parameter(Name=f"/n/{number}", Value=number, Type="String")
    holder("sqs").create_queue(QueueName=number, tags={"owner": number, "AccountId": number})
    holder("logs").create_log_group(logGroupName=number)
    holder("sns").create_topic(Name=number)


def test_a_number_that_is_no_account_stays(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """Parameters, tags and names that are spelled like an account, while the account itself gets the pod's number."""
    proxy = start_proxy(*emulator_options("moto"), data_dir=tmp_path / "source")
    _make_numbers(proxy, PODS)
    pod(proxy, "save", "numbers")
    proxy.stop()
    proxy = start_proxy(*emulator_options("ministack"), port=proxy.port, data_dir=tmp_path / "target")
    _make_numbers(proxy, OURS)
    loaded = pod(proxy, "load", "numbers", "--merge", "service-merge", "--yes")
    assert loaded["restore"]["problems"] == []
    expected = {
        "values": {f"/n/{each}": each for each in (OURS, PODS)},
        "queues": {each: {"owner": each, "AccountId": each} for each in (OURS, PODS)},
        "groups": [OURS, PODS],
        "topics": {f"{PODS}:{each}" for each in (OURS, PODS)},
    }
    assert _numbers(proxy) == expected
    assert Holder(proxy.url)("sts").get_caller_identity()["Account"] == PODS
    proxy.kill_all()
    proxy.again()
    assert _numbers(proxy) == expected, "after a restart"
