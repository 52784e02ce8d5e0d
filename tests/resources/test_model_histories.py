"""The resources of the model are those that the emulator lists, after random histories over the main services."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from replay_proxy.exchange import BlobRef
from replay_proxy.resources.build import build_model
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Hidden, Resource
from tests.replay.lab import Lab
from tests.resources.acts import ACTS, Made
from tests.resources.listings import Listing, listing
from tests.support.histories import Step, histories, lab
from tests.support.processes import amount

__all__ = ["lab"]


def no_blobs(ref: BlobRef) -> bytes:
    raise AssertionError(ref)


@histories(*ACTS, examples=amount(1, 12))
def test_the_resources_are_those_that_the_emulator_lists(lab: Lab, history: list[Step]) -> None:
    lab.begin()
    made: Made = defaultdict(list)
    for name, a, b, c in history:
        with suppress(ClientError, BotoCoreError):
            ACTS[name](lab, made, a, b, c)
    lab.recording = False
    records = [replace(record, seq=number) for number, record in enumerate(lab.records, 1)]
    model = build_model(records, no_blobs)
    assert model.odd == []
    expected = listing(lab)
    assert names(model, expected) == {kind: set(entries) for kind, entries in expected.items()}
    for resource in model.resources.values():
        described = expected.get(resource.type, {}).get(joined(resource))
        if described is not None:
            assert facts(resource, described) == described, resource


def joined(resource: Resource) -> str:
    return "/".join(resource.key.names)


def names(model: ResourceModel, expected: Listing) -> dict[str, set[str]]:
    """The resources of the model by type, but for what the emulators do not list by itself."""
    found: dict[str, set[str]] = defaultdict(set)
    for resource in model.resources.values():
        if resource.type not in NOT_LISTED:
            found[resource.type].add(joined(resource))
    return dict(found)


NOT_LISTED = {"AWS::EC2::VPCGatewayAttachment", "AWS::Lambda::Permission", "AWS::ApiGateway::Deployment"}


def facts(resource: Resource, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the model says of a resource, of what the listing compares."""
    attributes = resource.attributes
    inner = attributes.get("Attributes", {})
    data = resource.data
    value = attributes.get("Value", "")
    definition = attributes.get("definition", "")
    all_facts = {
        "count": data.count if data is not None else 0,
        "parts": set(data.parts) if data is not None else set(),
        "bytes": data.bytes if data is not None else 0,
        "tags": resource.tags,
        "VisibilityTimeout": inner.get("VisibilityTimeout", "30"),
        "DisplayName": inner.get("DisplayName", ""),
        "MemorySize": attributes.get("MemorySize", 128),
        "policy": "BucketPolicy" in attributes or "Policy" in attributes,
        "retention": attributes.get("retentionInDays"),
        "description": attributes.get("description", ""),
        "ports": {each["FromPort"] for each in attributes.get("SecurityGroupIngress", ())},
        "targets": {each["Id"] for each in attributes.get("Targets", ())},
        "attached": {each["PolicyArn"] for each in attributes.get("RolePolicy", ())},
        "users": {each["UserName"] for each in attributes.get("UserToGroup", ())},
        "value": value.raw if isinstance(value, Hidden) else value,
        "definition": definition.raw if isinstance(definition, Hidden) else definition,
    }
    return {name: all_facts[name] for name in wanted}
