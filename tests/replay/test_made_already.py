"""What a stack makes again is not written once more because it was observed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.journal.format.records import Record, RecordKind
from tests.replay.lab import Lab
from tests.support.clients import SOON

pytestmark = pytest.mark.emulator

TEMPLATE = {
    "Resources": {
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/made", "Type": "String", "Value": "v"}}
    }
}


def observed(record: Record) -> Record:
    """A call as the proxy records what it has seen: without an answer that the emulator gave."""
    return replace(record, kind=RecordKind.OBSERVATION, answer=replace(record.answer, body=b"{}"))


@pytest.mark.parametrize(
    ("written", "versions"),
    [
        (["v"], ["v"]),
        (["w"], ["v", "w"]),
        (["v", "w", "w"], ["v", "w", "w"]),
    ],
    ids=["what the stack made", "what changed it", "every version"],
)
def test_a_parameter_has_as_many_versions_as_were_observed(lab: Lab, written: list[str], versions: list[str]) -> None:
    formation, parameters = lab.client("cloudformation"), lab.client("ssm")
    formation.create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
    formation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=SOON)
    made = len(lab.records)
    for value in written:
        parameters.put_parameter(Name="/made", Type="String", Value=value, Overwrite=True)
    lab.records[made:] = [observed(each) for each in lab.records[made:]]
    lab.empty()
    report = lab.restore(lab.records)
    assert report.problems == []
    found = parameters.get_parameter_history(Name="/made")["Parameters"]
    assert [each["Value"] for each in found] == versions


def test_what_a_client_wrote_is_written_though_it_is_there(lab: Lab) -> None:
    parameters = lab.client("ssm")
    for _ in range(2):
        parameters.put_parameter(Name="/own", Type="String", Value="v", Overwrite=True)
    lab.records[1] = observed(lab.records[1])
    lab.empty()
    lab.restore(lab.records)
    assert len(parameters.get_parameter_history(Name="/own")["Parameters"]) == 2


@pytest.mark.parametrize("is_seen_late", [False, True], ids=["seen after each change", "seen after all"])
def test_what_a_stack_changes_again_is_not_written_once_more(lab: Lab, is_seen_late: bool) -> None:
    if lab.emulator.name == "moto":
        pytest.skip("it makes a parameter anew where its stack changes it, in a first version")
    formation, parameters = lab.client("cloudformation"), lab.client("ssm")
    seen: list[Record] = []
    for value, change in (("v", formation.create_stack), ("w", formation.update_stack)):
        change(StackName="s", TemplateBody=json.dumps(TEMPLATE).replace('"v"', f'"{value}"'))
        done = "stack_create_complete" if value == "v" else "stack_update_complete"
        formation.get_waiter(done).wait(StackName="s", WaiterConfig=SOON)
        parameters.put_parameter(Name="/made", Type="String", Value=value, Overwrite=True)
        lab.records[-1] = observed(lab.records[-1])
        if is_seen_late:
            seen.append(lab.records.pop())
    last = max(each.seq for each in [*lab.records, *seen])
    lab.records += [replace(each, seq=last + at) for at, each in enumerate(seen, 1)]
    lab.empty()
    assert lab.restore(lab.records).problems == []
    found = parameters.get_parameter_history(Name="/made")["Parameters"]
    assert [each["Value"] for each in found] == ["v", "w"]


def test_what_a_stack_makes_of_the_address_of_the_emulator_is_not_written_once_more(lab: Lab) -> None:
    """It was observed with the address of the proxy in its place."""
    formation, parameters = lab.client("cloudformation"), lab.client("ssm")
    template: dict[str, dict[str, Any]] = json.loads(json.dumps(TEMPLATE))
    template["Resources"]["Parameter"]["Properties"]["Value"] = {"Ref": "Queue"}
    template["Resources"]["Queue"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "queue"}}
    formation.create_stack(StackName="s", TemplateBody=json.dumps(template))
    formation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=SOON)
    proxy, port = "127.0.0.1:4566", lab.emulator.url.rpartition(":")[2]
    value = parameters.get_parameter(Name="/made")["Parameter"]["Value"]
    value = value.replace(f"localhost:{port}", proxy).replace(f"127.0.0.1:{port}", proxy)
    parameters.put_parameter(Name="/made", Type="String", Value=value, Overwrite=True)
    written = observed(lab.records[-1])
    fields = [(name, proxy if name.lower() == "host" else text) for name, text in written.request.headers]
    lab.records[-1] = replace(written, request=replace(written.request, headers=Headers(fields)))
    lab.empty()
    assert lab.restore(lab.records).problems == []
    assert len(parameters.get_parameter_history(Name="/made")["Parameters"]) == 1
