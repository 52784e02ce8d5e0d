"""After a restart clients see when things were made, and not when they were restored (pain 4077)."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out, localstack_python

pytestmark = pytest.mark.emulator

APART = 2.5
"""Seconds between what is recorded and its restore, so that no time can be taken for another one."""
NEAR = 1.05
"""Seconds: emulators cut times to whole ones, and the proxy knows a moment, not what a clock in the emulator said."""
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
STATES = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


def code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("index.py", "def handler(event, context):\n    return event\n")
    return buffer.getvalue()


class Account:
    """What a client makes, and when that is said to have been made."""

    def __init__(self, proxy: Proxy, emulator: str) -> None:
        self._url = proxy.url
        # What runs needs downloads on LocalStack here.
        self._runs = emulator != "localstack"

    def _client(self, service: str) -> Any:
        return client(service, self._url)

    def create(self) -> None:
        """One thing of each kind."""
        s3 = self._client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for key in ("a key/+%", "plain"):
            s3.put_object(Bucket="bucket", Key=key, Body=key.encode(), Metadata={"of": "me"})
        for number in range(2):
            s3.put_object(Bucket="kept", Key="key", Body=str(number).encode())
            time.sleep(1.1)
        role = self._client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self._client("ssm").put_parameter(Name="/a/parameter", Value="x", Type="String")
        self._client("secretsmanager").create_secret(Name="secret", SecretString="x")
        self._client("logs").create_log_group(logGroupName="/a/group")
        self._client("kms").create_key(Description="key")
        queue = self._client("sqs").create_queue(QueueName="queue")["QueueUrl"]
        self._client("sqs").send_message(QueueUrl=queue, MessageBody="2020-01-01T00:00:00Z")
        self._client("cloudformation").create_stack(StackName="stack", TemplateBody=json.dumps(TEMPLATE))
        self._client("stepfunctions").create_state_machine(name="machine", definition=STATES, roleArn=role)
        if self._runs:
            self._client("dynamodb").create_table(
                TableName="table",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            self._client("lambda").create_function(
                FunctionName="function",
                Runtime="python3.12",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": code()},
            )

    def told(self) -> dict[str, datetime]:
        """All times, in UTC."""
        return {name: as_datetime(value) for name, value in self._told()}

    def _told(self) -> Iterator[tuple[str, Any]]:
        s3 = self._client("s3")
        yield from ((f"bucket {each['Name']}", each["CreationDate"]) for each in s3.list_buckets()["Buckets"])
        for listing in (s3.list_objects_v2, s3.list_objects):
            for each in listing(Bucket="bucket")["Contents"]:
                yield f"{listing.__name__} {each['Key']}", each["LastModified"]
        for key in ("a key/+%", "plain"):
            yield f"get {key}", s3.get_object(Bucket="bucket", Key=key)["LastModified"]
            yield f"head {key}", s3.head_object(Bucket="bucket", Key=key)["LastModified"]
        for each in s3.list_object_versions(Bucket="kept")["Versions"]:
            shown = s3.head_object(Bucket="kept", Key="key", VersionId=each["VersionId"])
            yield f"version {each['VersionId']}", each["LastModified"]
            yield f"head version {each['VersionId']}", shown["LastModified"]
        yield "get role", self._client("iam").get_role(RoleName="role")["Role"]["CreateDate"]
        yield "list roles", self._client("iam").list_roles()["Roles"][0]["CreateDate"]
        ssm = self._client("ssm")
        yield "get parameter", ssm.get_parameter(Name="/a/parameter")["Parameter"]["LastModifiedDate"]
        yield "describe parameters", ssm.describe_parameters()["Parameters"][0]["LastModifiedDate"]
        yield "secret", self._client("secretsmanager").describe_secret(SecretId="secret")["CreatedDate"]
        yield "log group", self._client("logs").describe_log_groups()["logGroups"][0]["creationTime"]
        kms = self._client("kms")
        for each in kms.list_keys()["Keys"]:
            key = kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]
            if key["KeyManager"] == "CUSTOMER":
                yield "key", key["CreationDate"]
        sqs = self._client("sqs")
        queue = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        yield "queue", attributes["CreatedTimestamp"]
        (message,) = sqs.receive_message(QueueUrl=queue, AttributeNames=["All"], VisibilityTimeout=0)["Messages"]
        assert message["Body"] == "2020-01-01T00:00:00Z"
        yield "message", message["Attributes"]["SentTimestamp"]
        yield "stack", self._client("cloudformation").describe_stacks()["Stacks"][0]["CreationTime"]
        yield "machine", self._client("stepfunctions").list_state_machines()["stateMachines"][0]["creationDate"]
        if self._runs:
            table = self._client("dynamodb").describe_table(TableName="table")["Table"]
            yield "table", table["CreationDateTime"]
            function = self._client("lambda").get_function(FunctionName="function")["Configuration"]
            yield "function", function["LastModified"]


TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-stack"}}}}


def as_datetime(value: Any) -> datetime:
    """A time as any service tells it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str) and "T" in value:
        return datetime.fromisoformat(value).astimezone(UTC)
    seconds = float(value)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


def far_apart(before: dict[str, datetime], after: dict[str, datetime], near: float = NEAR) -> dict[str, Any]:
    assert before.keys() == after.keys()
    return {
        name: (before[name].isoformat(), after[name].isoformat())
        for name in before
        if abs(after[name] - before[name]) > timedelta(seconds=near)
    }


def test_everything_tells_when_it_was_made_at_first(start_proxy: Callable[..., Proxy], emulator_name: str) -> None:
    options = ["--emulator", emulator_name]
    if emulator_name == "localstack":
        if reason := left_out(0.5):
            pytest.skip(f"original times on LocalStack {reason}")
        options += ["--emulator-python", str(localstack_python())]
    proxy = start_proxy(*options)
    Account(proxy, emulator_name).create()
    before = Account(proxy, emulator_name).told()
    for _ in range(2 if emulator_name == "moto" else 1):  # what is restored from a restored session is no younger
        proxy.kill_all()
        time.sleep(APART)
        proxy = start_proxy(*options, port=proxy.port)
        assert proxy.status()["last_restore"]["problems"] == []
        assert far_apart(before, Account(proxy, emulator_name).told()) == {}


def test_a_proxy_that_is_restarted_alone_tells_the_same(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    emulator = Emulator("moto", tmp_path)
    try:
        proxy = start_proxy("--upstream", emulator.url)
        Account(proxy, "moto").create()
        before = Account(proxy, "moto").told()
        time.sleep(APART)
        emulator.restart()
        assert far_apart(before, Account(proxy, "moto").told()) == {}
        proxy.kill()
        proxy = proxy.again()
        assert "nothing to restore" in proxy.log
        assert far_apart(before, Account(proxy, "moto").told()) == {}
    finally:
        emulator.end()


def test_what_is_changed_after_the_restart_has_its_own_time(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3, ssm = client("s3", proxy.url), client("ssm", proxy.url)
    s3.create_bucket(Bucket="bucket")
    for key in ("old", "new", "copied"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    ssm.put_parameter(Name="old", Value="x", Type="String")
    ssm.put_parameter(Name="new", Value="x", Type="String")
    made = datetime.now(UTC)
    proxy.kill_all()
    time.sleep(APART)
    start_proxy(port=proxy.port)
    time.sleep(APART)
    changed = datetime.now(UTC)
    s3.put_object(Bucket="bucket", Key="new", Body=b"y")
    s3.copy_object(Bucket="bucket", Key="copied", CopySource={"Bucket": "bucket", "Key": "old"})
    ssm.put_parameter(Name="new", Value="y", Type="String", Overwrite=True)
    told = {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    told |= {f"/{each['Name']}": each["LastModifiedDate"] for each in ssm.describe_parameters()["Parameters"]}
    assert told.keys() == {"old", "new", "copied", "/old", "/new"}
    wanted = {name: made if name in ("old", "/old") else changed for name in told}
    assert far_apart(wanted, told, near=2) == {}


def refused(call: Callable[..., Any], **parameters: Any) -> int:
    """The status of a refusal; 0 where it was none."""
    try:
        call(**parameters)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 0


def test_conditions_are_in_the_times_that_clients_see(start_proxy: Callable[..., Proxy], emulator_name: str) -> None:
    if emulator_name == "localstack":
        pytest.skip("its start takes longer than all of this; the conditions are S3's, and the same there")
    options = ("--emulator", emulator_name)
    proxy = start_proxy(*options)
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"x")
    time.sleep(1.1)
    seen = s3.head_object(Bucket="bucket", Key="key")["LastModified"]
    earlier, later = seen - timedelta(seconds=30), datetime.now(UTC)

    def answers() -> list[int]:
        where = {"Bucket": "bucket", "Key": "key"}
        return [
            refused(s3.get_object, IfModifiedSince=seen, **where),
            refused(s3.get_object, IfModifiedSince=later, **where),
            refused(s3.get_object, IfModifiedSince=earlier, **where),
            refused(s3.head_object, IfUnmodifiedSince=seen, **where),
            refused(s3.get_object, IfUnmodifiedSince=earlier, **where),
        ]

    before = answers()
    proxy.kill_all()
    time.sleep(APART)
    start_proxy(*options, port=proxy.port)
    assert answers() == before
    if emulator_name == "moto":
        assert before == [304, 304, 0, 0, 412]


def test_what_is_somebodys_own_data_is_left_alone(start_proxy: Callable[..., Proxy]) -> None:
    """Texts that clients wrote may say the very time of the restore."""
    proxy = start_proxy()
    s3, ssm = client("s3", proxy.url), client("ssm", proxy.url)
    s3.create_bucket(Bucket="bucket")
    ssm.put_parameter(Name="parameter", Value="x", Type="String")
    proxy.kill_all()
    time.sleep(APART)
    restarted = time.time()
    start_proxy(port=proxy.port)
    shown = ssm.get_parameter(Name="parameter")["Parameter"]["LastModifiedDate"]
    assert shown.timestamp() < restarted - APART + NEAR
    moments = [datetime.fromtimestamp(restarted + each, UTC) for each in range(int(time.time() - restarted) + 2)]
    text = json.dumps({each.isoformat(): each.strftime("%a, %d %b %Y %H:%M:%S GMT") for each in moments})
    ssm.put_parameter(Name="times", Value=text, Type="String", Description=moments[1].isoformat())
    s3.put_object(Bucket="bucket", Key="times", Body=text.encode(), Metadata={"last-modified": text})
    assert ssm.get_parameter(Name="times")["Parameter"]["Value"] == text
    found = s3.get_object(Bucket="bucket", Key="times")
    assert (found["Body"].read().decode(), found["Metadata"]["last-modified"]) == (text, text)
