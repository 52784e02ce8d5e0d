"""Aliases of texts that could be anything are replaced where identifiers stand, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Origin
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.identifiers.table.scope import ANYWHERE
from replay_proxy.proxy.lifecycle.restoring.session_file import table_of
from replay_proxy.wire.codecs.answers import Outcome, parse_answer

from .messages import json_answer, wire_request, xml_answer

SET, ITS = "T3140", "3MIG0"
APP, NOW = "4401935", "9000001"


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    table.add(SET, ITS, learned_from=Origin(1, "route53:CreateReusableDelegationSet", "DelegationSet.Id"))
    table.add(APP, NOW, learned_from=Origin(2, "appconfig:CreateApplication", "Id"))
    table.add("default", "dopt-0a1b2c3d", learned_from=Origin(3, "ec2:DescribeVpcs", "Vpcs[0].DhcpOptionsId"))
    table.add("first of mine", "second of mine", learned_from=Origin(4, "route53:X", "Id"))
    return table


def target(service: str, path: str, table: AliasTable) -> str:
    return request_to_emulator(Request("GET", path, Headers()), CallHead(service, "X", "rest-xml"), table).target


def test_paths_of_the_service_that_taught_it(table: AliasTable) -> None:
    assert target("route53", f"/2013-04-01/delegationset/{SET}", table) == f"/2013-04-01/delegationset/{ITS}"
    assert target("appconfig", f"/applications/{APP}/environments", table) == f"/applications/{NOW}/environments"
    assert target("route53", f"/2013-04-01/hostedzone?delegationsetid={SET}", table).endswith(f"={ITS}")
    for path in (f"/bucket/{SET}", f"/{APP}/key", "/default/key", f"/bucket?prefix={APP}"):
        assert target("s3", path, table) == path


def test_members_of_json(table: AliasTable) -> None:
    head = CallHead("ssm", "PutParameter", "json")
    document = {
        "DelegationSetId": SET,
        "ApplicationIds": ["one", APP, SET],
        "Nested": json.dumps({"ApplicationId": APP, "Name": APP}),
        "Arn": f"arn:aws:appconfig:us-east-1:000000000000:application/{APP}",
        "Other": f"arn:aws:s3:::{SET}",
        "DhcpOptionsId": "default",
        "GroupName": "default",
        "Name": SET,
        "Size": int(APP),
        "Description": f"the set {SET} of the application {APP}",
    }
    body = json.dumps(document).encode()
    request = Request("POST", "/", Headers([("Content-Length", str(len(body)))]), body)
    changed = request_to_emulator(request, head, table)
    assert isinstance(changed.body, bytes) and json.loads(changed.body) == document | {
        "DelegationSetId": ITS,
        "ApplicationIds": ["one", NOW, ITS],
        "Nested": json.dumps({"ApplicationId": NOW, "Name": APP}),
        "Arn": f"arn:aws:appconfig:us-east-1:000000000000:application/{NOW}",
        "DhcpOptionsId": "dopt-0a1b2c3d",
    }


def test_members_of_forms(table: AliasTable) -> None:
    template = json.dumps({"DelegationSetId": SET, "Name": SET, "x": [SET]})
    request, head = wire_request("cloudformation", "create_stack", StackName="default", TemplateBody=template)
    changed = request_to_emulator(request, head, table)
    twice = request_to_emulator(changed, head, table)
    assert twice is changed, "nothing is left to replace"
    assert b"StackName=default" in changed.body and changed.body.count(ITS.encode()) == 1  # type: ignore[arg-type, union-attr]
    request, head = wire_request("ec2", "associate_dhcp_options", DhcpOptionsId="default", VpcId="vpc-1")
    assert b"DhcpOptionsId=dopt-0a1b2c3d" in request_to_emulator(request, head, table).body  # type: ignore[operator]


def test_identifiers_with_spaces(table: AliasTable) -> None:
    request, head = wire_request("ec2", "associate_dhcp_options", DhcpOptionsId="first of mine", VpcId="first of them")
    body = request_to_emulator(request, head, table).body
    assert isinstance(body, bytes) and b"DhcpOptionsId=second%20of%20mine&VpcId=first+of+them" in body
    assert target("route53", "/2013-04-01/delegationset/first%20of%20mine", table).endswith("/second%20of%20mine")


def test_members_of_answers(table: AliasTable) -> None:
    request, head = wire_request("route53", "get_reusable_delegation_set", Id=SET)
    assert SET not in request_to_emulator(request, head, table).target
    body = (
        f"<GetReusableDelegationSetResponse><DelegationSet><Id>/delegationset/{ITS}</Id>"
        f"<CallerReference>{ITS}</CallerReference></DelegationSet></GetReusableDelegationSetResponse>"
    )
    shown = parse_answer(head, answer_to_client(xml_answer(body.encode()), head, request, table)).parsed
    assert shown["DelegationSet"]["Id"] == f"/delegationset/{SET}"
    request, head = wire_request("ecs", "list_clusters")
    body = json.dumps({"clusterArns": ["a", f"arn:aws:ecs:us-east-1:000000000000:cluster/{ITS}"], "note": ITS})
    assert answer_to_client(json_answer(body.encode()), head, request, table).body == body.encode()


def test_an_id_behind_its_kind_in_a_sentence_about_a_state(table: AliasTable) -> None:
    """Digits alone that stand elsewhere in a sentence, or in one about something else, may be a number."""
    table.add("6777", "1637", learned_from=Origin(5, "ecs:CreateService", "service.deployments[0].id"))
    request, head = wire_request("ecs", "describe_services", services=["s"])
    told = "ECS deployment ecs-svc/{} in progress, 1637 of 8/1637 tasks."
    text = json.dumps({"rolloutStateReason": told.format("1637"), "reason": told.format("1637")}).encode()
    shown = json.dumps({"rolloutStateReason": told.format("6777"), "reason": told.format("1637")}).encode()
    assert answer_to_client(json_answer(text), head, request, table).body == shown


def test_single_values_by_their_role(table: AliasTable) -> None:
    assert translated(ITS, table, ANYWHERE, to_client=True) == SET
    assert translated(ITS, table, ANYWHERE, to_client=True, is_identifier=False) == ITS
    other = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    assert translated(other, table, ANYWHERE, to_client=False) == other
    assert translated("second of mine", table, ANYWHERE, to_client=True) == "first of mine"
    arn = "arn:aws:appconfig:us-east-1:000000000000:application/{}"
    assert translated(arn.format(NOW), table, ANYWHERE, to_client=True, is_identifier=False) == arn.format(APP)


def test_the_same_word_in_another_service_is_no_collision(table: AliasTable) -> None:
    request, head = wire_request("events", "put_rule", Name="r", ScheduleExpression="rate(1 hour)")
    answer = json_answer(b'{"RuleArn": "arn:aws:events:us-east-1:000000000000:rule/default/r"}')
    assert answer_to_client(answer, head, request, table) is answer and table.take_minted() == []
    # In the service that knows it, it is one.
    request, head = wire_request("appconfig", "create_application", Name="n")
    answer = json_answer(json.dumps({"Id": APP}).encode())
    assert answer_to_client(answer, head, request, table).body != answer.body
    assert [alias.emulator for alias in table.take_minted()] == [APP]


def test_a_label_of_a_host_stands_in_hosts_alone() -> None:
    table = AliasTable()
    origin = Origin(1, "elbv2:CreateLoadBalancer", "LoadBalancers[0].DNSName")
    table.add("web1", "kxbc", kind=AliasKind.HOST, learned_from=origin)
    arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/web1/0a1b2c3d"
    assert translated(arn, table, ANYWHERE, to_client=False) == arn
    assert translated("web1.elb.amazonaws.com", table, ANYWHERE, to_client=False) == "kxbc.elb.amazonaws.com"
    # An id that stands in a host, too, is one everywhere.
    assert not table.knows("web1", "kxbc", ANYWHERE) and table.knows("web1", "kxbc", ANYWHERE, AliasKind.HOST)
    assert table.add("web1", "kxbc", learned_from=Origin(2, "apigatewayv2:CreateApi", "ApiId")) == []
    assert len(table) == 1 and translated("web1", table, ANYWHERE, to_client=False) == "kxbc"


_IDS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_", min_size=4, max_size=12)


@given(_IDS, _IDS, st.sampled_from(["Name", "Description", "Size"]))
def test_whatever_an_identifier_is_made_of_it_is_learned_and_used(client: str, emulator: str, other: str) -> None:
    assume(client != emulator and not {client, emulator} & {"applications", "us-east-1"})
    request, head = wire_request("appconfig", "create_application", Name="n")
    table = AliasTable()
    recorded, replayed = Outcome(201, {"Id": client, "Name": "n"}), Outcome(201, {"Id": emulator, "Name": "n"})
    learn(head, request, recorded, replayed, table, learned_from="1 appconfig:CreateApplication")
    assert [(alias.client, alias.emulator) for alias in table] == [(client, emulator)]
    asked, head = wire_request("appconfig", "get_application", ApplicationId=client)
    assert request_to_emulator(asked, head, table).target == f"/applications/{emulator}"
    answer = json_answer(json.dumps({"Id": emulator, other: 1}).encode())
    shown = answer_to_client(answer, head, asked, table)
    assert isinstance(shown.body, bytes) and json.loads(shown.body) == {"Id": client, other: 1}


@given(st.binary(max_size=200), st.binary(max_size=50), st.sampled_from([SET, APP, "default"]))
def test_whatever_stands_around_it_costs_nothing_but_a_look(before: bytes, after: bytes, token: str) -> None:
    table = AliasTable()
    table.add(token, "zz99yy88xx77", learned_from=Origin(1, "route53:X", "Id"))
    body = before + token.encode() + after
    request_to_emulator(Request("POST", "/", Headers(), body), CallHead("ssm", "PutParameter", "json"), table)


ISSUER, HERS = (
    "https://oidc.eks.us-east-1.amazonaws.com/id/TVYkIsmGpq",
    "https://oidc.eks.us-east-1.amazonaws.com/id/aBcDeFgHiJ",
)
MEMBERS_OF_ONE_SERVICE = [
    ("eks", "CreateCluster", lambda value: {"cluster": {"identity": {"oidc": {"issuer": value}}}}, ISSUER, HERS),
    ("iot", "GetRegistrationCode", lambda value: {"registrationCode": value}, "abcdefgh", "ijklmnop"),
    ("apigateway", "GetIntegration", lambda value: {"cacheNamespace": value}, "abcdef", "ghijkl"),
]


@pytest.mark.parametrize(("service", "operation", "shown", "client", "emulator"), MEMBERS_OF_ONE_SERVICE)
def test_members_that_hold_identifiers_in_one_service_alone(
    service: str, operation: str, shown: Callable[[str], dict[str, object]], client: str, emulator: str
) -> None:
    """What is drawn there of letters alone comes back, too."""
    head, table = CallHead(service, operation, "rest-json", region="us-east-1"), AliasTable()
    learned_from = Origin(1, f"{service}:{operation}")
    outcomes = Outcome(200, shown(client)), Outcome(200, shown(emulator))
    request = Request("POST", "/", Headers())
    learn(head, request, *outcomes, table, learned_from=learned_from)
    given = json_answer(json.dumps(shown(emulator)).encode())
    changed = answer_to_client(given, head, request, table)
    assert isinstance(changed.body, bytes) and json.loads(changed.body) == shown(client)
    other = CallHead("dynamodb", "PutItem", "json", region="us-east-1")
    assert answer_to_client(given, other, request, table).body == given.body


DESCRIBE_STACKS = CallHead("cloudformation", "DescribeStacks", "query", region="us-east-1")
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-"


def learned(head: CallHead, shown: Callable[[str], dict[str, object]], client: str, emulator: str) -> AliasTable:
    table = AliasTable()
    outcomes = Outcome(200, shown(client)), Outcome(200, shown(emulator))
    request = Request("POST", "/", Headers())
    learn(head, request, *outcomes, table, learned_from=f"1 {head.service}:{head.operation}")
    return table


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (DESCRIBE_STACKS, lambda suffix: {"Stacks": [{"Outputs": [{"OutputValue": SECRET + suffix}]}]}),
        (
            CallHead("rds", "DescribeDBClusters", "query", region="us-east-1"),
            lambda suffix: {"DBClusters": [{"MasterUserSecret": {"SecretArn": SECRET + suffix}}]},
        ),
    ],
    ids=["stack", "cluster"],
)
def test_an_arn_says_of_which_service_it_is_in_whichever_call_it_was_shown(
    head: CallHead, shown: Callable[[str], dict[str, object]]
) -> None:
    """Its suffix has letters alone, and so is replaced in places of identifiers only."""
    table = learned(head, shown, "kZHYVf", "tURoSB")
    table = table_of(table.listing())
    request, own = wire_request("secretsmanager", "describe_secret", SecretId=f"{SECRET}kZHYVf")
    changed = request_to_emulator(request, own, table).body
    assert isinstance(changed, bytes) and json.loads(changed) == {"SecretId": f"{SECRET}tURoSB"}
    given = json_answer(json.dumps({"ARN": f"{SECRET}tURoSB"}).encode())
    answer = answer_to_client(given, own, request, table).body
    assert isinstance(answer, bytes) and json.loads(answer) == {"ARN": f"{SECRET}kZHYVf"}
    other = "arn:aws:sqs:us-east-1:000000000000:shop-kZHYVf"
    assert translated(other, table, ANYWHERE, to_client=False) == other, "a queue is no secret"


def test_what_a_stack_made_is_translated_in_paths_of_the_service_that_it_is_of() -> None:
    head = CallHead("cloudformation", "DescribeStackResource", "query", region="us-east-1")
    table = learned(
        head, lambda name: {"StackResourceDetail": {"PhysicalResourceId": name}}, "abcdefghij", "klmnopqrst"
    )
    assert target("apigateway", "/restapis/abcdefghij/resources", table) == "/restapis/klmnopqrst/resources"
