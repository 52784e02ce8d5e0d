"""What is asked to find out whether an emulator lived on, and what follows from the answers."""

from __future__ import annotations

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.presence_probes import Probe, is_present, probe_of
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.sigv4 import Credential

CREDENTIAL = Credential("test", "us-east-1", "sqs", "header")


def record(service: str, operation: str, protocol: str, parameters: dict[str, object], answer: bytes) -> Record:
    head = CallHead(service, operation, protocol, "", "us-east-1", "test")
    request = build_request(head, parameters, "h")
    return Record(
        1,
        "2026-01-01T00:00:00.000000Z",
        1.0,
        RecordKind.MUTATION,
        head,
        request,
        Answer(200, Headers(), answer),
        CREDENTIAL,
    )


def vpc() -> Probe:
    inner = b"<vpcId>vpc-1</vpcId><dhcpOptionsId>dopt-1</dhcpOptionsId><ownerId>12</ownerId>"
    xml = b"<CreateVpcResponse><vpc>" + inner + b"</vpc></CreateVpcResponse>"
    probe = probe_of(record("ec2", "CreateVpc", "ec2", {"CidrBlock": "10.0.0.0/16"}, xml))
    assert probe is not None
    return probe


def queue() -> Probe:
    body = b'{"QueueUrl":"http://h/000000000000/jobs"}'
    probe = probe_of(record("sqs", "CreateQueue", "json", {"QueueName": "jobs"}, body))
    assert probe is not None
    return probe


def test_what_an_emulator_named_itself_is_asked_for_by_its_own_name_alone() -> None:
    """Not by what it belongs to: a new emulator may have the same owner, and the same default options."""
    probe = vpc()
    assert (probe.names, probe.generated) == (("vpc-1",), True)
    assert probe.head.operation == "DescribeVpcs"
    assert probe.parameters == {}


def test_what_a_client_named_is_asked_for_by_that_name() -> None:
    probe = queue()
    assert (probe.names, probe.generated, probe.head.operation) == (("jobs",), False, "ListQueues")


def test_a_letter_that_a_client_chose_may_occur_in_a_generated_name() -> None:
    xml = b"<R><HostedZone><Id>/hostedzone/Z0X</Id><Name>z.example.</Name></HostedZone></R>"
    asked = {"Name": "z.example", "CallerReference": "0"}
    probe = probe_of(record("route53", "CreateHostedZone", "rest-xml", asked, xml))
    assert probe is not None
    assert (probe.names, probe.generated) == (("/hostedzone/Z0X",), True)


def listed(*vpcs: str) -> Answer:
    items = "".join(f"<item><vpcId>{each}</vpcId></item>" for each in vpcs)
    return Answer(200, Headers(), f"<DescribeVpcsResponse><vpcSet>{items}</vpcSet></DescribeVpcsResponse>".encode())


def test_a_resource_is_looked_for_under_the_name_that_the_emulator_uses_today() -> None:
    aliases = AliasTable()
    assert vpc().is_in(listed("vpc-1"), aliases) is True
    assert vpc().is_in(listed("vpc-12"), aliases) is False
    aliases.add("vpc-1", "vpc-2000", scope=Scope("", "us-east-1"))
    assert vpc().is_in(listed("vpc-1"), aliases) is False
    assert vpc().is_in(listed("vpc-2000"), aliases) is True


@pytest.mark.parametrize("status", [400, 404, 501, 503])
def test_a_refusal_says_nothing(status: int) -> None:
    assert vpc().is_in(Answer(status, Headers(), b"vpc-1"), AliasTable()) is None
    assert queue().is_in(Answer(status, Headers(), orjson.dumps({"message": "no jobs"})), AliasTable()) is None


def test_presence_is_judged_by_generated_names_first() -> None:
    generated, named = vpc(), queue()
    assert is_present([], aliases_known=True) is None
    assert is_present([(generated, None), (named, None)], aliases_known=True) is None
    assert is_present([(generated, True), (generated, False), (named, False)], aliases_known=True) is True
    assert is_present([(generated, False), (named, True)], aliases_known=True) is False, (
        "a script may have made the queue"
    )
    assert is_present([(generated, False), (named, True)], aliases_known=False) is True, (
        "what the generated one is called is not known"
    )
    assert is_present([(named, True), (named, False)], aliases_known=True) is False
    assert is_present([(named, True), (named, True)], aliases_known=True) is True


def test_the_request_of_a_probe_is_recognised() -> None:

    request = vpc().request("")
    assert isinstance(request, Request)
    head = recognise(request)
    assert head is not None
    assert (head.service, head.operation, head.region) == ("ec2", "DescribeVpcs", "us-east-1")
