from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.learning.compare import compare_outcomes
from replay_proxy.identifiers.learning.learn import LearnReport, learn
from replay_proxy.identifiers.table.alias_table import AliasTable, Origin, Scope
from replay_proxy.identifiers.table.scan import identifiers_in
from replay_proxy.wire.codecs.answers import Outcome
from tests.support.work import calls_made

NO_REQUEST = Request("POST", "/", Headers())


def head(call: str) -> CallHead:
    service, _, operation = call.partition(":")
    return CallHead(service, operation, "json", region="us-east-1")


def learner(
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
    report, _ = learner("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}})
    [alias] = report.aliases
    assert alias.learned_from == Origin(7, "ec2:CreateVpc", "Vpc.VpcId")
    assert alias.scope == Scope("", "us-east-1")


def test_lists_are_put_together_by_what_does_not_vary() -> None:
    recorded = [subnet(f"subnet-0c{i}{i}{i}{i}{i}{i}", f"us-east-1{z}", f"10.0.{i}.0/24") for i, z in enumerate("abcd")]
    replayed = [subnet(f"subnet-0e{i}{i}{i}{i}{i}{i}", f"us-east-1{z}", f"10.0.{i}.0/24") for i, z in enumerate("abcd")]
    random.Random(3).shuffle(replayed)
    report, pairs = learner("ec2:DescribeSubnets", {"Subnets": recorded}, {"Subnets": replayed})
    assert pairs == {f"subnet-0c{i}{i}{i}{i}{i}{i}": f"subnet-0e{i}{i}{i}{i}{i}{i}" for i in range(4)}
    assert report.ambiguous == () and report.unmatched == ()


def test_names_that_an_emulator_made_up_are_told_apart_by_what_they_begin_with() -> None:
    drawn = random.Random(5)

    def roles(order: str) -> dict[str, Any]:
        names = [f"stack-R{number}-{drawn.getrandbits(60):012X}" for number in order]
        return {"Roles": [{"RoleName": n, "RoleId": f"AROA{drawn.getrandbits(64):X}", "Path": "/"} for n in names]}

    recorded, replayed = roles("0123"), roles("2031")
    report, pairs = learner("iam:ListRoles", recorded, replayed)
    assert report.ambiguous == ()
    for number in range(4):
        one, two = (
            next(role for role in side["Roles"] if f"-R{number}-" in role["RoleName"]) for side in (recorded, replayed)
        )
        assert pairs[one["RoleId"]] == two["RoleId"] and pairs[one["RoleName"]] == two["RoleName"]


def test_a_name_that_was_drawn_without_a_digit_is_one_like_its_partner() -> None:
    group = {"Description": "d"}
    recorded = [
        {"GroupName": "ack-S3-YPGCESUERZD", "GroupId": "sg-0c1", **group},
        {"GroupName": "ack-S4-ABCDEFGHIJK", "GroupId": "sg-0c2", **group},
    ]
    replayed = [
        {"GroupName": "ack-S4-5LNWNB0HJRV", "GroupId": "sg-0e2", **group},
        {"GroupName": "ack-S3-06BDCBWD2D9", "GroupId": "sg-0e1", **group},
    ]
    report, pairs = learner("ec2:DescribeSecurityGroups", {"SecurityGroups": recorded}, {"SecurityGroups": replayed})
    assert pairs["sg-0c1"] == "sg-0e1" and pairs["ack-S3-YPGCESUERZD"] == "ack-S3-06BDCBWD2D9"
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
    report, pairs = learner(
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

    report, pairs = learner("ec2:Describe", answer("c", 1), answer("e", -1))
    assert pairs["sg-0c111111"] == "sg-0e111111" and pairs["sg-0c222222"] == "sg-0e222222"
    assert report.ambiguous == ()


def test_elements_that_nothing_tells_apart_are_paired_by_position_and_reported() -> None:
    recorded = {"Instances": [{"InstanceId": "i-0c111111"}, {"InstanceId": "i-0c222222"}]}
    replayed = {"Instances": [{"InstanceId": "i-0e111111"}, {"InstanceId": "i-0e222222"}]}
    report, pairs = learner("ec2:RunInstances", recorded, replayed)
    assert pairs == {"i-0c111111": "i-0e111111", "i-0c222222": "i-0e222222"}
    assert [note.path for note in report.ambiguous] == ["Instances"]
    assert [note.harmless for note in report.ambiguous] == [True]


def test_elements_that_refer_to_different_things_are_not_interchangeable() -> None:
    def interfaces(side: str) -> dict[str, Any]:
        return {
            "NetworkInterfaces": [
                {"NetworkInterfaceId": f"eni-0{side}{n}11111", "SubnetId": f"subnet-0{side}{n}22222"} for n in range(2)
            ]
        }

    report, _ = learner("ec2:DescribeNetworkInterfaces", interfaces("c"), interfaces("e"))
    assert [note.harmless for note in report.ambiguous] == [False]


def test_things_of_two_names_are_never_put_together() -> None:
    recorded = {
        "Policies": [{"PolicyName": "web", "PolicyId": "ANPA1111AAAA"}, {"PolicyName": "jobs", "PolicyId": "ANPA2222"}]
    }
    replayed = {
        "Policies": [{"PolicyName": "jobs", "PolicyId": "ANPA3333"}, {"PolicyName": "logs", "PolicyId": "ANPA4444"}]
    }
    report, pairs = learner("iam:ListPolicies", recorded, replayed)
    assert pairs == {"ANPA2222": "ANPA3333"} and not report.ambiguous


@pytest.mark.parametrize("topic_first", [True, False])
def test_an_arn_that_begins_with_a_drawn_name_is_learned_once_that_is_known(topic_first: bool) -> None:
    def subscription(topic: str, ident: str) -> dict[str, Any]:
        arn = f"arn:aws:sns:us-east-1:123456789012:{topic}"
        members = {"TopicArn": arn, "SubscriptionArn": f"{arn}:{ident}"}
        return members if topic_first else dict(reversed(members.items()))

    recorded = [subscription("s-T-1QK8ADR7R3KM", "0ffa2a7b-3b31"), subscription("news", "edef99da-f5b6")]
    replayed = [subscription("s-T-BYTRIVFQLGHN", "7530881a-a14f"), subscription("news", "11ef99da-f5b6")]
    _, pairs = learner("sns:ListSubscriptions", {"Subscriptions": recorded}, {"Subscriptions": replayed})
    assert pairs == {
        "s-T-1QK8ADR7R3KM": "s-T-BYTRIVFQLGHN",
        "0ffa2a7b-3b31": "7530881a-a14f",
        "edef99da-f5b6": "11ef99da-f5b6",
    }


def test_arns_of_two_types_are_no_pair_though_another_name_is_learned_beside_them() -> None:
    def shown(kind: str, ident: str, other: str) -> dict[str, Any]:
        return {"ListenerArn": f"arn:aws:elasticloadbalancing:us-east-1:123456789012:{kind}/{ident}", "VpcId": other}

    recorded, replayed = shown("listener", "abcd1", "vpc-0c111111"), shown("rule", "abcd2", "vpc-0e222222")
    _, pairs = learner("elbv2:DescribeListeners", {"Listeners": [recorded]}, {"Listeners": [replayed]})
    assert pairs == {"vpc-0c111111": "vpc-0e222222"}


def test_an_answer_to_a_list_belongs_to_it_by_position() -> None:
    # Each number was given to another record this time. Numbers tell nothing about the shard.
    def answer(*numbers: str) -> dict[str, Any]:
        shards = ("shardId-000000000000", "shardId-000000000001", "shardId-000000000000")
        return {"Records": [{"SequenceNumber": n, "ShardId": s} for n, s in zip(numbers, shards, strict=True)]}

    ones, twos = ("49001", "49002", "49003"), ("49002", "49001", "49003")
    report, pairs = learner("kinesis:PutRecords", answer(*ones), answer(*twos))
    assert pairs == {"49001": "49002", "49002": "49001"} and not report.ambiguous


def test_what_one_side_does_not_have_is_reported() -> None:
    recorded = {
        "Subnets": [
            subnet("subnet-0c111111", "us-east-1a", "10.0.1.0/24"),
            subnet("subnet-0c222222", "us-east-1b", "10.0.2.0/24"),
        ]
    }
    replayed = {"Subnets": [subnet("subnet-0e222222", "us-east-1b", "10.0.2.0/24")]}
    report, pairs = learner("ec2:DescribeSubnets", recorded, replayed)
    assert pairs == {"subnet-0c222222": "subnet-0e222222"}
    assert [note.path for note in report.unmatched] == []
    report, _ = learner("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {}})
    assert [str(note) for note in report.unmatched] == ["Vpc.VpcId: only recorded: 'vpc-0c111111'"]


def test_documents_in_strings_are_walked() -> None:
    recorded = {
        "Attributes": {"RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:q-0c1111aa"}'}
    }
    replayed = {
        "Attributes": {"RedrivePolicy": '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:q-0e2222bb"}'}
    }
    _, pairs = learner("sqs:GetQueueAttributes", recorded, replayed)
    assert pairs == {"q-0c1111aa": "q-0e2222bb", "000000000000": "123456789012"}


def test_the_account_belongs_to_the_caller_in_all_regions() -> None:
    arn = "arn:aws:sns:us-east-1:{}:topic"
    report, _ = learner("sns:CreateTopic", {"TopicArn": arn.format("123456789012")}, {"TopicArn": arn.format("0" * 12)})
    assert [alias.scope for alias in report.aliases] == [Scope("", "")]


def test_an_account_in_the_place_of_an_identifier_is_none() -> None:
    # One emulator names the root user by its account.
    recorded = {"UserId": "AKIAIOSFODNN7EXAMPLE", "Account": "123456789012", "Arn": "arn:aws:sts::123456789012:user/u"}
    replayed = {"UserId": "000000000000", "Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root"}
    _, pairs = learner("sts:GetCallerIdentity", recorded, replayed)
    assert pairs == {"123456789012": "000000000000"}
    table = AliasTable()
    learner("sts:GetCallerIdentity", replayed, recorded, table)
    assert {alias.client: alias.emulator for alias in table} == {"000000000000": "123456789012"}
    # What another call showed of accounts counts, too.
    _, pairs = learner("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "123456789012"}}, table)
    assert pairs == {"000000000000": "123456789012"}


def test_what_is_shown_to_people_is_no_identifier() -> None:
    owner = {"DisplayName": "webfile", "ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}
    _, pairs = learner("s3:ListBuckets", {"Owner": owner}, {"Owner": owner | {"DisplayName": "ministack"}})
    assert pairs == {}
    # One that a later request names stands for one thing wherever it occurs.
    one, two = (str(uuid.UUID(int=number << 64)) for number in (7, 8))
    _, pairs = learner("lambda:CreateFunction", {"RevisionId": one}, {"RevisionId": two})
    assert pairs == {one: two}


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
    _, pairs = learner("ec2:CreateKeyPair", recorded, replayed)
    assert pairs == {"key-0c111111": "key-0e222222"}


def test_a_name_that_the_client_chose_is_no_alias() -> None:
    request = Request("POST", "/", Headers(), b"Name=my-name-4f5e6d7c")
    _, pairs = learner("ec2:CreateVpc", {"Name": "my-name-4f5e6d7c"}, {"Name": "other-4f5e6d7c9"}, request=request)
    assert pairs == {}


def test_a_name_that_emulators_spell_differently_is_no_alias() -> None:
    request = Request("POST", "/", Headers(), b'{"DomainName": "example.com", "Id": "abcd"}')
    for one, two in (("example.com", "example.com."), ("abcd", "zyxw")):
        _, pairs = learner("acm:RequestCertificate", {"DomainName": one}, {"DomainName": two}, request=request)
        assert pairs == {}
    _, pairs = learner("acm:RequestCertificate", {"Id": "abcde"}, {"Id": "zyxwv"}, request=request)
    assert pairs == {"abcde": "zyxwv"}


@pytest.mark.parametrize(
    ("call", "holder", "path"),
    [
        ("lambda:CreateFunction", lambda vpc: {"VpcConfig": {"VpcId": vpc}}, "VpcConfig.VpcId"),
        ("elbv2:CreateLoadBalancer", lambda vpc: {"LoadBalancers": [{"VpcId": vpc}]}, "LoadBalancers[0].VpcId"),
    ],
)
def test_a_placeholder_of_the_emulator_does_not_replace_what_creation_taught(
    call: str, holder: Callable[[str], dict[str, Any]], path: str
) -> None:
    """Also where other operations of that service take such an identifier: it is no token of which the last one counts."""
    table = AliasTable()
    learner("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}}, table)
    report, pairs = learner(call, holder("vpc-0c111111"), holder("vpc-123abc00"), table)
    assert pairs == {"vpc-0c111111": "vpc-0e222222"} and report.aliases == ()
    [note] = report.ambiguous
    assert note.path == path and "kept" in note.message


@pytest.mark.parametrize(("first", "second"), [("E2AAA", "E2BBB"), ("E2AAA", "E2AAA")])
def test_of_a_chain_of_tokens_the_last_one_counts(first: str, second: str) -> None:
    """Also where this emulator hands out the same one again, and the one of the recording did not, or the other way round."""
    for one, two in ((("C1AAA", "C1BBB"), (first, second)), ((first, second), ("C1AAA", "C1BBB"))):
        table = AliasTable()
        learner("cloudfront:CreateDistribution", {"ETag": one[0]}, {"ETag": two[0]}, table)
        report, pairs = learner("cloudfront:UpdateDistribution", {"ETag": one[1]}, {"ETag": two[1]}, table)
        assert pairs[one[1]] == two[1] and report.ambiguous == ()


def test_the_operation_that_made_a_thing_can_make_it_anew() -> None:
    table = AliasTable()
    made = (
        {"Vpc": {"VpcId": "vpc-00000001"}},
        {"Vpc": {"VpcId": "vpc-00000007"}},
        {"Vpc": {"VpcId": "vpc-00000008"}},
    )
    learner("ec2:CreateVpc", made[0], made[1], table)
    report, pairs = learner("ec2:CreateVpc", made[0], made[2], table)
    assert pairs == {"vpc-00000001": "vpc-00000008"}
    assert [note.path for note in report.ambiguous] == ["Vpc.VpcId"]


def test_a_token_of_one_region_can_stand_for_itself_in_another() -> None:
    table = AliasTable()
    learner("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-00000001"}}, {"Vpc": {"VpcId": "vpc-00000002"}}, table)
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
    _, pairs = learner("nosuch:Thing", {"Thing": {"ThingId": "0c111111aa"}}, {"Thing": {"ThingId": "0e222222bb"}})
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
    report, pairs = learner("ec2:DescribeSubnets", {"Subnets": resources("c")}, {"Subnets": replayed})
    assert pairs.items() >= {f"subnet-0c{i:06d}": f"subnet-0e{i:06d}" for i in range(12)}.items()
    assert len(pairs) == 12 + vpcs + 1 and not report.ambiguous


def test_the_work_of_putting_a_list_in_another_order_together_follows_its_length() -> None:
    def resources(tag: str, count: int) -> list[dict[str, Any]]:
        return [subnet(f"subnet-0{tag}{i:06d}", "us-east-1a", f"10.{i // 256}.{i % 256}.0/24") for i in range(count)]

    def put_together(count: int) -> None:
        replayed = resources("e", count)
        random.Random(1).shuffle(replayed)
        report, pairs = learner("ec2:DescribeSubnets", {"Subnets": resources("c", count)}, {"Subnets": replayed})
        assert pairs == {f"subnet-0c{i:06d}": f"subnet-0e{i:06d}" for i in range(count)} and not report.ambiguous

    put_together(2)  # models are read
    assert calls_made(lambda: put_together(2000)) < 5 * calls_made(lambda: put_together(500))


def test_a_time_in_an_arn_is_no_revision() -> None:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/web:{}"

    def consumer(made: int, shown: int) -> dict[str, Any]:
        when = datetime.datetime.fromtimestamp(made, datetime.UTC)
        return {
            "Consumer": {"ConsumerName": "web", "ConsumerARN": arn.format(shown), "ConsumerCreationTimestamp": when}
        }

    first, second = 1795919160, 1795919167
    _, found = learner("kinesis:RegisterStreamConsumer", consumer(first, first), consumer(second, second))
    assert found == {f"web:{first}": f"web:{second}"}  # another one may be made anew in the same second
    _, found = learner("kinesis:RegisterStreamConsumer", consumer(first, 1), consumer(second, 2))
    assert found == {}


@pytest.mark.parametrize(
    ("recorded", "replayed", "learned"),
    [
        ("127.0.0.1:4566", "localhost:32378", {}),
        ("127.0.0.1:4566/q-1a2b3c4d", "localhost:32378/q-5e6f7a8b", {"q-1a2b3c4d": "q-5e6f7a8b"}),
        ("cache.test:6379", "localhost:32378", {"cache.test:6379": "localhost:32378"}),
    ],
)
def test_an_address_of_the_proxy_stands_for_that_of_the_emulator(recorded: str, replayed: str, learned: Any) -> None:
    """An alias of the two would change every address in which that of the emulator stands."""
    request = Request("POST", "/", Headers([("Host", "127.0.0.1:4566")]))
    answers = [{"Endpoints": [{"Address": each, "CachePeriodInMinutes": 1440}]} for each in (recorded, replayed)]
    table = AliasTable()
    assert learner("dynamodb:DescribeEndpoints", *answers, table, request)[1] == learned
    outcomes = [Outcome(200, each) for each in answers]
    assert compare_outcomes(head("dynamodb:DescribeEndpoints"), *outcomes, table, request).differences == ()
