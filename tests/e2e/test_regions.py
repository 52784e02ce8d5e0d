"""Regions in addresses: what has one name in two regions stays two things, for clients of either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out, missing
from tests.support.stories import Story

EAST, WEST = "us-east-1", "eu-west-1"

WHY_NOT = missing("localstack") or left_out(0.6)

pytestmark = [pytest.mark.emulator, pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")]


def test_queues_of_one_name_in_two_regions_are_two(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "localstack")
    urls: dict[str, str] = {}
    for region in (WEST, EAST):
        sqs = story.client("sqs", region)
        urls[region] = sqs.create_queue(QueueName="jobs")["QueueUrl"]
        sqs.send_message(QueueUrl=urls[region], MessageBody=region)
        assert sqs.get_queue_url(QueueName="jobs")["QueueUrl"] == urls[region]
        assert sqs.list_queues()["QueueUrls"] == [urls[region]]
    assert urls[EAST] == f"{story.proxy.url}/000000000000/jobs"
    assert urls[WEST] == f"http://sqs.{WEST}.localhost.localstack.cloud:{story.proxy.port}/000000000000/jobs"
    # A URL of the region is understood whatever the region of the client is, and one that a client made up means its own.
    assert bodies(story.client("sqs", EAST), urls[WEST]) == [WEST]
    assert bodies(story.client("sqs", WEST), f"http://localhost:{story.proxy.port}/000000000000/jobs") == [WEST]
    story.survives(lambda: {region: bodies(story.client("sqs", region), urls[region]) for region in urls})
    story.client("sqs", EAST).delete_queue(QueueUrl=urls[EAST])
    story.survives(lambda: {region: story.client("sqs", region).list_queues().get("QueueUrls") for region in urls})
    assert bodies(client("sqs", story.proxy.url, region=WEST), urls[WEST]) == [WEST]


def bodies(sqs: Any, url: str) -> list[str]:
    received = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=10)
    return [each["Body"] for each in received.get("Messages", [])]
