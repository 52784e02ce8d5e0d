"""What a list shows as unchanged is not read again; what was written, or left to the next look, is."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import ExpectedContents
from replay_proxy.observing.log_events import LogEvents
from replay_proxy.observing.objects import Objects
from replay_proxy.observing.values import Parameters, Secrets
from tests.observing.test_exposure import call

CALLER = Caller("localhost", "test")


class Shown:
    """An emulator that answers from a dictionary of functions, and counts what it is asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, Counter[str]()

    async def ask(self, _container: Any, _caller: Any, operation: str, parameters: dict[str, Any]) -> Any:
        self.asked[operation] += 1
        return self.answers[operation](parameters)


def look(contents: ExpectedContents, shown: Shown, *, thorough: bool = False, meanwhile: Any = None) -> list[str]:
    """Look once, and record what is found. Returns the operations."""
    shown.asked.clear()
    contents.begin_look()
    seen = asyncio.run(contents.look(shown, CALLER, thorough=thorough))  # type: ignore[arg-type]
    assert seen is not None
    if meanwhile is not None:
        contents.see(meanwhile)
    made = []
    for finding, part, fingerprint in contents.findings(seen, caused=thorough):
        made.append(finding.operation)
        contents.take(part, fingerprint)
    contents.end_look()
    return made


def test_parameters_are_read_where_their_version_is_another_one() -> None:
    values = {"a": ("1", 1), "b": ("1", 1)}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    shown = Shown(
        {
            "DescribeParameters": lambda _asked: {
                "Parameters": [
                    {"Name": name, "Version": version, "LastModifiedDate": at} for name, (_, version) in values.items()
                ]
            },
            "GetParameters": lambda asked: {
                "Parameters": [{"Name": name, "Value": values[name][0], "Type": "String"} for name in asked["Names"]]
            },
        }
    )
    contents = Parameters(Container("ssm", "", "us-east-1", "parameters"))
    for name in values:
        contents.see(call("ssm", "PutParameter", Name=name, Value="1", Type="String"))
    assert (look(contents, shown), shown.asked["GetParameters"]) == ([], 1)
    assert (look(contents, shown), shown.asked["GetParameters"]) == ([], 0), "nothing has changed"
    values["b"] = ("2", 2)
    assert (look(contents, shown), shown.asked["GetParameters"]) == (["PutParameter"], 1)
    assert (look(contents, shown), shown.asked["GetParameters"]) == ([], 0)
    assert (look(contents, shown, thorough=True), shown.asked["GetParameters"]) == ([], 1)
    values["b"] = ("3", 3)
    written = call("ssm", "PutParameter", Name="b", Value="2", Type="String", Overwrite=True)
    assert look(contents, shown, meanwhile=written) == [], "who was first is not known: left to the next look"
    assert look(contents, shown) == ["PutParameter"]
    del values["a"]
    assert look(contents, shown) == ["DeleteParameter"]


def test_versions_that_nothing_recorded_are_put_back_once() -> None:
    history = [{"Name": "a", "Version": number, "Value": f"{number}", "Type": "String"} for number in (1, 2, 3)]

    def contents() -> Parameters:
        """As they are learned from the recording after each restart."""
        learned = Parameters(Container("ssm", "", "us-east-1", "parameters"))
        for written in recorded:
            learned.see(written)
        return learned

    shown = Shown(
        {
            "DescribeParameters": lambda _asked: {"Parameters": [{"Name": "a", "Version": 3}]},
            "GetParameterHistory": lambda _asked: {"Parameters": history},
            "GetParameters": lambda _asked: {"Parameters": history[-1:]},
        }
    )
    recorded = [call("ssm", "PutParameter", Name="a", Value="1", Type="String")]
    recorded[0].__dict__["result"] = {"Version": 1}
    assert look(contents(), shown, thorough=True) == ["PutParameter", "PutParameter"]
    recorded += [
        call("ssm", "PutParameter", Name="a", Value=value, Type="String", Overwrite=True) for value in ("2", "3")
    ]
    assert look(contents(), shown, thorough=True) == []
    assert shown.asked["GetParameterHistory"] == 0


def test_secrets_are_read_where_their_version_is_another_one() -> None:
    secret = {"version": "v1", "value": "1"}
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def listed(_asked: Any) -> Any:
        stages = {secret["version"]: ["AWSCURRENT"]}
        return {"SecretList": [{"Name": "s", "LastChangedDate": at, "SecretVersionsToStages": stages}]}

    shown = Shown(
        {"ListSecrets": listed, "GetSecretValue": lambda _asked: {"Name": "s", "SecretString": secret["value"]}}
    )
    contents = Secrets(Container("secretsmanager", "", "us-east-1", "secrets"), lambda: False)
    contents.see(call("secretsmanager", "CreateSecret", Name="s", SecretString="1"))
    assert (look(contents, shown), shown.asked["GetSecretValue"]) == ([], 1)
    assert (look(contents, shown), shown.asked["GetSecretValue"]) == ([], 0)
    secret |= {"version": "v2", "value": "2"}
    assert look(contents, shown) == ["PutSecretValue"]


@pytest.mark.parametrize(
    ("secret", "by_stacks", "made"),
    [
        ({"Name": "s"}, False, ["CreateSecret"]),
        ({"Name": "s", "PrimaryRegion": "us-east-1"}, False, ["CreateSecret"]),
        ({"Name": "s"}, True, []),
        ({"Name": "s", "OwningService": "rds"}, False, []),
        ({"Name": "rds!cluster-1"}, False, []),
        ({"Name": "s", "PrimaryRegion": "eu-west-1"}, False, []),
        ({"Name": "s", "DeletedDate": datetime(2026, 1, 1, tzinfo=UTC)}, False, []),
    ],
)
def test_a_secret_that_nothing_makes_again_is_put_back(
    secret: dict[str, Any], by_stacks: bool, made: list[str]
) -> None:
    value = {"Name": secret["Name"], "SecretString": "1"}
    shown = Shown({"ListSecrets": lambda _asked: {"SecretList": [secret]}, "GetSecretValue": lambda _asked: value})
    contents = Secrets(Container("secretsmanager", "", "us-east-1", "secrets"), lambda: by_stacks)
    assert look(contents, shown) == made
    assert look(contents, shown) == []


def test_streams_of_a_log_are_read_where_something_was_written() -> None:
    streams = {"s": [{"timestamp": 1, "message": "m"}], "t": [{"timestamp": 1, "message": "m"}]}

    def listed(_asked: Any) -> Any:
        return {
            "logStreams": [
                {"logStreamName": name, "lastIngestionTime": len(events), "storedBytes": len(events)}
                for name, events in streams.items()
            ]
        }

    shown = Shown(
        {"DescribeLogStreams": listed, "GetLogEvents": lambda asked: {"events": streams[asked["logStreamName"]]}}
    )
    contents = LogEvents(Container("logs", "", "us-east-1", "g"))
    contents.see(call("logs", "CreateLogGroup", logGroupName="g"))
    for name, events in streams.items():
        contents.see(call("logs", "PutLogEvents", logGroupName="g", logStreamName=name, logEvents=list(events)))
    assert (look(contents, shown), shown.asked["GetLogEvents"]) == ([], 2)
    assert (look(contents, shown), shown.asked["GetLogEvents"]) == ([], 0)
    streams["t"].append({"timestamp": 2, "message": "by a function"})
    assert (look(contents, shown), shown.asked["GetLogEvents"]) == (["PutLogEvents"], 1)
    streams["t"].append({"timestamp": 3, "message": "by a function"})
    written = call(
        "logs", "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[{"timestamp": 4, "message": "n"}]
    )
    streams["s"].append({"timestamp": 4, "message": "n"})
    assert look(contents, shown, meanwhile=written) == [], "left to the next look"
    assert look(contents, shown) == ["PutLogEvents"]
    assert (look(contents, shown), shown.asked["GetLogEvents"]) == ([], 0)


def test_what_is_found_in_a_log_tells_when_it_was_made_and_not_when_it_was_seen() -> None:
    made = {"group": 1_700_000_000_100, "stream": 1_700_000_001_200, "event": 1_700_000_002_300}
    groups = [{"logGroupName": "gg", "creationTime": 1}, {"logGroupName": "g", "creationTime": made["group"]}]
    streams = [{"logStreamName": "s", "creationTime": made["stream"]}]
    events = [{"timestamp": 1, "message": "m", "ingestionTime": made["event"]}]
    shown = Shown(
        {
            "DescribeLogGroups": lambda _asked: {"logGroups": groups},
            "DescribeLogStreams": lambda _asked: {"logStreams": streams},
            "GetLogEvents": lambda _asked: {"events": events},
        }
    )
    contents = LogEvents(Container("logs", "", "us-east-1", "g"))
    contents.begin_look()
    seen = asyncio.run(contents.look(shown, CALLER, thorough=False))  # type: ignore[arg-type]
    assert [(each.operation, each.made_at * 1000) for each in seen.changed.values()] == [
        ("CreateLogGroup", made["group"]),
        ("CreateLogStream", made["stream"]),
        ("PutLogEvents", made["event"]),
    ]


def test_a_delete_marker_and_the_value_of_a_secret_tell_when_they_were_made() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    marker = {"Key": "k", "VersionId": "v", "IsLatest": True, "LastModified": at}
    secret = {"Name": "s", "VersionId": "v2", "SecretString": "2", "CreatedDate": at}
    listed = {"Name": "s", "LastChangedDate": at, "SecretVersionsToStages": {"v2": ["AWSCURRENT"]}}
    shown = Shown(
        {
            "ListObjectVersions": lambda _asked: {"DeleteMarkers": [marker]},
            "ListSecrets": lambda _asked: {"SecretList": [listed]},
            "GetSecretValue": lambda _asked: secret,
        }
    )
    objects = Objects(Container("s3", "", "us-east-1", "b"))
    secrets = Secrets(Container("secretsmanager", "", "us-east-1", "secrets"), lambda: False)
    secrets.see(call("secretsmanager", "CreateSecret", Name="s", SecretString="1"))
    for contents, operation in ((objects, "DeleteObject"), (secrets, "PutSecretValue")):
        contents.begin_look()
        seen = asyncio.run(contents.look(shown, CALLER, thorough=False))  # type: ignore[arg-type]
        assert [(each.operation, each.made_at) for each in seen.changed.values()] == [(operation, at.timestamp())]
