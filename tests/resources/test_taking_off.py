"""What calls take off again, of what other calls had added to a resource."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.resources.properties.attributes import fold
from replay_proxy.resources.properties.operation_names import noun_added, undone_by
from replay_proxy.resources.resource import Key, Resource

Calls = list[tuple[str, dict[str, Any]]]


def folded(service: str, noun: str, naming: str, made: dict[str, Any], calls: Calls) -> dict[str, Any]:
    """The attributes after a creation and these calls."""
    resource = Resource(1, Key("", "", service, noun, ("one",)), noun, "one")
    fold(resource, f"Create{noun}", made, naming={naming}, made=True)
    for operation, given in calls:
        fold(resource, operation, {naming: "one", **given}, naming={naming}, made=False)
    return resource.attributes


def vpc(name: str, **more: str) -> dict[str, Any]:
    return {"VPC": {"VPCRegion": "eu-west-1", "VPCId": name}, **more}


def instances(*names: str) -> dict[str, Any]:
    return {"Instances": [{"InstanceId": name} for name in names]}


@pytest.mark.parametrize(
    ("service", "noun", "naming", "calls", "left"),
    [
        (
            "elb",
            "LoadBalancer",
            "LoadBalancerName",
            [
                ("RegisterInstancesWithLoadBalancer", instances("a", "b")),
                ("DeregisterInstancesFromLoadBalancer", instances("a")),
            ],
            {"InstancesWithLoadBalancer": [{"InstanceId": "b"}]},
        ),
        (
            "elb",
            "LoadBalancer",
            "LoadBalancerName",
            [
                ("AttachLoadBalancerToSubnets", {"Subnets": ["a", "b"]}),
                ("DetachLoadBalancerFromSubnets", {"Subnets": ["a"]}),
            ],
            {"LoadBalancerToSubnets": [{"Subnets": ["b"]}]},
        ),
        (
            "route53",
            "HostedZone",
            "HostedZoneId",
            [
                ("AssociateVPCWithHostedZone", vpc("a", Comment="joins")),
                ("AssociateVPCWithHostedZone", vpc("b", Comment="joins")),
                ("DisassociateVPCFromHostedZone", vpc("a", Comment="leaves")),
            ],
            {"VPCWithHostedZone": [vpc("b", Comment="joins")]},
        ),
        (
            "iam",
            "Group",
            "GroupName",
            [
                ("AddUserToGroup", {"UserName": "ann"}),
                ("AddUserToGroup", {"UserName": "bob"}),
                ("RemoveUserFromGroup", {"UserName": "ann"}),
            ],
            {"UserToGroup": [{"UserName": "bob"}]},
        ),
        (
            "logs",
            "LogGroup",
            "logGroupName",
            [("AssociateKmsKey", {"kmsKeyId": "key"}), ("DisassociateKmsKey", {})],
            {},
        ),
    ],
)
def test_what_is_taken_off_is_gone(
    service: str, noun: str, naming: str, calls: Calls, left: dict[str, list[Any]]
) -> None:
    assert folded(service, noun, naming, {}, calls) == left


@pytest.mark.parametrize(
    ("service", "noun", "naming", "made", "call", "left"),
    [
        ("route53", "HostedZone", "HostedZoneId", vpc("a"), ("DisassociateVPCFromHostedZone", vpc("a")), {}),
        ("route53", "HostedZone", "HostedZoneId", vpc("a"), ("DisassociateVPCFromHostedZone", vpc("b")), vpc("a")),
        (
            "elb",
            "LoadBalancer",
            "LoadBalancerName",
            {"Subnets": ["a", "b"]},
            ("DetachLoadBalancerFromSubnets", {"Subnets": ["a"]}),
            {"Subnets": ["b"]},
        ),
        ("elb", "LoadBalancer", "LoadBalancerName", {}, ("DeregisterInstancesFromLoadBalancer", instances("a")), {}),
    ],
)
def test_what_a_creation_had_set_can_be_taken_off_and_nothing_is_set(
    service: str, noun: str, naming: str, made: dict[str, Any], call: tuple[str, dict[str, Any]], left: dict[str, Any]
) -> None:
    assert folded(service, noun, naming, made, [call]) == left


@pytest.mark.parametrize(
    ("service", "adds", "takes_off"),
    [
        ("iam", "AttachRolePolicy", "DetachRolePolicy"),
        ("iam", "AddUserToGroup", "RemoveUserFromGroup"),
        ("cognito-idp", "AdminAddUserToGroup", "AdminRemoveUserFromGroup"),
        ("elb", "RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"),
        ("route53", "AssociateVPCWithHostedZone", "DisassociateVPCFromHostedZone"),
        ("ec2", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
    ],
)
def test_an_operation_is_undone_by_the_one_that_the_models_have(service: str, adds: str, takes_off: str) -> None:
    assert undone_by(service, adds) == (takes_off,)
    assert noun_added(service, takes_off) == noun_added(service, adds)
    assert adds.endswith(noun_added(service, takes_off))
