"""Resources whose names end alike, or differ by a slash: a name that a client chose is taken as it is."""

from __future__ import annotations

import pytest

from replay_proxy.doctor.readings import Names, readings_of
from replay_proxy.footprint.names.resource_names import NameInArn, own_name
from replay_proxy.resources.folding.model import ResourceModel
from tests.resources.recordings import ACCOUNT, REGION, Tape, one

NAMES = ("shared", "/shared", "x/shared", "/x/shared", "/y/x/shared")


def names(model: ResourceModel, kind: str) -> list[tuple[str, ...]]:
    return [each.key.names for each in model.resources.values() if each.type == kind]


def make(tape: Tape, name: str) -> None:
    tape.call("logs", "CreateLogGroup", {"logGroupName": name, "tags": {"a": name}})
    tape.call("logs", "CreateLogStream", {"logGroupName": name, "logStreamName": name})
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"
    tape.call("secretsmanager", "CreateSecret", {"Name": name, "SecretString": "s"}, {"ARN": arn, "Name": name})
    tape.call("ssm", "PutParameter", {"Name": name, "Value": name, "Type": "String"}, {"Version": 1})
    tape.call("ecr", "CreateRepository", {"repositoryName": name})


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1]], ids=["shortest first", "longest first"])
def test_names_that_end_alike_are_of_different_resources(order: tuple[str, ...]) -> None:
    tape = Tape()
    for name in order:
        make(tape, name)
    model = tape.model()
    for kind in ("Logs::LogGroup", "SecretsManager::Secret", "SSM::Parameter", "ECR::Repository"):
        assert names(model, f"AWS::{kind}") == [(name,) for name in order]
    assert names(model, "AWS::Logs::LogStream") == [(name, name) for name in order]
    for name in order:
        assert one(model, "AWS::Logs::LogGroup", name).tags == {"a": name}
        reads = readings_of(Names(model, one(model, "AWS::Logs::LogStream", name)))
        assert reads[0].parameters == {"logGroupName": name, "logStreamNamePrefix": name}


@pytest.mark.parametrize("gone", NAMES)
def test_the_end_of_one_is_not_that_of_a_namesake(gone: str) -> None:
    tape = Tape()
    for name in NAMES:
        make(tape, name)
    tape.call("logs", "DeleteLogGroup", {"logGroupName": gone})
    tape.call("ssm", "DeleteParameters", {"Names": [gone]})
    tape.call("secretsmanager", "DeleteSecret", {"SecretId": gone, "ForceDeleteWithoutRecovery": True})
    model = tape.model()
    left = [(name,) for name in NAMES if name != gone]
    for kind in ("Logs::LogGroup", "SecretsManager::Secret", "SSM::Parameter"):
        assert names(model, f"AWS::{kind}") == left


def test_a_call_about_what_no_call_made_is_not_about_a_namesake() -> None:
    tape = Tape()
    tape.call("logs", "CreateLogGroup", {"logGroupName": "shared"})
    tape.call("logs", "PutRetentionPolicy", {"logGroupName": "/aws/lambda/shared", "retentionInDays": 7})
    model = tape.model()
    assert names(model, "AWS::Logs::LogGroup") == [("shared",), ("/aws/lambda/shared",)]
    assert "retentionInDays" not in one(model, "AWS::Logs::LogGroup", "shared").attributes


def test_an_arn_means_the_name_in_it_whatever_slashes_that_has() -> None:
    tape = Tape()
    for name in NAMES:
        make(tape, name)
    for name in ("shared", "/x/shared"):
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
        tape.call("logs", "TagResource", {"resourceArn": arn, "tags": {"told": name}})
    model = tape.model()
    told = {each.name: each.tags.get("told") for each in model.resources.values() if each.type == "AWS::Logs::LogGroup"}
    assert told == {name: name if name in ("shared", "/x/shared") else None for name in NAMES}


def test_what_follows_the_type_in_an_arn_may_begin_with_a_path() -> None:
    tape = Tape()
    role = f"arn:aws:iam::{ACCOUNT}:role/a/b/web"
    tape.call("iam", "CreateRole", {"RoleName": "web", "Path": "/a/b/"}, protocol="query", body=b"")
    tape.call("ssm", "PutParameter", {"Name": "/x/web", "Value": "v", "Type": "String"}, {"Version": 1})
    model = tape.model()
    references = model._inventory.references
    assert references.of_arn(role) == one(model, "AWS::IAM::Role").number
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/x/web"
    assert references.of_arn(parameter) == one(model, "AWS::SSM::Parameter").number


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("/x/shared", "/x/shared"),
        ("x/", "x/"),
        ("/hostedzone/Z1", "Z1"),
        ("/delegationset/N1", "N1"),
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f", "/aws/lambda/f"),
        (f"arn:aws:iam::{ACCOUNT}:role/a/b/web", "a/b/web"),
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders", "orders"),
        (f"http://localhost:4566/{ACCOUNT}/orders", "orders"),
    ],
)
def test_a_name_is_whole_and_arns_and_addresses_are_taken_apart(value: str, name: str) -> None:
    assert own_name(value) == name


def test_a_name_in_an_arn_may_have_its_path_before_it_or_lack_a_slash() -> None:
    assert NameInArn("a/b/web").readings() == ["a/b/web", "/a/b/web", "web"]
    assert NameInArn("web").readings() == ["web"]
