"""After a restart clients see when things were made, and not when they were restored (pain 4077)."""

from __future__ import annotations

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out, localstack_python
from tests.support.stories import QUIET

pytestmark = pytest.mark.emulator

APART = 2.5
"""Seconds between what is recorded and its restore, so that no time can be taken for another one."""
NEAR = 1.05
"""Seconds: emulators cut times to whole ones. The proxy knows when a call was under way, not what a clock in the emulator said
then: so the longest call's time is added to both."""
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
)
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
        self._begun = 0.0
        self.longest_call_s = 0.0
        # What runs needs downloads on LocalStack here.
        self._runs = emulator != "localstack"

    def _client(self, service: str) -> Any:
        api = client(service, self._url)
        api.meta.events.register("before-call", self._begin)
        api.meta.events.register("after-call", self._end)
        return api

    def _begin(self, **_of_call: Any) -> None:
        self._begun = time.monotonic()

    def _end(self, **_of_call: Any) -> None:
        self.longest_call_s = max(self.longest_call_s, time.monotonic() - self._begun)

    def create(self) -> None:
        """One thing of each kind."""
        s3 = self._client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for key in ("a key/+%", "plain"):
            s3.put_object(Bucket="bucket", Key=key, Body=key.encode(), Metadata={"of": "me"})
        send_form(s3.generate_presigned_post("bucket", "by form/${filename}"), "a file")
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
        for key in ("a key/+%", "plain", "by form/a file"):
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


def send_form(signed: dict[str, Any], filename: str) -> None:
    """Upload a file as a browser does, by a form that was signed before."""
    fields = [(f'name="{name}"', value) for name, value in signed["fields"].items()]
    fields.append((f'name="file"; filename="{filename}"', "content"))
    parts = (f"--of-form\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in fields)
    body = "".join([*parts, "--of-form--\r\n"]).encode()
    kind = {"Content-Type": "multipart/form-data; boundary=of-form"}
    with urllib.request.urlopen(urllib.request.Request(signed["url"], body, kind, method="POST"), timeout=60) as answer:
        assert answer.status < 300


def as_datetime(value: Any) -> datetime:
    """A time as any service tells it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str) and "T" in value:
        return datetime.fromisoformat(value).astimezone(UTC)
    seconds = float(value)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


def far_apart(before: dict[str, datetime], after: dict[str, datetime], near: float) -> dict[str, Any]:
    """What is told of with times that lie more than `near` seconds apart."""
    assert before.keys() == after.keys()
    return {
        name: (before[name].isoformat(), after[name].isoformat())
        for name in before
        if abs(after[name] - before[name]) > timedelta(seconds=near)
    }


def test_everything_tells_when_it_was_made_at_first(start_proxy: Callable[..., Proxy], emulator_name: str) -> None:
    options = ["--emulator", emulator_name]
    if emulator_name != "moto" and (reason := left_out(0.5)):
        pytest.skip(f"original times on {emulator_name} {reason}")
    if emulator_name == "localstack":
        options += ["--emulator-python", str(localstack_python())]
    proxy = start_proxy(*options)
    account = Account(proxy, emulator_name)
    account.create()
    longest = account.longest_call_s
    before = account.told()
    for _ in range(2 if emulator_name == "moto" else 1):  # what is restored from a restored session is no younger
        proxy.kill_all()
        time.sleep(APART + longest)
        proxy = start_proxy(*options, port=proxy.port)
        assert proxy.status()["last_restore"]["problems"] == []
        assert far_apart(before, Account(proxy, emulator_name).told(), NEAR + longest) == {}


def test_a_proxy_that_is_restarted_alone_tells_the_same(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    emulator = Emulator("moto", tmp_path)
    try:
        proxy = start_proxy("--upstream", emulator.url)
        account = Account(proxy, "moto")
        account.create()
        longest = account.longest_call_s
        before = account.told()
        time.sleep(APART + longest)
        emulator.restart()
        assert far_apart(before, Account(proxy, "moto").told(), NEAR + longest) == {}
        proxy.kill()
        proxy = proxy.again()
        assert "nothing to restore" in proxy.log
        assert far_apart(before, Account(proxy, "moto").told(), NEAR + longest) == {}
    finally:
        emulator.end()


def test_what_is_changed_after_the_restart_has_its_own_time(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3, ssm = client("s3", proxy.url), client("ssm", proxy.url)
    begun = datetime.now(UTC)
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
    changing = datetime.now(UTC)
    s3.put_object(Bucket="bucket", Key="new", Body=b"y")
    s3.copy_object(Bucket="bucket", Key="copied", CopySource={"Bucket": "bucket", "Key": "old"})
    ssm.put_parameter(Name="new", Value="y", Type="String", Overwrite=True)
    changed = datetime.now(UTC)
    told = {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    told |= {f"/{each['Name']}": each["LastModifiedDate"] for each in ssm.describe_parameters()["Parameters"]}
    assert told.keys() == {"old", "new", "copied", "/old", "/new"}
    for name, shown in told.items():
        first, last = (begun, made) if name in ("old", "/old") else (changing, changed)
        assert first - timedelta(seconds=NEAR) <= shown <= last + timedelta(seconds=NEAR), name


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


@pytest.mark.skipif(bool(left_out(0.3)), reason=f"dates of ten services: {left_out(0.3)}")
def test_dates_of_changes_deletions_and_data_stay(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "moto")

    def api(service: str) -> Any:
        return client(service, proxy.url)

    secrets, kms, s3, glue, users = (api(each) for each in ("secretsmanager", "kms", "s3", "glue", "cognito-idp"))
    kinesis, logs, gateway, scaling = (api(each) for each in ("kinesis", "logs", "apigateway", "autoscaling"))
    for name in ("changed", "deleted"):
        secrets.create_secret(Name=name, SecretString="a")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=1, Body=b"1" * (5 << 20))["ETag"]
    s3.put_object(Bucket="bucket", Key="archived", Body=b"x", StorageClass="GLACIER")
    s3.restore_object(Bucket="bucket", Key="archived", RestoreRequest={"Days": 1})
    pool = users.create_user_pool(PoolName="p")["UserPool"]["Id"]
    glue.create_database(DatabaseInput={"Name": "of"})
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    logs.create_log_group(logGroupName="/group")
    logs.create_log_stream(logGroupName="/group", logStreamName="s")
    rest = gateway.create_rest_api(name="a")["id"]

    def write(text: str) -> None:
        kinesis.put_record(StreamName="stream", Data=text.encode(), PartitionKey="k")
        event = {"timestamp": int(time.time() * 1000), "message": text}
        logs.put_log_events(logGroupName="/group", logStreamName="s", logEvents=[event])

    write("one")
    time.sleep(APART)
    between = time.time()
    secrets.update_secret(SecretId="changed", SecretString="b")
    last = s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=2, Body=b"2")["ETag"]
    uploaded = [{"PartNumber": number, "ETag": tag} for number, tag in ((1, part), (2, last))]
    s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload, MultipartUpload={"Parts": uploaded})
    secrets.delete_secret(SecretId="deleted", RecoveryWindowInDays=7)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "k"}]})
    glue.create_table(DatabaseName="of", TableInput={"Name": "table"})
    users.admin_create_user(UserPoolId=pool, Username="user")
    scaling.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-12c6146b", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="g", LaunchConfigurationName="lc", MinSize=1, MaxSize=1, AvailabilityZones=["us-east-1a"]
    )
    root = gateway.get_resources(restApiId=rest)["items"][0]["id"]
    gateway.create_resource(restApiId=rest, parentId=root, pathPart="child")
    write("two")

    def records(**where: Any) -> list[Any]:
        asked = kinesis.get_shard_iterator(StreamName="stream", ShardId="shardId-000000000000", **where)
        found = kinesis.get_records(ShardIterator=asked["ShardIterator"])["Records"]
        return [(each["Data"], each["ApproximateArrivalTimestamp"]) for each in found]

    def told() -> dict[str, Any]:
        instance = api("ec2").describe_instances()["Reservations"][0]["Instances"][0]
        listed = users.list_users(UserPoolId=pool)["Users"][0]
        events = logs.get_log_events(logGroupName="/group", logStreamName="s")["events"]
        late = records(ShardIteratorType="AT_TIMESTAMP", Timestamp=between)
        return {
            "changed": secrets.describe_secret(SecretId="changed")["LastChangedDate"],
            "created": secrets.describe_secret(SecretId="changed")["CreatedDate"],
            "deleted": secrets.describe_secret(SecretId="deleted")["DeletedDate"],
            "key": kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"],
            "marker": s3.list_object_versions(Bucket="bucket")["DeleteMarkers"][0]["LastModified"],
            "table": glue.get_table(DatabaseName="of", Name="table")["Table"]["CreateTime"],
            "database": glue.get_database(Name="of")["Database"]["CreateTime"],
            "user": listed["UserCreateDate"],
            "part": s3.head_object(Bucket="bucket", Key="parts", PartNumber=1)["LastModified"],
            "restored until": parsedate_to_datetime(
                s3.head_object(Bucket="bucket", Key="archived")["Restore"].split('"')[-2]
            ),
            "rest": gateway.get_rest_api(restApiId=rest)["createdDate"],
            "launched": instance["LaunchTime"],
            "attached": instance["NetworkInterfaces"][0]["Attachment"]["AttachTime"],
            **{f"event {each['message']}": each["ingestionTime"] for each in events},
            **{f"record {data!r}": at for data, at in records(ShardIteratorType="TRIM_HORIZON")},
            **{f"record from then on {data!r}": at for data, at in late},
        }

    before = {name: as_datetime(value) for name, value in told().items()}
    assert sum(name.startswith("record from") for name in before) == 1
    story_quiet(proxy)
    proxy.kill_all()
    time.sleep(APART)
    proxy = proxy.again()
    assert far_apart(before, {name: as_datetime(value) for name, value in told().items()}, NEAR) == {}


def story_quiet(proxy: Proxy) -> None:
    """Waits until the reads that are worth it are recorded."""
    deadline = time.monotonic() + 10
    while time.time() - proxy.journal.stat().st_mtime < QUIET and time.monotonic() < deadline:
        time.sleep(0.05)


def test_things_of_one_name_tell_each_its_own_time(tmp_path: Path) -> None:
    """Of kinds that one restore makes in the same second: of a name alone, the time cannot be told."""
    if reason := left_out(0.3):
        pytest.skip(f"things of one name: {reason}")
    emulator = Emulator("ministack", tmp_path)
    proxy = Proxy(tmp_path, "--upstream", emulator.url)
    try:
        glue, logs = client("glue", proxy.url), client("logs", proxy.url)
        config, route53 = client("config", proxy.url), client("route53", proxy.url)
        s3_target, role = {"S3Targets": [{"Path": "s3://same"}]}, "arn:aws:iam::000000000000:role/same"
        zone = route53.create_hosted_zone(Name="same.test", CallerReference="one")["HostedZone"]["Id"]
        iam = client("iam", proxy.url)
        policies = [iam.create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"] for name in ("v2", "b")]
        logs.create_log_group(logGroupName="same")
        glue.create_database(DatabaseInput={"Name": "same"})
        time.sleep(APART)
        iam.create_policy_version(PolicyArn=policies[1], PolicyDocument=POLICY)
        glue.create_job(Name="same", Role=role, Command={"Name": "glueetl"})
        record = {"Name": "a.same.test", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "10.0.0.1"}]}
        change = route53.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )["ChangeInfo"]["Id"]
        config.put_configuration_recorder(ConfigurationRecorder={"name": "same", "roleARN": role})
        time.sleep(APART)
        iam.create_policy_version(PolicyArn=policies[0], PolicyDocument=POLICY)
        glue.create_crawler(Name="same", Role=role, DatabaseName="same", Targets=s3_target)
        logs.put_metric_filter(
            logGroupName="same",
            filterName="same",
            filterPattern="x",
            metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        )

        def told() -> dict[str, datetime]:
            recorder = config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"][0]
            versions = [(arn, each) for arn in policies for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]]
            return {
                **{f"{arn} {each['VersionId']}": as_datetime(each["CreateDate"]) for arn, each in versions},
                **{arn: as_datetime(iam.get_policy(PolicyArn=arn)["Policy"]["CreateDate"]) for arn in policies},
                "database": as_datetime(glue.get_database(Name="same")["Database"]["CreateTime"]),
                "job": as_datetime(glue.get_job(JobName="same")["Job"]["CreatedOn"]),
                "listed job": as_datetime(glue.get_jobs()["Jobs"][0]["CreatedOn"]),
                "crawler": as_datetime(glue.get_crawler(Name="same")["Crawler"]["CreationTime"]),
                "change": as_datetime(route53.get_change(Id=change)["ChangeInfo"]["SubmittedAt"]),
                "recorder": as_datetime(recorder["lastStatusChangeTime"]),
                "group": as_datetime(logs.describe_log_groups()["logGroups"][0]["creationTime"] / 1000),
                "filter": as_datetime(logs.describe_metric_filters()["metricFilters"][0]["creationTime"] / 1000),
            }

        first = told()
        proxy.kill()
        emulator.restart()
        proxy.again()
        again = told()
        assert {name: at for name, at in again.items() if abs((at - first[name]).total_seconds()) > NEAR} == {}
    finally:
        proxy.end()
        emulator.stop()


def test_versions_attachments_and_parts_in_lists_keep_their_times(tmp_path: Path) -> None:
    """They are told by another call than what they are in, and in whole seconds; two restarts with changes in between."""
    if reason := left_out(0.4):
        pytest.skip(f"times of parts: {reason}")
    emulator = Emulator("ministack", tmp_path)
    proxy = Proxy(tmp_path, "--upstream", emulator.url)
    try:
        names = ("secretsmanager", "ec2", "kms", "cognito-idp", "appconfig", "apigateway", "ecs")
        secrets, ec2, kms, users, config, gateway, ecs = (client(each, proxy.url) for each in names)
        first = secrets.create_secret(Name="secret", SecretString="1")["VersionId"]
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
        kms.create_alias(AliasName="alias/a", TargetKeyId=keys[0])
        pool = users.create_user_pool(PoolName="p")["UserPool"]["Id"]
        app = users.create_user_pool_client(UserPoolId=pool, ClientName="c")["UserPoolClient"]["ClientId"]
        users.sign_up(ClientId=app, Username="u", Password="Aa1!aaaaaaa")
        application = config.create_application(Name="1")["Id"]
        environment = config.create_environment(ApplicationId=application, Name="1")["Id"]
        profile = config.create_configuration_profile(ApplicationId=application, Name="1", LocationUri="hosted")["Id"]
        config.create_hosted_configuration_version(
            ApplicationId=application, ConfigurationProfileId=profile, Content=b"1", ContentType="text/plain"
        )
        strategy = config.create_deployment_strategy(
            Name="1", DeploymentDurationInMinutes=0, GrowthFactor=100.0, ReplicateTo="NONE"
        )["Id"]
        rest = gateway.create_rest_api(name="1")["id"]
        root = gateway.get_resources(restApiId=rest)["items"][0]["id"]
        gateway.put_method(restApiId=rest, resourceId=root, httpMethod="GET", authorizationType="NONE")
        gateway.put_integration(restApiId=rest, resourceId=root, httpMethod="GET", type="MOCK")
        gateway.create_deployment(restApiId=rest, stageName="1")
        ecs.create_cluster(clusterName="1")
        for memory in (10, 20):
            ecs.register_task_definition(
                family="1", containerDefinitions=[{"name": "c", "image": "i", "memory": memory}]
            )
        ecs.create_service(cluster="1", serviceName="1", taskDefinition="1:2", desiredCount=0)
        deploy = {"ApplicationId": application, "EnvironmentId": environment, "DeploymentStrategyId": strategy}
        for _ in range(2):
            config.start_deployment(**deploy, ConfigurationProfileId=profile, ConfigurationVersion="1")
            time.sleep(APART)
        second = secrets.put_secret_value(SecretId="secret", SecretString="2")["VersionId"]
        time.sleep(APART)
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": second}
        secrets.update_secret_version_stage(SecretId="secret", **move)
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdh")
        kms.update_alias(AliasName="alias/a", TargetKeyId=keys[1])

        def told() -> Iterator[tuple[str, Any]]:
            for version in (first, second):
                shown = secrets.get_secret_value(SecretId="secret", VersionId=version)
                yield f"secret {version}", shown["CreatedDate"]
            for listed in secrets.list_secret_version_ids(SecretId="secret", IncludeDeprecated=True)["Versions"]:
                yield f"listed {listed['VersionId']}", listed["CreatedDate"]
            made = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
            yield from (("made", made["CreateTime"]), ("attached", made["Attachments"][0]["AttachTime"]))
            yield "alias", next(e for e in kms.list_aliases()["Aliases"] if e["AliasName"] == "alias/a")["CreationDate"]
            yield "user", users.list_users(UserPoolId=pool)["Users"][0]["UserCreateDate"]
            for each in config.list_deployments(ApplicationId=application, EnvironmentId=environment)["Items"]:
                yield f"begun {each['DeploymentNumber']}", each["StartedAt"]
                yield f"ended {each['DeploymentNumber']}", each["CompletedAt"]
            yield "stage", gateway.get_stages(restApiId=rest)["item"][0]["createdDate"]
            service = ecs.describe_services(cluster="1", services=["1"])["services"][0]
            yield from (("service", service["createdAt"]), ("deployed", service["deployments"][0]["createdAt"]))

        for restart in range(2):
            before = {name: as_datetime(value) for name, value in told()}
            proxy.kill()
            time.sleep(APART)
            emulator.restart()
            proxy = proxy.again()
            assert far_apart(before, {name: as_datetime(value) for name, value in told()}, NEAR) == {}, restart
            deployment = gateway.create_deployment(restApiId=rest)["id"]
            change = {"op": "replace", "path": "/deploymentId", "value": deployment}
            gateway.update_stage(restApiId=rest, stageName="1", patchOperations=[change])
            ecs.update_service(cluster="1", service="1", taskDefinition="1:1", desiredCount=0)
            assert as_datetime(dict(told())["stage"]) == before["stage"]
    finally:
        proxy.end()
        emulator.stop()
