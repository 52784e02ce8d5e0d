from __future__ import annotations

import random
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.aliases import AliasTable, Origin, Scope
from replay_proxy.identifiers.learn import LearnReport, identifiers_in, learn
from replay_proxy.wire.answers import Outcome

NO_REQUEST = Request("POST", "/", Headers())


def head(call: str) -> CallHead:
    service, _, operation = call.partition(":")
    return CallHead(service, operation, "json", region="us-east-1")


def lesson(
    call: str, recorded: Any, replayed: Any, table: AliasTable | None = None, request: Request = NO_REQUEST
) -> tuple[LearnReport, dict[str, str]]:
    table = AliasTable() if table is None else table
    report = learn(head(call), request, Outcome(200, recorded), Outcome(200, replayed), table, learned_from=f"7 {call}")
    return report, {alias.client: alias.emulator for alias in table}


def subnet(ident: str, zone: str, cidr: str, vpc: str = "vpc-0c111111") -> dict[str, Any]:
    return {
        "SubnetId": ident,
        "AvailabilityZone": zone,
        "CidrBlock": cidr,
        "VpcId": vpc,
        "State": "available",
    }


def test_where_a_pair_was_learned_is_kept() -> None:
    report, _ = lesson("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}})
    [alias] = report.aliases
    assert alias.learned_from == Origin(7, "ec2:CreateVpc", "Vpc.VpcId")
    assert alias.scope == Scope("", "us-east-1")


def test_lists_are_put_together_by_what_does_not_vary() -> None:
    recorded = [subnet(f"subnet-0c{i}{i}{i}{i}{i}{i}", f"us-east-1{z}", f"10.0.{i}.0/24") for i, z in enumerate("abcd")]
    replayed = [subnet(f"subnet-0e{i}{i}{i}{i}{i}{i}", f"us-east-1{z}", f"10.0.{i}.0/24") for i, z in enumerate("abcd")]
    random.Random(3).shuffle(replayed)
    report, pairs = lesson("ec2:DescribeSubnets", {"Subnets": recorded}, {"Subnets": replayed})
    assert pairs == {f"subnet-0c{i}{i}{i}{i}{i}{i}": f"subnet-0e{i}{i}{i}{i}{i}{i}" for i in range(4)}
    assert report.ambiguous == () and report.unmatched == ()


def test_known_aliases_put_elements_together() -> None:
    table = AliasTable()
    table.add("vpc-0c111111", "vpc-0e111111")
    table.add("vpc-0c222222", "vpc-0e222222")
    group = {"GroupName": "default", "Description": "default VPC security group"}
    recorded = [
        {**group, "GroupId": "sg-0c111111", "VpcId": "vpc-0c111111"},
        {**group, "GroupId": "sg-0c222222", "VpcId": "vpc-0c222222"},
    ]
    replayed = [
        {**group, "GroupId": "sg-0e222222", "VpcId": "vpc-0e222222"},
        {**group, "GroupId": "sg-0e111111", "VpcId": "vpc-0e111111"},
    ]
    report, pairs = lesson(
        "ec2:DescribeSecurityGroups", {"SecurityGroups": recorded}, {"SecurityGroups": replayed}, table
    )
    assert pairs["sg-0c111111"] == "sg-0e111111" and pairs["sg-0c222222"] == "sg-0e222222"
    assert report.ambiguous == ()


def test_what_one_list_teaches_tells_another_of_the_same_answer_apart() -> None:
    # `Groups` comes first, and its elements differ only in ids of which `Vpcs` teaches the pairs.
    def answer(tag: str, order: int) -> dict[str, Any]:
        groups = [{"GroupId": f"sg-0{tag}{n}{n}{n}{n}{n}{n}", "VpcId": f"vpc-0{tag}{n}{n}{n}{n}{n}{n}"} for n in (1, 2)]
        vpcs = [{"VpcId": f"vpc-0{tag}{n}{n}{n}{n}{n}{n}", "CidrBlock": f"10.{n}.0.0/16"} for n in (1, 2)]
        return {"Groups": groups[::order], "Vpcs": vpcs[::order]}

    report, pairs = lesson("ec2:Describe", answer("c", 1), answer("e", -1))
    assert pairs["sg-0c111111"] == "sg-0e111111" and pairs["sg-0c222222"] == "sg-0e222222"
    assert report.ambiguous == ()


def test_elements_that_nothing_tells_apart_are_paired_by_position_and_reported() -> None:
    recorded = {"Instances": [{"InstanceId": "i-0c111111"}, {"InstanceId": "i-0c222222"}]}
    replayed = {"Instances": [{"InstanceId": "i-0e111111"}, {"InstanceId": "i-0e222222"}]}
    report, pairs = lesson("ec2:RunInstances", recorded, replayed)
    assert pairs == {"i-0c111111": "i-0e111111", "i-0c222222": "i-0e222222"}
    assert [note.path for note in report.ambiguous] == ["Instances"]


def test_what_one_side_does_not_have_is_reported() -> None:
    recorded = {
        "Subnets": [
            subnet("subnet-0c111111", "us-east-1a", "10.0.1.0/24"),
            subnet("subnet-0c222222", "us-east-1b", "10.0.2.0/24"),
        ]
    }
    replayed = {"Subnets": [subnet("subnet-0e222222", "us-east-1b", "10.0.2.0/24")]}
    report, pairs = lesson("ec2:DescribeSubnets", recorded, replayed)
    assert pairs == {"subnet-0c222222": "subnet-0e222222"}
    assert [note.path for note in report.unmatched] == []
    report, _ = lesson("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {}})
    assert [str(note) for note in report.unmatched] == ["Vpc.VpcId: only recorded: 'vpc-0c111111'"]


def test_documents_in_strings_are_walked() -> None:
    recorded = {
        "Attributes": {"RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:q-0c1111aa"}'}
    }
    replayed = {
        "Attributes": {"RedrivePolicy": '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:q-0e2222bb"}'}
    }
    _, pairs = lesson("sqs:GetQueueAttributes", recorded, replayed)
    assert pairs == {"q-0c1111aa": "q-0e2222bb", "000000000000": "123456789012"}


def test_the_account_belongs_to_the_caller_in_all_regions() -> None:
    arn = "arn:aws:sns:us-east-1:{}:topic"
    report, _ = lesson("sns:CreateTopic", {"TopicArn": arn.format("123456789012")}, {"TopicArn": arn.format("0" * 12)})
    assert [alias.scope for alias in report.aliases] == [Scope("", "")]


def test_what_says_nothing_is_not_learned() -> None:
    recorded = {
        "KeyFingerprint": "1f:51:ae:28",
        "KeyMaterial": "-----BEGIN 0c111111",
        "KeyName": "k",
        "KeyPairId": "key-0c111111",
        "NextToken": "abc0c111111",
        "RequestId": "0c111111-abcd",
    }
    replayed = {
        "KeyFingerprint": "2f:51:ae:28",
        "KeyMaterial": "-----BEGIN 0e222222",
        "KeyName": "k",
        "KeyPairId": "key-0e222222",
        "NextToken": "abc0e222222",
        "RequestId": "0e222222-abcd",
    }
    _, pairs = lesson("ec2:CreateKeyPair", recorded, replayed)
    assert pairs == {"key-0c111111": "key-0e222222"}


def test_a_name_that_the_client_chose_is_no_alias() -> None:
    request = Request("POST", "/", Headers(), b"Name=my-name-4f5e6d7c")
    _, pairs = lesson("ec2:CreateVpc", {"Name": "my-name-4f5e6d7c"}, {"Name": "other-4f5e6d7c9"}, request=request)
    assert pairs == {}


def test_a_placeholder_of_the_emulator_does_not_replace_what_creation_taught() -> None:
    table = AliasTable()
    lesson("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}}, table)
    recorded, replayed = {"VpcConfig": {"VpcId": "vpc-0c111111"}}, {"VpcConfig": {"VpcId": "vpc-123abc00"}}
    report, pairs = lesson("lambda:CreateFunction", recorded, replayed, table)
    assert pairs == {"vpc-0c111111": "vpc-0e222222"} and report.aliases == ()
    [note] = report.ambiguous
    assert note.path == "VpcConfig.VpcId" and "kept" in note.message


def test_the_operation_that_made_a_thing_can_make_it_anew() -> None:
    table = AliasTable()
    made = (
        {"Vpc": {"VpcId": "vpc-00000001"}},
        {"Vpc": {"VpcId": "vpc-00000007"}},
        {"Vpc": {"VpcId": "vpc-00000008"}},
    )
    lesson("ec2:CreateVpc", made[0], made[1], table)
    report, pairs = lesson("ec2:CreateVpc", made[0], made[2], table)
    assert pairs == {"vpc-00000001": "vpc-00000008"}
    assert [note.path for note in report.ambiguous] == ["Vpc.VpcId"]


def test_a_token_of_one_region_can_stand_for_itself_in_another() -> None:
    table = AliasTable()
    lesson("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-00000001"}}, {"Vpc": {"VpcId": "vpc-00000002"}}, table)
    west = CallHead("ec2", "CreateVpc", "ec2", region="us-west-2")
    same = Outcome(200, {"Vpc": {"VpcId": "vpc-00000001"}})
    learn(west, NO_REQUEST, same, same, table)
    assert table.to_emulator("vpc-00000001", Scope("", "us-west-2")) == "vpc-00000001"
    assert table.to_emulator("vpc-00000001", Scope("", "us-east-1")) == "vpc-00000002"


def test_failures_teach_nothing() -> None:
    table = AliasTable()
    bad = Outcome(400, {}, "Bad", "vpc-0e222222")
    good = Outcome(200, {"Vpc": {"VpcId": "vpc-0c111111"}})
    assert learn(head("ec2:CreateVpc"), NO_REQUEST, good, bad, table) == LearnReport()
    assert learn(head("ec2:CreateVpc"), NO_REQUEST, bad, good, table) == LearnReport()


def test_an_operation_without_model_is_walked_by_names() -> None:
    _, pairs = lesson("nosuch:Thing", {"Thing": {"ThingId": "0c111111aa"}}, {"Thing": {"ThingId": "0e222222bb"}})
    assert pairs == {"0c111111aa": "0e222222bb"}


def test_identifiers_of_an_outcome() -> None:
    outcome = Outcome(
        200,
        {
            "Vpc": {
                "VpcId": "vpc-0c111111",
                "CidrBlock": "10.0.0.0/16",
                "Tags": [{"Key": "k", "Value": "vpc-0d333333"}],
            }
        },
    )
    found = identifiers_in(head("ec2:CreateVpc"), outcome)
    assert "vpc-0c111111" in found and "vpc-0d333333" not in found


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 3))
def test_any_order_teaches_the_same(order: list[int], vpcs: int) -> None:
    def resources(tag: str) -> list[dict[str, Any]]:
        return [
            subnet(
                f"subnet-0{tag}{i:06d}",
                f"us-east-1{'abc'[i % 3]}",
                f"10.{i}.0.0/24",
                f"vpc-0{tag}{i % (vpcs + 1):06d}",
            )
            for i in range(12)
        ]

    replayed = [resources("e")[i] for i in order]
    report, pairs = lesson("ec2:DescribeSubnets", {"Subnets": resources("c")}, {"Subnets": replayed})
    assert pairs.items() >= {f"subnet-0c{i:06d}": f"subnet-0e{i:06d}" for i in range(12)}.items()
    assert len(pairs) == 12 + vpcs + 1 and not report.ambiguous


def test_a_long_list_in_another_order_is_put_together_quickly() -> None:
    def resources(tag: str) -> list[dict[str, Any]]:
        return [subnet(f"subnet-0{tag}{i:06d}", "us-east-1a", f"10.{i // 256}.{i % 256}.0/24") for i in range(2000)]

    replayed = resources("e")
    random.Random(1).shuffle(replayed)
    begun = time.process_time()
    report, pairs = lesson("ec2:DescribeSubnets", {"Subnets": resources("c")}, {"Subnets": replayed})
    assert time.process_time() - begun < 10
    assert pairs == {f"subnet-0c{i:06d}": f"subnet-0e{i:06d}" for i in range(2000)} and not report.ambiguous
