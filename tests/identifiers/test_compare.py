from __future__ import annotations

import datetime
from typing import Any

import pytest

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers
from replay_proxy.footprint.members.member_roles import Role, role_by_name
from replay_proxy.identifiers.learning.compare import Comparison, Difference, Severity, compare_outcomes, differences
from replay_proxy.identifiers.learning.comparison_rules import _data, _state_words
from replay_proxy.identifiers.table.alias_table import AliasTable, Origin
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.models import service_model

NOW, THEN = (
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
)


def judged(call: str, recorded: Any, replayed: Any) -> Comparison:
    table = AliasTable()
    table.add("vpc-0c111111", "vpc-0e222222")
    table.add("123456789012", "000000000000")
    service, _, operation = call.partition(":")
    head = CallHead(service, operation, "json", region="us-east-1")
    return compare_outcomes(head, Outcome(200, recorded), Outcome(200, replayed), table)


@pytest.mark.parametrize(
    ("call", "recorded", "replayed"),
    [
        ("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}}),
        ("iam:GetUser", {"User": {"CreateDate": THEN}}, {"User": {"CreateDate": NOW}}),
        (
            "logs:DescribeLogGroups",
            {"logGroups": [{"creationTime": 1}]},
            {"logGroups": [{"creationTime": 2}]},
        ),
        (
            "sqs:CreateQueue",
            {"QueueUrl": "http://localhost:4566/123456789012/q"},
            {"QueueUrl": "http://127.0.0.1:1/000000000000/q"},
        ),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q", "http://a/1/r"]},
            {"QueueUrls": ["http://b/1/r", "http://b/1/q"]},
        ),
        (
            "ec2:DescribeTags",
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
            {"Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]},
        ),
        (
            "sqs:GetQueueAttributes",
            {"Attributes": {"Policy": '{"a": 1, "b": "vpc-0c111111"}'}},
            {"Attributes": {"Policy": '{"b":"vpc-0e222222","a":1}'}},
        ),
        ("ec2:CreateVpc", {"Vpc": {"IsDefault": False, "Tags": []}}, {"Vpc": {}}),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q"], "NextToken": "x"},
            {"QueueUrls": ["http://a/1/q"]},
        ),
    ],
)
def test_what_means_the_same_is_no_difference(call: str, recorded: Any, replayed: Any) -> None:
    assert judged(call, recorded, replayed) == Comparison(True, ())


@pytest.mark.parametrize(
    ("call", "recorded", "replayed", "path"),
    [
        ("ec2:CreateKeyPair", {"KeyMaterial": "a"}, {"KeyMaterial": "b"}, "KeyMaterial"),
        ("kms:Encrypt", {"CiphertextBlob": b"a"}, {"CiphertextBlob": b"b"}, "CiphertextBlob"),
        ("lambda:CreateFunction", {"State": "Pending"}, {"State": "Active"}, "State"),
        ("ec2:X", {"MacAddress": "02:00:4602x"}, {"MacAddress": "02:00:1302x"}, "MacAddress"),
        ("ec2:CreateVpc", {"Vpc": {}}, {"Vpc": {"DhcpOptionsId": "default"}}, "Vpc.DhcpOptionsId"),
    ],
)
def test_what_cannot_be_the_same_is_noted(call: str, recorded: Any, replayed: Any, path: str) -> None:
    verdict = judged(call, recorded, replayed)
    assert verdict.equivalent
    assert [(each.path, each.severity) for each in verdict.differences] == [(path, Severity.NOTE)]


@pytest.mark.parametrize(
    ("call", "recorded", "replayed", "difference"),
    [
        (
            "ec2:CreateVpc",
            {"Vpc": {"CidrBlock": "10.0.0.0/16"}},
            {"Vpc": {"CidrBlock": "10.1.0.0/16"}},
            ("Vpc.CidrBlock", "10.0.0.0/16", "10.1.0.0/16"),
        ),
        (
            "ec2:CreateVpc",
            {"Vpc": {"VpcId": "vpc-0c111111"}},
            {"Vpc": {"VpcId": "vpc-0d333333"}},
            ("Vpc.VpcId", "vpc-0c111111", "vpc-0d333333"),
        ),
        ("s3:PutObject", {"ETag": '"a"'}, {"ETag": '"b"'}, ("ETag", '"a"', '"b"')),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q", "http://a/1/r"]},
            {"QueueUrls": ["http://a/1/q"]},
            ("QueueUrls[1]", "http://a/1/r", "nothing"),
        ),
        (
            "sqs:ListQueues",
            {"QueueUrls": []},
            {"QueueUrls": ["http://a/1/q"]},
            ("QueueUrls[+]", "nothing", "http://a/1/q"),
        ),
        (
            "s3:GetBucketVersioning",
            {"Status": "Enabled"},
            {"Status": "Suspended"},
            ("Status", "Enabled", "Suspended"),
        ),
        (
            "cloudformation:DescribeStacks",
            {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]},
            {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]},
            ("Stacks[0].StackStatus", "CREATE_COMPLETE", "ROLLBACK_COMPLETE"),
        ),
        (
            "ec2:CreateVpc",
            {"Vpc": {"IsDefault": True}},
            {"Vpc": {"IsDefault": False}},
            ("Vpc.IsDefault", "True", "False"),
        ),
        (
            "s3:GetObject",
            {"Body": BlobRef("a", 1)},
            {"Body": BlobRef("b", 1)},
            ("Body", "BlobRef(sha256='a', size=1)", "BlobRef(sha256='b', size=1)"),
        ),
    ],
)
def test_what_differs_has_diverged(call: str, recorded: Any, replayed: Any, difference: tuple[str, str, str]) -> None:
    verdict = judged(call, recorded, replayed)
    assert verdict == Comparison(False, (Difference(*difference),))
    assert str(verdict.differences[0]) == "{}: expected {}, got {}".format(*difference)


def test_outcomes_of_different_kind() -> None:
    head, table = CallHead("ec2", "CreateVpc", "ec2"), AliasTable()
    good, bad = Outcome(200, {"Vpc": {}}), Outcome(400, {}, "VpcLimitExceeded", "no")
    assert [str(each) for each in differences(head, good, bad, table)] == [
        "outcome: expected status 200, got status 400 (VpcLimitExceeded)"
    ]
    assert differences(head, bad, Outcome(403, {}, "VpcLimitExceeded", "other words"), table) == []
    assert not compare_outcomes(head, bad, Outcome(500, {}, "InternalError", ""), table).equivalent


def test_long_values_are_cut() -> None:
    [difference] = judged(
        "ssm:GetParameter", {"Parameter": {"Value": "a" * 999}}, {"Parameter": {"Value": "b"}}
    ).differences
    assert len(difference.expected) == 200 and difference.expected.endswith("…")


ACTIVITY = "At 2024-01-01T00:00:00Z a user request changed the capacity to 3."
SHADOW = b'{"state":{"a":1},"metadata":{"a":{"timestamp":1}},"timestamp":1,"version":1}'


@pytest.mark.parametrize(
    ("call", "recorded", "replayed"),
    [
        ("rds:DescribeDBInstances", {"Endpoint": "db.local:5432"}, {"Endpoint": "db.local:4510"}),
        ("opensearch:DescribeDomain", {"Endpoint": "localhost:1/d"}, {"Endpoint": "localhost:2/d"}),
        (
            "autoscaling:DescribeScalingActivities",
            {"Activities": [{"ActivityId": "a", "Cause": ACTIVITY}]},
            {"Activities": [{"ActivityId": "a", "Cause": ACTIVITY.replace("2024", "2026")}]},
        ),
        ("iot-data:GetThingShadow", {"payload": SHADOW}, {"payload": SHADOW.replace(b'timestamp":1', b'timestamp":2')}),
        ("codebuild:BatchGetBuilds", {"builds": [{"buildNumber": 3}]}, {"builds": [{"buildNumber": 9}]}),
        ("appsync:CreateApiKey", {"apiKey": {"deletes": 1, "expires": 1}}, {"apiKey": {"deletes": 2, "expires": 2}}),
    ],
)
def test_what_must_differ_is_no_difference(call: str, recorded: Any, replayed: Any) -> None:
    assert judged(call, recorded, replayed) == Comparison(True, ())


@pytest.mark.parametrize(
    ("call", "recorded", "replayed"),
    [
        (
            "ecs:DescribeServices",
            {"services": [{"taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/job:1"}]},
            {"services": [{"taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/job:2"}]},
        ),
        ("ecs:X", {"Image": "registry.example.com/app:1"}, {"Image": "registry.example.com/app:2"}),
        ("ecs:X", {"image": "app:1"}, {"image": "app:2"}),
        ("lambda:X", {"FunctionArn": "arn:aws:lambda:::function:f:1"}, {"FunctionArn": "arn:aws:lambda:::function:f:3"}),
        ("ec2:DescribeVolumes", {"Volumes": [{"State": "in-use"}]}, {"Volumes": [{"State": "available"}]}),
        ("cloudformation:X", {"StackStatus": "CREATE_COMPLETE"}, {"StackStatus": "CREATE_FAILED"}),
        ("ec2:X", {"State": "running"}, {"State": "stopped"}),
        ("ec2:X", {"State": "running"}, {"State": "shutting-down"}),
        ("eks:X", {"status": "CREATING"}, {"status": "FAILED"}),
        ("autoscaling:X", {"Cause": ACTIVITY}, {"Cause": ACTIVITY.replace("to 3", "to 4")}),
        ("iot-data:GetThingShadow", {"payload": SHADOW}, {"payload": SHADOW.replace(b'"a":1}', b'"a":2}')}),
        ("lambda:X", {"StateReason": "The function is being created."}, {"StateReason": "The functiob is being created."}),
        ("ec2:X", {"StateTransitionReason": "User initiated"}, {"StateTransitionReason": "User imitiated"}),
        ("lambda:X", {"State": "Pending"}, {"State": "Penaing"}),
        ("route53:X", {"Status": "PENDING"}, {"Status": "PENDIaG"}),
        ("elbv2:X", {"State": {"Reason": "Target is healthy"}}, {"State": {"Reason": "Target is wealthy"}}),
        ("wafv2:X", {"Status": "Updating"}, {"Status": "Upaating"}),
        ("ecs:X", {"lastStatus": "RUNNING"}, {"lastStatus": "RUNNANG"}),
        ("ec2:X", {"State": {"Code": 0, "Name": "pending"}}, {"State": {"Code": 1, "Name": "pending"}}),
        ("lambda:X", {"StateReason": "The function is being created."}, {"StateReason": "The function is there."}),
        ("x:X", {"Status": True}, {"Status": False}),
    ],
)  # fmt: skip
def test_what_only_looks_alike_has_diverged(call: str, recorded: Any, replayed: Any) -> None:
    assert not judged(call, recorded, replayed).equivalent


@pytest.mark.parametrize(
    ("recorded", "replayed"),
    [
        ("CREATING", "ACTIVE"),
        ("ACTIVE", "CREATING"),
        ("Pending", "InService"),
        ("stopping", "stopped"),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
        ("PENDING_VALIDATION", "ISSUED"),
        ("RUNNING", "SUCCEEDED"),
        ("Available", "available"),
    ],
)
def test_a_state_on_its_way_is_only_noted(recorded: str, replayed: str) -> None:
    verdict = judged("x:X", {"Status": recorded}, {"Status": replayed})
    assert verdict.equivalent and all(each.severity is Severity.NOTE for each in verdict.differences)


@pytest.mark.parametrize(
    ("call", "recorded", "replayed"),
    [
        ("lambda:PublishVersion", {"StateReasonCode": "Updating"}, {"StateReasonCode": ""}),
        ("lambda:PublishVersion", {"LastUpdateStatusReasonCode": ""}, {"LastUpdateStatusReasonCode": "Restoring"}),
        (
            "lambda:PublishVersion",
            {"State": "Pending", "StateReason": "The function is being created."},
            {"State": "Active", "StateReason": ""},
        ),
        (
            "dynamodb:X",
            {"ReplicaStatus": "CREATING", "ReplicaStatusDescription": "Replica is being created"},
            {"ReplicaStatus": "ACTIVE", "ReplicaStatusDescription": "Replica is there"},
        ),
        (
            "ec2:RunInstances",
            {"Instances": [{"State": {"Code": 0, "Name": "pending"}}]},
            {"Instances": [{"State": {"Code": 16, "Name": "running"}}]},
        ),
        (
            "ec2:X",
            {"StateTransitionReason": "at 2026-11-29 04:00:00 GMT"},
            {"StateTransitionReason": "at 2026-11-29 05:00:00 GMT"},
        ),
    ],
)
def test_why_a_state_is_on_its_way_is_only_noted(call: str, recorded: Any, replayed: Any) -> None:
    assert judged(call, recorded, replayed).equivalent


def test_what_is_told_of_a_state_is_another_where_that_very_state_has_moved() -> None:
    """Not where a state elsewhere in the answer has."""
    pending = {"State": "Pending", "StateReason": "It is being created."}
    ready = {"State": "Active", "StateReason": "It is there."}
    odd = {"State": "Pending", "StateReason": "It is there."}
    assert judged("lambda:ListFunctions", {"Functions": [pending]}, {"Functions": [ready]}).equivalent
    listed = [
        {"Functions": [{"FunctionName": "a", **pending}, {"FunctionName": "b", **each}]} for each in (pending, odd)
    ]
    moved = {"Functions": [{"FunctionName": "a", **ready}, {"FunctionName": "b", **odd}]}
    assert not judged("lambda:ListFunctions", listed[0], listed[1]).equivalent
    assert not judged("lambda:ListFunctions", listed[0], moved).equivalent


def test_a_sentence_about_a_state_names_things_as_they_are_called_now() -> None:
    """Identifiers of digits alone are aliases where identifiers stand; a sentence repeats them."""
    head, table = CallHead("ecs", "UpdateService", "json"), AliasTable()
    table.add("4102", "2642", learned_from=Origin(1, "ecs:CreateService", "service.deployments[0].id"))
    said = [
        {"rolloutStateReason": f"ECS deployment {each} completed."}
        for each in ("ecs-svc/4102", "ecs-svc/2642", "ecs-svc/9")
    ]
    assert compare_outcomes(head, Outcome(200, said[0]), Outcome(200, said[1]), table).equivalent
    assert not compare_outcomes(head, Outcome(200, said[0]), Outcome(200, said[2]), table).equivalent


@pytest.mark.parametrize(
    ("call", "sent", "recorded", "replayed", "same"),
    [
        ("route53:CreateHealthCheck", {"CallerReference": "mine"}, "mine", "mjne", False),
        ("route53:CreateHealthCheck", {"CallerReference": "mine"}, "drawn", "drawn anew", True),
        ("route53:CreateHostedZone", {"Name": "a", "CallerReference": "1"}, "1", "1", True),
    ],
)
def test_what_a_client_sent_is_shown_as_it_was_sent(
    call: str, sent: Any, recorded: str, replayed: str, same: bool
) -> None:
    service, _, operation = call.partition(":")
    head = CallHead(service, operation, "rest-xml")
    request = build_request(head, sent, "127.0.0.1:4567")
    shown = [Outcome(201, {"HealthCheck": {"CallerReference": each}}) for each in (recorded, replayed)]
    assert compare_outcomes(head, *shown, AliasTable(), request).equivalent is same


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ([("by", "me"), ("only", "mine")], True),
        ([("by", "me"), ("only", "other")], False),
        ([("by", "me"), ("more", "mine")], False),
        ([("only", "mine")], False),
    ],
)
def test_an_element_that_a_client_sent_may_be_shown_where_it_was_not(shown: list[tuple[str, str]], same: bool) -> None:
    """A tag that came into the call by a merge, or that the recorded emulator did not repeat."""
    head = CallHead("ecs", "CreateCluster", "json")
    tags = [{"key": "by", "value": "me"}, {"key": "only", "value": "mine"}]
    request = build_request(head, {"clusterName": "c", "tags": tags}, "127.0.0.1:4567")
    recorded = Outcome(200, {"cluster": {"tags": tags[:1]}})
    replayed = Outcome(200, {"cluster": {"tags": [{"key": key, "value": value} for key, value in shown]}})
    assert compare_outcomes(head, recorded, replayed, AliasTable(), request).equivalent is same


@pytest.mark.parametrize(
    ("uri", "other", "same"),
    [
        ("http://example.com", "http://example.cam", False),
        ("http://127.0.0.1:4567/x", "http://localhost:30001/x", True),
        ("http://example.com/{id}", "http://example.com/{id}", True),
    ],
)
def test_an_address_that_a_client_sent_keeps_its_host(uri: str, other: str, same: bool) -> None:
    head = CallHead("apigatewayv2", "CreateIntegration", "rest-json")
    request = build_request(
        head, {"ApiId": "a", "IntegrationType": "HTTP_PROXY", "IntegrationUri": uri}, "127.0.0.1:4567"
    )
    shown = [Outcome(201, {"IntegrationUri": each}) for each in (uri, other)]
    assert compare_outcomes(head, *shown, AliasTable(), request).equivalent is same
    assert compare_outcomes(head, *shown, AliasTable()).equivalent, "the emulator's own address is another each time"


def test_an_answer_of_ec2_that_says_false_is_no_success() -> None:
    """The models of most calls leave that member out."""
    head = CallHead("ec2", "AttachInternetGateway", "ec2")
    bodies = [f"<R><requestId>{each}</requestId><return>{each}</return></R>" for each in ("true", "false")]
    answers = [Answer(200, Headers(()), each.encode()) for each in bodies]
    recorded, replayed = (parse_answer(head, each) for each in answers)
    assert (recorded.ok, replayed.ok) == (True, False)
    assert not compare_outcomes(head, recorded, replayed, AliasTable()).equivalent


def test_a_missing_element_is_a_loss_and_a_history_is_not() -> None:
    gone = judged("sqs:ListQueues", {"QueueUrls": ["http://a/1/q", "http://a/1/r"]}, {"QueueUrls": ["http://a/1/q"]})
    assert [each.is_loss for each in gone.differences] == [True]
    activities = {"Activities": [{"ActivityId": "a", "Cause": "one"}, {"ActivityId": "b", "Cause": "two"}]}
    fewer = judged("autoscaling:DescribeScalingActivities", activities, {"Activities": activities["Activities"][:1]})
    assert fewer.equivalent and not any(each.is_loss for each in fewer.differences)


def test_what_is_shown_in_another_account_is_misplaced_and_another_thing_is_not() -> None:
    def shown(account: str, name: str) -> dict[str, Any]:
        return {"Vpcs": [{"CidrBlock": "10.0.0.0/16", "OwnerId": account, "State": name}]}

    before = shown("123456789012", "available")
    for after, misplaced in ((shown("222222222222", "available"), True), (shown("123456789012", "lost"), False)):
        assert [each.misplaced for each in judged("ec2:DescribeVpcs", before, after).differences] == [misplaced]


@pytest.mark.parametrize("service", ["lambda", "dynamodb", "ec2", "kinesis", "wafv2", "eks", "cloudformation"])
def test_the_words_for_states_are_those_of_the_models(service: str) -> None:
    model = service_model(service)
    members = (each for name in model.shape_names for each in getattr(model.shape_for(name), "members", {}).items())
    for member, shape in members:
        if shape.type_name == "string" and role_by_name(service, "", member) is Role.STATE:
            assert {word.lower() for word in shape.enum} <= _state_words(), "scripts/build-state-words writes them"


def test_every_rule_says_why_and_where_that_is_known_from() -> None:
    rules = [*_data()["addresses"], *_data()["histories"], *_data()["states"].values(), _data()["texts_with_times"]]
    assert all(rule["reason"] and rule["source"] for rule in rules)
