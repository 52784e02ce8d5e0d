"""As `test_equivalence`, over more services: secrets and keys, streams and logs, users and groups, machines, topics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.replay.lab import Lab
from tests.support.histories import ACCOUNTS, LIMIT, Step, check, histories
from tests.support.histories import lab as lab
from tests.support.processes import amount

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(LIMIT)]

EXAMPLES = amount(4, 8)
POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"s%s","Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}'


# -- secrets, parameters, keys -----------------------------------------------------------------------------------------


def do_secrets(lab: Lab, step: Step) -> None:
    secrets, ssm, kms = (lab.client(name) for name in ("secretsmanager", "ssm", "kms"))
    operation, which, more, value = step
    name, parameter = f"secret{which}", f"/app/p{which % 2}"
    match operation:
        case "secret":
            secrets.create_secret(Name=name, SecretString=f"{value}", Description=f"d{more}")
        case "value":
            secrets.put_secret_value(SecretId=name, SecretString=f"v{more}{value}")
        case "pending":
            secrets.put_secret_value(SecretId=name, SecretString=f"p{value}", VersionStages=["AWSPENDING"])
        case "stage":
            found = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
            now = [version for version, stages in found.items() if "AWSCURRENT" in stages]
            pending = [version for version, stages in found.items() if stages == ["AWSPENDING"]]
            if now and pending:
                secrets.update_secret_version_stage(
                    SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=pending[0], RemoveFromVersionId=now[0]
                )
        case "update":
            secrets.update_secret(SecretId=name, Description=f"u{value}", SecretString=f"u{more}")
        case "tag secret":
            secrets.tag_resource(SecretId=name, Tags=[{"Key": f"k{more}", "Value": str(value)}])
        case "untag secret":
            secrets.untag_resource(SecretId=name, TagKeys=[f"k{more}"])
        case "no secret":
            how = {"ForceDeleteWithoutRecovery": True} if value else {"RecoveryWindowInDays": 7}
            secrets.delete_secret(SecretId=name, **how)
        case "secret back":
            secrets.restore_secret(SecretId=name)
        case "parameter":
            secure = "SecureString" if value == 3 else "String"
            ssm.put_parameter(Name=parameter, Value=f"{more}{value}", Type=secure, Overwrite=True)
        case "label":
            ssm.get_parameter(Name=parameter)  # moto breaks where a label is put on what is not there
            ssm.label_parameter_version(Name=parameter, ParameterVersion=more + 1, Labels=[f"l{value}"])
        case "tag parameter":
            ssm.get_parameter(Name=parameter)  # MiniStack would keep tags for what is not there
            ssm.add_tags_to_resource(
                ResourceType="Parameter", ResourceId=parameter, Tags=[{"Key": f"k{more}", "Value": str(value)}]
            )
        case "no parameter":
            ssm.delete_parameter(Name=parameter)
        case "key":
            kms.create_key(Description=f"k{value}")
        case _:
            do_keys(kms, step)


def do_keys(kms: Any, step: Step) -> None:
    operation, which, more, value = step
    keys = own_keys(kms)
    key = keys[which % len(keys)] if keys else "none"
    match operation:
        case "alias":
            kms.create_alias(AliasName=f"alias/a{more}", TargetKeyId=key)
        case "alias moved":
            kms.update_alias(AliasName=f"alias/a{more}", TargetKeyId=key)
        case "no alias":
            kms.delete_alias(AliasName=f"alias/a{more}")
        case "rotation":
            (kms.enable_key_rotation if value % 2 else kms.disable_key_rotation)(KeyId=key)
        case "describe":
            kms.update_key_description(KeyId=key, Description=f"n{value}")
        case "switch":
            (kms.enable_key if value % 2 else kms.disable_key)(KeyId=key)
        case "tag key":
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"k{more}", "TagValue": str(value)}])
        case "untag key":
            kms.untag_resource(KeyId=key, TagKeys=[f"k{more}"])
        case "no key":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        case "key back":
            kms.cancel_key_deletion(KeyId=key)


def own_keys(kms: Any) -> list[str]:
    """Those that the emulator did not make by itself."""
    keys = [each["KeyId"] for each in kms.list_keys()["Keys"]]
    return [key for key in keys if kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyManager") != "AWS"]


def secrets_state(lab: Lab) -> dict[str, Any]:
    secrets, ssm, kms = (lab.client(name) for name in ("secretsmanager", "ssm", "kms"))
    found: dict[str, Any] = {}
    for each in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        told = secrets.describe_secret(SecretId=each["ARN"])
        values: dict[str, Any] = {}
        for version, stages in sorted(told.get("VersionIdsToStages", {}).items()):
            if stages and "DeletedDate" not in told:
                got = secrets.get_secret_value(SecretId=each["ARN"], VersionId=version)
                values[version] = (sorted(stages), got["SecretString"])
        tags = sorted((tag["Key"], tag["Value"]) for tag in told.get("Tags", ()))
        found[each["ARN"]] = (told.get("Description"), values, tags, "DeletedDate" in told)
    for each in ssm.describe_parameters()["Parameters"]:
        past = ssm.get_parameter_history(Name=each["Name"], WithDecryption=True)["Parameters"]
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=each["Name"])["TagList"]
        versions = [(one["Version"], one["Value"], one["Type"], sorted(one.get("Labels", ()))) for one in past]
        found[each["Name"]] = (versions, sorted((tag["Key"], tag["Value"]) for tag in tags))
    for key in own_keys(kms):
        told = kms.describe_key(KeyId=key)["KeyMetadata"]
        tags = sorted((tag["TagKey"], tag["TagValue"]) for tag in kms.list_resource_tags(KeyId=key)["Tags"])
        try:
            rotation = kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
        except ClientError as error:
            rotation = error.response["Error"]["Code"]
        found[told["Arn"]] = (told["Description"], told["KeyState"], rotation, tags)
    aliases = [(each["AliasName"], each.get("TargetKeyId")) for each in kms.list_aliases()["Aliases"]]
    found["aliases"] = sorted(each for each in aliases if not each[0].startswith("alias/aws/"))
    return found


@histories(
    "secret", "secret", "value", "value", "pending", "stage", "update", "tag secret", "untag secret", "no secret",
    "secret back", "parameter", "parameter", "label", "tag parameter", "no parameter", "key", "alias", "alias moved",
    "no alias", "rotation", "describe", "switch", "tag key", "untag key", "no key", "key back",
    examples=EXAMPLES,
)  # fmt: skip
def test_secrets(lab: Lab, history: list[Step]) -> None:
    check(lab, [("secret", 0, 0, 0), ("key", 0, 0, 0), ("key", 0, 0, 1), *history], do_secrets, secrets_state)


# -- streams and logs --------------------------------------------------------------------------------------------------


def do_streams(lab: Lab, step: Step) -> None:
    kinesis, logs, (operation, which, more, value) = lab.client("kinesis"), lab.client("logs"), step
    stream, group = f"s{which % 2}", f"/g{which % 2}"
    match operation:
        case "stream":
            kinesis.create_stream(StreamName=stream, ShardCount=1 + which % 2)
        case "no stream":
            kinesis.delete_stream(StreamName=stream)
        case "record":
            kinesis.put_record(StreamName=stream, PartitionKey=f"p{more}", Data=f"{value}".encode())
        case "records":
            entries = [{"PartitionKey": f"p{n}", "Data": f"{value}{n}".encode()} for n in range(more + 1)]
            kinesis.put_records(StreamName=stream, Records=entries)
        case "keep":
            kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=25 + value)
        case "tag":
            kinesis.add_tags_to_stream(StreamName=stream, Tags={f"k{more}": str(value)})
        case "untag":
            kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=[f"k{more}"])
        case "group":
            logs.create_log_group(logGroupName=group)
        case "no group":
            logs.delete_log_group(logGroupName=group)
        case "log":
            logs.create_log_stream(logGroupName=group, logStreamName=f"l{more % 2}")
        case "no log":
            logs.delete_log_stream(logGroupName=group, logStreamName=f"l{more % 2}")
        case "events":
            events = [{"timestamp": lab_time(lab) + n, "message": f"{value}{n}"} for n in range(value + 1)]
            logs.put_log_events(logGroupName=group, logStreamName=f"l{more % 2}", logEvents=events)
        case "keep logs":
            logs.put_retention_policy(logGroupName=group, retentionInDays=(1, 3, 5, 7)[value])
        case "keep logs for ever":
            logs.delete_retention_policy(logGroupName=group)


def lab_time(lab: Lab) -> int:
    """Milliseconds; later for each record."""
    import time

    return int(time.time() * 1000) - 10_000 + 10 * len(lab.records)


def streams_state(lab: Lab) -> dict[str, Any]:
    kinesis, logs = lab.client("kinesis"), lab.client("logs")
    found: dict[str, Any] = {}
    for name in kinesis.list_streams()["StreamNames"]:
        told = kinesis.describe_stream(StreamName=name)["StreamDescription"]
        shards = []
        for shard in told["Shards"]:
            at = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = kinesis.get_records(ShardIterator=at)["Records"]
            shards.append([(each["SequenceNumber"], each["PartitionKey"], each["Data"]) for each in records])
        tags = kinesis.list_tags_for_stream(StreamName=name)["Tags"]
        found[name] = (told["RetentionPeriodHours"], shards, sorted((tag["Key"], tag["Value"]) for tag in tags))
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        streams = {}
        for each in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            events = logs.get_log_events(logGroupName=name, logStreamName=each["logStreamName"], startFromHead=True)[
                "events"
            ]
            streams[each["logStreamName"]] = [(event["timestamp"], event["message"]) for event in events]
        found[name] = (group.get("retentionInDays"), streams)
    return found


@histories(
    "stream", "stream", "no stream", "record", "record", "records", "keep", "tag", "untag", "group", "group",
    "no group", "log", "log", "no log", "events", "events", "keep logs", "keep logs for ever",
    examples=EXAMPLES,
)  # fmt: skip
def test_streams(lab: Lab, history: list[Step]) -> None:
    start = [("stream", 0, 0, 0), ("group", 0, 0, 0), ("log", 0, 0, 0)]
    check(lab, [*start, *history], do_streams, streams_state)


# -- users, machines, topics -------------------------------------------------------------------------------------------


def do_people(lab: Lab, step: Step) -> None:
    iam, (operation, which, more, value) = lab.client("iam"), step
    user, group = f"u{which % 3}", f"g{more % 2}"
    managed = f"arn:aws:iam::{ACCOUNTS[lab.emulator.name]}:policy/p{value % 2}"
    match operation:
        case "user":
            iam.create_user(UserName=user)
        case "no user":
            # AWS refuses that for a member of a group; MiniStack does not, and it stays one.
            if not iam.list_groups_for_user(UserName=user)["Groups"]:
                iam.delete_user(UserName=user)
        case "group":
            iam.create_group(GroupName=group)
        case "no group":
            iam.delete_group(GroupName=group)
        case "join":
            iam.add_user_to_group(UserName=user, GroupName=group)
        case "leave":
            iam.remove_user_from_group(UserName=user, GroupName=group)
        case "key":
            iam.create_access_key(UserName=user)
        case "no key":
            keys = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
            iam.delete_access_key(UserName=user, AccessKeyId=keys[0]["AccessKeyId"] if keys else "none-of-them-all")
        case "policy":
            iam.create_policy(PolicyName=f"p{value % 2}", PolicyDocument=POLICY % value)
        case "no policy":
            iam.delete_policy(PolicyArn=managed)
        case "version":
            iam.create_policy_version(PolicyArn=managed, PolicyDocument=POLICY % more, SetAsDefault=bool(which % 2))
        case "default":
            iam.set_default_policy_version(PolicyArn=managed, VersionId=f"v{more + 1}")
        case "no version":
            iam.delete_policy_version(PolicyArn=managed, VersionId=f"v{more + 1}")
        case "attach":
            iam.attach_user_policy(UserName=user, PolicyArn=managed)
        case "detach":
            iam.detach_user_policy(UserName=user, PolicyArn=managed)
        case "attach to group":
            iam.attach_group_policy(GroupName=group, PolicyArn=managed)
        case "detach from group":
            iam.detach_group_policy(GroupName=group, PolicyArn=managed)
        case "profile":
            iam.create_instance_profile(InstanceProfileName=f"i{which % 2}")
        case "no profile":
            iam.delete_instance_profile(InstanceProfileName=f"i{which % 2}")
        case "role":
            iam.create_role(RoleName=f"r{more % 2}", AssumeRolePolicyDocument=POLICY % value)
        case "role in profile":
            iam.add_role_to_instance_profile(InstanceProfileName=f"i{which % 2}", RoleName=f"r{more % 2}")
        case "tag":
            iam.tag_user(UserName=user, Tags=[{"Key": f"k{more}", "Value": str(value)}])


def people(lab: Lab) -> dict[str, Any]:
    iam = lab.client("iam")
    found: dict[str, Any] = {}
    for each in iam.list_users()["Users"]:
        name = each["UserName"]
        found[each["Arn"]] = (
            each["UserId"],
            sorted(key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]),
            sorted(group["GroupName"] for group in iam.list_groups_for_user(UserName=name)["Groups"]),
            sorted(one["PolicyArn"] for one in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]),
            sorted((tag["Key"], tag["Value"]) for tag in iam.list_user_tags(UserName=name)["Tags"]),
        )
    for each in iam.list_groups()["Groups"]:
        attached = iam.list_attached_group_policies(GroupName=each["GroupName"])["AttachedPolicies"]
        found[each["Arn"]] = (each["GroupId"], sorted(one["PolicyArn"] for one in attached))
    for each in iam.list_policies(Scope="Local")["Policies"]:
        versions = iam.list_policy_versions(PolicyArn=each["Arn"])["Versions"]
        documents = {
            one["VersionId"]: (
                one["IsDefaultVersion"],
                json.dumps(
                    iam.get_policy_version(PolicyArn=each["Arn"], VersionId=one["VersionId"])["PolicyVersion"][
                        "Document"
                    ]
                ),
            )
            for one in versions
        }
        found[each["Arn"]] = (each["PolicyId"], documents)
    for each in iam.list_instance_profiles()["InstanceProfiles"]:
        found[each["Arn"]] = (each["InstanceProfileId"], [role["RoleId"] for role in each["Roles"]])
    found["roles"] = sorted((each["Arn"], each["RoleId"]) for each in iam.list_roles()["Roles"])
    return found


@histories(
    "user", "user", "no user", "group", "group", "no group", "join", "join", "leave", "key", "no key", "policy",
    "no policy", "version", "version", "default", "no version", "attach", "detach", "attach to group",
    "detach from group", "profile", "no profile", "role", "role in profile", "tag",
    examples=EXAMPLES,
)  # fmt: skip
def test_people(lab: Lab, history: list[Step]) -> None:
    check(lab, [("user", 0, 0, 0), ("policy", 0, 0, 0), *history], do_people, people)


def do_machines(lab: Lab, step: Step) -> None:
    ec2, (operation, which, more, value) = lab.client("ec2"), step

    def pick(found: list[dict[str, Any]], member: str) -> str:
        return str(found[which % len(found)][member]) if found else "none"

    machines = own_machines(ec2)
    machine = pick(machines, "InstanceId")
    volumes = [each for each in ec2.describe_volumes()["Volumes"] if not each["Attachments"]]
    addresses = ec2.describe_addresses()["Addresses"]
    match operation:
        case "machine":
            ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1 + value % 2, InstanceType="t2.micro")
        case "no machine":
            ec2.terminate_instances(InstanceIds=[machine])
        case "stop":
            ec2.stop_instances(InstanceIds=[machine])
        case "start":
            ec2.start_instances(InstanceIds=[machine])
        case "tag":
            ec2.create_tags(Resources=[machine], Tags=[{"Key": f"k{more}", "Value": str(value)}])
        case "untag":
            ec2.delete_tags(Resources=[machine], Tags=[{"Key": f"k{more}"}])
        case "volume":
            ec2.create_volume(Size=1 + value, AvailabilityZone="us-east-1a")
        case "no volume":
            ec2.delete_volume(VolumeId=pick(volumes, "VolumeId"))
        case "key":
            ec2.create_key_pair(KeyName=f"k{more}")
        case "no key":
            ec2.delete_key_pair(KeyName=f"k{more}")
        case "address":
            ec2.allocate_address(Domain="vpc")
        case "no address":
            ec2.release_address(AllocationId=pick(addresses, "AllocationId"))
        case "bind":
            ec2.associate_address(AllocationId=pick(addresses, "AllocationId"), InstanceId=machine)


def own_machines(ec2: Any) -> list[dict[str, Any]]:
    found = [one for each in ec2.describe_instances()["Reservations"] for one in each["Instances"]]
    return [each for each in found if each["State"]["Name"] != "terminated"]


def machines(lab: Lab) -> dict[str, Any]:
    ec2 = lab.client("ec2")
    found: dict[str, Any] = {}
    for each in own_machines(ec2):
        tags = sorted((tag["Key"], tag["Value"]) for tag in each.get("Tags", ()))
        found[each["InstanceId"]] = (each["State"]["Name"], tags)
    free = [each for each in ec2.describe_volumes()["Volumes"] if not each["Attachments"]]
    found["volumes"] = sorted((each["VolumeId"], each["Size"]) for each in free)
    found["keys"] = sorted((each["KeyName"], each.get("KeyPairId")) for each in ec2.describe_key_pairs()["KeyPairs"])
    found["addresses"] = sorted(
        (each["AllocationId"], each.get("InstanceId") or "", each["PublicIp"])
        for each in ec2.describe_addresses()["Addresses"]
    )
    return found


@histories(
    "machine", "machine", "no machine", "no machine", "stop", "start", "tag", "untag", "volume", "no volume", "key",
    "no key", "address", "no address", "bind",
    examples=amount(2, 3),
)  # fmt: skip
def test_machines(lab: Lab, history: list[Step]) -> None:
    check(lab, [("machine", 0, 0, 0), *history], do_machines, machines)
