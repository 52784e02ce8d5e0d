"""A parameter that holds a name of a resource refers to it, whatever the name looks like and whichever member it is."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.footprint.members.naming_members import labels
from replay_proxy.footprint.members.payload_members import payload_rules
from replay_proxy.footprint.names.name_index import NameIndex, words
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.ordering.dependency_graph import graph_of
from replay_proxy.replay.planning.plan import live_calls
from replay_proxy.wire.models.models import service_model
from replay_proxy.wire.mutability.judge import Effect, is_data, judge
from replay_proxy.wire.signing.sigv4 import Credential
from tests.support.processes import amount

ACCOUNT, REGION = "123456789012", "us-east-1"
HEADERS = Headers([("Content-Type", "application/x-amz-json-1.1")])

LIKE_SOMETHING_ELSE = (
    f"my-queue-1 db-primary-1 {REGION} eu-west-1a use1-az1 {ACCOUNT} 000000000000 2026-01-02 1 12 "
    "Name Id arn Allow Key lambda test default aws null true - a wg web größe ключ 🦊"
).split()
names = st.one_of(
    st.sampled_from(LIKE_SOMETHING_ELSE),
    st.text(st.sampled_from("abzAZ019-_"), min_size=1, max_size=3),
    st.text(st.sampled_from("0123456789"), min_size=1, max_size=14),
)


def call(seq: int, service: str, operation: str, asked: Any, told: Any) -> Record:
    """A call of a JSON protocol, and its answer."""
    return Record(
        seq=seq,
        time=f"2026-01-01T00:00:{seq:02}.000000Z",
        duration_ms=1.0,
        kind=RecordKind.MUTATION,
        head=CallHead(service, operation, "json", ACCOUNT, REGION, "AKIDEXAMPLE"),
        request=Request("POST", "/", HEADERS, orjson.dumps(asked)),
        answer=Answer(200, HEADERS, orjson.dumps(told)),
        credential=Credential("AKIDEXAMPLE", REGION, service, "header"),
        notes={},
    )


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def made(seq: int, maker: str, name: str) -> Record:
    """The call that makes a resource called `name`, or to which the emulator gives that name."""
    asked, told = {
        "sqs:CreateQueue": ({"QueueName": name}, {"QueueUrl": f"http://127.0.0.1:4566/{ACCOUNT}/{name}"}),
        "dynamodb:CreateTable": (
            {"TableName": name, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]},
            {"TableDescription": {"TableName": name, "TableArn": arn("dynamodb", f"table/{name}")}},
        ),
        "athena:CreateWorkGroup": ({"Name": name}, {}),
        "logs:CreateLogGroup": ({"logGroupName": name}, {}),
        "kinesis:CreateStream": ({"StreamName": name, "ShardCount": 1}, {}),
        "ecs:CreateCluster": (
            {"clusterName": name},
            {"cluster": {"clusterName": name, "clusterArn": arn("ecs", f"cluster/{name}")}},
        ),
        "ecs:RegisterTaskDefinition": (
            {"family": name, "containerDefinitions": []},
            {"taskDefinition": {"taskDefinitionArn": arn("ecs", f"task-definition/{name}:7"), "revision": 7}},
        ),
        "events:PutRule": ({"Name": name}, {"RuleArn": arn("events", f"rule/{name}")}),
        "stepfunctions:CreateStateMachine": (
            {"name": name},
            {"stateMachineArn": arn("states", f"stateMachine:{name}")},
        ),
        "kms:CreateKey": ({}, {"KeyMetadata": {"KeyId": name, "Arn": arn("kms", f"key/{name}")}}),
        "ssm:PutParameter": ({"Name": name, "Value": "v", "Type": "String"}, {"Version": 1}),
        "glue:CreateDatabase": ({"DatabaseInput": {"Name": name}}, {}),
    }[maker]
    service, _, operation = maker.partition(":")
    return call(seq, service, operation, asked, told)


ARNS = {
    "sqs:CreateQueue": ("sqs", "{}"),
    "dynamodb:CreateTable": ("dynamodb", "table/{}"),
    "athena:CreateWorkGroup": ("athena", "workgroup/{}"),
    "logs:CreateLogGroup": ("logs", "log-group:{}:*"),
    "kinesis:CreateStream": ("kinesis", "stream/{}"),
    "ecs:CreateCluster": ("ecs", "cluster/{}"),
    "ecs:RegisterTaskDefinition": ("ecs", "task-definition/{}:7"),
    "events:PutRule": ("events", "rule/{}"),
    "stepfunctions:CreateStateMachine": ("states", "stateMachine:{}"),
    "kms:CreateKey": ("kms", "key/{}"),
    "ssm:PutParameter": ("ssm", "parameter/{}"),
    "glue:CreateDatabase": ("glue", "database/{}"),
}
makers = st.sampled_from(sorted(ARNS))
ENDED_BY = {
    "sqs:CreateQueue": ("DeleteQueue", "QueueUrl"),
    "dynamodb:CreateTable": ("DeleteTable", "TableName"),
    "athena:CreateWorkGroup": ("DeleteWorkGroup", "WorkGroup"),
    "logs:CreateLogGroup": ("DeleteLogGroup", "logGroupName"),
    "kinesis:CreateStream": ("DeleteStream", "StreamName"),
}
REFERRING = [
    "ecs",
    "athena",
    "events",
    "logs",
    "firehose",
    "glue",
    "stepfunctions",
    "codebuild",
    "ssm",
    "kms",
    "dms",
    "sagemaker",
]


def referrals(maker: str, name: str) -> st.SearchStrategy[str]:
    """The ways to say that name."""
    service, resource = ARNS[maker]
    full = arn(service, resource.format(name))
    policy = json.dumps({"Statement": [{"Effect": "Deny", "Resource": [full]}]})
    return st.sampled_from([name, full, policy, f"{name}:7", f"pre/{name}", f"http://127.0.0.1:4566/{ACCOUNT}/{name}"])


def names_its_own(operation: str, path: tuple[str, ...]) -> bool:
    """May it be the name that the client gives to what the call makes?"""
    makes = operation.startswith(("Create", "Register", "Put", "Start", "Import", "Associate"))
    return makes and path[-1].lower().endswith(("name", "id", "identifier", "alias"))


@cache
def places_of(service: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every member of every operation that changes something where a text may stand that is no payload.

    But for those with which a call names what it makes itself.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    rules = payload_rules(service)

    def walk(operation: str, shape: Any, path: tuple[str, ...], within: tuple[str, ...]) -> None:
        if shape.name in rules.shapes or shape.name in within or len(path) > 5:
            return
        within = (*within, shape.name)
        if shape.type_name == "structure":
            for member, part in shape.members.items():
                if member not in labels() and rules.mark_of(shape, member, part) is None:
                    walk(operation, part, (*path, member), within)
        elif shape.type_name == "list":
            walk(operation, shape.member, (*path, "[]"), within)
        elif shape.type_name == "map" and shape.value.type_name == "string":
            walk(operation, shape.value, (*path, "{}"), within)
        elif shape.type_name == "string" and not getattr(shape, "enum", None) and not names_its_own(operation, path):
            found.append((operation, path))

    for operation in service_model(service).operation_names:
        if judge(service, operation).effect is Effect.MUTATES and not is_data(service, operation):
            shape = service_model(service).operation_model(operation).input_shape
            if shape is not None:
                walk(operation, shape, (), ())
    return tuple(found)


def wrapped(path: tuple[str, ...], value: Any) -> Any:
    for part in reversed(path):
        value = [value] if part == "[]" else {"key-of-a-map": value} if part == "{}" else {part: value}
    return value


@st.composite
def reference(draw: st.DrawFn, maker: str, name: str, seq: int) -> Record:
    service = draw(st.sampled_from(REFERRING))
    operation, path = draw(st.sampled_from(places_of(service)))
    return call(seq, service, operation, wrapped(path, draw(referrals(maker, name))), {})


def no_blobs(ref: BlobRef) -> bytes:
    raise AssertionError(ref)


@settings(max_examples=amount(150, 1500))
@given(st.data(), makers, names)
def test_a_call_waits_for_what_any_of_its_members_names(data: st.DataObject, maker: str, name: str) -> None:
    later = data.draw(reference(maker, name, 3))
    graph = graph_of([made(1, maker, name), made(2, "kinesis:CreateStream", "another-stream"), later], no_blobs)
    assert 1 in graph.closure([3])


@settings(max_examples=amount(100, 1000))
@given(st.data(), makers, names)
def test_an_arn_tells_which_of_all_that_have_one_name(data: st.DataObject, maker: str, name: str) -> None:
    everything = sorted(ARNS)
    records = [made(seq, each, name) for seq, each in enumerate(everything, 1)]
    service, resource = ARNS[maker]
    referring = data.draw(st.sampled_from(REFERRING))
    operation, path = data.draw(st.sampled_from(places_of(referring)))
    records.append(call(99, referring, operation, wrapped(path, arn(service, resource.format(name))), {}))
    graph = graph_of(records, no_blobs)
    assert everything.index(maker) + 1 in graph.closure([99])


@settings(max_examples=amount(150, 1500))
@given(st.data(), st.sampled_from(sorted(ENDED_BY)), names)
def test_a_compaction_keeps_what_a_kept_call_refers_to(data: st.DataObject, maker: str, name: str) -> None:
    operation, member = ENDED_BY[maker]
    value = f"http://127.0.0.1:4566/{ACCOUNT}/{name}" if member == "QueueUrl" else name
    later = data.draw(reference(maker, name, 2))
    ended = call(3, maker.partition(":")[0], operation, {member: value}, {})
    kept = {record.seq for record in live_calls([made(1, maker, name), later, ended]).kept}
    assert 2 not in kept or {1, 3} <= kept


@given(names)
def test_what_a_client_calls_by_id_or_arn_is_one_thing(name: str) -> None:
    secret = arn("secretsmanager", f"secret:{name}-AbCdEf")
    records = [
        call(1, "secretsmanager", "CreateSecret", {"Name": name, "SecretString": "1"}, {"Name": name, "ARN": secret}),
        call(2, "secretsmanager", "PutSecretValue", {"SecretId": name, "SecretString": "2"}, {"ARN": secret}),
        call(3, "secretsmanager", "PutSecretValue", {"SecretId": secret, "SecretString": "3"}, {"ARN": secret}),
        call(4, "secretsmanager", "PutSecretValue", {"SecretId": name, "SecretString": "4"}, {"ARN": secret}),
    ]
    graph = graph_of(records, no_blobs)
    assert [graph.closure([seq]) for seq in (2, 3, 4)] == [{1, 2}, {1, 2, 3}, {1, 2, 3, 4}]


@given(names)
def test_a_setting_of_the_account_comes_between_what_is_made_before_and_after_it(name: str) -> None:
    settings_calls = [
        ("ecs", "PutAccountSetting", {"name": "taskLongArnFormat", "value": "enabled"}, "ecs:CreateCluster"),
        (
            "logs",
            "PutAccountPolicy",
            {"policyName": "p", "policyType": "DATA_PROTECTION_POLICY"},
            "logs:CreateLogGroup",
        ),
        ("ssm", "UpdateServiceSetting", {"SettingId": "/ssm/x", "SettingValue": "true"}, "ssm:PutParameter"),
        ("kinesis", "UpdateAccountSettings", {"MinimumThroughputBillingCommitment": {}}, "kinesis:CreateStream"),
    ]
    for service, operation, params, maker in settings_calls:
        records = [
            made(1, maker, name),
            call(2, service, operation, params, {}),
            made(3, maker, f"{name}2"),
            call(4, service, operation, params, {}),
        ]
        graph = graph_of(records, no_blobs)
        assert (graph.closure([2]), 2 in graph.closure([3]), graph.closure([4])) == ({1, 2}, True, {1, 2, 3, 4})


def test_a_name_of_signs_alone_is_a_name() -> None:
    asked = {"name": "m", "definition": "{}", "roleArn": arn("kinesis", "stream/🦊")}
    calls = [made(1, "kinesis:CreateStream", "🦊"), call(2, "stepfunctions", "CreateStateMachine", asked, {})]
    assert graph_of(calls, no_blobs).predecessors(2) == {1}


def test_a_read_of_what_was_made_after_a_trigger_keeps_its_place() -> None:
    """What is done with it comes after the trigger anyway, and must not come before the read that does not show it."""
    group = {"logGroupName": "g"}
    watched = {**group, "filterName": "f", "filterPattern": "", "destinationArn": arn("lambda", "function:f")}
    calls = [
        made(1, "logs:CreateLogGroup", "g"),
        call(2, "logs", "PutSubscriptionFilter", watched, {}),
        call(3, "logs", "DeleteLogGroup", group, {}),
        made(4, "logs:CreateLogGroup", "g"),
        call(5, "logs", "ListTagsLogGroup", group, {"tags": {}}),
        call(6, "logs", "TagLogGroup", {**group, "tags": {"k": "v"}}, {}),
    ]
    calls[4] = replace(calls[4], kind=RecordKind.WITNESS)
    graph = graph_of(calls, no_blobs)
    assert graph.late >= {3, 4, 5, 6}
    assert 5 in graph.predecessors(6)


def test_payload_labels_and_enumerations_refer_to_nothing() -> None:
    records = [
        made(1, "kinesis:CreateStream", "String"),
        call(2, "ssm", "PutParameter", {"Name": "/p", "Value": "v", "Type": "String"}, {}),
        call(3, "stepfunctions", "CreateActivity", {"name": "n", "tags": [{"key": "String", "value": "String"}]}, {}),
        call(4, "secretsmanager", "CreateSecret", {"Name": "s", "SecretString": "String"}, {}),
    ]
    graph = graph_of(records, no_blobs)
    assert [graph.closure([seq]) for seq in (2, 3, 4)] == [{2}, {3}, {4}]


def test_what_was_cancelled_was_begun() -> None:
    """A run names what it writes into, and its identifier leads back to it."""
    queue = f"http://127.0.0.1:4566/{ACCOUNT}/dest"
    records = [
        made(1, "logs:CreateLogGroup", "g"),
        made(2, "sqs:CreateQueue", "dest"),
        call(3, "logs", "CreateExportTask", {"logGroupName": "g", "destination": "dest"}, {"taskId": "abcde"}),
        call(4, "logs", "CancelExportTask", {"taskId": "abcde"}, {}),
        call(5, "logs", "DeleteLogGroup", {"logGroupName": "g"}, {}),
        call(6, "sqs", "DeleteQueue", {"QueueUrl": queue}, {}),
    ]
    assert [record.seq for record in live_calls(records).kept] == [1, 2, 3, 4, 5, 6]
    graph = graph_of(records, no_blobs)
    assert (graph.closure([4]), 3 in graph.closure([5]), 3 in graph.closure([6])) == ({1, 2, 3, 4}, True, True)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=6), st.data())
def test_every_name_that_a_text_holds_is_found_and_only_such(known: list[str], data: st.DataObject) -> None:
    index: NameIndex[int] = NameIndex()
    for number, name in enumerate(known):
        index.add(name, number)
    name = data.draw(st.sampled_from(known))
    text = data.draw(st.sampled_from([name, f"a/{name}/b", f"{{{name}}}", f" {name} "]))
    found = list(index.names_in(text))
    assert all(each in text for each in found)
    if words(name) or text == name:
        assert name in found
    for number, each in enumerate(known):
        index.discard(each, number)
    assert list(index.names_in(text)) == []


def test_names_are_found_in_every_encoding() -> None:
    index: NameIndex[int] = NameIndex()
    index.add("/app/größe", 1)
    for text in (json.dumps({"a": "/app/größe"}), "%2Fapp%2Fgr%C3%B6%C3%9Fe", arn("ssm", "parameter/app/größe")):
        index.add("app/größe", 1)
        assert [owner for _name, _namespace, owners in index.found_in(text) for owner in owners] != [], text
