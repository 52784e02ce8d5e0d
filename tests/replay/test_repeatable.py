"""Which calls may be sent again, by the models and tables, and what answers and errors say. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy import errors
from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.replay.execution.sending.read_back import questions
from replay_proxy.replay.execution.sending.repeatable import AnswerMeaning, meaning_of, repeatability, says_not_offered
from replay_proxy.wire.codecs.answers import Outcome

PROTOCOLS = {"s3": "rest-xml", "lambda": "rest-json", "connect": "rest-json", "ec2": "ec2", "iam": "query"}


def may_repeat(name: str, method: str = "POST", parameters: dict[str, Any] | None = None, **recorded: Any) -> bool:
    service, _, operation = name.partition(":")
    head = CallHead(service, operation, PROTOCOLS.get(service, "json"), "000000000000", "us-east-1", "test")
    request = Request(method, "/", Headers(), b"")
    return repeatability(head, request, parameters or {}, Outcome(200, recorded)).allowed


@pytest.mark.parametrize(
    "name",
    ["dynamodb:PutItem", "dynamodb:BatchWriteItem", "iam:PutRolePolicy", "sqs:SetQueueAttributes", "ec2:ModifyVpcAttribute",
     "kms:TagResource", "ec2:DeleteVpc", "sqs:CreateQueue", "events:PutRule", "dynamodb:DescribeTable"],
)  # fmt: skip
def test_calls_that_set_a_value_may_be_repeated(name: str) -> None:
    assert may_repeat(name)


@pytest.mark.parametrize(
    "name",
    ["sqs:SendMessage", "sns:Publish", "dynamodb:UpdateItem", "dynamodb:TransactWriteItems", "kinesis:PutRecord",
     "kinesis:PutRecords", "firehose:PutRecordBatch", "logs:PutLogEvents", "cloudwatch:PutMetricData", "events:PutEvents",
     "ec2:CreateVpc", "ec2:RunInstances", "stepfunctions:StartExecution", "iam:CreateAccessKey", "nobody:FrobThing"],
)  # fmt: skip
def test_calls_that_add_something_may_not(name: str) -> None:
    assert not may_repeat(name)


def test_the_protocol_decides_where_it_promises_something() -> None:
    assert may_repeat("s3:PutObject", "PUT", ETag="x")
    assert may_repeat("s3:DeleteObject", "DELETE")
    assert may_repeat("lambda:PutFunctionConcurrency", "PUT")
    assert not may_repeat("connect:CreateUser", "PUT"), "a PUT that makes something new by its name"


def test_what_makes_a_version_each_time_may_not() -> None:
    assert not may_repeat("s3:PutObject", "PUT", VersionId="x")
    assert not may_repeat("ssm:PutParameter", Version=2)


def test_deduplication_ids_count_and_client_tokens_do_not() -> None:
    assert may_repeat("sqs:SendMessage", parameters={"MessageDeduplicationId": "1"})
    assert may_repeat("sqs:SendMessageBatch", parameters={"Entries": [{"MessageDeduplicationId": "1"}]})
    assert not may_repeat("sqs:SendMessageBatch", parameters={"Entries": [{"MessageDeduplicationId": "1"}, {}]})
    assert not may_repeat("ec2:RunInstances", parameters={"ClientToken": "1"})


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (200, "", AnswerMeaning.FINAL),
        (400, "ValidationException", AnswerMeaning.FINAL),
        (501, "NotImplemented", AnswerMeaning.FINAL),
        (400, "ThrottlingException", AnswerMeaning.NOT_NOW),
        (429, "429", AnswerMeaning.NOT_NOW),
        (503, "SlowDown", AnswerMeaning.NOT_NOW),
        (503, "503", AnswerMeaning.BROKEN),
        (502, "502", AnswerMeaning.BROKEN),
        (500, "InternalError", AnswerMeaning.BROKEN),
        (200, "InternalError", AnswerMeaning.BROKEN),
        (500, "500", AnswerMeaning.UNKNOWN),
    ],
)
def test_what_an_answer_says_about_its_call(status: int, code: str, meant: AnswerMeaning) -> None:
    assert meaning_of(Outcome(status, {}, code)) is meant


@pytest.mark.parametrize(
    ("status", "code", "offered"),
    [
        (501, "InternalFailure", False),
        (400, "InvalidAction", False),
        (400, "UnknownOperationException", False),
        (400, "Unsupported service: ", False),
        (404, "404", False),
        (405, "405", False),
        (404, "NoSuchBucket", True),
        (400, "ValidationException", True),
        (400, "400", True),
        (500, "InternalError", True),
    ],
)
def test_what_the_emulator_does_not_offer_is_told_from_what_it_refuses(status: int, code: str, offered: bool) -> None:
    assert says_not_offered(Outcome(status, error_code=code)) is not offered


def test_what_an_error_says_about_its_call() -> None:
    told = {
        error: (error.may_help_to_repeat, error.may_have_been_carried_out)
        for error in (errors.ConnectError, errors.AnswerError, errors.AnswerTimeoutError, errors.RecordingError)
    }
    assert told == {
        errors.ConnectError: (True, False),
        errors.AnswerError: (True, True),
        errors.AnswerTimeoutError: (False, True),
        errors.RecordingError: (False, False),
    }
    assert errors.may_have_been_carried_out(ConnectionResetError())
    assert not errors.may_have_been_carried_out(ConnectionRefusedError())
    assert not errors.may_have_been_carried_out(errors.ConnectError("x"))


@pytest.mark.parametrize(
    ("name", "parameters", "answer", "asked"),
    [
        ("ec2:CreateVpc", {"CidrBlock": "10.0.0.0/16"}, {"Vpc": {}}, "DescribeVpcs"),
        ("dynamodb:CreateTable", {"TableName": "t"}, {"TableDescription": {}}, "DescribeTable"),
        ("lambda:CreateFunction", {"FunctionName": "f"}, {"FunctionName": "f"}, "GetFunction"),
        ("iam:CreateUser", {"UserName": "u"}, {"User": {}}, "GetUser"),
        ("sqs:CreateQueue", {"QueueName": "q"}, {"QueueUrl": "u"}, "GetQueueUrl"),
        ("sqs:SendMessage", {"QueueUrl": "q"}, {"MessageId": "u"}, None),
        ("iam:CreateAccessKey", {"UserName": "u"}, {"AccessKey": {}}, None),
    ],
)
def test_which_read_shows_what_a_call_has_made(
    name: str, parameters: dict[str, Any], answer: dict[str, Any], asked: str | None
) -> None:
    service, _, operation = name.partition(":")
    found = questions(CallHead(service, operation, "json", "", "", ""), parameters, Outcome(200, answer))
    assert (found[0].head.operation if found else None) == asked
