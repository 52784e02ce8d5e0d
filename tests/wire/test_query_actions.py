"""Requests of old clients: signed in a way that names no service, with API versions that no model has any more."""

from __future__ import annotations

import random
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.models import models
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.recognition.recognise import needs_body, recognise
from tests.wire.generated import Maker, request_of

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
OLD = {"AWSAccessKeyId": "test", "SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "Signature": "x="}
QUERY_SERVICES = [
    name for name in service_index().queryable(service_index().services) if name not in ("neptune", "docdb")
]


def signed(method: str, words: dict[str, str], host: str = "localhost:4566") -> Request:
    query = urlencode({**words, **OLD, "Timestamp": "2014-01-01T00:00:00Z"})
    fields = Headers([("Host", host), ("User-Agent", "Boto/2.49.0 Python/2.7"), ("Content-Type", FORM)])
    if method == "GET":
        return Request("GET", f"/?{query}", fields, b"")
    return Request("POST", "/", fields, query.encode())


BOTO_2 = [
    ("ec2", {"Action": "CreateVolume", "Version": "2014-10-01", "Size": "1"}),
    ("ec2", {"Action": "CreateTags", "Version": "2014-10-01", "ResourceId.1": "i-1", "Tag.1.Key": "k"}),
    ("ec2", {"Action": "CreateTags", "Version": "2010-08-31", "ResourceId.1": "i-1", "Tag.1.Key": "k"}),
    ("redshift", {"Action": "CreateTags", "Version": "2012-01-01", "ResourceName": "arn", "Tags.Tag.1.Key": "k"}),
    ("ec2", {"Action": "CreateSnapshot", "Version": "2011-01-01", "VolumeId": "vol-1"}),
    ("elasticache", {"Action": "CreateSnapshot", "Version": "2013-06-15", "SnapshotName": "s", "CacheClusterId": "c"}),
    (
        "elb",
        {
            "Action": "CreateLoadBalancer",
            "Version": "2011-04-05",
            "LoadBalancerName": "l",
            "Listeners.member.1.Protocol": "h",
        },
    ),
    (
        "elbv2",
        {"Action": "CreateLoadBalancer", "Version": "2015-11-30", "Name": "l", "SubnetMappings.member.1.SubnetId": "s"},
    ),
    ("sqs", {"Action": "CreateQueue", "Version": "2009-02-01", "QueueName": "q"}),
    ("sns", {"Action": "CreateTopic", "Version": "2009-01-01", "Name": "t"}),
    ("sdb", {"Action": "CreateDomain", "Version": "2007-11-07", "DomainName": "d"}),
    ("sdb", {"Action": "PutAttributes", "Version": "2009-04-14", "DomainName": "d", "ItemName": "i"}),
    ("iam", {"Action": "CreateUser", "Version": "2009-05-08", "UserName": "u", "Path": "/"}),
    ("cloudformation", {"Action": "CreateStack", "Version": "2009-05-15", "StackName": "s"}),
    ("autoscaling", {"Action": "CreateAutoScalingGroup", "Version": "2010-08-01", "AutoScalingGroupName": "g"}),
    ("rds", {"Action": "CreateDBInstance", "Version": "2009-10-16", "DBInstanceIdentifier": "d"}),
    ("cloudwatch", {"Action": "PutMetricAlarm", "Version": "2009-05-15", "AlarmName": "a"}),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("service", "words"), BOTO_2, ids=[f"{s}-{w['Action']}-{w['Version']}" for s, w in BOTO_2])
def test_actions_of_boto_2(service: str, words: dict[str, str], method: str) -> None:
    for host in ("localhost:4566", "172.17.0.2:5000", "moto:5000", "some.example.org"):
        request = signed(method, words, host)
        assert method == "GET" or needs_body(request)
        head = recognise(request)
        assert head is not None
        assert (head.service, head.operation, head.access_key) == (service, words["Action"], "test")


@pytest.mark.parametrize("service", ["rds", "elasticache"])
def test_an_arn_among_the_parameters_names_its_service(service: str) -> None:
    words = {"Action": "RemoveTagsFromResource", "Version": "2014-09-30", "TagKeys.member.1": "k"}
    words["ResourceName"] = f"arn:aws:{service}:us-east-1:123456789012:x:y"
    head = recognise(signed("POST", words))
    assert head is not None
    assert head.service == service


def test_an_unsigned_action_for_another_host_is_none_of_ours() -> None:
    assert (
        recognise(Request("GET", "/?Action=CreateVolume&Version=1999-01-01", Headers([("Host", "pypi.org")]), b""))
        is None
    )
    assert recognise(signed("POST", {"Action": "NoSuchAction", "Version": "2014-10-01"})) is None


@pytest.mark.parametrize("service", QUERY_SERVICES)
def test_every_action_with_a_version_that_no_model_has(service: str) -> None:
    model = models.service_model(service)
    source = random.Random(7)
    newest = date.fromisoformat(model.metadata["apiVersion"])
    wrong = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        protocol = "ec2" if service == "ec2" else "query"
        if model.metadata["protocol"] not in ("query", "ec2"):
            operation = models.protocol_model(service, name, "query")
        words = Maker(source, protocol).parameters(operation)
        body = request_of(operation, words, protocol).body
        assert isinstance(body, bytes)
        fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        fields["Version"] = (newest - timedelta(days=200)).isoformat()
        head = recognise(signed("POST", fields))
        if head is None or (head.service, head.operation) != (service, name):
            wrong.append((name, None if head is None else head.service))
    # Operations of one name whose parameters are the same, or none: nothing tells them apart but the nearest version.
    assert len(wrong) <= 4, wrong
