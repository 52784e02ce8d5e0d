"""A second stack in which everything hangs on something, and ways to break it that take nothing away as a whole.

What is broken is still there, and is other than recorded: switched off, turned to something else, narrowed. All of it is broken
at once behind the proxy's back; each break says what a diagnosis is to name.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

Client = Callable[[str], Any]

ACCOUNT = "000000000000"
_POLICY = {"Version": "2012-10-17"}


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({**_POLICY, "Statement": list(statements)})


def allow(**statement: Any) -> dict[str, Any]:
    return {"Effect": "Allow", **statement}


def trust(service: str) -> str:
    return document(allow(Principal={"Service": service}, Action="sts:AssumeRole"))


def packed(answer: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("m.py"), f"def handler(event, context):\n    return {answer!r}\n")
    return packed.getvalue()


WITHOUT_DOCKER = ("_make_functions", "_make_tables", "_make_users")
"""What LocalStack's community edition has not, where there is no Docker."""


def make(aws: Client, emulator: str = "moto", report: Callable[[str], object] | None = None) -> None:
    """Make the stack, through the proxy. report: told what an emulator refuses, instead of an error."""
    parts = (
        _make_queues,
        _make_role,
        _make_functions,
        _make_events,
        _make_keys,
        _make_tables,
        _make_users,
        _make_bucket,
    )
    without = WITHOUT_DOCKER if emulator == "localstack" else ()
    for part in (each for each in parts if each.__name__ not in without):
        try:
            part(aws)
        except ClientError as error:
            if report is None:
                raise
            report(f"{part.__name__}: {error}")


def _queue(aws: Client, name: str) -> str:
    return str(aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def _queue_arn(aws: Client, name: str) -> str:
    found = aws("sqs").get_queue_attributes(QueueUrl=_queue(aws, name), AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def _statement(sid: str, queue: str, source: str) -> dict[str, Any]:
    condition = {"ArnEquals": {"aws:SourceArn": source}}
    return allow(Sid=sid, Principal="*", Action="sqs:SendMessage", Resource=queue, Condition=condition)


def _make_queues(aws: Client) -> None:
    for name in ("failed", "jobs", "other"):
        aws("sqs").create_queue(QueueName=name)
    arn = _queue_arn(aws, "jobs")
    topics = [aws("sns").create_topic(Name=name)["TopicArn"] for name in ("bids", "asks")]
    policy = document(*(_statement(f"s{number}", arn, topic) for number, topic in enumerate(topics)))
    aws("sqs").set_queue_attributes(QueueUrl=_queue(aws, "jobs"), Attributes={"Policy": policy})
    wanted = {"FilterPolicy": json.dumps({"kind": ["large"]}), "RawMessageDelivery": "true"}
    aws("sns").subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=arn, Attributes=wanted)


def _make_role(aws: Client) -> None:
    aws("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))


def _make_functions(aws: Client) -> None:
    role = aws("iam").get_role(RoleName="runner")["Role"]
    layer = aws("lambda").publish_layer_version(LayerName="base", Content={"ZipFile": packed("layer")})
    aws("lambda").create_function(
        FunctionName="run",
        Runtime="python3.12",
        Role=role["Arn"],
        Handler="m.handler",
        Code={"ZipFile": packed("one")},
        Layers=[layer["LayerVersionArn"]],
        DeadLetterConfig={"TargetArn": _queue_arn(aws, "failed")},
    )
    aws("lambda").publish_version(FunctionName="run")
    aws("lambda").create_alias(FunctionName="run", Name="live", FunctionVersion="1")
    _permit(aws, "arn:aws:s3:::uploads-of-runner")
    aws("lambda").create_event_source_mapping(FunctionName="run", EventSourceArn=_queue_arn(aws, "jobs"), BatchSize=5)


def _permit(aws: Client, source: str) -> None:
    aws("lambda").add_permission(
        FunctionName="run",
        StatementId="from-bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=source,
    )


def _make_events(aws: Client) -> None:
    role = aws("iam").create_role(RoleName="caller", AssumeRolePolicyDocument=trust("events.amazonaws.com"))["Role"]
    aws("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    target = {"Id": "1", "Arn": _queue_arn(aws, "jobs"), "RoleArn": role["Arn"], "Input": '{"n": 1}'}
    aws("events").put_targets(Rule="hourly", Targets=[target])
    aws("events").put_rule(Name="resting", ScheduleExpression="rate(1 day)")
    aws("events").disable_rule(Name="resting")
    aws("logs").create_log_group(logGroupName="/jobs")
    aws("logs").put_retention_policy(logGroupName="/jobs", retentionInDays=7)
    aws("cloudwatch").put_metric_alarm(
        AlarmName="deep",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[aws("sns").create_topic(Name="bids")["TopicArn"]],
    )


def _make_keys(aws: Client) -> None:
    for name in ("disk", "ledger", "retired"):
        key = aws("kms").create_key(Description=name)["KeyMetadata"]["KeyId"]
        aws("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    aws("kms").disable_key(KeyId=_key(aws, "retired"))
    aws("secretsmanager").create_secret(Name="token", SecretString="hush")


def _key(aws: Client, name: str) -> str:
    aliases = aws("kms").list_aliases()["Aliases"]
    return str(next(each["TargetKeyId"] for each in aliases if each["AliasName"] == f"alias/{name}"))


def _make_tables(aws: Client) -> None:
    aws("dynamodb").create_table(
        TableName="bids",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    ttl = {"Enabled": True, "AttributeName": "until"}
    aws("dynamodb").update_time_to_live(TableName="bids", TimeToLiveSpecification=ttl)


def _make_users(aws: Client) -> None:
    arn = aws("lambda").get_function(FunctionName="run")["Configuration"]["FunctionArn"]
    aws("cognito-idp").create_user_pool(PoolName="people", LambdaConfig={"PostConfirmation": arn})


def _notification(queue: str, prefix: str) -> dict[str, Any]:
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    return {"QueueConfigurations": [{"Id": "n", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": rule}]}


def _make_bucket(aws: Client) -> None:
    aws("s3").create_bucket(Bucket="uploads-of-runner")
    told = _notification(_queue_arn(aws, "jobs"), "in/")
    aws("s3").put_bucket_notification_configuration(Bucket="uploads-of-runner", NotificationConfiguration=told)
    aws("s3").put_bucket_versioning(Bucket="uploads-of-runner", VersioningConfiguration={"Status": "Enabled"})
    policy = document(allow(Principal="*", Action="s3:GetObject", Resource="arn:aws:s3:::uploads-of-runner/*"))
    aws("s3").put_bucket_policy(Bucket="uploads-of-runner", Policy=policy)


NO_DOCKER = {"localstack": "functions need Docker"}
NOT_OFFERED = {"localstack": "not offered"}
NO_DYNAMODB = {"localstack": "needs DynamoDB Local"}


@dataclass(frozen=True)
class Turn:
    """A way to break the stack. link: what it breaks, as the documents call it.

    carry_out: breaks it; its argument makes clients of the emulator itself. type, members: of the findings. unable: emulators
    that cannot break it so, each with what they do. left: emulators on which it cannot be mended, each with the reason.
    shown_as: other members, by emulator.
    """

    link: str
    carry_out: Callable[[Client], Any]
    type: str
    members: tuple[str, ...] = ("",)
    unable: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    shown_as: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def findings(self, emulator: str) -> set[tuple[str, str]]:
        """What a diagnosis names on an emulator: type and member."""
        return {(self.type, member) for member in self.shown_as.get(emulator, self.members)}


def _function(aws: Client, operation: str, **parameters: Any) -> Any:
    return getattr(aws("lambda"), operation)(FunctionName="run", **parameters)


def _permit_another(aws: Client) -> None:
    _function(aws, "remove_permission", StatementId="from-bucket")
    _permit(aws, "arn:aws:s3:::a-bucket-of-somebody-else")


def _narrow_policy(aws: Client) -> None:
    found = aws("sqs").get_queue_attributes(QueueUrl=_queue(aws, "jobs"), AttributeNames=["Policy"])
    policy = json.loads(found["Attributes"]["Policy"])
    policy["Statement"] = policy["Statement"][:1]
    aws("sqs").set_queue_attributes(QueueUrl=_queue(aws, "jobs"), Attributes={"Policy": json.dumps(policy)})


def _filter_another(aws: Client) -> None:
    (subscription,) = aws("sns").list_subscriptions()["Subscriptions"]
    aws("sns").set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"kind": ["small"]}),
    )


def _stop_mapping(aws: Client) -> None:
    (mapping,) = aws("lambda").list_event_source_mappings()["EventSourceMappings"]
    aws("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def _delete_layer(aws: Client) -> None:
    aws("lambda").delete_layer_version(LayerName="base", VersionNumber=1)


def _say_less(aws: Client) -> None:
    (target,) = aws("events").list_targets_by_rule(Rule="hourly")["Targets"]
    aws("events").put_targets(Rule="hourly", Targets=[{**target, "Input": '{"n": 2}'}])


def _end_pool(aws: Client) -> None:
    (pool,) = aws("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    aws("cognito-idp").update_user_pool(UserPoolId=pool["Id"], LambdaConfig={})


def _notify_less(aws: Client) -> None:
    told = _notification(_queue_arn(aws, "jobs"), "out/")
    aws("s3").put_bucket_notification_configuration(Bucket="uploads-of-runner", NotificationConfiguration=told)


_SOURCE = "Statement.Condition.ArnEquals.aws:SourceArn"
_NUMBERED = "made again, it has another number"

TURNS = (
    Turn("permission -> another source", _permit_another, "AWS::Lambda::Permission", ("SourceArn",), unable=NO_DOCKER),
    Turn(
        "policy of a queue -> one of its statements",
        _narrow_policy,
        "AWS::SQS::Queue",
        (f"Attributes.Policy.{_SOURCE}",),
    ),
    Turn("subscription -> its filter", _filter_another, "AWS::SNS::Subscription", ("Attributes.FilterPolicy",)),
    Turn(
        "alias -> another version",
        lambda aws: _function(aws, "update_alias", Name="live", FunctionVersion="$LATEST"),
        "AWS::Lambda::Alias",
        ("FunctionVersion",),
        unable=NO_DOCKER,
    ),
    Turn("mapping switched off", _stop_mapping, "AWS::Lambda::EventSourceMapping", ("Enabled",), unable=NO_DOCKER),
    Turn(
        "function -> its layer",
        _delete_layer,
        "AWS::Lambda::LayerVersion",
        left={"moto": _NUMBERED, "ministack": _NUMBERED},
        unable=NO_DOCKER,
    ),
    Turn(
        "function -> its dead-letter queue",
        lambda aws: _function(
            aws, "update_function_configuration", DeadLetterConfig={"TargetArn": _queue_arn(aws, "other")}
        ),
        "AWS::Lambda::Function",
        ("DeadLetterConfig.TargetArn",),
        unable={**NO_DOCKER, "moto": "does not change it"},
    ),
    Turn(
        "function -> other code",
        lambda aws: _function(aws, "update_function_code", ZipFile=packed("two")),
        "AWS::Lambda::Function",
        ("Code",),
        unable=NO_DOCKER,
    ),
    Turn(
        "role -> its trust",
        lambda aws: aws("iam").update_assume_role_policy(RoleName="runner", PolicyDocument=trust("ec2.amazonaws.com")),
        "AWS::IAM::Role",
        ("AssumeRolePolicyDocument",),
    ),
    Turn("target of a rule -> its input", _say_less, "AWS::Events::Rule", ("Targets",)),
    Turn(
        "rule that was switched off, switched on",
        lambda aws: aws("events").enable_rule(Name="resting"),
        "AWS::Events::Rule",
        ("State",),
    ),
    Turn(
        "log group -> its retention",
        lambda aws: aws("logs").put_retention_policy(logGroupName="/jobs", retentionInDays=1),
        "AWS::Logs::LogGroup",
        ("retentionInDays",),
    ),
    Turn(
        "alarm -> its actions",
        lambda aws: aws("cloudwatch").disable_alarm_actions(AlarmNames=["deep"]),
        "AWS::CloudWatch::Alarm",
        ("ActionsEnabled",),
    ),
    Turn("key disabled", lambda aws: aws("kms").disable_key(KeyId=_key(aws, "disk")), "AWS::KMS::Key", ("KeyEnabled",)),
    Turn(
        "key waiting for its end",
        lambda aws: aws("kms").schedule_key_deletion(KeyId=_key(aws, "ledger")),
        "AWS::KMS::Key",
        ("KeyEnabled",),
    ),
    Turn(
        "secret waiting for its end",
        lambda aws: aws("secretsmanager").delete_secret(SecretId="token"),
        "AWS::SecretsManager::Secret",
        ("DeletedDate",),
    ),
    Turn(
        "table -> its stream",
        lambda aws: aws("dynamodb").update_table(TableName="bids", StreamSpecification={"StreamEnabled": False}),
        "AWS::DynamoDB::Table",
        ("StreamSpecification.StreamViewType",),
        shown_as={"ministack": ("StreamSpecification.StreamEnabled",)},
        left={"moto": "does not switch a stream on again"},
        unable=NO_DYNAMODB,
    ),
    Turn(
        "table -> the time to live of its items",
        lambda aws: aws("dynamodb").update_time_to_live(
            TableName="bids", TimeToLiveSpecification={"Enabled": False, "AttributeName": "until"}
        ),
        "AWS::DynamoDB::Table",
        ("TimeToLiveSpecification",),
        unable=NO_DYNAMODB,
    ),
    Turn(
        "user pool -> its trigger",
        _end_pool,
        "AWS::Cognito::UserPool",
        ("LambdaConfig.PostConfirmation",),
        unable=NOT_OFFERED,
    ),
    Turn(
        "bucket notification -> its filter",
        _notify_less,
        "AWS::S3::Bucket",
        ("NotificationConfiguration.QueueConfigurations",),
    ),
    Turn(
        "bucket -> its versioning",
        lambda aws: aws("s3").put_bucket_versioning(
            Bucket="uploads-of-runner", VersioningConfiguration={"Status": "Suspended"}
        ),
        "AWS::S3::Bucket",
        ("VersioningConfiguration.Status",),
    ),
    Turn(
        "bucket -> its policy",
        lambda aws: aws("s3").delete_bucket_policy(Bucket="uploads-of-runner"),
        "AWS::S3::Bucket",
        ("Policy",),
    ),
)


def table_lines(turns: Sequence[Turn] = TURNS) -> list[str]:
    """A table of docs/doctor.md: what each emulator was seen to do with each of these breaks."""
    titles = {"moto": "moto", "ministack": "MiniStack", "localstack": "LocalStack"}
    rows = [["what was changed", *titles.values()], ["--"] * (1 + len(titles))]
    for turn in turns:
        done = [
            turn.unable.get(each) or (f"named; {turn.left[each]}" if each in turn.left else "named, mended")
            for each in titles
        ]
        rows.append([turn.link, *done])
    return [f"| {' | '.join(row)} |" for row in rows]


if __name__ == "__main__":
    print("\n".join(table_lines()))
