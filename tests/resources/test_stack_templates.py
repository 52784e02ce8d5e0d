"""What a stack's template says of its resources: properties, links, and what an update changed."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import replay_proxy.resources.resource_types
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.folding.templates import read_template
from replay_proxy.resources.kinds import kind_named
from replay_proxy.resources.resource import Resource, shown
from replay_proxy.resources.resource_types import names_in_arn
from tests.resources.recordings import ACCOUNT, REGION, Tape, one, queue_url
from tests.resources.test_model import STACK, stack_resources

TYPES = Path(replay_proxy.resources.resource_types.__file__).parent / "data" / "types.json"
SHORT = """
Parameters:
  Delay: {Type: Number, Default: 3}
  Password: {Type: String, NoEcho: true, Default: hunter22}
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
      Tags: [{Key: team, Value: shop}]
  Dead: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Role: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/worker"
      Layers: [!Join [":", [one, two]], !ImportValue layer]
      Description: !Sub ["${queue} of ${AWS::StackName} in ${AWS::Region}, ${!kept}", {queue: !Ref Orders}]
      KmsKeyArn: !Ref AWS::NoValue
      Environment: {Variables: {QUEUE: !Ref Orders, DB_PASSWORD: !Ref Password, TOKEN_URL: x}}
"""


def long_form() -> str:
    """The same in JSON, as tools write it."""
    sub = ["${queue} of ${AWS::StackName} in ${AWS::Region}, ${!kept}", {"queue": {"Ref": "Orders"}}]
    variables = {"QUEUE": {"Ref": "Orders"}, "DB_PASSWORD": {"Ref": "Password"}, "TOKEN_URL": "x"}
    worker = {
        "Runtime": "python3.12",
        "Role": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/worker"},
        "Layers": [{"Fn::Join": [":", ["one", "two"]]}, {"Fn::ImportValue": "layer"}],
        "Description": {"Fn::Sub": sub},
        "KmsKeyArn": {"Ref": "AWS::NoValue"},
        "Environment": {"Variables": variables},
    }
    orders = {
        "DelaySeconds": {"Ref": "Delay"},
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
        "Tags": [{"Key": "team", "Value": "shop"}],
    }
    resources = {
        "Orders": {"Type": "AWS::SQS::Queue", "Properties": orders},
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Worker": {"Type": "AWS::Lambda::Function", "Properties": worker},
    }
    parameters = {"Delay": {"Default": 3}, "Password": {"NoEcho": True, "Default": "hunter22"}}
    return json.dumps({"Parameters": parameters, "Resources": resources})


def cloudformation(tape: Tape, operation: str, witness: bool = False, body: bytes = b"", **params: Any) -> int:
    result = (
        f"<{operation}Response><{operation}Result><StackId>{STACK}</StackId></{operation}Result></{operation}Response>"
    )
    content = body or result.encode()
    return tape.call("cloudformation", operation, params, protocol="query", body=content, witness=witness)


def made(tape: Tape) -> None:
    """A read that shows what the stack made; in an order in which references come before what they mean."""
    body = stack_resources(
        ("Worker", "app-Worker-1", "AWS::Lambda::Function"),
        ("Orders", queue_url("app-Orders-1"), "AWS::SQS::Queue"),
        ("Dead", queue_url("app-Dead-1"), "AWS::SQS::Queue"),
    )
    cloudformation(tape, "DescribeStackResources", witness=True, body=body, StackName="app")


def links(model: ResourceModel, resource: Resource) -> set[tuple[str, str]]:
    return {(link.member, model.resources[link.target].label) for link in model.links(resource) if link.target}


@pytest.mark.parametrize("template", [SHORT, long_form()], ids=["yaml", "json"])
def test_properties_and_references_are_those_of_the_template(template: str) -> None:
    tape = Tape()
    cloudformation(tape, "CreateStack", StackName="app", TemplateBody=template)
    made(tape)
    model = tape.model()
    orders, worker = one(model, "AWS::SQS::Queue", "app-Orders-1"), one(model, "AWS::Lambda::Function")
    dead = f"arn:aws:sqs:{REGION}:{ACCOUNT}:app-Dead-1"
    assert shown(orders.attributes)["DelaySeconds"] in (3, "3")
    assert orders.attributes["RedrivePolicy"] == {"deadLetterTargetArn": dead, "maxReceiveCount": 3}
    assert orders.tags == {"team": "shop"}
    assert links(model, orders) == {("RedrivePolicy.deadLetterTargetArn", "app-Dead-1")}
    assert worker.attributes["Role"] == f"arn:aws:iam::{ACCOUNT}:role/worker"
    assert worker.attributes["Description"] == f"{queue_url('app-Orders-1')} of app in {REGION}, ${{kept}}"
    assert worker.attributes["Layers"] == ["one:two", {"Fn::ImportValue": "layer"}]
    assert "KmsKeyArn" not in worker.attributes
    assert links(model, worker) == {("Environment.Variables.QUEUE", "app-Orders-1"), ("Description", "app-Orders-1")}
    assert "hunter22" not in json.dumps(shown(worker.attributes))


def test_an_update_changes_those_resources_whose_properties_are_other_than_before() -> None:
    tape = Tape()
    cloudformation(tape, "CreateChangeSet", StackName="app", ChangeSetName="first", TemplateBody=SHORT)
    cloudformation(tape, "ExecuteChangeSet", StackName="app", ChangeSetName="first")
    made(tape)
    more = SHORT.replace("maxReceiveCount: 3", "maxReceiveCount: 9").replace("      DelaySeconds: !Ref Delay\n", "")
    cloudformation(tape, "CreateChangeSet", StackName="app", ChangeSetName="second", TemplateBody=more)
    model = tape.model()
    assert one(model, "AWS::SQS::Queue", "app-Orders-1").attributes["RedrivePolicy"]["maxReceiveCount"] == 3
    executed = cloudformation(tape, "ExecuteChangeSet", StackName="app", ChangeSetName="second")
    model = tape.model()
    orders, worker = one(model, "AWS::SQS::Queue", "app-Orders-1"), one(model, "AWS::Lambda::Function")
    assert orders.attributes["RedrivePolicy"]["maxReceiveCount"] == 9
    assert "DelaySeconds" not in orders.attributes
    assert (orders.changed_by, worker.changed_by) == ([executed], [])
    assert orders.number in model.calls[-1].resources
    given = [{"ParameterKey": "Delay", "ParameterValue": "7"}]
    cloudformation(tape, "UpdateStack", StackName="app", TemplateBody=SHORT, Parameters=given)
    assert one(tape.model(), "AWS::SQS::Queue", "app-Orders-1").attributes["DelaySeconds"] == "7"
    cloudformation(tape, "UpdateStack", StackName="app", UsePreviousTemplate=True)
    assert one(tape.model(), "AWS::SQS::Queue", "app-Orders-1").attributes["DelaySeconds"] in (3, "3")


def test_a_rule_that_a_stack_made_is_on_the_default_bus_and_is_none_itself() -> None:
    tape = Tape()
    cloudformation(tape, "CreateStack", StackName="app", TemplateBody="{}")
    entries = ("Nightly", "app-Nightly-1", "AWS::Events::Rule"), ("Url", "abc123", "AWS::ApiGateway::Resource")
    cloudformation(tape, "DescribeStackResources", witness=True, body=stack_resources(*entries), StackName="app")
    tape.call("events", "DisableRule", {"Name": "app-Nightly-1"})
    model = tape.model()
    assert sorted(each.type for each in model.resources.values()) == [
        "AWS::ApiGateway::Resource",
        "AWS::CloudFormation::Stack",
        "AWS::Events::Rule",
    ]
    assert len(one(model, "AWS::Events::Rule").changed_by) == 1


def test_what_is_no_template_or_would_unfold_says_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
    )
    begun = time.monotonic()
    for text in (
        "",
        "[",
        "{",
        "no: [",
        "5",
        "- a",
        bomb,
        "[" * 5000,
        "{" * 5000,
        "x: !Ref",
        "Resources: 5",
        "Resources: {A: 1}",
        "\0",
    ):
        assert read_template(text).resources == {}
    assert time.monotonic() - begun < 5
    assert read_template("Resources:\n  A: {Type: X::Y::Z, Properties: [1]}\n").resources["A"].properties == {}
    assert read_template("Resources:\n  A: {Type: X::Y::Z, Properties: {At: 2020-01-01}}").resources[
        "A"
    ].properties == {"At": "2020-01-01"}


@pytest.mark.parametrize(
    ("kind", "arn", "names"),
    [
        ("AWS::Lambda::Version", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:app-Worker-1:1", ("app-Worker-1", "1")),
        (
            "AWS::Lambda::Alias",
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:app-Worker-1:live",
            ("app-Worker-1", "live"),
        ),
        ("AWS::ECS::Service", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/web/app-Web-1", ("web", "app-Web-1")),
        ("AWS::ECS::Service", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/app-Web-1", ("default", "app-Web-1")),
    ],
)
def test_what_several_members_name_is_told_by_the_arn_that_a_stack_shows(
    kind: str, arn: str, names: tuple[str, ...]
) -> None:
    tape = Tape()
    cloudformation(tape, "CreateStack", StackName="app", TemplateBody=SHORT)
    body = stack_resources(("Worker", "app-Worker-1", "AWS::Lambda::Function"), ("Part", arn, kind))
    cloudformation(tape, "DescribeStackResources", witness=True, body=body, StackName="app")
    model = tape.model()
    part = one(model, kind)
    assert part.key.names == names
    assert model.arn(part) == arn
    worker = one(model, "AWS::Lambda::Function")
    assert [link.member for link in model.links(part) if link.target == worker.number] == (
        ["FunctionName"] if names[0] == worker.name else []
    )


def test_the_forms_of_arns_have_the_names_of_their_kinds() -> None:
    forms: dict[str, str] = json.loads(TYPES.read_text())["named_in_arns"]
    for name, form in forms.items():
        service, noun = name.split()
        kind = kind_named(service, noun)
        assert kind is not None, name
        text = re.sub(r"{(\w+)}", r"\1", form)
        found = names_in_arn(service, noun, f"arn:aws:{service}:{REGION}:{ACCOUNT}:{text}")
        assert found == {member: member for member in kind.named}, name
