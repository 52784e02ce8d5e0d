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
