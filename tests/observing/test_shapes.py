"""What names a container, and how what was found is put back, where that takes more than the obvious members."""

from __future__ import annotations

import hashlib

import pytest

from replay_proxy.observing.container import containers_of, nodes_of
from replay_proxy.observing.records import _explicit_hash_key
from replay_proxy.observing.watched import Watched
from tests.observing.test_exposure import call, exposed

GROUP = "/aws/lambda/work"


@pytest.mark.parametrize(
    "name",
    [
        GROUP,
        f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}",
        f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*",
        f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:log-stream:s",
    ],
)
def test_a_log_group_is_named_with_its_slashes(name: str) -> None:
    filtered = call("logs", "PutSubscriptionFilter", logGroupName=name, filterName="f", filterPattern="")
    assert f"logs {GROUP}" in nodes_of(filtered, whole=True)
    assert [each.name for each in containers_of(filtered)] == [GROUP]
    watched = Watched()
    watched.see(call("logs", "CreateLogGroup", logGroupName=GROUP))
    destination = "arn:aws:kinesis:us-east-1:000000000000:stream/flow"
    watched.see(call("logs", "PutSubscriptionFilter", logGroupName=GROUP, filterName="f", destinationArn=destination))
    assert exposed(watched) == {f"logs {GROUP}", "kinesis flow"}


def test_a_record_comes_back_into_its_shard() -> None:
    own = int(hashlib.md5(b"key").hexdigest(), 16)
    middle = 1 << 127
    lower = {"HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(middle - 1)}}
    upper = {"HashKeyRange": {"StartingHashKey": str(middle), "EndingHashKey": str((1 << 128) - 1)}}
    here, there = (lower, upper) if own < middle else (upper, lower)
    assert _explicit_hash_key("key", here) is None
    assert _explicit_hash_key("key", there) == there["HashKeyRange"]["StartingHashKey"]
    assert _explicit_hash_key("key", {}) is None
