"""Real clients without any endpoint setting: what they made is theirs after a kill, by either door, under the same ids."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.boto2 import boto2, missing_boto2
from tests.support.clients import client
from tests.support.interception import Interceptor, interceptor, missing_interception, without_aws
from tests.support.javascript import javascript, missing_javascript
from tests.support.processes import left_out
from tests.support.terraform import Terraform, missing_terraform

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception())),
]
STACK = Path(__file__).parents[1] / "terraform" / "stack"
REGION = "eu-west-1"
FILES = ("main", "sqs", "sns", "s3", "dynamodb", "iam", "network", "ssm", "secrets", "kms")


def skip_unless(missing: Callable[[], str | None], minutes: float) -> None:
    """Skip by name what is left out, or what cannot run here."""
    if reason := left_out(minutes) or missing():
        pytest.skip(reason)


def test_boto_2_finds_its_things_again(start: Callable[..., Interceptor]) -> None:
    skip_unless(missing_boto2, 0.3)
    proxy = start("--emulator", "ministack")  # moto fails on its CreateQueue
    before = boto2("fill", proxy.door_port, proxy.certificate)
    assert before["url"] == "https://eu-west-1.queue.amazonaws.com/000000000000/old"
    assert (before["messages"], before["object"]) == (1, "data")
    proxy.kill_all()
    proxy.again()
    assert proxy.status()["last_restore"]["failed"] == 0
    assert boto2("read", proxy.door_port, proxy.certificate) == before
    machines = client("ec2", proxy.url, region="eu-west-1")
    assert machines.describe_security_groups(GroupIds=[before["group"]])["SecurityGroups"][0]["GroupName"] == "old"


def test_the_javascript_sdk_finds_its_things_again(start: Callable[..., Interceptor], tmp_path: Path) -> None:
    skip_unless(missing_javascript, 0.3)
    proxy = start("--emulator", "moto")
    script = str(Path(__file__).parent / "sdk.mjs")
    variables = proxy.variables()
    before = javascript(script, None, tmp_path, "fill", variables=variables)
    assert before["size"] == 3 << 20
    assert len(before["people"]) == 20
    proxy.kill_all()
    proxy.again()
    assert javascript(script, None, tmp_path, "read", variables=variables) == before
    assert client("dynamodb", proxy.url).describe_table(TableName="people")["Table"]["TableArn"] == before["table"]


@pytest.mark.timeout(900)
def test_terraform_sees_no_changes_by_either_door(start: Callable[..., Interceptor], tmp_path: Path) -> None:
    skip_unless(missing_terraform, 2)
    proxy = start("--emulator", "moto")
    terraform = Terraform(tmp_path / "terraform", [STACK / f"{name}.tf" for name in FILES], proxy.url)
    by_address = terraform.environment
    terraform.environment = {**without_aws(by_address), **proxy.variables(), "AWS_MAX_ATTEMPTS": "2"}
    assert "AWS_ENDPOINT_URL" not in terraform.environment
    terraform.apply()
    assert terraform.changes() == ""
    proxy.kill_all()
    proxy.again()
    assert terraform.changes() == ""
    terraform.destroy()


def test_what_is_built_with_aws_answers_at_hosts_of_aws(start: Callable[..., Interceptor]) -> None:
    """APIs, objects and templates at the hosts that AWS gives them, before and after a kill."""
    skip_unless(lambda: None, 0.4)
    proxy = start("--emulator", "ministack")
    gateway, buckets = proxy.client("apigateway", REGION), proxy.client("s3", REGION)
    api = gateway.create_rest_api(name="shop")["id"]
    path = {"restApiId": api, "resourceId": gateway.get_resources(restApiId=api)["items"][0]["id"], "httpMethod": "GET"}
    gateway.put_method(**path, authorizationType="NONE")
    gateway.put_integration(**path, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**path, statusCode="200")
    gateway.put_integration_response(**path, statusCode="200", responseTemplates={"application/json": '{"open": 1}'})
    gateway.create_deployment(restApiId=api, stageName="live")
    buckets.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    template = {
        "Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}},
        "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}},
    }
    buckets.put_object(Bucket="archive", Key="stack.json", Body=json.dumps(template))
    stacks = proxy.client("cloudformation", REGION)
    stacks.create_stack(StackName="jobs", TemplateURL=f"https://archive.s3.{REGION}.amazonaws.com/stack.json")
    for _ in range(2):
        outputs = stacks.describe_stacks(StackName="jobs")["Stacks"][0]["Outputs"]
        assert outputs[0]["OutputValue"] == f"https://sqs.{REGION}.amazonaws.com/000000000000/jobs"
        assert json.loads(get(proxy, f"https://{api}.execute-api.{REGION}.amazonaws.com/live")) == {"open": 1}
        for host in (f"archive.s3.{REGION}.amazonaws.com", f"archive.s3.dualstack.{REGION}.amazonaws.com"):
            assert json.loads(get(proxy, f"https://{host}/stack.json")) == template
        assert json.loads(get(proxy, f"https://s3.{REGION}.amazonaws.com/archive/stack.json")) == template
        proxy.kill_all()
        proxy.again()


def get(proxy: Interceptor, url: str) -> bytes:
    """What a client gets that is no SDK, signs nothing, and knows the proxy."""
    proxies = urllib.request.ProxyHandler({"https": proxy.door})
    trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(proxy.certificate)))
    with urllib.request.build_opener(proxies, trusting).open(url, timeout=30) as answer:
        return bytes(answer.read())


def test_run_gives_its_command_all_that_it_needs(tmp_path: Path) -> None:
    skip_unless(lambda: None, 0.2)
    program = interceptor()
    assert program is not None
    words = ["run", "--intercept", "--emulator-python", sys.executable, "--data-dir", str(tmp_path / "d")]
    code = "import boto3; print(boto3.client('sqs').create_queue(QueueName='q')['QueueUrl'])"
    done = subprocess.run(
        [*program, *words, "--ca-dir", str(tmp_path / "ca"), "--", sys.executable, "-c", code],
        env=without_aws(os.environ), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "https://sqs.us-east-1.amazonaws.com/123456789012/q\n"
