"""Clients that know no endpoint setting, and others beside them: one emulator, one recording, two doors."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.support.clients import client
from tests.support.interception import Interceptor, missing_interception, without_aws
from tests.support.processes import aws_cli

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception())),
]
REGION = "eu-west-1"


def test_both_doors_show_one_state_before_and_after_a_kill(start: Callable[..., Interceptor]) -> None:
    proxy = start("--emulator", "moto")
    inside, outside = proxy.client("sqs", REGION), client("sqs", proxy.url, region=REGION)
    url = inside.create_queue(QueueName="jobs")["QueueUrl"]
    assert url.startswith("https://sqs.eu-west-1.amazonaws.com/")
    other_url = outside.get_queue_url(QueueName="jobs")["QueueUrl"]
    assert other_url == f"{proxy.url}{urlsplit(url).path}"
    inside.send_message(QueueUrl=url, MessageBody="from inside")
    outside.send_message(QueueUrl=url, MessageBody="by the other's address")
    inside.send_message(QueueUrl=other_url, MessageBody="the other way round")
    vpc = proxy.client("ec2", REGION).create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = client("ec2", proxy.url, region=REGION).create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"][
        "SubnetId"
    ]
    buckets = proxy.client("s3", REGION)
    buckets.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    # The proxy's own paths are its own at its own address only.
    buckets.put_object(Bucket="archive", Key="_replay/status", Body=b"an object")
    variables = proxy.variables()
    topic = cli(variables, "sns", "create-topic", "--name", "news", "--query", "TopicArn")

    proxy.kill_all()
    proxy.again()

    messages = [inside_message for at in (url, other_url) for inside_message in received(proxy, at)]
    assert sorted(messages) == ["by the other's address", "from inside", "the other way round"]
    assert proxy.client("ec2", REGION).describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"] == vpc
    assert client("ec2", proxy.url, region=REGION).describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.1.0.0/16"
    assert proxy.client("s3", REGION).get_object(Bucket="archive", Key="_replay/status")["Body"].read() == b"an object"
    assert client("sns", proxy.url, region=REGION).list_topics()["Topics"] == [{"TopicArn": topic}]
    # Version 1 of the AWS CLI uses the older host of queues.
    legacy = f"https://{REGION}.queue.amazonaws.com{urlsplit(url).path}"
    assert cli(variables, "sqs", "get-queue-url", "--queue-name", "jobs", "--query", "QueueUrl") in (url, legacy)
    assert proxy.status()["last_restore"]["diverged"] == 0
    for host in ("Shop.example", "shop.example", "docs.aws.amazon.com"):
        tunnel = http.client.HTTPSConnection("127.0.0.1", proxy.door_port, timeout=30)
        tunnel.set_tunnel(host)
        with pytest.raises(OSError, match="403"):
            tunnel.connect()
    told = [line for line in proxy.log.splitlines() if "a request was refused" in line]
    assert len(told) == 2, told
    assert "shop.example" in told[0]
    assert "--intercept-others pass" in told[0]
    assert "docs.aws.amazon.com" in told[1]


def received(proxy: Interceptor, url: str) -> list[str]:
    """The messages that the client of `url` gets, which are then deleted."""
    queue = proxy.client("sqs", REGION) if "amazonaws" in url else client("sqs", proxy.url, region=REGION)
    messages = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=2).get("Messages", [])
    for message in messages:
        queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


def cli(variables: dict[str, str], *words: str) -> str:
    """Run the AWS CLI as in a shell with these variables."""
    command = aws_cli()
    assert command is not None
    environment = {
        **without_aws(os.environ),
        **variables,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_PAGER": "",
    }
    done = subprocess.run(
        [command, *words, "--output", "text"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
