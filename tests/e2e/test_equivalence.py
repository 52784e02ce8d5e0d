"""A compacted history restores the state that was: random histories on real emulators, read back through the API.

Four states are compared: the one after the history, the one after replaying all of it, the one after replaying what
compaction kept, and the one after replaying that in another order, any that the graph of the restore allows. (Queues are
compared with the state after the history only: a replay of everything cannot delete messages, because receipts do not
outlive a restart.)

EQUIVALENCE_EXAMPLES: histories for each service and emulator, more than the default for a thorough run.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.replay.lab import Lab
from tests.support.histories import ACCOUNTS, LIMIT, Step, check, histories
from tests.support.histories import lab as lab
from tests.support.processes import amount

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(LIMIT)]


# -- queues ------------------------------------------------------------------------------------------------------------

QUEUES = ("plain", "plain", "steps.fifo", "steps.fifo")


def do_queues(lab: Lab, step: Step) -> None:
    sqs, (operation, which, more, value) = lab.client("sqs"), step
    name = QUEUES[which]
    fifo = name.endswith(".fifo")

    def entry(number: int) -> dict[str, Any]:
        body: dict[str, Any] = {"MessageBody": f"{value}{number}"}
        if fifo:
            body |= {
                "MessageGroupId": f"g{more % 2}",
                "MessageDeduplicationId": f"{len(lab.records)}-{number}",
            }
        return body

    if operation == "create":
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})
        return
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    match operation:
        case "send":
            sqs.send_message(QueueUrl=url, **entry(0))
        case "batch":
            sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), **entry(n)} for n in range(more + 1)])
        case "repeat" if fifo:
            sqs.send_message(QueueUrl=url, **entry(0) | {"MessageDeduplicationId": f"same{value % 2}"})
        case "consume":
            for message in receive(sqs, url, more + 1):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        case "consume batch":
            found = receive(sqs, url, more + 1)
            if found:
                entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(found)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        case "purge":
            sqs.purge_queue(QueueUrl=url)
        case "delete":
            sqs.delete_queue(QueueUrl=url)
        case "set":
            attribute = ("MaximumMessageSize", "MessageRetentionPeriod")[more % 2]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: str(2048 + value)})
        case "tag":
            sqs.tag_queue(QueueUrl=url, Tags={f"k{more}": str(value)})


def receive(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count).get("Messages", [])
    return found


def queues(lab: Lab) -> dict[str, Any]:
    sqs = lab.client("sqs")
    state = {}
    for url in sorted(sqs.list_queues().get("QueueUrls", ())):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        messages = []
        while found := receive(sqs, url, 10):
            messages += [each["Body"] for each in found]
            for each in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        settings_ = [attributes.get(name) for name in ("MaximumMessageSize", "MessageRetentionPeriod", "QueueArn")]
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        state[url.rpartition("/")[2]] = (
            settings_,
            tags,
            messages if url.endswith(".fifo") else sorted(messages),
        )
    return state


@histories(
    "create",
    "create",
    "send",
    "send",
    "batch",
    "repeat",
    "consume",
    "consume",
    "consume batch",
    "purge",
    "delete",
    "set",
    "tag",
)
def test_queues(lab: Lab, history: list[Step]) -> None:
    # What is received and not deleted is not in a queue for a while; a history leaves nothing in flight.
    check(lab, history, do_queues, queues, full=False)


# -- objects -----------------------------------------------------------------------------------------------------------

BUCKETS = ("one", "one", "versioned", "versioned-later")


# What replaces an object has no tags of it. These emulators leave it some: MiniStack always, moto to a copy, even where the
# object was deleted before. No plan repeats that, so here they are taken away first.
OF_SEVERAL = frozenset({"delete several", "empty and drop"})
SHEDS_TAGS = {
    "moto": frozenset({"copy", "touch", "delete", *OF_SEVERAL}),
    "ministack": frozenset({"put", "put tagged", "copy", "touch", "upload"}),
}


def do_objects(lab: Lab, step: Step) -> None:
    s3, (operation, which, more, value) = lab.client("s3"), step
    bucket, key = BUCKETS[which], f"dir/k{more % 3}"
    if operation in SHEDS_TAGS[lab.emulator.name]:
        for each in [f"dir/k{n}" for n in range(3)] if operation in OF_SEVERAL else [key]:
            with suppress(ClientError):
                s3.delete_object_tagging(Bucket=bucket, Key=each)
    match operation:
        case "create":
            s3.create_bucket(Bucket=bucket)
            if which == 2:
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        case "version":
            # Some buckets begin without versions, and some have them suspended again.
            status = "Enabled" if value < 3 else "Suspended"
            s3.put_bucket_versioning(Bucket=BUCKETS[3], VersioningConfiguration={"Status": status})
        case "put":
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=f"{value}",
                Metadata={"v": str(value)},
                ContentType=f"text/{value}",
            )
        case "put tagged":
            s3.put_object(Bucket=bucket, Key=key, Body=b"t", Tagging=f"t={value}")
        case "tag":
            s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "k", "Value": str(value)}]})
        case "untag":
            s3.delete_object_tagging(Bucket=bucket, Key=key)
        case "copy":
            source = {"Bucket": BUCKETS[value % 2 * which], "Key": f"dir/k{value % 3}"}
            s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
        case "touch":
            s3.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key},
                MetadataDirective="REPLACE",
                Metadata={"t": str(value)},
            )
        case "delete":
            s3.delete_object(Bucket=bucket, Key=key)
        case "delete several":
            s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"dir/k{n}"} for n in range(value + 1)]})
        case "empty and drop":
            versions = s3.list_object_versions(Bucket=bucket)
            for each in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
                extra = {} if each["VersionId"] == "null" and which < 2 else {"VersionId": each["VersionId"]}
                s3.delete_object(Bucket=bucket, Key=each["Key"], **extra)
            # MiniStack would show an upload that was left in the next bucket of this name.
            for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
            s3.delete_bucket(Bucket=bucket)
        case "upload":
            upload(s3, bucket, key, value)
        case "policy":
            statement = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": f"arn:aws:s3:::{bucket}/{value}",
            }
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        case "no policy":
            s3.delete_bucket_policy(Bucket=bucket)


def upload(s3: Any, bucket: str, key: str, value: int) -> None:
    identity = s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata={"parts": str(value)})["UploadId"]
    tags = {}
    for number in (1, 2, 1, 3):
        part = s3.upload_part(Bucket=bucket, Key=key, UploadId=identity, PartNumber=number, Body=f"{value}{number}")
        tags[number] = part["ETag"]
    if value == 0:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=identity)
    elif value < 3:
        parts = [{"PartNumber": 1, "ETag": tags[1]}]
        s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=identity, MultipartUpload={"Parts": parts})


def objects(lab: Lab) -> dict[str, Any]:
    s3 = lab.client("s3")
    state = {}
    for bucket in sorted(each["Name"] for each in s3.list_buckets()["Buckets"]):
        found = []
        for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            got = s3.get_object(Bucket=bucket, Key=each["Key"])
            tags = s3.get_object_tagging(Bucket=bucket, Key=each["Key"])["TagSet"]
            found.append((each["Key"], got["Body"].read(), got["Metadata"], got["ContentType"], got["ETag"], tags))
        versions = s3.list_object_versions(Bucket=bucket)
        shown = [
            (each["Key"], each["IsLatest"], each["VersionId"], each["ETag"]) for each in versions.get("Versions", [])
        ]
        shown += [(each["Key"], each["IsLatest"], each["VersionId"], "-") for each in versions.get("DeleteMarkers", [])]
        uploads = []
        for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            parts = s3.list_parts(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"]).get("Parts", [])
            uploads.append((each["Key"], each["UploadId"], [(part["PartNumber"], part["ETag"]) for part in parts]))
        try:
            policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        except ClientError:
            policy = None
        state[bucket] = (found, sorted(shown), sorted(uploads), policy)
    return state


@histories(
    "create", "create", "version", "put", "put", "put", "put tagged", "tag", "untag", "copy", "copy", "touch",
    "delete", "delete", "delete several", "empty and drop", "upload", "policy", "no policy",
)  # fmt: skip
def test_objects(lab: Lab, history: list[Step]) -> None:
    check(lab, [("create", 0, 0, 0), ("create", 2, 0, 0), *history], do_objects, objects)


# -- items -------------------------------------------------------------------------------------------------------------

TABLES = ("table-0", "table-0", "streamed", "table-1")


def do_items(lab: Lab, step: Step) -> None:
    dynamodb, (operation, which, more, value) = lab.client("dynamodb"), step
    table, key = TABLES[which], {"pk": {"S": "p"}, "sk": {"N": str(more % 2)}}
    item = {**key, "v": {"N": str(value)}, "l": {"L": [{"S": "x"}]}}
    match operation:
        case "create":
            stream = (
                {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}} if which == 2 else {}
            )
            dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                ],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                BillingMode="PAY_PER_REQUEST",
                **stream,
            )
        case "drop":
            dynamodb.delete_table(TableName=table)
        case "put":
            dynamodb.put_item(TableName=table, Item=item)
        case "put returning":
            dynamodb.put_item(TableName=table, Item=item, ReturnValues="ALL_OLD")
        case "put new":
            dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        case "put if":
            values = {":v": {"N": str((value + 1) % 4)}}
            dynamodb.put_item(
                TableName=table, Item=item, ConditionExpression="v = :v", ExpressionAttributeValues=values
            )
        case "update":
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="ADD n :one SET u = :v",
                ExpressionAttributeValues={":one": {"N": "1"}, ":v": {"N": str(value)}},
            )
        case "delete":
            dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")
        case "delete if":
            dynamodb.delete_item(TableName=table, Key=key, ConditionExpression="attribute_exists(v)")
        case "batch":
            writes: list[dict[str, Any]] = [{"DeleteRequest": {"Key": key}}]
            for number in range(value):
                other = {"pk": {"S": "p"}, "sk": {"N": str(number)}, "b": {"N": str(value)}}
                if number != more % 2:
                    writes.append({"PutRequest": {"Item": other}})
            dynamodb.batch_write_item(
                RequestItems={table: writes, TABLES[3 if which < 3 else 0]: [{"PutRequest": {"Item": item}}]}
            )
        case "transact":
            other = {"pk": {"S": "p9"}, "sk": {"N": "9"}, "v": {"N": str(value)}}
            check_ = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
            actions = [{"ConditionCheck": check_}, {"Put": {"TableName": table, "Item": other}}]
            dynamodb.transact_write_items(TransactItems=actions)


def items(lab: Lab) -> dict[str, Any]:
    dynamodb = lab.client("dynamodb")
    state = {}
    for table in dynamodb.list_tables()["TableNames"]:
        found = dynamodb.scan(TableName=table)["Items"]
        stream = (
            dynamodb.describe_table(TableName=table)["Table"].get("StreamSpecification", {}).get("StreamEnabled", False)
        )
        state[table] = (sorted(json.dumps(each, sort_keys=True) for each in found), stream)
    return state


@histories(
    "create", "drop", "put", "put", "put", "put returning", "put new", "put new", "put if", "update", "update",
    "delete", "delete", "delete if", "batch", "batch", "transact",
)  # fmt: skip
def test_items(lab: Lab, history: list[Step]) -> None:
    check(lab, [("create", 0, 0, 0), ("create", 2, 0, 0), ("create", 3, 0, 0), *history], do_items, items)


# -- infrastructure ----------------------------------------------------------------------------------------------------

TRUST = '{"Version":"2012-10-17","Statement":[]}'


def do_links(lab: Lab, step: Step) -> None:
    """Names, links between services, and parameters with a history."""
    sns, sqs, ssm, iam = (lab.client(service) for service in ("sns", "sqs", "ssm", "iam"))
    operation, which, more, value = step
    topic = f"arn:aws:sns:us-east-1:{ACCOUNTS[lab.emulator.name]}:t{which}"
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNTS[lab.emulator.name]}:t{more}"
    managed = f"arn:aws:iam::{ACCOUNTS[lab.emulator.name]}:policy/p{more}"
    match operation:
        case "topic":
            sns.create_topic(Name=f"t{which}")
        case "no topic":
            sns.delete_topic(TopicArn=topic)
        case "queue":
            sqs.create_queue(QueueName=f"t{which}")
        case "no queue":
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"t{which}")["QueueUrl"])
        case "subscribe":
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        case "unsubscribe":
            for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][: more + 1]:
                sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
        case "set subscription":
            for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][:1]:
                sns.set_subscription_attributes(
                    SubscriptionArn=each["SubscriptionArn"],
                    AttributeName="RawMessageDelivery",
                    AttributeValue=("true", "false")[value % 2],
                )
        case "set topic":
            sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=f"d{value}")
        case "parameter":
            ssm.put_parameter(Name=f"/p/{which}", Value=f"{value}", Type="String", Overwrite=True)
        case "no parameter":
            ssm.delete_parameter(Name=f"/p/{which}")
        case "no parameters":
            ssm.delete_parameters(Names=[f"/p/{which}", f"/p/{more}"])
        case "role":
            iam.create_role(RoleName=f"r{which}", AssumeRolePolicyDocument=TRUST)
        case "policy":
            iam.create_policy(PolicyName=f"p{which}", PolicyDocument=TRUST)
        case "attach":
            iam.attach_role_policy(RoleName=f"r{which}", PolicyArn=managed)
        case "detach":
            iam.detach_role_policy(RoleName=f"r{which}", PolicyArn=managed)
        case "inline":
            iam.put_role_policy(
                RoleName=f"r{which}",
                PolicyName=f"i{more}",
                PolicyDocument=TRUST.replace("[]", f'[{{"Sid":"s{value}"}}]'),
            )
        case "no inline":
            iam.delete_role_policy(RoleName=f"r{which}", PolicyName=f"i{more}")
        case "no role":
            iam.delete_role(RoleName=f"r{which}")
        case "no policy":
            iam.delete_policy(PolicyArn=managed)


def links(lab: Lab) -> dict[str, Any]:
    sns, sqs, ssm, iam = (lab.client(service) for service in ("sns", "sqs", "ssm", "iam"))
    topics = {}
    for each in sns.list_topics()["Topics"]:
        arn = each["TopicArn"]
        found = []
        for link in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
            raw = sns.get_subscription_attributes(SubscriptionArn=link["SubscriptionArn"])["Attributes"].get(
                "RawMessageDelivery", "false"
            )
            found.append((link["SubscriptionArn"], link["Endpoint"], raw))
        topics[arn] = (sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("DisplayName"), sorted(found))
    parameters = {}
    for each in ssm.describe_parameters()["Parameters"]:
        past = ssm.get_parameter_history(Name=each["Name"])["Parameters"]
        parameters[each["Name"]] = [(version["Version"], version["Value"]) for version in past]
    roles = {}
    for each in iam.list_roles()["Roles"]:
        name = each["RoleName"]
        inline = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        }
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        roles[name] = (inline, sorted(policy["PolicyArn"] for policy in attached))
    return {
        "topics": topics,
        "queues": sorted(sqs.list_queues().get("QueueUrls", ())),
        "parameters": parameters,
        "roles": roles,
        "policies": sorted(each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"]),
    }


@histories(
    "topic", "topic", "no topic", "queue", "no queue", "subscribe", "subscribe", "unsubscribe", "set subscription",
    "set topic", "parameter", "parameter", "no parameter", "no parameters", "role", "role", "policy", "attach",
    "detach", "inline", "inline", "no inline", "no role", "no policy",
)  # fmt: skip
def test_links(lab: Lab, history: list[Step]) -> None:
    check(lab, history, do_links, links)


def do_networks(lab: Lab, step: Step) -> None:
    ec2, (operation, which, more, value) = lab.client("ec2"), step

    def pick(found: list[dict[str, Any]], member: str) -> str:
        """One of ours, oldest first; what a history made last is met less often."""
        return str(found[which % len(found)][member]) if found else "none"

    mine = [{"Name": "cidr", "Values": ["10.*"]}]
    vpcs = [each for each in ec2.describe_vpcs(Filters=mine)["Vpcs"] if not each["IsDefault"]]
    vpc = pick(vpcs, "VpcId")
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    match operation:
        case "vpc":
            ec2.create_vpc(CidrBlock=f"10.{len(vpcs)}.0.0/16")
        case "no vpc":
            ec2.delete_vpc(VpcId=vpc)
        case "subnet":
            block = vpcs[which % len(vpcs)]["CidrBlock"].split(".")[1] if vpcs else "0"
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{block}.{more}.0/24", AvailabilityZone="us-east-1a")
        case "no subnet":
            ec2.delete_subnet(SubnetId=pick(ec2.describe_subnets(Filters=inside)["Subnets"], "SubnetId"))
        case "group":
            ec2.create_security_group(GroupName=f"g{more}", Description="d", VpcId=vpc)
        case "rule" | "no rule" | "no group":
            groups = [
                each
                for each in ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
                if each["GroupName"] != "default"
            ]
            group = pick(groups, "GroupId")
            rule = {
                "IpProtocol": "tcp",
                "FromPort": value,
                "ToPort": value,
                "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
            }
            if operation == "rule":
                ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
            elif operation == "no rule":
                ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
            else:
                ec2.delete_security_group(GroupId=group)
        case "gateway":
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        case "no gateway":
            attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
            gateway = pick(ec2.describe_internet_gateways(Filters=attached)["InternetGateways"], "InternetGatewayId")
            ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            if value % 2:
                ec2.delete_internet_gateway(InternetGatewayId=gateway)
        case "tag":
            ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{more}", "Value": str(value)}])


def networks(lab: Lab) -> dict[str, Any]:
    ec2 = lab.client("ec2")
    state: dict[str, Any] = {}
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        if vpc["IsDefault"]:
            continue
        inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        groups = [
            (
                each["GroupId"],
                each["GroupName"],
                sorted(rule.get("FromPort", -1) for rule in each["IpPermissions"]),
            )
            for each in ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
            if each["GroupName"] != "default"
        ]
        subnets = [(each["SubnetId"], each["CidrBlock"]) for each in ec2.describe_subnets(Filters=inside)["Subnets"]]
        tags = sorted((tag["Key"], tag["Value"]) for tag in vpc.get("Tags", ()))
        state[vpc["VpcId"]] = (vpc["CidrBlock"], tags, sorted(groups), sorted(subnets))
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    known = [(each["InternetGatewayId"], [to["VpcId"] for to in each["Attachments"]]) for each in gateways]
    state["gateways"] = sorted(each for each in known if not each[1] or each[1][0] in state)
    return state


@histories(
    "vpc", "vpc", "no vpc", "no vpc", "subnet", "subnet", "no subnet", "group", "group", "no group", "rule", "rule",
    "no rule", "gateway", "no gateway", "tag",
    examples=amount(4, 6),
)  # fmt: skip
def test_networks(lab: Lab, history: list[Step]) -> None:
    check(lab, [("vpc", 0, 0, 0), *history], do_networks, networks)
