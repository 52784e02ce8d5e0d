"""Which recorded calls mend a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from replay_proxy.doctor.diagnosis import Problem
from replay_proxy.doctor.repair import Repairs
from tests.resources.recordings import Tape, one

POOL = {"UserPoolId": "eu-west-1_abc"}


@pytest.mark.parametrize(
    ("service", "prefix", "user", "here"),
    [("cognito-idp", "Admin", "Username", {}), ("iam", "", "UserName", {"protocol": "query", "body": b"<R/>"})],
)
def test_who_has_left_a_group_is_not_put_back_with_who_was_lost(
    service: str, prefix: str, user: str, here: dict[str, Any]
) -> None:
    given = {"GroupName": "staff", **(POOL if prefix else {})}
    tape = Tape()
    tape.call(service, "CreateGroup", given, {"Group": {"GroupName": "staff"}}, **here)
    added = [tape.call(service, f"{prefix}AddUserToGroup", {**given, user: name}, **here) for name in ("ann", "bob")]
    left = tape.call(service, f"{prefix}RemoveUserFromGroup", {**given, user: "ann"}, **here)
    model = tape.model()
    group = one(model, f"AWS::{'Cognito::UserPoolGroup' if prefix else 'IAM::Group'}")
    assert Repairs(model).of(group, Problem.LINK_LOST, f"UserToGroup.{user}") == (*added, left)


QUERY = {"protocol": "query", "body": b"<R/>"}
ZONE = {
    "protocol": "rest-xml",
    "status": 201,
    "body": b"<R><HostedZone><Id>/hostedzone/Z1ABCDEFGH</Id><Name>shop.example.</Name></HostedZone></R>",
}


def instance(name: str) -> dict[str, Any]:
    return {"LoadBalancerName": "front", "Instances": [{"InstanceId": f"i-{name}"}]}


def network(name: str) -> dict[str, Any]:
    return {"HostedZoneId": "Z1ABCDEFGH", "VPC": {"VPCRegion": "eu-west-1", "VPCId": f"vpc-{name}"}}


@pytest.mark.parametrize(
    ("service", "made", "adds", "takes_off", "given", "here", "member"),
    [
        (
            "elb",
            ("CreateLoadBalancer", {"LoadBalancerName": "front", "Listeners": []}, QUERY),
            "RegisterInstancesWithLoadBalancer",
            "DeregisterInstancesFromLoadBalancer",
            instance,
            QUERY,
            "InstancesWithLoadBalancer.InstanceId",
        ),
        (
            "route53",
            ("CreateHostedZone", {"Name": "shop.example.", "CallerReference": "1"}, ZONE),
            "AssociateVPCWithHostedZone",
            "DisassociateVPCFromHostedZone",
            network,
            {"protocol": "rest-xml", "body": b"<R/>"},
            "VPCWithHostedZone.VPC.VPCId",
        ),
    ],
)
def test_what_was_taken_off_is_not_put_back_with_what_was_lost(
    service: str,
    made: tuple[str, dict[str, Any], dict[str, Any]],
    adds: str,
    takes_off: str,
    given: Callable[[str], dict[str, Any]],
    here: dict[str, Any],
    member: str,
) -> None:
    tape = Tape()
    tape.call(service, made[0], made[1], **made[2])
    calls = [tape.call(service, adds, given(name), **here) for name in ("0000000a", "0000000b")]
    calls.append(tape.call(service, takes_off, given("0000000a"), **here))
    model = tape.model()
    (resource,) = (each for each in model.resources.values() if each.made_by)
    assert Repairs(model).of(resource, Problem.LINK_LOST, member) == tuple(calls)
