from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.payload_members import (
    ALL,
    ENCODED,
    NAME,
    OBJECT,
    QUOTED,
    REPORTED,
    PayloadCondition,
    entries,
)
from replay_proxy.identifiers.rewriting.body.payload import ITEM, VALUE, payload_of
from replay_proxy.wire.models.models import service_model


def head(service: str, operation: str, protocol: str = "json") -> CallHead:
    return CallHead(service, operation, protocol)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: f"{entry['service']}: {entry['reason'][:40]}")
def test_every_entry_names_what_the_model_has(entry: dict[str, Any]) -> None:
    model = service_model(entry["service"])
    names = set(model.shape_names)
    assert entry["reason"] and any(entry.get(each) for each in ("shapes", "members", "references", "except"))
    for shape in entry.get("shapes", ()):
        assert shape in names
    assert entry.get("extent", ALL) in (ALL, QUOTED, NAME, OBJECT)
    assert entry.get("in_answers", REPORTED) in (REPORTED, ENCODED)
    for path in (*entry.get("members", ()), *entry.get("references", ()), *entry.get("except", ())):
        shape, _, member = path.partition(".")
        assert member.partition("{")[0] in model.shape_for(shape).members
        for sibling in entry.get("when", {}):
            assert sibling in model.shape_for(shape).members


def test_members_are_found_by_the_names_of_the_wire() -> None:
    assert payload_of(head("sqs", "SendMessage"), "json", answer=False).tree == {
        "MessageBody": ALL,
        "MessageAttributes": {VALUE: ALL},
        "MessageSystemAttributes": {VALUE: ALL},
    }
    batch = payload_of(head("sqs", "SendMessageBatch"), "json", answer=False).tree
    assert batch["Entries"][ITEM]["MessageBody"] == ALL
    form = payload_of(head("sqs", "SendMessageBatch", "query"), "form", answer=False).tree
    assert form["SendMessageBatchRequestEntry"]["MessageBody"] == ALL


def test_item_values_are_payload_wherever_they_are() -> None:
    write = payload_of(head("dynamodb", "BatchWriteItem"), "json", answer=False).tree
    assert write == {
        "RequestItems": {VALUE: {ITEM: {"PutRequest": {"Item": {VALUE: ALL}}, "DeleteRequest": {"Key": {VALUE: ALL}}}}}
    }
    assert payload_of(head("dynamodb", "GetItem"), "json", answer=True).tree["Item"] == {VALUE: ALL}
    assert payload_of(head("dynamodb", "ExecuteStatement"), "json", answer=False).tree["Statement"] == QUOTED
    assert payload_of(head("dynamodb", "CreateTable"), "json", answer=False).tree == {}


def test_streaming_and_blob_bodies_are_payload_as_a_whole() -> None:
    for service, operation, protocol, answer in (
        ("s3", "PutObject", "rest-xml", False),
        ("s3", "GetObject", "rest-xml", True),
        ("lambda", "Invoke", "rest-json", False),
        ("lambda", "Invoke", "rest-json", True),
        ("iot-data", "Publish", "rest-json", False),
    ):
        assert payload_of(head(service, operation, protocol), "json", answer=answer).whole_body
    assert not payload_of(head("s3", "PutBucketPolicy", "rest-xml"), "json", answer=False).whole_body


def test_user_metadata_is_payload_in_headers() -> None:
    assert "x-amz-meta-*" in payload_of(head("s3", "PutObject", "rest-xml"), "xml", answer=False).headers


def test_values_under_a_key_and_under_a_condition() -> None:
    subscribe = payload_of(head("sns", "Subscribe", "query"), "form", answer=False).tree
    assert subscribe == {"Attributes": {f"{VALUE}FilterPolicy": ALL}}
    change = payload_of(head("sns", "SetSubscriptionAttributes", "query"), "form", answer=False).tree
    assert change == {"AttributeValue": PayloadCondition("AttributeName", "FilterPolicy", ALL)}


def test_what_no_model_describes_has_no_payload() -> None:
    nothing = payload_of(head("nosuch", "Thing"), "json", answer=False)
    assert not nothing.whole_body and not nothing.tree and not nothing.headers
