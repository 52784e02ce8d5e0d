"""What is told of a call that was made again: by whom it is named, and which times of it are shown.

All calls are made again in one second here, and tell whole seconds: the words alone say which call a time is of.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from replay_proxy.identifiers.rewriting.times.table_records import key_of
from tests.replay.restored_calls import AGAIN, APART, FIRST, PLACE, Restored, iso_time


def test_a_user_who_signed_up_and_changed_the_password_is_known_in_lists() -> None:
    """Both calls are unsigned: they say no region. The second one names its user by a token."""
    restored = Restored("cognito-idp", "json")
    by_admin = restored.call(
        "AdminCreateUser", {"UserPoolId": "us-east-1_a", "Username": "w"}, {"User": {"Username": "w"}}
    )
    up = restored.call("SignUp", {"ClientId": "c", "Username": "u"}, {"UserSub": "s"}, signed=False)
    restored.call("AdminUpdateUserAttributes", {"UserPoolId": "us-east-1_a", "Username": "w", "UserAttributes": []}, {})
    claims = base64.urlsafe_b64encode(orjson.dumps({"username": "u"})).decode().rstrip("=")
    words = {"AccessToken": f"e30.{claims}.e30", "PreviousPassword": "a", "ProposedPassword": "b"}
    changed = restored.call("ChangePassword", words, {}, signed=False)
    users = [{"Username": name, "UserCreateDate": AGAIN, "UserLastModifiedDate": AGAIN} for name in ("u", "w")]
    shown = restored.read("ListUsers", {"UserPoolId": "us-east-1_a"}, {"Users": users})["Users"]
    assert [each["UserCreateDate"] for each in shown] == [up, by_admin]
    assert shown[0]["UserLastModifiedDate"] == changed


def test_what_is_attached_tells_when_that_was_done_and_nothing_else_does() -> None:
    restored = Restored("ec2", "ec2")
    instance = b"<R><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></R>"
    launched = restored.call("RunInstances", {"Action": "RunInstances", "ImageId": "ami-1"}, instance)
    made = restored.call("CreateVolume", {"Action": "CreateVolume"}, b"<R><volumeId>vol-1</volumeId></R>")
    attaching = {"Action": "AttachVolume", "VolumeId": "vol-1", "InstanceId": "i-1", "Device": "/dev/sdh"}
    attached = restored.call("AttachVolume", attaching, b"<R><volumeId>vol-1</volumeId></R>")
    text = iso_time(AGAIN)
    part = f"<volumeId>vol-1</volumeId><instanceId>i-1</instanceId><attachTime>{text}</attachTime>"
    body = (
        f"<R><volumeSet><item><volumeId>vol-1</volumeId><createTime>{text}</createTime>"
        f"<attachmentSet><item>{part}</item></attachmentSet></item></volumeSet></R>"
    )
    shown = restored.read("DescribeVolumes", {"Action": "DescribeVolumes"}, body.encode())
    assert re.findall("Time>([^<]+)", shown) == [iso_time(made), iso_time(attached)]
    body = f"<R><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><launchTime>{text}</launchTime>"
    body += "</item></instancesSet></item></reservationSet></R>"
    shown = restored.read("DescribeInstances", {"Action": "DescribeInstances"}, body.encode())
    assert re.findall("Time>([^<]+)", shown) == [iso_time(launched)]


@pytest.mark.parametrize("operation", ["StopInstances", "TerminateInstances"])
def test_a_reason_in_words_tells_when_the_state_has_changed(operation: str) -> None:
    restored = Restored("ec2", "ec2")
    instance = b"<R><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></R>"
    restored.call("RunInstances", {"Action": "RunInstances", "ImageId": "ami-1"}, instance)
    stopped = restored.call(operation, {"Action": operation, "InstanceId.1": "i-1"}, instance)
    body = "<R><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><reason>{}</reason>"
    body += f"<launchTime>{iso_time(AGAIN)}</launchTime></item></instancesSet></item></reservationSet></R>"
    words = "User initiated ({} {} UTC)"
    again = body.format(words.format(*iso_time(AGAIN)[:-1].split("T")))
    shown = restored.read("DescribeInstances", {"Action": "DescribeInstances"}, again.encode())
    assert re.findall("reason>([^<]+)", shown) == [words.format(*iso_time(stopped)[:-1].split("T"))]


def test_a_time_of_one_kind_of_change_tells_of_no_other_kind() -> None:
    """A secret that was changed after its rotation was not rotated then."""
    restored = Restored("secretsmanager", "json")
    made = restored.call("CreateSecret", {"Name": "s"}, {"Name": "s"})
    rotated = restored.call("RotateSecret", {"SecretId": "s"}, {"Name": "s"})
    changed = restored.call("PutSecretValue", {"SecretId": "s"}, {"Name": "s"})
    times = dict.fromkeys(("CreatedDate", "LastRotatedDate", "LastChangedDate"), AGAIN)
    shown = restored.read("DescribeSecret", {"SecretId": "s"}, {"Name": "s", **times})
    assert list(shown.values())[1:] == [made, rotated, changed]


@pytest.mark.parametrize(
    ("begins", "copies"),
    [
        ({"Name": "s", "AddReplicaRegions": [{"Region": "us-east-2"}]}, None),
        ({"Name": "s"}, {"SecretId": "s", "AddReplicaRegions": [{"Region": "us-east-2"}]}),
    ],
    ids=["at once", "later"],
)
def test_a_copy_in_another_region_shows_its_own_times(begins: Any, copies: Any) -> None:
    """It is made by a call in the region of the first one, and changed by the calls that change that."""
    restored = Restored("secretsmanager", "json")
    arn = "arn:aws:secretsmanager:{}:000000000000:secret:s-AbCdEf"
    answer = {"ARN": arn.format("us-east-1"), "Name": "s"}
    made = restored.call("CreateSecret", begins, answer)
    if copies is not None:
        made = restored.call("ReplicateSecretToRegions", copies, answer, after=10)
    changed = restored.call("PutSecretValue", {"SecretId": "s"}, answer, after=20)
    times = {"CreatedDate": AGAIN + (10 if copies else 0), "LastChangedDate": AGAIN + 20}
    read = {"ARN": arn.format("us-east-2"), "Name": "s", **times}
    shown = restored.read("DescribeSecret", {"SecretId": "s"}, read, region="us-east-2")
    assert (shown["CreatedDate"], shown["LastChangedDate"]) == (made, changed)
    assert restored.read("DescribeSecret", {"SecretId": "s"}, read, region="eu-west-1") == read


@pytest.mark.parametrize("deleted", [False, True], ids=["still there", "deleted in between"])
def test_a_creation_that_is_repeated_has_found_what_was_there(deleted: bool) -> None:
    """A queue or a bucket can be created again, by programs that want it to be there: it is as old as before."""
    restored = Restored("sqs", "json")
    answer = {"QueueUrl": "http://h/000000000000/q"}
    first = restored.call("CreateQueue", {"QueueName": "q"}, answer)
    if deleted:
        restored.call("DeleteQueue", answer, {}, after=0.2)
    later = restored.call("CreateQueue", {"QueueName": "q"}, answer, after=0.4)
    restored.call("CreateQueue", {"QueueName": "q"}, answer, after=0.6)
    shown = restored.read("GetQueueAttributes", answer, {"Attributes": {"CreatedTimestamp": str(AGAIN)}})
    assert shown["Attributes"]["CreatedTimestamp"] == str(later if deleted else first)


def test_what_is_put_again_was_changed_then_by_whichever_of_its_names_it_is_known() -> None:
    """The answer shows an ARN that the emulator has drawn, beside the name that the client has chosen."""
    restored = Restored("config", "json")
    shown = {"ConfigurationAggregatorName": "a", "ConfigurationAggregatorArn": "arn:aws:config:us-east-1:0:x/drawn"}
    put = {"ConfigurationAggregatorName": "a"}
    made = restored.call("PutConfigurationAggregator", put, {"ConfigurationAggregator": shown})
    changed = restored.call("PutConfigurationAggregator", put, {"ConfigurationAggregator": shown}, after=0.2)
    times = {"CreationTime": AGAIN, "LastUpdatedTime": AGAIN}
    read = restored.read("DescribeConfigurationAggregators", {}, {"ConfigurationAggregators": [{**shown, **times}]})
    (found,) = read["ConfigurationAggregators"]
    assert (found["CreationTime"], found["LastUpdatedTime"]) == (made, changed)


def test_what_was_begun_is_known_by_its_number() -> None:
    restored = Restored("appconfig", "rest-json")
    target = "/applications/app/environments/env/deployments"
    sent = {"DeploymentStrategyId": "s", "ConfigurationProfileId": "p", "ConfigurationVersion": "2"}
    begun = [
        restored.call("StartDeployment", sent, {"DeploymentNumber": n, "ConfigurationVersion": "2"}, target)
        for n in (1, 2)
    ]
    items = [
        {
            "DeploymentNumber": n,
            "ConfigurationVersion": "2",
            "StartedAt": iso_time(AGAIN),
            "CompletedAt": iso_time(AGAIN),
        }
        for n in (2, 1)
    ]
    shown = restored.read("ListDeployments", None, {"Items": items}, target)["Items"]
    wanted = [iso_time(begun[1]), iso_time(begun[0])]
    assert [each["StartedAt"] for each in shown] == [each["CompletedAt"] for each in shown] == wanted


def test_versions_of_a_template_are_known_by_their_numbers_in_xml() -> None:
    restored = Restored("ec2", "ec2")

    def version(number: int, at: str) -> str:
        names = "<launchTemplateId>lt-1</launchTemplateId><launchTemplateName>abc</launchTemplateName>"
        return f"{names}<versionNumber>{number}</versionNumber><createTime>{at}</createTime>"

    first = {"Action": "CreateLaunchTemplate", "LaunchTemplateName": "abc"}
    parts = "<launchTemplateId>lt-1</launchTemplateId><launchTemplateName>abc</launchTemplateName>"
    made = [restored.call(first["Action"], first, f"<R><launchTemplate>{parts}</launchTemplate></R>".encode())]
    for number, named in ((2, {"LaunchTemplateId": "lt-1"}), (3, {"LaunchTemplateName": "abc"})):
        at = iso_time(FIRST + APART * (number - 1))
        body = f"<R><launchTemplateVersion>{version(number, at)}</launchTemplateVersion></R>".encode()
        sent = {"Action": "CreateLaunchTemplateVersion", **named}
        made.append(restored.call("CreateLaunchTemplateVersion", sent, body))
    items = "".join(f"<item>{version(number, iso_time(AGAIN))}</item>" for number in (3, 2, 1))
    body = f"<R><launchTemplateVersionSet>{items}</launchTemplateVersionSet></R>".encode()
    shown = restored.read("DescribeLaunchTemplateVersions", {"Action": "DescribeLaunchTemplateVersions"}, body)
    assert re.findall("Time>([^<]+)", shown) == [iso_time(each) for each in reversed(made)]


def test_a_profile_is_not_as_old_as_its_user() -> None:
    restored = Restored("iam", "query")

    def answer(name: str, thing: str, at: int) -> bytes:
        inner = f"<{thing}><UserName>1</UserName><CreateDate>{iso_time(at)}</CreateDate></{thing}>"
        return f"<{name}Response><{name}Result>{inner}</{name}Result></{name}Response>".encode()

    asked = {"UserName": "1"}
    call = {"Action": "CreateUser", **asked}
    user = restored.call("CreateUser", call, answer("CreateUser", "User", FIRST))
    call = {"Action": "CreateLoginProfile", **asked, "Password": "x"}
    profile = restored.call("CreateLoginProfile", call, answer("CreateLoginProfile", "LoginProfile", FIRST + APART))
    for thing, at in (("User", user), ("LoginProfile", profile)):
        read = f"Get{thing}"
        assert iso_time(at) in restored.read(read, {"Action": read, **asked}, answer(read, thing, AGAIN))


def test_a_change_tells_of_the_thing_and_not_of_what_that_refers_to() -> None:
    alarms = Restored("cloudwatch", "json")
    alarms.call("PutMetricAlarm", {"AlarmName": "1", "Namespace": "n", "MetricName": "m"}, {})
    state = alarms.call("SetAlarmState", {"AlarmName": "1", "StateValue": "ALARM", "StateReason": "r"}, {})
    shown = {"MetricAlarms": [{"AlarmName": "1", "MetricName": "m", "StateUpdatedTimestamp": AGAIN}]}
    assert alarms.read("DescribeAlarms", {}, shown)["MetricAlarms"][0]["StateUpdatedTimestamp"] == state
    tasks = Restored("ecs", "json")
    task = {"taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/1:1", "family": "1", "revision": 1}
    made = tasks.call("RegisterTaskDefinition", {"family": "1"}, {"taskDefinition": task})
    gone = tasks.call("DeregisterTaskDefinition", {"taskDefinition": "1:1"}, {"taskDefinition": task})
    again = {"taskDefinition": {**task, "registeredAt": AGAIN, "deregisteredAt": AGAIN}}
    shown = tasks.read("DescribeTaskDefinition", {"taskDefinition": "1:1"}, again)["taskDefinition"]
    assert (shown["registeredAt"], shown["deregisteredAt"]) == (made, gone)


def test_an_alias_keeps_its_date_when_it_is_given_another_key() -> None:
    restored = Restored("kms", "json")
    made = restored.call("CreateAlias", {"AliasName": "alias/1", "TargetKeyId": "key-a"}, {})
    changed = restored.call("UpdateAlias", {"AliasName": "alias/1", "TargetKeyId": "key-b"}, {})
    alias = {"AliasName": "alias/1", "AliasArn": "arn:aws:kms:us-east-1:000000000000:alias/1", "TargetKeyId": "key-b"}
    answer = {"Aliases": [{**alias, "CreationDate": AGAIN, "LastUpdatedDate": AGAIN}]}
    shown = restored.read("ListAliases", {}, answer)["Aliases"][0]
    assert (shown["CreationDate"], shown["LastUpdatedDate"]) == (made, changed)


def test_versions_of_a_secret_tell_when_each_was_made() -> None:
    """A version is called as the token that its client has drawn for the call, also that of a rotation."""
    restored = Restored("secretsmanager", "json")
    own = {"ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-AbCdEf", "Name": "s"}
    tokens = [f"{n}" * 36 for n in range(3)]
    made = [
        restored.call(operation, {member: "s", "ClientRequestToken": token}, {**own, "VersionId": token})
        for operation, member, token in zip(
            ("CreateSecret", "PutSecretValue", "RotateSecret"), ("Name", "SecretId", "SecretId"), tokens, strict=True
        )
    ]
    moved = {"SecretId": "s", "VersionStage": "A", "MoveToVersionId": tokens[0], "RemoveFromVersionId": tokens[1]}
    last = restored.call("UpdateSecretVersionStage", moved, own)
    for token, at in zip(tokens, made, strict=True):
        shown = restored.read("GetSecretValue", {"SecretId": "s"}, {**own, "VersionId": token, "CreatedDate": AGAIN})
        assert shown["CreatedDate"] == at
    versions = [{"VersionId": token, "CreatedDate": AGAIN} for token in tokens]
    listed = restored.read("ListSecretVersionIds", {"SecretId": "s"}, {**own, "Versions": versions})["Versions"]
    assert [each["CreatedDate"] for each in listed] == made
    secret = restored.read("DescribeSecret", {"SecretId": "s"}, {**own, "CreatedDate": AGAIN, "LastChangedDate": AGAIN})
    assert (secret["CreatedDate"], secret["LastChangedDate"]) == (made[0], last)


def test_what_changes_a_function_is_no_change_of_its_settings() -> None:
    restored = Restored("lambda", "rest-json")
    where = "/2019-09-25/functions/f/event-invoke-config"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    settings = {"FunctionArn": arn, "MaximumRetryAttempts": 1, "LastModified": AGAIN}
    put = restored.call("PutFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1}, settings, where)
    function = {"FunctionName": "f", "FunctionArn": arn, "LastModified": iso_time(AGAIN)}
    changed = restored.call("UpdateFunctionCode", {"ZipFile": ""}, function, "/2015-03-31/functions/f/code")
    assert restored.read("GetFunctionEventInvokeConfig", None, settings, where)["LastModified"] == put
    shown = restored.read("GetFunctionConfiguration", None, function, "/2015-03-31/functions/f/configuration")
    assert shown["LastModified"] == iso_time(changed)


def test_a_stage_is_made_by_the_deployment_that_names_it_first() -> None:
    """A later deployment, made since the restart, is not known: the stage is."""
    restored = Restored("apigateway", "rest-json")
    made = restored.call("CreateDeployment", {"stageName": "live"}, {"id": "dep1"}, "/restapis/api/deployments")
    stage = {"deploymentId": "dep2", "stageName": "live", "createdDate": AGAIN, "lastUpdatedDate": AGAIN}
    shown = restored.read("GetStages", None, {"item": [stage]}, "/restapis/api/stages")["item"][0]
    assert shown["createdDate"] == made


def test_parts_that_an_update_shows_first_are_of_that_update() -> None:
    """The service is named by a member that is called as the kind is."""
    restored = Restored("ecs", "json")
    name = "arn:aws:ecs:us-east-1:000000000000:service/c/s"
    own = {"serviceArn": name, "serviceName": "s", "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}

    def service(number: int) -> dict[str, Any]:
        parts = {"id": f"ecs-svc/{number}23456789012345678", "createdAt": AGAIN, "updatedAt": AGAIN}
        return {**own, "createdAt": AGAIN, "deployments": [parts]}

    made = restored.call("CreateService", {"cluster": "c", "serviceName": "s"}, {"service": service(1)})
    changed = restored.call("UpdateService", {"cluster": "c", "service": "s"}, {"service": service(2)})
    asked = {"cluster": "c", "services": ["s"]}
    for number, at in ((1, made), (2, changed)):
        shown = restored.read("DescribeServices", asked, {"services": [service(number)]})["services"][0]
        assert (shown["createdAt"], shown["deployments"][0]["createdAt"]) == (made, at)


def test_what_a_change_lets_a_thing_refer_to_was_not_changed() -> None:
    """The function that rotates a secret stands beside the date of the secret, which a later call has changed."""
    restored = Restored("secretsmanager", "json")
    arn, function = (
        f"arn:aws:{each}"
        for each in (f"{PLACE.format('secretsmanager')}:secret:s-AbCdEf", f"{PLACE.format('lambda')}:function:f")
    )
    restored.call("CreateSecret", {"Name": "s"}, {"ARN": arn, "Name": "s"})
    restored.call("RotateSecret", {"SecretId": "s", "RotationLambdaARN": function}, {"ARN": arn, "Name": "s"})
    changed = restored.call("PutSecretValue", {"SecretId": "s", "SecretString": "x"}, {"ARN": arn, "Name": "s"})
    secret = {"ARN": arn, "Name": "s", "RotationLambdaARN": function, "LastChangedDate": AGAIN}
    assert restored.read("DescribeSecret", {"SecretId": "s"}, secret)["LastChangedDate"] == changed


@pytest.mark.parametrize("operation", ["AdminConfirmSignUp", "AdminResetUserPassword", "AdminSetUserPassword"])
def test_a_change_that_its_name_does_not_tell_of_has_its_time_where_that_is_exact(operation: str) -> None:
    restored = Restored("cognito-idp", "json")
    up = restored.call("SignUp", {"ClientId": "c", "Username": "u"}, {"UserSub": "s"}, signed=False)
    user = {"UserPoolId": "us-east-1_a", "Username": "u"}
    changed = restored.call(operation, user, {}, after=0.5)

    def shown(modified: float) -> dict[str, float]:
        users = {"Users": [{"Username": "u", "UserCreateDate": AGAIN + 0.15, "UserLastModifiedDate": modified}]}
        found: dict[str, float] = restored.read("ListUsers", {"UserPoolId": "us-east-1_a"}, users)["Users"][0]
        return found

    assert round(shown(AGAIN + 0.65)["UserLastModifiedDate"]) == changed
    assert round(shown(AGAIN + 0.15)["UserLastModifiedDate"]) == up
    assert shown(AGAIN + 0.65)["UserCreateDate"] < changed - 1


@pytest.mark.parametrize("by_id", [False, True])
def test_an_executed_change_set_has_updated_its_stack(by_id: bool) -> None:
    restored = Restored("cloudformation", "query")
    known = {"Version": "2010-05-15", "StackName": "s", "ChangeSetName": "c"}
    drawn = f"arn:aws:{PLACE.format('cloudformation')}:changeSet/c/0-1"
    made = f"<CreateChangeSetResponse><CreateChangeSetResult><Id>{drawn}</Id></CreateChangeSetResult></CreateChangeSetResponse>"
    restored.call("CreateChangeSet", {"Action": "CreateChangeSet", **known}, made.encode())
    named = {"Version": "2010-05-15", "ChangeSetName": drawn} if by_id else known
    at = restored.call("ExecuteChangeSet", {"Action": "ExecuteChangeSet", **named}, b"<ExecuteChangeSetResponse/>")
    stack = (
        b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName><LastUpdatedTime>%s"
        b"</LastUpdatedTime></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
    again, first = (datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for each in (AGAIN, at))
    params = {"Action": "DescribeStacks", "Version": "2010-05-15"}
    assert restored.read("DescribeStacks", params, stack % again.encode()) == (stack % first.encode()).decode()


def test_what_a_creation_makes_in_itself_has_its_time_in_lists_of_it() -> None:
    """The execution of a job is listed beside its thing, which is older."""
    restored = Restored("iot", "rest-json")
    arn = f"arn:aws:{PLACE.format('iot')}:thing/t"
    restored.call("CreateThing", {}, {"thingName": "t", "thingArn": arn}, "/things/t", after=-0.5)
    at = restored.call("CreateJob", {"targets": [arn], "document": "{}"}, {"jobId": "j"}, "/jobs/j")
    summary = {"thingArn": arn, "jobExecutionSummary": {"status": "QUEUED", "queuedAt": AGAIN + 0.15}}
    shown = restored.read("ListJobExecutionsForJob", None, {"executionSummaries": [summary]}, "/jobs/j/things")
    assert round(shown["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"]) == at


def test_a_time_that_is_called_after_a_call_is_of_that_call() -> None:
    """Whole seconds do not tell the calls apart, and what is asked for is called after the trail."""
    restored, trail = Restored("cloudtrail", "json"), {"Name": "t"}
    restored.call("CreateTrail", {**trail, "S3BucketName": "b"}, {**trail, "S3BucketName": "b"})
    begun, ended = (restored.call(each, trail, {}) for each in ("StartLogging", "StopLogging"))
    shown = restored.read("GetTrailStatus", trail, {"StartLoggingTime": AGAIN, "StopLoggingTime": AGAIN})
    assert (shown["StartLoggingTime"], shown["StopLoggingTime"]) == (begun, ended)
    words = datetime.fromtimestamp(AGAIN, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert restored.read("GetTrailStatus", trail, {"TimeLoggingStopped": words}) == {"TimeLoggingStopped": at}


def test_what_goes_on_after_the_answer_to_an_update_is_of_that() -> None:
    restored = Restored("cloudformation", "query")
    known = {"Version": "2010-05-15", "StackName": "s"}
    restored.call("CreateStack", {"Action": "CreateStack", **known}, b"<CreateStackResponse/>")
    at = restored.call("UpdateStack", {"Action": "UpdateStack", **known}, b"<UpdateStackResponse/>", after=0.5)
    resource = (
        b"<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources><member><StackName>s</StackName>"
        b"<Timestamp>%s</Timestamp></member></StackResources></DescribeStackResourcesResult></DescribeStackResourcesResponse>"
    )
    again = datetime.fromtimestamp(AGAIN + 0.75, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    first = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    shown = restored.read(
        "DescribeStackResources", {"Action": "DescribeStackResources", **known}, resource % again.encode()
    )
    assert f"<Timestamp>{first}" in shown


SCHEMA = {"TableDescription": {"KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}]}}
STREAM = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}
STATEMENTS = {
    "Statements": [{"Statement": "INSERT INTO t VALUE {'k': 'a'}"}, {"Statement": "DELETE FROM t WHERE k='b'"}]
}
WRITES: list[tuple[str, dict[str, Any], list[tuple[str, bool]]]] = [
    ("PutItem", {"TableName": "t", "Item": {"k": {"S": "a"}, "v": {"N": "1"}}}, [("a", True)]),
    ("UpdateItem", {"TableName": "arn:aws:dynamodb:us-east-1:1:table/t", "Key": {"k": {"S": "a"}}}, [("a", True)]),
    ("DeleteItem", {"TableName": "t", "Key": {"k": {"S": "a"}}}, [("a", False)]),
    (
        "BatchWriteItem",
        {
            "RequestItems": {
                "t": [{"PutRequest": {"Item": {"k": {"S": "a"}}}}, {"DeleteRequest": {"Key": {"k": {"S": "b"}}}}],
                "other": [{"PutRequest": {"Item": {"k": {"S": "c"}}}}],
            }
        },
        [("a", True), ("b", False)],
    ),
    (
        "TransactWriteItems",
        {
            "TransactItems": [
                {"ConditionCheck": {"TableName": "t", "Key": {"k": {"S": "x"}}, "ConditionExpression": "c"}},
                {"Delete": {"TableName": "t", "Key": {"k": {"S": "b"}}}},
                {"Update": {"TableName": "t", "Key": {"k": {"S": "a"}}, "UpdateExpression": "SET v = :v"}},
            ]
        },
        [("b", False), ("a", True)],
    ),
    ("BatchExecuteStatement", STATEMENTS, [("a", True), ("b", False)]),
]


@pytest.mark.parametrize(("operation", "params", "expected"), WRITES, ids=[each[0] for each in WRITES])
def test_writes_of_items_are_known_where_their_table_has_a_stream(
    operation: str, params: dict[str, Any], expected: list[tuple[str, bool]]
) -> None:
    restored, without = Restored("dynamodb", "json"), Restored("dynamodb", "json")
    for each, options in ((restored, STREAM), (without, {})):
        each.call("CreateTable", {"TableName": "t", **options}, SCHEMA)
        each.call(operation, params, {})
        each.call("CreateTable", {"TableName": "later", **STREAM}, SCHEMA)
    assert restored.writes("t") == [(key_of({"k": {"S": name}}), creates, FIRST + APART) for name, creates in expected]
    assert restored.writes("other") == []
    assert without.writes("t") == []
