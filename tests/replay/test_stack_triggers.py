"""What `order.json` says of the triggers of stacks, held against the models; and how what is known is put into calls."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import ListShape

from replay_proxy.replay.ordering.order_table import document
from replay_proxy.replay.ordering.stack_triggers import StackTrigger, Step, triggers_of
from replay_proxy.resources.resource_types import service_and_noun
from replay_proxy.wire.models.models import operation_model

TRIGGERS: list[dict[str, Any]] = document()["triggers"]
TYPES = sorted({each for entry in TRIGGERS for kind in entry.get("of_stacks", ()) for each in kind["types"]})
KINDS = [kind for each in TYPES for kind in triggers_of(each)]


def test_of_every_trigger_it_is_said_what_is_done_where_a_stack_makes_it() -> None:
    undecided = [each["operations"] for each in TRIGGERS if bool(each.get("of_stacks")) == bool(each.get("armed"))]
    assert undecided == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.service}-{kind.rest[0].operation}")
def test_calls_are_those_of_the_models(kind: StackTrigger) -> None:
    for step in (*kind.reads, *kind.rest, *kind.arm):
        model = operation_model(kind.service, step.operation)
        assert model.input_shape is not None
        assert set(step.parameters) <= set(model.input_shape.members)
        assert set(step.parameters) >= set(model.input_shape.required_members)
        if step.each:
            assert model.output_shape is not None
            assert isinstance(model.output_shape.members[step.each], ListShape)
    assert kind.sources({"EventSourceArn": "arn:aws:sqs:us-east-1:1:q", "Source": "arn:aws:sqs:us-east-1:1:q"})


def test_types_are_those_of_cloudformation() -> None:
    assert [each for each in TYPES if not service_and_noun(each)[0]] == []


def test_what_is_known_is_put_into_the_parameters() -> None:
    known = {"id": "1", "A": {"B": [{"C": 2}]}, "": {"all": True}}
    parameters = {
        "id": "$id",
        "deep": "$A.B.0.C",
        "whole": "$",
        "gone": "$X",
        "other": '$X|{"y": []}',
        "none": "$X|null",
    }
    step = Step("Op", {**parameters, "plain": "p", "inner": {"n": "$id"}})
    assert step.filled(known) == {
        "id": "1",
        "deep": 2,
        "whole": {"all": True},
        "other": {"y": []},
        "none": None,
        "plain": "p",
        "inner": {"n": "1"},
    }


def test_a_mapping_is_known_by_what_it_reads_and_by_sight() -> None:
    queue, stream = sorted(triggers_of("AWS::Lambda::EventSourceMapping"), key=lambda kind: bool(kind.reads_stream))
    of_queue = {"State": "Enabled", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"}
    of_stream = {"State": "Enabled", "EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"}
    at_rest = {**of_stream, **stream.rest[0].filled({"id": "1"})}
    assert [queue.is_armed(each, each) for each in (of_queue, of_stream, {**of_queue, "State": "Disabled"})] == [
        True,
        False,
        False,
    ]
    assert [stream.is_armed(each, each) for each in (of_queue, of_stream, at_rest)] == [False, True, False]
    assert (queue.sources(of_queue), stream.sources(of_stream)) == ({"sqs"}, {"dynamodb"})
