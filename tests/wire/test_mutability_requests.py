"""`judge_call`: requests that decide themselves, as botocore writes them; and requests that nobody can read."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import BlobRef, CallHead, Headers, Request
from replay_proxy.wire.models.models import operation_model
from replay_proxy.wire.mutability.by_request import BODY_BYTES_MAX
from replay_proxy.wire.mutability.judge import Effect, JudgementSource, judge, judge_call
from tests.wire.generated import request_of

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"
CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:c"


def effect_of(
    service: str, operation: str, parameters: dict[str, Any], protocol: str
) -> tuple[Effect, JudgementSource]:
    request = request_of(operation_model(service, operation), parameters, protocol)
    verdict = judge_call(CallHead(service, operation, protocol), request)
    assert verdict.reason
    return verdict.effect, verdict.layer


@pytest.mark.parametrize(
    ("operation", "parameters", "effect"),
    [
        ("ExecuteStatement", {"Statement": "SELECT * FROM \"t\" WHERE pk = 'a'"}, Effect.READS),
        ("ExecuteStatement", {"Statement": "  select a from t"}, Effect.READS),
        ("ExecuteStatement", {"Statement": "INSERT INTO t VALUE {'pk': 'SELECT'}"}, Effect.MUTATES),
        ("ExecuteStatement", {"Statement": "UPDATE t SET a = 1 WHERE pk = 'x'"}, Effect.MUTATES),
        ("ExecuteStatement", {"Statement": "DELETE FROM t WHERE pk = 'x'"}, Effect.MUTATES),
        (
            "BatchExecuteStatement",
            {"Statements": [{"Statement": "SELECT 1"}, {"Statement": "SELECT 2"}]},
            Effect.READS,
        ),
        (
            "BatchExecuteStatement",
            {"Statements": [{"Statement": "SELECT 1"}, {"Statement": "DELETE FROM t"}]},
            Effect.MUTATES,
        ),
        (
            "ExecuteTransaction",
            {"TransactStatements": [{"Statement": "EXISTS(SELECT * FROM t WHERE pk='a')"}]},
            Effect.READS,
        ),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": "UPDATE t SET a=1"}]}, Effect.MUTATES),
    ],
)
def test_partiql(operation: str, parameters: dict[str, Any], effect: Effect) -> None:
    assert effect_of("dynamodb", operation, parameters, "json") == (effect, JudgementSource.REQUEST)


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("SELECT id, name FROM users WHERE id = :id", Effect.READS),
        ("select count(*) from users; select now()", Effect.READS),
        ("INSERT INTO users VALUES (1)", Effect.MUTATES),
        ("SELECT nextval('ids')", Effect.MUTATES),
    ],
)
def test_rds_data(sql: str, effect: Effect) -> None:
    parameters = {"resourceArn": CLUSTER, "secretArn": SECRET, "sql": sql}
    assert effect_of("rds-data", "ExecuteStatement", parameters, "rest-json") == (effect, JudgementSource.REQUEST)


def test_rds_data_batches_write() -> None:
    parameters = {"resourceArn": CLUSTER, "secretArn": SECRET, "sql": "INSERT INTO t VALUES (:a)"}
    assert effect_of("rds-data", "BatchExecuteStatement", parameters, "rest-json")[0] is Effect.MUTATES


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "effect"),
    [
        ("athena", "StartQueryExecution", {"QueryString": "SELECT my_udf(a) FROM t"}, Effect.TRANSIENT),
        ("athena", "StartQueryExecution", {"QueryString": "CREATE TABLE t AS SELECT 1"}, Effect.MUTATES),
        ("athena", "StartQueryExecution", {"QueryString": "MSCK REPAIR TABLE t"}, Effect.MUTATES),
        ("redshift-data", "ExecuteStatement", {"Database": "d", "Sql": "SHOW TABLES"}, Effect.TRANSIENT),
        (
            "redshift-data",
            "BatchExecuteStatement",
            {"Database": "d", "Sqls": ["SELECT 1", "DROP TABLE t"]},
            Effect.MUTATES,
        ),
    ],
)
def test_queries_for_the_caller(service: str, operation: str, parameters: dict[str, Any], effect: Effect) -> None:
    assert effect_of(service, operation, parameters, "json") == (effect, JudgementSource.REQUEST)


@pytest.mark.parametrize(
    ("challenge", "effect"),
    [
        ("NEW_PASSWORD_REQUIRED", Effect.MUTATES),
        ("MFA_SETUP", Effect.MUTATES),
        ("SOFTWARE_TOKEN_MFA", Effect.TRANSIENT),
        ("PASSWORD_VERIFIER", Effect.TRANSIENT),
    ],
)
def test_challenges(challenge: str, effect: Effect) -> None:
    parameters = {"ClientId": "c", "ChallengeName": challenge, "ChallengeResponses": {"USERNAME": "u"}}
    assert effect_of("cognito-idp", "RespondToAuthChallenge", parameters, "json") == (effect, JudgementSource.REQUEST)


def test_a_challenge_of_tomorrow_counts_as_lasting() -> None:
    parameters = {"ClientId": "c", "ChallengeName": "RETINA_SCAN", "ChallengeResponses": {}}
    assert effect_of("cognito-idp", "RespondToAuthChallenge", parameters, "json") == (
        Effect.MUTATES,
        JudgementSource.TABLE,
    )


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "protocol"),
    [
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"}, "ec2"),
        ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, "ec2"),
        ("kms", "CreateGrant", {"KeyId": "k", "GranteePrincipal": "p", "Operations": ["Encrypt"]}, "json"),
        ("kinesis", "PutRecord", {"StreamName": "s", "Data": b"x", "PartitionKey": "p"}, "json"),
        ("lambda", "UpdateFunctionCode", {"FunctionName": "f", "ZipFile": b"zip"}, "rest-json"),
        (
            "imagebuilder",
            "CreateComponent",
            {"name": "n", "semanticVersion": "1.0.0", "platform": "Linux"},
            "rest-json",
        ),
        ("redshift", "CreateSnapshotSchedule", {"ScheduleIdentifier": "s"}, "query"),
    ],
)
def test_a_dry_run_changes_nothing(service: str, operation: str, parameters: dict[str, Any], protocol: str) -> None:
    members = operation_model(service, operation).input_shape.members
    flag = next(name for name in ("DryRun", "dryRun") if name in members)
    assert effect_of(service, operation, {**parameters, flag: True}, protocol) == (
        Effect.READS,
        JudgementSource.REQUEST,
    )
    for real in (parameters, {**parameters, flag: False}):
        effect, layer = effect_of(service, operation, real, protocol)
        assert effect is Effect.MUTATES
        assert layer is not JudgementSource.REQUEST


def test_a_dry_run_in_the_query_string() -> None:
    request = Request("POST", "/sol/network_instances/i/instantiate?dry_run=true", Headers())
    verdict = judge_call(CallHead("tnb", "InstantiateSolNetworkInstance", "rest-json"), request)
    assert verdict.effect is Effect.READS


def test_the_words_dry_run_in_a_payload_are_no_dry_run() -> None:
    parameters = {"StreamName": "DryRun", "Data": b"DryRun=true", "PartitionKey": '"DryRun": true'}
    assert effect_of("kinesis", "PutRecord", parameters, "json")[0] is Effect.MUTATES
    parameters = {
        "TagSpecifications": [{"Tags": [{"Key": "DryRun", "Value": "&DryRun=true&"}]}],
        "CidrBlock": "10.0.0.0/16",
    }
    assert effect_of("ec2", "CreateVpc", parameters, "ec2")[0] is Effect.MUTATES


def test_lambda_invocation_types() -> None:
    parameters = {"FunctionName": "f", "Payload": b"{}"}
    assert effect_of("lambda", "Invoke", {**parameters, "InvocationType": "DryRun"}, "rest-json")[0] is Effect.READS
    assert effect_of("lambda", "Invoke", {**parameters, "InvocationType": "Event"}, "rest-json")[0] is Effect.TRANSIENT


def test_a_retained_message_is_kept_by_the_broker() -> None:
    assert effect_of("iot-data", "Publish", {"topic": "a/b", "payload": b"x"}, "rest-json")[0] is Effect.TRANSIENT
    kept = effect_of("iot-data", "Publish", {"topic": "a/b", "payload": b"x", "retain": True}, "rest-json")
    assert kept == (Effect.MUTATES, JudgementSource.REQUEST)


def test_a_compressed_statement_is_read_too() -> None:
    body = gzip.compress(b'{"Statement": "SELECT * FROM t"}')
    request = Request("POST", "/", Headers([("Content-Encoding", "gzip")]), body)
    verdict = judge_call(CallHead("dynamodb", "ExecuteStatement", "json"), request)
    assert (verdict.effect, verdict.layer) == (Effect.READS, JudgementSource.REQUEST)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"Statement": 7}',
        b'{"Statements": "SELECT"}',
        b'{"Statement": null}',
        b"\xff\xfe",
        BlobRef("0" * 64, 10),
        b'{"Statement": "SELECT 1", "x": "' + b"a" * BODY_BYTES_MAX + b'"}',
    ],
    ids=lambda body: repr(body)[:30],
)
def test_what_cannot_be_read_counts_as_mutating(body: bytes | BlobRef) -> None:
    verdict = judge_call(CallHead("dynamodb", "ExecuteStatement", "json"), Request("POST", "/", Headers(), body))
    assert verdict.effect is Effect.MUTATES


HEADS = [
    ("dynamodb", "ExecuteStatement"),
    ("rds-data", "ExecuteSql"),
    ("athena", "StartQueryExecution"),
    ("cognito-idp", "RespondToAuthChallenge"),
    ("ec2", "RunInstances"),
    ("kms", "CreateGrant"),
    ("kinesis", "PutRecords"),
    ("sqs", "SendMessage"),
]


@settings(max_examples=300, deadline=None)
@given(
    head=st.sampled_from(HEADS),
    protocol=st.sampled_from(["json", "rest-json", "query", "ec2", "smithy-rpc-v2-cbor", "rest-xml", "?"]),
    target=st.text(st.characters(max_codepoint=255), max_size=40),
    body=st.one_of(st.binary(max_size=80), st.sampled_from([b'{"DryRun":', b"DryRun=true", b"\xbf\x66DryRun\xf5\xff"])),
    coding=st.sampled_from(["", "gzip", "aws-chunked", "nonsense"]),
)
def test_no_bytes_make_it_raise(head: tuple[str, str], protocol: str, target: str, body: bytes, coding: str) -> None:
    request = Request("POST", target, Headers([("Content-Encoding", coding)] if coding else []), body)
    assert judge_call(CallHead(*head, protocol), request).reason


def test_a_call_that_nothing_depends_on_is_judged_by_its_operation() -> None:
    verdict = judge_call(CallHead("sqs", "SendMessage", "json"), Request("POST", "/", Headers(), b"anything"))
    assert verdict == judge("sqs", "SendMessage")
