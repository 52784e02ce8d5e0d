"""What is asked after a call that only begins something: real requests, and an end to the asking."""

from __future__ import annotations

import pytest

from replay_proxy.exchange import CallHead
from replay_proxy.replay.waiters import _waits, waiter_after
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import service_model
from replay_proxy.wire.recognition.recognise import recognise


@pytest.mark.parametrize("key", sorted(_waits()), ids=":".join)
def test_every_question_is_a_request_that_names_its_operation(key: tuple[str, str]) -> None:
    service, operation = key
    protocol = {"cloudformation": "query", "dynamodb": "json", "lambda": "rest-json"}[service]
    head = CallHead(service, operation, protocol, region="us-east-1")
    wait = waiter_after(head)
    assert wait is not None
    assert operation in service_model(service).operation_names
    members = {member: "the-thing" for sources in wait.sources.values() for member in sources}
    question = wait.question(head, {}, members)
    assert question is not None
    asked = build_request(question.head, question.parameters, f"{service}.us-east-1.amazonaws.com")
    named = recognise(asked)
    assert named is not None
    assert (named.service, named.operation) == (service, wait.ask)
    assert parse_parameters(named, asked) == dict(question.parameters)


def test_the_answer_says_when_it_is_over() -> None:
    wait = waiter_after(CallHead("cloudformation", "UpdateStack", "query"))
    assert wait is not None

    def stack(status: str) -> Outcome:
        return Outcome(200, {"Stacks": [{"StackStatus": status}]}, "", "")

    assert wait.goes_on(stack("UPDATE_IN_PROGRESS"))
    assert not wait.goes_on(stack("UPDATE_COMPLETE"))
    assert not wait.goes_on(stack("UPDATE_ROLLBACK_COMPLETE"))
    assert not wait.goes_on(Outcome(400, {}, "ValidationError", "Stack with id gone does not exist"))
    assert not wait.goes_on(Outcome(200, {"Stacks": []}, "", ""))


def test_the_answer_is_believed_before_the_request() -> None:
    head = CallHead("cloudformation", "CreateStack", "query")
    wait = waiter_after(head)
    assert wait is not None
    question = wait.question(head, {"StackId": "arn:of-today"}, {"StackName": "name"})
    assert question is not None
    assert question.parameters == {"StackName": "arn:of-today"}
    assert wait.question(head, {}, {}) is None


@pytest.mark.parametrize("more", [{}, {"StackName": "shop"}])
def test_an_execution_is_asked_for_by_its_change_set(more: dict[str, str]) -> None:
    head = CallHead("cloudformation", "ExecuteChangeSet", "query")
    wait = waiter_after(head)
    assert wait is not None
    sent = {"ChangeSetName": "arn:aws:cloudformation:us-east-1:000000000000:changeSet/cdk/1", **more}
    question = wait.question(head, {}, sent)
    assert question is not None
    assert (question.head.operation, question.parameters) == ("DescribeChangeSet", sent)
    assert wait.goes_on(Outcome(200, {"ExecutionStatus": "EXECUTE_IN_PROGRESS"}, "", ""))
    assert not wait.goes_on(Outcome(200, {"ExecutionStatus": "EXECUTE_COMPLETE"}, "", ""))


def test_most_calls_are_waited_for_by_nobody() -> None:
    assert waiter_after(CallHead("sqs", "CreateQueue", "json")) is None


def test_an_answer_that_says_so_itself_needs_no_question() -> None:
    table = waiter_after(CallHead("dynamodb", "CreateTable", "json"))
    function = waiter_after(CallHead("lambda", "CreateFunction", "rest-json"))
    stack = waiter_after(CallHead("cloudformation", "CreateStack", "query"))
    assert table is not None
    assert function is not None
    assert stack is not None
    assert table.is_over_at_once({"TableDescription": {"TableStatus": "ACTIVE"}})
    assert not table.is_over_at_once({"TableDescription": {"TableStatus": "CREATING"}})
    assert not table.is_over_at_once({"TableDescription": {}})
    assert function.is_over_at_once({"State": "Active"})
    assert not function.is_over_at_once({"State": "Pending"})
    assert not stack.is_over_at_once({"StackId": "arn:of-today"})
