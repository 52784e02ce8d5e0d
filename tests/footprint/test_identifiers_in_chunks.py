"""A large answer that is read in chunks shows the identifiers that it shows as a whole."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.footprint.members.answer_identifiers import (
    identifier_values,
    identifiers_in_chunks,
    names_shown,
)
from replay_proxy.wire.codecs.answers import parse_answer

EC2 = b"""<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>
<item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId><instancesSet><item><instanceId>i-&#97;b</instanceId>
<keyName>kp</keyName><launchTime>2024-01-01T00:00:00Z</launchTime><groupSet><item><groupId>sg-1</groupId></item></groupSet>
<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><unknown><thingId>x-1</thingId></unknown></item>
</networkInterfaceSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
SCALING = b"""<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>
<AutoScalingGroupName>g</AutoScalingGroupName><Instances><member><InstanceId>i-1</InstanceId></member><member><InstanceId>i-2
</InstanceId></member></Instances><TargetGroupARNs><member>arn:aws:x</member></TargetGroupARNs></member></AutoScalingGroups>
</DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"""
QUEUES = b"""<ListQueuesResponse><ListQueuesResult><QueueUrl>http://h/1/a</QueueUrl><QueueUrl>http://h/1/b</QueueUrl>
</ListQueuesResult></ListQueuesResponse>"""
VERSIONS = b"""<ListVersionsResult><Name>b</Name><Version><Key>k</Key><VersionId>v-1</VersionId><Owner><ID>o</ID></Owner>
</Version><DeleteMarker><Key>k</Key><VersionId>v-2</VersionId></DeleteMarker></ListVersionsResult>"""
OPERATION = b'{"Operation":{"Id":"op-1","Type":"CREATE","Targets":{"NAMESPACE":"ns-1"},"CreateDate":1.5}}'
KEYS = (
    b'{"Keys":[{"KeyId":"k\\u00e9-1","KeyArn":"arn:aws:kms:::key/1"}],"Truncated":false,"NextMarker":null,"n":[1,[2]]}'
)
ROUTES = b'{"items":[{"routeId":"abcdefgh","target":"integrations/hgfedcba","routeKey":"GET /"}]}'
CBOR = b"\xa1\x78\x18StreamDescriptionSummary\xa1\x69StreamARN\x69arn:aws:x"

ANSWERS = {
    "EC2": (CallHead("ec2", "DescribeInstances", "ec2"), EC2),
    "lists of members": (CallHead("autoscaling", "DescribeAutoScalingGroups", "query"), SCALING),
    "flat lists": (CallHead("sqs", "ListQueues", "query"), QUEUES),
    "an XML document": (CallHead("s3", "ListObjectVersions", "rest-xml"), VERSIONS),
    "a map": (CallHead("servicediscovery", "GetOperation", "json"), OPERATION),
    "JSON": (CallHead("kms", "ListKeys", "json"), KEYS),
    "names on the wire": (CallHead("apigatewayv2", "GetRoutes", "rest-json"), ROUTES),
    "CBOR": (CallHead("kinesis", "DescribeStreamSummary", "smithy-rpc-v2-cbor"), CBOR),
}


def in_chunks(head: CallHead, body: bytes, size: int, headers: Headers | None = None) -> set[str]:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return set().union(*identifiers_in_chunks(head, headers or Headers(), chunks))


@pytest.mark.parametrize("kind", ANSWERS)
@given(size=st.integers(1, 2_000))
def test_chunks_show_what_the_whole_shows(kind: str, size: int) -> None:
    head, body = ANSWERS[kind]
    outcome = parse_answer(head, Answer(200, Headers(), body))
    whole = {*identifier_values(head, outcome), *names_shown(head, outcome)}
    found = in_chunks(head, body, size)
    assert whole and whole <= found
    assert found - whole <= {"x-1"}  # what the model does not know is told by its name


def test_a_packed_answer_is_unpacked() -> None:
    head, body = ANSWERS["JSON"]
    packed = Headers([("Content-Encoding", "gzip")])
    assert in_chunks(head, gzip.compress(body), 7, packed) == in_chunks(head, body, 7)


def test_payload_is_passed_over() -> None:
    head = CallHead("dynamodb", "Scan", "json")
    body = b'{"Items":[{"OrderId":{"S":"order-1"}}],"ConsumedCapacity":{"TableName":"t"}}'
    assert in_chunks(head, body, 9) == {"t"}


@pytest.mark.parametrize("kind", ["EC2", "JSON"])
def test_a_damaged_answer_shows_what_comes_before_the_damage(kind: str) -> None:
    head, body = ANSWERS[kind]
    found: set[str] = set()
    with pytest.raises(MalformedMessage):
        for texts in identifiers_in_chunks(head, Headers(), [body[: len(body) // 2], b"<<{{"]):
            found |= texts
    assert found


@pytest.mark.parametrize("opening", [b"<a>", b'{"a":', b"["])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    with pytest.raises(MalformedMessage):
        in_chunks(CallHead("ec2", "DescribeInstances", "ec2"), opening * 100_000, 1 << 14)


def test_a_document_type_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        in_chunks(CallHead("ec2", "DescribeInstances", "ec2"), b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 5)
