"""A suite as users write it: each test changes the state, and each finds it as it was. Run by test_plugin.py."""

import asyncio
import os
import subprocess
import sys
import unittest
import urllib.request

import boto3
import pytest

NUMBERS = range(int(os.environ.get("SAMPLE_TESTS", "10")))


def queues() -> list[str]:
    return sorted(url.rpartition("/")[2] for url in boto3.client("sqs").list_queues().get("QueueUrls", ()))


@pytest.mark.parametrize("number", NUMBERS)
def test_each_finds_what_was_recorded(aws_state, number):
    assert queues() == ["orders"]
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert waiting["Attributes"]["ApproximateNumberOfMessages"] == "1"
    boto3.client("sqs").create_queue(QueueName=f"more-{number}")
    boto3.client("s3").create_bucket(Bucket=f"bucket-{number}")
    assert len(boto3.client("s3").list_buckets()["Buckets"]) == 1


def test_a_process_that_it_starts(aws_state):
    program = "import boto3; print(len(boto3.client('sqs').list_queues()['QueueUrls']))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "1"
    assert len(aws_state.client("sqs").list_queues()["QueueUrls"]) == 1


@pytest.mark.aws_state(os.environ.get("SAMPLE_OTHER", ""))
def test_another_recording():
    assert queues() == ["returns"]


RESETS = ("/_localstack/state/reset", os.environ.get("SAMPLE_RESET", ""), "/_localstack/state/sqs/reset")


@pytest.mark.aws_state
@pytest.mark.parametrize("path", RESETS)
def test_a_reset(path):
    assert queues() == ["orders"]
    urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}{path}", data=b"").read()
    assert queues() == []


class OfUnittest(unittest.TestCase):
    @pytest.mark.aws_state
    def test_first(self):
        assert queues() == ["orders"]
        boto3.client("sqs").create_queue(QueueName="of-unittest")

    @pytest.mark.aws_state
    def test_second(self):
        assert queues() == ["orders"]


@pytest.mark.aws_state
@pytest.mark.asyncio
async def test_with_asyncio():
    assert await asyncio.to_thread(queues) == ["orders"]


@pytest.mark.aws_state
def test_that_fails():
    boto3.client("sqs").create_queue(QueueName="seen-in-the-report")
    boto3.client("s3").create_bucket(Bucket="large")
    boto3.client("s3").put_object(Bucket="large", Key="large", Body=b"x" * 300_000)
    raise AssertionError
