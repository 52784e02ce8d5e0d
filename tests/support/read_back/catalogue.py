"""Which operations of a service only read, and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from replay_proxy.footprint.members.naming_members import names_something
from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, judge

NOT_ASKED: Mapping[str, str] = {
    "ec2:DescribeInstanceTypeOfferings": "a catalogue of the emulator's, of megabytes",
    "ec2:DescribeInstanceTypes": "a catalogue of the emulator's, of megabytes",
    "ec2:DescribeImages": "a catalogue of the emulator's, of megabytes",
    "ec2:DescribeRegions": "a catalogue of the emulator's",
    "ec2:DescribeAvailabilityZones": "a catalogue of the emulator's",
    "ec2:DescribeReservedInstancesOfferings": "a catalogue of the emulator's",
    "ec2:DescribeSpotPriceHistory": "a catalogue of the emulator's",
    "ec2:DescribeManagedPrefixLists": "a catalogue of the emulator's",
    "ec2:DescribeVpcEndpointServices": "a catalogue of the emulator's",
    "sns:CheckIfPhoneNumberIsOptedOut": "drawn at each call by an emulator",
    "ecs:DiscoverPollEndpoint": "an address for agents",
    "ec2:DescribeSnapshotTierStatus": "a catalogue of the emulator's, drawn at its start",
    "ec2:DescribePrefixLists": "a catalogue of the emulator's, drawn at its start",
    "ec2:GetManagedPrefixListEntries": "a catalogue of the emulator's, drawn at its start",
    "ec2:GetPasswordData": "a secret that is drawn at each call",
    "iam:ListPolicies": "a catalogue of a thousand policies of AWS; those of one's own are asked for one by one",
    "iam:GetAccountAuthorizationDetails": "the same catalogue; what it says is asked for one by one",
    "iam:GenerateCredentialReport": "begins a report",
    "iam:GetCredentialReport": "a report of the moment",
    "ssm:GetParametersByPath": "asked for with a path in EXTRA_READS",
    "ssm:DescribeAvailablePatches": "a catalogue of the emulator's",
    "ssm:DescribePatchBaselines": "a catalogue of the emulator's",
    "ssm:GetDefaultPatchBaseline": "a catalogue of the emulator's",
    "rds:DescribeDBEngineVersions": "a catalogue of the emulator's",
    "rds:DescribeOrderableDBInstanceOptions": "a catalogue of the emulator's",
    "kms:GetParametersForImport": "key material that is drawn at each call",
    "kms:GetPublicKey": "key material, which cannot be brought back; the report names it",
    "ecr:GetAuthorizationToken": "a token that is made at each call",
    "secretsmanager:GetRandomPassword": "drawn at each call",
    "cloudformation:ListTypes": "a catalogue of the emulator's",
    "wafv2:ListAvailableManagedRuleGroups": "a catalogue of the emulator's",
    "wafv2:GetMobileSdkRelease": "a catalogue of the emulator's",
    "support:DescribeTrustedAdvisorChecks": "a catalogue of the emulator's",
    "lambda:GetFunctionCodeSigningConfig": "what it shows, GetFunction shows",
    "s3:ListDirectoryBuckets": "a host of its own",
    "s3:SelectObjectContent": "events; the object is read as it is",
    "s3:GetObjectTorrent": "nobody offers it",
    "logs:StartLiveTail": "events that do not end",
    "kinesis:SubscribeToShard": "events that do not end",
    "route53:TestDNSAnswer": "answers of the moment",
}
"""What is not read, with the reason."""

EXTRA_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "sqs:GetQueueAttributes": {"AttributeNames": ["All"]},
    "ec2:DescribeSnapshots": {"OwnerIds": ["self"]},
    "ecs:DescribeClusters": {"include": ["SETTINGS", "CONFIGURATIONS", "TAGS"]},
    "ecs:DescribeServices": {"include": ["TAGS"]},
    "ecs:DescribeTaskDefinition": {"include": ["TAGS"]},
    "s3:ListObjectsV2": {"FetchOwner": True},
    "ssm:GetParameter": {"WithDecryption": True},
    "ssm:GetParameters": {"WithDecryption": True},
    "apigateway:GetApiKey": {"includeValue": True},
    "apigateway:GetApiKeys": {"includeValues": True},
    "cloudwatch:GetMetricStatistics": {"Period": 60, "Statistics": ["Sum", "SampleCount"]},
    "kinesis:GetShardIterator": {"ShardIteratorType": "TRIM_HORIZON"},
    "dynamodb:Scan": {"ConsistentRead": True},
}
"""Parameters without which an answer says little."""

ALSO_READ: Mapping[str, str] = {
    "sqs:ReceiveMessage": "shows messages; invisible for no time, and the emulator ends after it",
    "kinesis:GetShardIterator": "a step to the records",
    "kinesis:GetRecords": "shows the records",
}
"""What is read although it is not judged to be a read."""

RECEIVE = {
    "MaxNumberOfMessages": 10,
    "VisibilityTimeout": 0,
    "AttributeNames": ["All"],
    "MessageAttributeNames": ["All"],
}
ENUM_MAX = 6
"""Of a required enumeration with more members, none is tried."""


@dataclass(frozen=True)
class Read:
    """An operation that only reads.

    required: the members without which it cannot be asked. optional: members by which it can be asked for one thing.
    fixed: parameters that are always the same.
    """

    service: str
    operation: str
    model: OperationModel
    required: tuple[str, ...]
    optional: tuple[str, ...]
    fixed: tuple[tuple[str, Any], ...]

    @property
    def key(self) -> str:
        return f"{self.service}:{self.operation}"

    def shape(self, member: str) -> Shape:
        assert isinstance(self.model.input_shape, StructureShape)
        shape: Shape = self.model.input_shape.members[member]
        return shape


@cache
def reads_of(service: str) -> tuple[Read, ...]:
    """The reads of a service, those that need nothing first."""
    found = []
    for operation in models.service_model(service).operation_names:
        key = f"{service}:{operation}"
        if key in NOT_ASKED or (judge(service, operation).effect is not Effect.READS and key not in ALSO_READ):
            continue
        model = models.operation_model(service, operation)
        if model.has_event_stream_output or model.deprecated:
            continue
        shape = model.input_shape
        members = dict(shape.members) if shape is not None else {}
        shown = {each.lower() for each in model.output_shape.members} if model.output_shape is not None else set()
        fixed = dict(EXTRA_PARAMETERS.get(key, {}))
        if key == "sqs:ReceiveMessage":
            fixed |= RECEIVE
        required = tuple(each for each in (shape.required_members if shape is not None else ()) if each not in fixed)
        optional = tuple(
            member
            for member, of in members.items()
            if member not in required
            and member not in fixed
            and f"next{member.lower()}" not in shown  # where a page begins, in the order of the emulator
            and _can_name(member, of, service)
        )
        found.append(Read(service, operation, model, required, optional, tuple(fixed.items())))
    return tuple(sorted(found, key=lambda each: (len(each.required), each.operation)))


def _can_name(member: str, shape: Shape, service: str) -> bool:
    if shape.type_name == "list":
        shape = shape.member
    kinds = {each.lower() for each in nouns(service)}
    return shape.type_name == "string" and (names_something(member) or member.lower().rstrip("s") in kinds)


@cache
def nouns(service: str) -> frozenset[str]:
    """What a service's reads are about: `Queue` of `GetQueueUrl`, `Tags` of `ListTags`."""
    names = set()
    for operation in models.service_model(service).operation_names:
        for verb in ("List", "Describe", "Get", "Create", "Delete"):
            if operation.startswith(verb):
                names.add(operation.removeprefix(verb).removesuffix("s"))
    return frozenset(names)
