"""Calls as commands of the AWS CLI: carried out, they make the same again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.exchange import CallHead
from replay_proxy.reports.aws_command import SECRET, aws_command
from replay_proxy.resources.properties.attributes import tree
from replay_proxy.wire.models.models import operation_model
from tests.support.clients import CREDENTIALS, client
from tests.support.processes import Emulator, amount, aws_cli


def command(service: str, operation: str, **params: Any) -> str:
    shape = operation_model(service, operation).input_shape
    return aws_command(CallHead(service, operation, "", "", "us-east-1"), tree(shape, params))


def test_it_is_what_one_would_type() -> None:
    assert command("sqs", "CreateQueue", QueueName="orders") == (
        "aws sqs create-queue --queue-name orders --region us-east-1"
    )
    assert command("s3", "GetObject", Bucket="b", Key="a b") == (
        "aws s3api get-object --bucket b --key 'a b' --region us-east-1 OUTFILE"
    )
    assert command("ec2", "RunInstances", MinCount=1, MaxCount=2, EbsOptimized=False) == (
        "aws ec2 run-instances --min-count 1 --max-count 2 --no-ebs-optimized --region us-east-1"
    )
    secret = command("secretsmanager", "CreateSecret", Name="s", SecretString="hunter22")
    assert "hunter22" not in secret
    assert SECRET in secret
    long = command("sqs", "CreateQueue", QueueName="orders", Attributes={"Policy": "x" * 70_000})
    assert long == "aws sqs create-queue --queue-name orders --attributes file://FILE --region us-east-1", (
        "no part of it"
    )


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", '$HOME `id` "x" !!', "\x1b[31mred", "a\nb", "\u202egnp", "-", "é", "", "\U000e0041"]
)
def test_the_shell_takes_no_text_apart(text: str) -> None:
    typed = command("sqs", "CreateQueue", QueueName=text)
    assert typed.isprintable()
    script = f"aws() {{ printf '%s\\0' \"$@\"; }}; {typed}"
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=10, env=environment)
    given = ["--queue-name", text] if not text.startswith("-") else [f"--queue-name={text}"]
    assert done.stdout.decode().split("\0")[: 2 + len(given)] == ["sqs", "create-queue", *given]


@pytest.mark.skipif(aws_cli() is None, reason="the AWS CLI is not installed")
def test_carried_out_they_make_the_same(tmp_path: Path) -> None:
    emulator = Emulator("moto", tmp_path)
    try:
        policy = '{"Version": "2012-10-17", "Statement": []}'
        commands = [
            command("sqs", "CreateQueue", QueueName="orders", Attributes={"DelaySeconds": "7"}, tags={"it's": "a b"}),
            command("iam", "CreateRole", RoleName="worker", AssumeRolePolicyDocument=policy),
            command(
                "dynamodb",
                "CreateTable",
                TableName="items",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            ),
            command("ec2", "CreateVpc", CidrBlock="10.1.0.0/16", AmazonProvidedIpv6CidrBlock=False),
        ]
        commands = commands[: amount(2, 4)]
        script = "\n".join(["set -e", *commands]).replace("aws sqs", f"aws --endpoint-url {emulator.url} sqs")
        path = f"{Path(str(aws_cli())).parent}:{os.environ['PATH']}"
        environment = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": emulator.url, "PATH": path}
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        sqs = client("sqs", emulator.url)
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"] == {
            "DelaySeconds": "7"
        }
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"it's": "a b"}
        assert client("iam", emulator.url).get_role(RoleName="worker")["Role"]["RoleName"] == "worker"
        if len(commands) == 2:
            return
        assert client("dynamodb", emulator.url).list_tables()["TableNames"] == ["items"]
        networks = client("ec2", emulator.url).describe_vpcs()["Vpcs"]
        assert "10.1.0.0/16" in {each["CidrBlock"] for each in networks}
    finally:
        emulator.stop()
