"""`judge`: every layer, the tables' own consistency, and what judging costs."""

from __future__ import annotations

import subprocess
import sys

import botocore
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.wire.models.models import service_model, service_names
from replay_proxy.wire.mutability import tables
from replay_proxy.wire.mutability.build import as_text, build
from replay_proxy.wire.mutability.judge import (
    Effect,
    JudgementSource,
    StateKind,
    gives_credentials,
    is_data,
    judge,
    kind,
    reviewed_services,
)
from tests.support.work import calls_made

# A form upload is a call to S3, but no operation of its model.
NOT_IN_MODELS = {("s3", "PostObject")}


@pytest.mark.parametrize(
    ("service", "operation", "effect", "layer"),
    [
        ("sts", "AssumeRole", Effect.MUTATES, JudgementSource.ANSWER),
        ("sts", "GetSessionToken", Effect.MUTATES, JudgementSource.ANSWER),
        ("sso", "GetRoleCredentials", Effect.MUTATES, JudgementSource.ANSWER),
        ("sts", "GetWebIdentityToken", Effect.TRANSIENT, JudgementSource.TABLE),
        ("kms", "Encrypt", Effect.TRANSIENT, JudgementSource.TABLE),
        ("lambda", "Invoke", Effect.TRANSIENT, JudgementSource.TABLE),
        ("sqs", "ReceiveMessage", Effect.TRANSIENT, JudgementSource.TABLE),
        ("sqs", "DeleteMessage", Effect.MUTATES, JudgementSource.TABLE),
        ("stepfunctions", "StartExecution", Effect.MUTATES, JudgementSource.TABLE),
        ("cognito-identity", "GetId", Effect.MUTATES, JudgementSource.TABLE),
        ("ivs", "StartViewerSessionRevocation", Effect.MUTATES, JudgementSource.TABLE),
        ("s3", "CreateSession", Effect.MUTATES, JudgementSource.ANSWER),
        ("lambda", "ListFunctions", Effect.READS, JudgementSource.TRAIT),
        ("bedrock-runtime", "CountTokens", Effect.READS, JudgementSource.TRAIT),
        ("sqs", "CreateQueue", Effect.MUTATES, JudgementSource.VERB),
        ("dynamodb", "BatchGetItem", Effect.READS, JudgementSource.VERB),
        ("dynamodb", "BatchWriteItem", Effect.MUTATES, JudgementSource.VERB),
        ("cognito-idp", "AdminGetUser", Effect.READS, JudgementSource.VERB),
        ("cognito-idp", "AdminSetUserPassword", Effect.MUTATES, JudgementSource.VERB),
        ("comprehend", "BatchDetectSentiment", Effect.TRANSIENT, JudgementSource.VERB),
        ("schemas", "ExportSchema", Effect.READS, JudgementSource.METHOD),
        ("schemas", "PutCodeBinding", Effect.MUTATES, JudgementSource.VERB),
        ("mediaconnect", "TakeRouterInput", Effect.MUTATES, JudgementSource.UNKNOWN),
        ("nosuchservice", "Frobnicate", Effect.MUTATES, JudgementSource.UNKNOWN),
    ],
)
def test_the_first_layer_that_knows_decides(
    service: str, operation: str, effect: Effect, layer: JudgementSource
) -> None:
    verdict = judge(service, operation)
    assert (verdict.effect, verdict.layer) == (effect, layer)
    assert verdict.reason


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_has_a_verdict(service: str, operation: str) -> None:
    verdict = judge(service, operation)
    assert verdict.reason
    assert kind(service, operation).reason


def test_no_operation_with_a_mutating_verb_passes_as_a_read_without_a_written_reason() -> None:
    writing = {
        "Create",
        "Delete",
        "Put",
        "Update",
        "Modify",
        "Send",
        "Start",
        "Stop",
        "Run",
        "Tag",
        "Set",
        "Cancel",
    }
    slipped = [
        f"{service}:{operation}"
        for service in service_names()
        for operation in service_model(service).operation_names
        if tables.leading_verb(operation) in writing
        and not judge(service, operation).mutates
        and judge(service, operation).layer is not JudgementSource.TABLE
    ]
    assert slipped == []


def test_entries_name_operations_that_exist() -> None:
    unknown = [
        f"{service}:{operation}"
        for service, operation in tables.entries()
        if (service, operation) not in NOT_IN_MODELS
        and (service not in service_names() or operation not in service_model(service).operation_names)
    ]
    assert unknown == []


def test_every_entry_gives_an_effect_or_a_kind_and_each_a_reason_of_its_own() -> None:
    for name, entry in tables.entries().items():
        assert entry.effect or entry.kind, name
        assert entry.reason != entry.kind_reason, name
        for value, reason in ((entry.effect, entry.reason), (entry.kind, entry.kind_reason)):
            assert bool(value) is (len(reason) > 6), name
            assert not reason.endswith("."), name


def test_data_is_written_only_by_mutating_operations() -> None:
    misplaced = [
        name for name, entry in tables.entries().items() if entry.kind is StateKind.DATA and not judge(*name).mutates
    ]
    assert misplaced == []


def test_reviewed_services_leave_nothing_to_the_last_layer() -> None:
    unknown = [
        f"{service}:{operation}"
        for service in reviewed_services()
        for operation in service_model(service).operation_names
        if judge(service, operation).layer is JudgementSource.UNKNOWN
    ]
    assert unknown == []


def test_the_services_of_the_promise_are_reviewed() -> None:
    promised = {
        "s3", "sqs", "sns", "dynamodb", "dynamodbstreams", "lambda", "apigateway", "apigatewayv2", "iam",
        "sts", "kms", "secretsmanager", "ssm", "events", "scheduler", "pipes", "stepfunctions",
        "cloudformation", "cloudwatch", "logs", "kinesis", "firehose", "cognito-idp", "cognito-identity",
        "ec2", "elb", "elbv2", "autoscaling", "application-autoscaling", "rds", "elasticache", "ecr", "ecs",
        "eks", "route53", "acm", "ses", "sesv2", "appsync", "glue", "athena", "opensearch", "es",
        "transfer", "batch", "wafv2", "organizations", "resourcegroupstaggingapi", "efs", "redshift",
        "kafka", "sso-admin", "codebuild",
    }  # fmt: skip
    assert promised <= reviewed_services()


def test_every_verb_and_prefix_occurs_in_some_model() -> None:
    used = {tables.leading_verb(operation) for service in service_names() for operation in _operations(service)}
    assert tables.verbs().keys() - used == set()


def test_a_trait_is_overruled_only_in_a_table_or_where_credentials_are_given() -> None:
    overruled = {
        f"{service}:{operation}"
        for service, operations in tables.facts().readonly.items()
        for operation in operations
        if judge(service, operation).effect is Effect.MUTATES
    }
    by_answer = {name for name in overruled if gives_credentials(*name.split(":"))}
    assert by_answer == {"datazone:GetConnection", "datazone:GetEnvironmentCredentials"}
    assert overruled - by_answer == {"ivs:StartViewerSessionRevocation", "ivs:BatchStartViewerSessionRevocation"}


def test_the_facts_are_those_of_the_installed_models() -> None:
    written = (tables.DATA / "mutability_models.json").read_text()
    if orjson.loads(written)["botocore"] == botocore.__version__:
        assert written == as_text(build()), "run scripts/build-mutability and read the difference"
    else:
        # With another botocore, what was read-only must still be; new operations fall back on the verbs.
        ours, theirs = orjson.loads(written)["readonly"], build()["readonly"]
        for service, operations in theirs.items():
            gone = set(ours.get(service, ())) & set(_operations(service)) - set(operations)
            assert not gone, f"{service}: no longer read-only: {sorted(gone)}"


@pytest.mark.parametrize(
    ("service", "operation", "data"),
    [
        ("s3", "PutObject", True),
        ("s3", "PutObjectTagging", True),
        ("s3", "PutBucketTagging", False),
        ("s3", "PostObject", True),
        ("sqs", "SendMessage", True),
        ("sqs", "CreateQueue", False),
        ("dynamodb", "PutItem", True),
        ("dynamodb", "UpdateTable", False),
        ("logs", "PutLogEvents", True),
        ("logs", "CreateLogStream", False),
        ("secretsmanager", "PutSecretValue", False),
        ("ssm", "PutParameter", False),
        ("stepfunctions", "StartExecution", True),
        ("cognito-idp", "AdminCreateUser", True),
        ("cognito-idp", "CreateGroup", False),
        ("nosuchservice", "Frobnicate", False),
    ],
)
def test_data_and_infrastructure(service: str, operation: str, data: bool) -> None:
    assert is_data(service, operation) is data


def test_judging_loads_no_model() -> None:
    program = (
        "import sys\n"
        "from replay_proxy.wire.mutability.judge import judge, kind\n"
        "for name in ('ec2:RunInstances', 's3:GetObject', 'lambda:Invoke', 'x:Y'):\n"
        "    judge(*name.split(':')), kind(*name.split(':'))\n"
        "assert 'botocore' not in sys.modules, 'botocore was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_judging_again_is_one_lookup() -> None:
    judge("sqs", "SendMessage")
    assert calls_made(lambda: [judge("sqs", "SendMessage") for _ in range(1000)]) < 2000


def _operations(service: str) -> list[str]:
    return list(service_model(service).operation_names)
