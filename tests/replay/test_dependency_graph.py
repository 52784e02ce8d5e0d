"""Which calls of a restore wait for which, on calls that boto3 made against real emulators."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.order_table import is_about_trigger
from replay_proxy.replay.ordering.schedule import Schedule
from replay_proxy.replay.planning.plan import plan_of_records
from tests.replay.lab import Lab


class Made:
    """The graph of what a lab has recorded, asked by `service:Operation` and place among those."""

    def __init__(self, records: list[Record]) -> None:
        self.graph = plan_of_records(records, supersede=False).graph
        self._named: dict[str, list[int]] = {}
        for record in records:
            assert record.head is not None
            self._named.setdefault(f"{record.head.service}:{record.head.operation}", []).append(record.seq)

    def seq(self, name: str, place: int = 0) -> int:
        return self._named[name][place]

    def waits(self, later: str, earlier: str, place: int = 0, earlier_place: int = 0) -> bool:
        """Does one wait, directly or not, for the other?"""
        return self.seq(earlier, earlier_place) in self.graph.closure([self.seq(later, place)])


def test_calls_on_one_resource_keep_their_order_and_others_do_not_wait(lab: Lab) -> None:
    sqs = lab.client("sqs")
    one = sqs.create_queue(QueueName="one-queue")["QueueUrl"]
    other = sqs.create_queue(QueueName="other-queue")["QueueUrl"]
    sqs.send_message(QueueUrl=one, MessageBody="1")
    sqs.send_message(QueueUrl=other, MessageBody="2")
    sqs.send_message(QueueUrl=one, MessageBody="3")
    sqs.set_queue_attributes(QueueUrl=one, Attributes={"DelaySeconds": "1"})
    made = Made(lab.records)
    assert made.waits("sqs:SendMessage", "sqs:CreateQueue", 0, 0)
    assert made.waits("sqs:SendMessage", "sqs:SendMessage", 2, 0)
    assert not made.waits("sqs:SendMessage", "sqs:SendMessage", 2, 1)
    assert not made.waits("sqs:SendMessage", "sqs:CreateQueue", 0, 1)
    assert made.waits("sqs:SetQueueAttributes", "sqs:SendMessage", 0, 2)
    assert not made.waits("sqs:SetQueueAttributes", "sqs:SendMessage", 0, 1)


def test_objects_wait_for_their_bucket_and_their_key(lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="k", Body=b"1")
    s3.put_object(Bucket="a-bucket", Key="l", Body=b"2")
    s3.put_object(Bucket="a-bucket", Key="k", Body=b"3")
    s3.put_bucket_versioning(Bucket="a-bucket", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="a-bucket", Key="l", Body=b"4")
    s3.copy_object(Bucket="a-bucket", Key="m", CopySource="a-bucket/k")
    made = Made(lab.records)
    assert made.waits("s3:PutObject", "s3:PutObject", 2, 0)
    assert not made.waits("s3:PutObject", "s3:PutObject", 2, 1)
    assert made.waits("s3:PutBucketVersioning", "s3:PutObject", 0, 1)
    assert made.waits("s3:PutObject", "s3:PutBucketVersioning", 3)
    assert made.seq("s3:PutObject", 3) not in made.graph.predecessors(made.seq("s3:CopyObject"))
    assert made.waits("s3:CopyObject", "s3:PutObject", 0, 2)


def test_what_is_named_after_a_drawn_identifier_waits_for_it(lab: Lab) -> None:
    """In that name, too, the identifier will be another one."""
    drawn = lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", Tags=[{"Key": "for", "Value": drawn}])
    sqs, alarms, s3 = lab.client("sqs"), lab.client("cloudwatch"), lab.client("s3")
    sqs.create_queue(QueueName=drawn)
    sqs.create_queue(QueueName="a-queue")
    for _ in range(2):
        alarms.put_metric_alarm(
            AlarmName=drawn, MetricName="m", Namespace="n", Period=60, Threshold=1.0, Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1,
        )  # fmt: skip
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key=f"logs/{drawn}/1", Body=b"1")
    s3.put_object(Bucket="a-bucket", Key="logs", Body=drawn.encode())
    lab.client("logs").create_log_group(logGroupName=f"/aws/{drawn}")
    made = Made(lab.records)
    assert made.waits("sqs:CreateQueue", "ec2:CreateVpc")
    assert made.waits("cloudwatch:PutMetricAlarm", "ec2:CreateVpc", 0)
    assert made.waits("cloudwatch:PutMetricAlarm", "ec2:CreateVpc", 1)
    assert made.waits("s3:PutObject", "ec2:CreateVpc", 0)
    assert not made.waits("s3:PutObject", "ec2:CreateVpc", 1)
    assert made.waits("logs:CreateLogGroup", "ec2:CreateVpc")
    assert made.waits("iam:CreateRole", "ec2:CreateVpc")
    assert not made.waits("s3:CreateBucket", "ec2:CreateVpc")


def test_what_is_named_after_a_revision_waits_for_the_call_that_drew_it(lab: Lab) -> None:
    """It names nothing but the moment of a function, and is learned all the same."""
    if lab.emulator.name != "ministack":
        pytest.skip("moto shows no revisions of functions")
    functions, sqs = lab.client("lambda"), lab.client("sqs")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return 1")
    for name in ("f", "g"):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/r",
            Handler="index.handler",
            Code={"ZipFile": packed.getvalue()},
        )
    revision = functions.update_function_configuration(FunctionName="g", Description="2")["RevisionId"]
    sqs.create_queue(QueueName=revision)
    lab.client("sns").create_topic(Name="t", Tags=[{"Key": "of", "Value": f"revision {revision}"}])
    lab.client("logs").create_log_group(logGroupName="l", tags={"of": "no revision"})
    made = Made(lab.records)
    assert made.waits("sqs:CreateQueue", "lambda:UpdateFunctionConfiguration")
    assert made.waits("sns:CreateTopic", "lambda:UpdateFunctionConfiguration")
    assert not made.waits("logs:CreateLogGroup", "lambda:UpdateFunctionConfiguration")


def test_who_is_handed_a_drawn_secret_waits_for_it(lab: Lab) -> None:
    """It is another one after a restart, and translated in environment variables."""
    users, sns = lab.client("cognito-idp"), lab.client("sns")
    pool = users.create_user_pool(PoolName="p")["UserPool"]["Id"]
    made = users.create_user_pool_client(UserPoolId=pool, ClientName="c", GenerateSecret=True)
    secret = made["UserPoolClient"]["ClientSecret"]
    environment = [{"name": "CLIENT_SECRET", "value": secret}]
    lab.client("ecs").register_task_definition(
        family="t", containerDefinitions=[{"name": "w", "image": "i", "memory": 64, "environment": environment}]
    )
    sns.create_topic(Name="one", Tags=[{"Key": "secret", "Value": secret}])
    lab.client("logs").create_log_group(logGroupName="l", tags={"secret": "none"})
    graph = Made(lab.records)
    assert graph.waits("ecs:RegisterTaskDefinition", "cognito-idp:CreateUserPoolClient")
    assert graph.waits("sns:CreateTopic", "cognito-idp:CreateUserPoolClient")
    assert not graph.waits("logs:CreateLogGroup", "cognito-idp:CreateUserPoolClient")


def test_addresses_wait_for_the_network_that_they_were_drawn_for(lab: Lab) -> None:
    """A rule of another network names them; after a restart the network has other ones."""
    if lab.emulator.name != "moto":
        pytest.skip("MiniStack provides no IPv6 blocks")
    ec2 = lab.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=other)["GroupId"]
    ec2.create_vpc(CidrBlock="10.2.0.0/16")
    vpc = ec2.create_vpc(CidrBlock="10.3.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    inside = f"{block.partition('::')[0]}::1/128"
    for ranges in ({"Ipv6Ranges": [{"CidrIpv6": inside}]}, {"Ipv6Ranges": [{"CidrIpv6": "2001:db8::/64"}]}):
        rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2} | ranges
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    made = Made(lab.records)
    assert made.waits("ec2:AuthorizeSecurityGroupIngress", "ec2:CreateVpc", 0, 2)
    assert not made.waits("ec2:CreateSecurityGroup", "ec2:CreateVpc", 0, 2)


def test_what_is_scaled_waits_for_its_service_each_time(lab: Lab) -> None:
    """`service/CLUSTER/NAME` is known to application-autoscaling by then, and is one of ECS all the same."""
    if lab.emulator.name != "moto":
        pytest.skip("MiniStack has no application-autoscaling")
    ecs, scaling = lab.client("ecs"), lab.client("application-autoscaling")
    scaled = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceId": "service/c/s"}
    for _ in range(2):
        ecs.create_cluster(clusterName="c")
        ecs.register_task_definition(family="t", containerDefinitions=[{"name": "w", "image": "i", "memory": 64}])
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="t", desiredCount=0)
        scaling.register_scalable_target(MinCapacity=0, MaxCapacity=2, **scaled)
        scaling.deregister_scalable_target(**scaled)
        ecs.delete_service(cluster="c", service="s", force=True)
        ecs.delete_cluster(cluster="c")
    made = Made(lab.records)
    for place in (0, 1):
        assert made.waits("application-autoscaling:RegisterScalableTarget", "ecs:CreateService", place, place)


def test_what_is_named_after_a_message_waits_for_it(lab: Lab) -> None:
    """What data is told by is drawn, too, and may be a name or a label."""
    sqs = lab.client("sqs")
    url = sqs.create_queue(QueueName="a-queue")["QueueUrl"]
    single = sqs.send_message(QueueUrl=url, MessageBody="1")["MessageId"]
    together = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "prod", "MessageBody": "2"}])["Successful"][0]
    sqs.create_queue(QueueName=together["MessageId"])
    sqs.create_queue(QueueName="prod")
    lab.client("secretsmanager").create_secret(Name=f"for/{single}", SecretString="s")
    lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", Tags=[{"Key": "for", "Value": single}])
    made = Made(lab.records)
    assert made.waits("sqs:CreateQueue", "sqs:SendMessageBatch", 1)
    assert made.waits("secretsmanager:CreateSecret", "sqs:SendMessage")
    assert made.waits("iam:CreateRole", "sqs:SendMessage")
    assert not made.graph.predecessors(made.seq("sqs:CreateQueue", 2)) - {made.seq("sqs:CreateQueue", 1)}


def test_a_copy_waits_for_its_source_however_its_name_is_spelt(lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="of what? ü", Body=b"1")
    s3.copy_object(Bucket="a-bucket", Key="copy", CopySource={"Bucket": "a-bucket", "Key": "of what? ü"})
    s3.delete_object(Bucket="a-bucket", Key="of what? ü")
    made = Made(lab.records)
    assert made.waits("s3:CopyObject", "s3:PutObject")
    assert made.waits("s3:DeleteObject", "s3:CopyObject")


def test_a_function_waits_for_its_role_and_for_the_object_that_holds_its_code(lab: Lab) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return 1")
    s3, trust = lab.client("s3"), {"Service": "lambda.amazonaws.com"}
    s3.create_bucket(Bucket="a-bucket")
    statement = {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    s3.put_object(Bucket="a-bucket", Key="code", Body=packed.getvalue())
    lab.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"S3Bucket": "a-bucket", "S3Key": "code"},
    )
    s3.delete_object(Bucket="a-bucket", Key="code")
    made = Made(lab.records)
    assert made.waits("lambda:CreateFunction", "iam:CreateRole")
    assert made.waits("lambda:CreateFunction", "s3:PutObject")
    assert made.waits("s3:DeleteObject", "lambda:CreateFunction")


def test_an_object_that_is_copied_onto_itself_waits_for_no_copy(lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="k", Body=b"1")
    s3.copy_object(
        Bucket="a-bucket", Key="k", CopySource="a-bucket/k", MetadataDirective="REPLACE", Metadata={"a": "1"}
    )
    graph = plan_of_records(lab.records).graph
    assert 3 not in graph.predecessors(3)
    assert 2 in graph.predecessors(3)


def test_items_wait_for_their_table_and_their_key(lab: Lab) -> None:
    dynamodb = lab.client("dynamodb")
    dynamodb.create_table(
        TableName="a-table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number, value in (("1", "a"), ("2", "b"), ("1.0", "c")):
        dynamodb.put_item(TableName="a-table", Item={"id": {"N": number}, "v": {"S": value}})
    made = Made(lab.records)
    assert made.waits("dynamodb:PutItem", "dynamodb:CreateTable", 1)
    assert made.waits("dynamodb:PutItem", "dynamodb:PutItem", 2, 0)
    assert not made.waits("dynamodb:PutItem", "dynamodb:PutItem", 2, 1)


def test_what_is_only_mentioned_comes_first(lab: Lab) -> None:
    """In an ARN in a policy, in another service, under an identifier that the emulator made."""
    key = lab.client("kms").create_key()["KeyMetadata"]["KeyId"]
    lab.client("kms").create_key()
    queue = lab.client("sqs").create_queue(QueueName="mentioned-queue")["QueueUrl"]
    arn = lab.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="with-key")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="with-key", ServerSideEncryptionConfiguration={"Rules": [rule]})
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": arn}
    lab.client("iam").create_policy(
        PolicyName="p-of-queue", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    made = Made(lab.records)
    assert made.waits("s3:PutBucketEncryption", "kms:CreateKey", 0, 0)
    assert not made.waits("s3:PutBucketEncryption", "sqs:CreateQueue")
    assert made.waits("iam:CreatePolicy", "sqs:CreateQueue")
    assert not made.waits("iam:CreatePolicy", "kms:CreateKey")


def test_a_name_of_one_letter_is_a_name(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    iam.add_user_to_group(UserName="u", GroupName="g")
    made = Made(lab.records)
    assert made.waits("iam:AddUserToGroup", "iam:CreateUser")
    assert made.waits("iam:AddUserToGroup", "iam:CreateGroup")
    assert not made.waits("iam:CreateGroup", "iam:CreateUser")


@pytest.mark.parametrize("name", ["my-queue-1", "db-primary-1", "q", "12", "us-east-1"])
def test_what_a_name_looks_like_does_not_matter(lab: Lab, name: str) -> None:
    sqs, dynamodb = lab.client("sqs"), lab.client("dynamodb")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "77"})
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    key = {"AttributeName": "id", "KeyType": "HASH"}
    attribute = {"AttributeName": "id", "AttributeType": "S"}
    table = f"{name}-table"
    dynamodb.create_table(
        TableName=table, KeySchema=[key], AttributeDefinitions=[attribute], BillingMode="PAY_PER_REQUEST"
    )
    dynamodb.put_item(TableName=table, Item={"id": {"S": "x"}})
    made = Made(lab.records)
    assert made.waits("sqs:SetQueueAttributes", "sqs:CreateQueue")
    assert made.waits("sqs:SendMessage", "sqs:SetQueueAttributes")
    assert made.waits("dynamodb:PutItem", "dynamodb:CreateTable")


def test_a_service_waits_for_the_revision_that_its_task_definition_had(lab: Lab) -> None:
    ecs = lab.client("ecs")
    ecs.create_cluster(clusterName="dev")
    for image in ("x:1", "x:2"):
        for family in ("web", "job"):
            ecs.register_task_definition(
                family=family, containerDefinitions=[{"name": "w", "image": image, "memory": 64}]
            )
    for service, task in (("one", "web"), ("two", "web:1"), ("three", "job")):
        ecs.create_service(cluster="dev", serviceName=service, taskDefinition=task, desiredCount=0)
    ecs.register_task_definition(family="web", containerDefinitions=[{"name": "w", "image": "x:3", "memory": 64}])
    made = Made(lab.records)
    assert made.waits("ecs:CreateService", "ecs:RegisterTaskDefinition", 0, 2)
    assert made.waits("ecs:CreateService", "ecs:RegisterTaskDefinition", 1, 0)
    assert made.waits("ecs:CreateService", "ecs:RegisterTaskDefinition", 2, 3)
    assert made.waits("ecs:RegisterTaskDefinition", "ecs:CreateService", 4, 0)


def test_one_name_in_two_services_ties_nothing_together(lab: Lab) -> None:
    lab.client("sqs").create_queue(QueueName="everything-app")
    lab.client("sns").create_topic(Name="everything-app")
    lab.client("logs").create_log_group(logGroupName="everything-app")
    made = Made(lab.records)
    assert not made.waits("sns:CreateTopic", "sqs:CreateQueue")
    assert not made.waits("logs:CreateLogGroup", "sqs:CreateQueue")


def test_triggers_come_after_the_data_that_they_would_react_to(lab: Lab) -> None:
    sqs, s3, sns = lab.client("sqs"), lab.client("s3"), lab.client("sns")
    queue = sqs.create_queue(QueueName="told-queue")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="telling-bucket")
    s3.create_bucket(Bucket="silent-bucket")
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="telling-bucket", NotificationConfiguration=told)
    topic = sns.create_topic(Name="told-topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3.put_object(Bucket="telling-bucket", Key="k", Body=b"1")
    s3.put_object(Bucket="silent-bucket", Key="k", Body=b"1")
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    made = Made(lab.records)
    assert made.waits("s3:PutBucketNotificationConfiguration", "s3:PutObject", 0, 0)
    assert not made.waits("s3:PutBucketNotificationConfiguration", "s3:PutObject", 0, 1)
    assert made.waits("sns:Subscribe", "sqs:SendMessage")
    assert made.graph.late == {made.seq("s3:PutBucketNotificationConfiguration"), made.seq("sns:Subscribe")}


def test_neither_settings_nor_reads_after_a_trigger_keep_data_behind_it(lab: Lab) -> None:
    """Data that waited for tags, versioning or a read would be put after the notification, and set it off once more."""
    sqs, s3 = lab.client("sqs"), lab.client("s3")
    queue = sqs.create_queue(QueueName="told-again")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="telling-again")
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="telling-again", NotificationConfiguration=told)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_bucket_tagging(Bucket="telling-again", Tagging=tags)
    s3.put_bucket_versioning(Bucket="telling-again", VersioningConfiguration={"Status": "Enabled"})
    s3.get_bucket_notification_configuration(Bucket="telling-again")
    s3.put_object(Bucket="telling-again", Key="k", Body=b"1")
    s3.delete_object(Bucket="telling-again", Key="k")
    s3.delete_bucket_tagging(Bucket="telling-again")
    s3.put_object(Bucket="telling-again", Key="later", Body=b"1")
    made = Made(lab.records)
    trigger = "s3:PutBucketNotificationConfiguration"
    assert not made.waits("s3:PutObject", trigger)
    assert made.waits(trigger, "s3:PutObject")
    assert made.waits("s3:PutObject", "s3:PutBucketVersioning")
    assert not made.waits("s3:DeleteBucketTagging", trigger)
    assert made.waits(trigger, "s3:PutObject", 0, 1)


KINDS = {"CreateVpc": RecordKind.WITNESS}
"""What stands for a read below: the lab records no reads."""


def test_a_read_waits_for_what_another_service_may_have_made(lab: Lab) -> None:
    """Nothing in it tells who has made what it is the first to show."""
    ecs, ec2 = lab.client("ecs"), lab.client("ec2")
    ecs.create_cluster(clusterName="before")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    ecs.create_cluster(clusterName="later")
    ec2.create_key_pair(KeyName="k")
    made = Made([replace(each, kind=KINDS.get(each.head.operation, each.kind)) for each in lab.records if each.head])
    first, read, later, _ = made.graph.order
    schedule = Schedule(made.graph)
    assert [schedule.take(), schedule.take(), schedule.take()] == [first, None, None], (
        "the second cluster comes after the first"
    )
    schedule.done(first)
    assert {schedule.take(), schedule.take()} == {read, later}
    assert made.graph.closure([read]) == {read}, "it needs no cluster where a part is restored"
    assert made.waits("ec2:CreateKeyPair", "ec2:CreateVpc")


def test_what_no_trigger_needs_waits_for_a_read_that_shows_the_trigger(lab: Lab) -> None:
    """The read would show what was changed later, and a permission that was taken back would be told as lost."""
    events, sqs = lab.client("events"), lab.client("sqs")
    queue = sqs.create_queue(QueueName="target")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="telling", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule="telling", Targets=[{"Id": "t", "Arn": arn}])
    events.put_permission(Action="events:PutEvents", Principal="111111111111", StatementId="granted")
    events.disable_rule(Name="telling")
    events.enable_rule(Name="telling")
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    events.remove_permission(StatementId="granted")
    witness = {"EnableRule": RecordKind.WITNESS}
    made = Made([replace(each, kind=witness.get(each.head.operation, each.kind)) for each in lab.records if each.head])
    trigger, read = "events:PutTargets", "events:EnableRule"
    assert made.waits(read, trigger)
    assert made.waits("events:RemovePermission", read)
    assert made.waits(trigger, "sqs:SendMessage")
    assert made.seq("events:RemovePermission") in made.graph.late


def test_an_ending_of_something_else_does_not_keep_data_behind_a_trigger(lab: Lab) -> None:
    """A stream that was deleted and made anew, under the name of its group even, is no end of the group's filter."""
    logs, iam, functions = lab.client("logs"), lab.client("iam"), lab.client("lambda")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": b"PK\x05\x06" + bytes(18)}
    function = functions.create_function(FunctionName="f", Role=role, Code=code, Runtime="python3.12", Handler="a.b")[
        "FunctionArn"
    ]
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="g")
    logs.put_subscription_filter(logGroupName="g", filterName="x", filterPattern="", destinationArn=function)
    logs.delete_log_stream(logGroupName="g", logStreamName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="g")
    logs.put_log_events(logGroupName="g", logStreamName="g", logEvents=[{"timestamp": 1, "message": "m"}])
    logs.delete_log_group(logGroupName="g")
    made = Made(lab.records)
    trigger = "logs:PutSubscriptionFilter"
    assert made.waits("logs:DeleteLogStream", "logs:CreateLogStream", 0, 0)
    assert made.waits("logs:CreateLogStream", "logs:DeleteLogStream", 1, 0)
    assert not made.waits("logs:PutLogEvents", trigger)
    assert made.waits(trigger, "logs:PutLogEvents")
    assert made.waits("logs:DeleteLogGroup", trigger), "with its group the filter is gone"


def test_an_arn_in_an_answer_is_no_resource_of_another_service_with_that_name(lab: Lab) -> None:
    """The stream `1` is not the function `1`: what is done with that need not wait for the mapping of the stream."""
    iam, functions, kinesis = lab.client("iam"), lab.client("lambda"), lab.client("kinesis")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": b"PK\x05\x06" + bytes(18)}
    for name in ("f", "1"):
        functions.create_function(FunctionName=name, Role=role, Code=code, Runtime="python3.12", Handler="a.b")
    kinesis.create_stream(StreamName="1", ShardCount=1)
    stream = kinesis.describe_stream(StreamName="1")["StreamDescription"]
    functions.create_event_source_mapping(
        FunctionName="f", EventSourceArn=stream["StreamARN"], StartingPosition="TRIM_HORIZON"
    )
    functions.put_function_concurrency(FunctionName="1", ReservedConcurrentExecutions=1)
    kinesis.put_record(StreamName="1", PartitionKey="z", Data=b"m")
    made = Made(lab.records)
    mapping = "lambda:CreateEventSourceMapping"
    assert not made.waits("lambda:PutFunctionConcurrency", mapping)
    assert made.waits(mapping, "kinesis:PutRecord")


@pytest.mark.parametrize(
    ("trigger", "call", "comes_after"),
    [
        ("logs:PutSubscriptionFilter", "logs:DeleteSubscriptionFilter", True),
        ("logs:PutSubscriptionFilter", "logs:DeleteRetentionPolicy", False),
        ("s3:PutBucketNotificationConfiguration", "s3:DeleteBucket", True),
        ("s3:PutBucketReplication", "s3:DeleteBucketReplication", True),
        ("s3:PutBucketReplication", "s3:DeleteBucketPolicy", False),
        ("sns:Subscribe", "sns:Unsubscribe", True),
        ("sns:Subscribe", "sns:DeleteTopic", True),
        ("sns:Subscribe", "sqs:DeleteQueue", True),
        ("events:PutTargets", "events:RemoveTargets", True),
        ("events:PutTargets", "events:DeleteRule", True),
        ("events:PutTargets", "events:DisableRule", True),
        ("lambda:CreateEventSourceMapping", "lambda:DeleteFunction", True),
        ("lambda:CreateEventSourceMapping", "lambda:DeleteAlias", True),
        ("lambda:CreateEventSourceMapping", "lambda:DeleteFunctionConcurrency", False),
        ("lambda:CreateEventSourceMapping", "dynamodb:DeleteTable", True),
        ("lambda:CreateEventSourceMapping", "kinesis:DeleteStream", True),
        ("lambda:CreateEventSourceMapping", "kinesis:DeregisterStreamConsumer", True),
        ("lambda:CreateEventSourceMapping", "sqs:RemovePermission", False),
        ("autoscaling:PutScheduledUpdateGroupAction", "autoscaling:DeleteAutoScalingGroup", True),
        ("autoscaling:PutScheduledUpdateGroupAction", "autoscaling:DeletePolicy", False),
        ("dynamodb:EnableKinesisStreamingDestination", "dynamodb:DeleteTable", True),
    ],
)
def test_what_ends_a_trigger_comes_after_it(trigger: str, call: str, comes_after: bool) -> None:
    service, _, operation = call.partition(":")
    of_trigger = (trigger.partition(":")[0], trigger.partition(":")[2])
    assert is_about_trigger((service, operation), of_trigger, reads=False) is comes_after


def test_what_is_said_of_a_resource_of_another_service_keeps_its_order(lab: Lab) -> None:
    """Each association of a balancer with a web ACL takes the place of the last one."""
    ec2, elbv2, waf = lab.client("ec2"), lab.client("elbv2"), lab.client("wafv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{each}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for each, zone in enumerate("ab")
    ]
    balancers = [
        elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        for name in ("one", "two")
    ]
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "m"}
    acls = [
        waf.create_web_acl(Name=name, Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen)["Summary"][
            "ARN"
        ]
        for name in ("a", "b")
    ]
    for acl, balancer in ((0, 0), (1, 0), (0, 1)):
        waf.associate_web_acl(WebACLArn=acls[acl], ResourceArn=balancers[balancer])
    made = Made(lab.records)
    assert made.waits("wafv2:AssociateWebACL", "wafv2:AssociateWebACL", 1, 0)
    assert made.waits("wafv2:AssociateWebACL", "elbv2:CreateLoadBalancer", 2, 1)
    assert not made.waits("wafv2:AssociateWebACL", "wafv2:AssociateWebACL", 2, 1)


@pytest.mark.parametrize("other_kind", [False, True])
def test_a_name_is_free_again_when_its_holder_is_deleted(lab: Lab, other_kind: bool) -> None:
    """The deletion names it by an ARN with the name in the middle; the next creation says the name alone."""
    ec2, elbv2 = lab.client("ec2"), lab.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    if other_kind:
        elbv2.create_target_group(Name="shop", Protocol="HTTP", Port=80, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{each}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for each, zone in enumerate("ab")
    ]
    first = elbv2.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    elbv2.delete_load_balancer(LoadBalancerArn=first)
    elbv2.create_load_balancer(Name="shop", Subnets=subnets)
    made = Made(lab.records)
    assert made.waits("elbv2:CreateLoadBalancer", "elbv2:DeleteLoadBalancer", 1, 0)
    assert made.waits("elbv2:DeleteLoadBalancer", "elbv2:CreateLoadBalancer", 0, 0)


def test_a_name_is_free_again_when_its_holder_is_deleted_by_its_id(lab: Lab) -> None:
    """An interface may still name the group, so that its deletion stays in the plan."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for name in ("shop", "other"):
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)
    group = ec2.create_security_group(GroupName="a-shop", Description="d", VpcId=vpc)["GroupId"]
    ec2.delete_security_group(GroupId=group)
    ec2.create_security_group(GroupName="other-shop", Description="d", VpcId=vpc)
    ec2.create_security_group(GroupName="a-shop", Description="d", VpcId=vpc)
    made = Made(lab.records)
    assert made.waits("ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", 4)
    assert not made.waits("ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", 3)


def test_what_is_subscribed_again_waits_for_the_end_of_the_subscription(lab: Lab) -> None:
    """Before that, it would be taken for the same one, and end with it."""
    sqs, sns = lab.client("sqs"), lab.client("sns")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="telling")["TopicArn"]
    for _ in range(2):
        arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
        sns.unsubscribe(SubscriptionArn=arn)
    made = Made(lab.records)
    assert made.waits("sns:Subscribe", "sns:Unsubscribe", 1, 0)
    assert made.waits("sns:Unsubscribe", "sns:Subscribe", 1, 1)


def test_a_token_is_free_again_when_what_it_stood_for_is_deleted(lab: Lab) -> None:
    """An access point may still name the file system, so that its deletion stays in the plan."""
    efs = lab.client("efs")
    system = efs.create_file_system(CreationToken="shop")["FileSystemId"]
    efs.create_access_point(ClientToken="shop", FileSystemId=system)
    efs.delete_file_system(FileSystemId=system)
    efs.create_file_system(CreationToken="other")
    efs.create_file_system(CreationToken="shop")
    made = Made(lab.records)
    assert made.waits("efs:CreateFileSystem", "efs:DeleteFileSystem", 2)
    assert not made.waits("efs:CreateFileSystem", "efs:DeleteFileSystem", 1)


def test_creations_of_one_kind_are_made_in_turn_and_need_not_be_done(lab: Lab) -> None:
    sqs = lab.client("sqs")
    for name in ("one-queue", "two-queue", "three-queue"):
        sqs.create_queue(QueueName=name)
    made = Made(lab.records)
    assert made.graph.following == {2: 1, 3: 2}
    schedule = Schedule(made.graph)
    assert (schedule.take(), schedule.take()) == (1, None)
    schedule.answered(1)
    assert (schedule.take(), schedule.take()) == (2, None)
    schedule.done(2)
    assert schedule.take() == 3


def test_what_stands_in_one_list_is_made_in_turn_by_whatever_calls(lab: Lab) -> None:
    cognito = lab.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c")["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="first")
    cognito.sign_up(ClientId=client, Username="second", Password="Perm123!x")
    cognito.admin_create_user(UserPoolId=pool, Username="third")
    lab.client("sqs").create_queue(QueueName="q")
    made = Made(lab.records)
    assert made.waits("cognito-idp:SignUp", "cognito-idp:AdminCreateUser", 0, 0)
    assert made.waits("cognito-idp:AdminCreateUser", "cognito-idp:SignUp", 1, 0)
    assert not made.waits("sqs:CreateQueue", "cognito-idp:CreateUserPool")


@pytest.mark.parametrize("name", ["7", "web", "us-east-1"])
def test_a_label_that_says_what_it_is_put_on_waits_for_that(lab: Lab, name: str) -> None:
    scaling = lab.client("autoscaling")
    lab.client("ec2").create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t2.micro"}
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": "template"},
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    label = {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": "k",
        "Value": "v",
        "PropagateAtLaunch": True,
    }
    scaling.create_or_update_tags(Tags=[label])
    made = Made(lab.records)
    assert made.waits("autoscaling:CreateOrUpdateTags", "autoscaling:CreateAutoScalingGroup")


def test_nothing_runs_beside_a_stack(lab: Lab) -> None:
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-the-stack"}}}}
    sqs = lab.client("sqs")
    sqs.create_queue(QueueName="before-it")
    lab.client("cloudformation").create_stack(StackName="one-stack", TemplateBody=json.dumps(template))
    url = sqs.get_queue_url(QueueName="of-the-stack")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    lab.client("ssm").put_parameter(Name="/after/it", Value="v", Type="String")
    made = Made(lab.records)
    assert made.waits("cloudformation:CreateStack", "sqs:CreateQueue")
    assert made.waits("sqs:SendMessage", "cloudformation:CreateStack")
    assert made.waits("ssm:PutParameter", "cloudformation:CreateStack")


@st.composite
def graphs(draw: st.DrawFn) -> DependencyGraph:
    """Calls that wait for earlier ones, and joins among them."""
    graph = DependencyGraph()
    joins = 0
    for seq in range(1, draw(st.integers(1, 30)) + 1):
        earlier = [*graph.order, *range(-joins, 0)]
        if earlier and draw(st.booleans()):
            joins += 1
            graph.before[-joins] = tuple(draw(st.sets(st.sampled_from(earlier), max_size=4)))
            earlier.append(-joins)
        graph.before[seq] = tuple(draw(st.sets(st.sampled_from(earlier), max_size=4))) if earlier else ()
        calls = [other for other in graph.before[seq] if other > 0]
        if calls and draw(st.booleans()):
            graph.following[seq] = draw(st.sampled_from(calls))
        graph.order.append(seq)
        graph.services[seq] = "s"
    return graph


@given(graphs(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_every_call_is_handed_out_once_after_all_that_it_waits_for(
    graph: DependencyGraph, random: Random, at_once: int
) -> None:
    finished = _worked_off(Schedule(graph), graph, set(), random, at_once)
    assert finished == set(graph.order)


@given(graphs(), st.randoms(use_true_random=False), st.data())
def test_a_part_is_made_before_the_rest(graph: DependencyGraph, random: Random, data: st.DataObject) -> None:
    part = graph.closure(data.draw(st.sets(st.sampled_from(graph.order))))
    finished = _worked_off(Schedule(graph, part), graph, set(), random, 2)
    assert finished == part
    rest = set(graph.order) - part
    assert _worked_off(Schedule(graph, rest), graph, finished, random, 2) == set(graph.order)


def _worked_off(
    schedule: Schedule, graph: DependencyGraph, finished: set[int], random: Random, at_once: int
) -> set[int]:
    finished, under_way, answered = set(finished), list[int](), set[int]()
    while schedule.remaining:
        seq = schedule.take() if len(under_way) < at_once else None
        if seq is None:
            one = random.choice(under_way)
            if one not in answered and random.random() < 0.5:
                answered.add(one)
                schedule.answered(one)
                continue
            under_way.remove(one)
            finished.add(one)
            schedule.done(one)
            continue
        followed = graph.following.get(seq)
        missing = graph.predecessors(seq) - finished
        assert missing <= ({followed} & answered), "of the one that it follows, the answer is enough"
        assert seq not in finished
        under_way.append(seq)
    return finished


def test_the_earliest_is_handed_out_first() -> None:
    graph = DependencyGraph([3, 1, 2], {1: (), 2: (), 3: ()}, set(), {1: "s", 2: "s", 3: "s"})
    schedule = Schedule(graph)
    assert _all(schedule) == [3, 1, 2]


def _all(schedule: Schedule) -> Iterable[int]:
    taken = []
    while (seq := schedule.take()) is not None:
        taken.append(seq)
        schedule.done(seq)
    return taken


def test_a_trigger_waits_for_data_that_comes_after_a_stack(lab: Lab) -> None:
    s3, sqs, stacks = lab.client("s3"), lab.client("sqs"), lab.client("cloudformation")
    template = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    for name in ("one", "two"):
        s3.create_bucket(Bucket=name)
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)
    stacks.create_stack(StackName="first", TemplateBody=template)
    s3.put_object(Bucket="one", Key="k", Body=b"1")
    s3.put_bucket_notification_configuration(Bucket="two", NotificationConfiguration={})
    stacks.create_stack(StackName="second", TemplateBody=template)
    s3.put_object(Bucket="one", Key="l", Body=b"1")
    s3.put_object(Bucket="two", Key="k", Body=b"1")
    made = Made(lab.records)
    notify, put, stack = "s3:PutBucketNotificationConfiguration", "s3:PutObject", "cloudformation:CreateStack"
    assert all(made.waits(notify, put, 0, each) for each in (0, 1))
    assert made.waits(notify, notify, 2, 1)
    assert made.waits(stack, "s3:CreateBucket", 0, 1)
    assert all(made.waits(put, stack, place, each) for place, each in ((0, 0), (1, 1), (2, 1)))
    assert not made.waits(stack, notify, 1, 0)
