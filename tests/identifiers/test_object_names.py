"""Keys of objects are names that clients chose: no part of one is an identifier, in either direction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.model import Shape, StructureShape

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.footprint.members.payload_members import NAME, OBJECT, payload_rules
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import service_model

from .messages import wire_request, xml_answer

C, E = "vpc-0c11111111111111", "vpc-0e22222222222222222"
VERSION_C, VERSION_E = "11bd961a-0581-4471-b089-389e52d489c3", "99aa961a-0581-4471-b089-389e52d48000"
KEY = f"flow/{C}/{VERSION_C}.log"


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    for client, emulator in ((C, E), (VERSION_C, VERSION_E)):
        table.add(client, emulator, scope=Scope("", "us-east-1"))
    return table


def sent(table: AliasTable, service: str, method: str, **params: Any) -> dict[str, Any]:
    """What the emulator reads."""
    request, head = wire_request(service, method, **params)
    return parse_parameters(head, request_to_emulator(request, head, table))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("put_object", {"Key": KEY, "Body": b""}),
        ("head_object", {"Key": C}),
        ("get_object", {"Key": KEY, "ResponseContentDisposition": f"attachment; filename={C}"}),
        ("list_objects_v2", {"Prefix": f"flow/{C}", "StartAfter": KEY, "Delimiter": C, "ContinuationToken": C}),
        ("list_objects", {"Prefix": f"flow/{C}", "Marker": KEY}),
        ("list_object_versions", {"KeyMarker": KEY}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": KEY}, {"Key": C}]}}),
        (
            "put_bucket_notification_configuration",
            {
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {
                            "QueueArn": "arn:aws:sqs:us-east-1:1:q",
                            "Events": ["s3:ObjectCreated:*"],
                            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"flow/{C}"}]}},
                        }
                    ]
                }
            },
        ),
    ],
)
def test_names_of_objects_stay_as_they_are_sent(table: AliasTable, method: str, params: dict[str, Any]) -> None:
    request, head = wire_request("s3", method, Bucket="b", **params)
    assert request_to_emulator(request, head, table) is request


def test_versions_and_buckets_beside_a_key_are_identifiers(table: AliasTable) -> None:
    assert sent(table, "s3", "get_object", Bucket=f"of-{C}", Key=KEY, VersionId=VERSION_C)["VersionId"] == VERSION_E
    params = sent(table, "s3", "get_object", Bucket=C, Key=C)
    assert (params["Bucket"], params["Key"]) == (E, C)
    deleted = {"Objects": [{"Key": KEY, "VersionId": VERSION_C}]}
    params = sent(table, "s3", "delete_objects", Bucket="b", Delete=deleted)
    assert params["Delete"]["Objects"] == [{"Key": KEY, "VersionId": VERSION_E}]
    tags = {"TagSet": [{"Key": C, "Value": C}]}
    assert sent(table, "s3", "put_object_tagging", Bucket="b", Key=C, Tagging=tags)["Tagging"] == {
        "TagSet": [{"Key": E, "Value": E}]
    }


def test_the_source_of_a_copy(table: AliasTable) -> None:
    source = {"Bucket": C, "Key": KEY, "VersionId": VERSION_C}
    params = sent(table, "s3", "copy_object", Bucket="b", Key=C, CopySource=source)
    assert params["CopySource"] == f"{E}/{KEY}?versionId={VERSION_E}" and params["Key"] == C
    request, head = wire_request("s3", "copy_object", Bucket="b", Key="k", CopySource="b/k")
    for source_written in (f"/b/{C}/x", f"b%2F{C}%2Fx", f"%2Fb%2F{C}"):
        written = replace(request, headers=request.headers.replaced("x-amz-copy-source", source_written))
        assert request_to_emulator(written, head, table) is written
    point = f"arn:aws:s3:us-east-1:1:accesspoint/{C}/object/{C}"
    params = sent(table, "s3", "copy_object", Bucket="b", Key="k", CopySource=point)
    assert unquote(params["CopySource"]) == f"arn:aws:s3:us-east-1:1:accesspoint/{E}/object/{C}"


def test_a_bucket_in_the_host(table: AliasTable) -> None:
    request, head = wire_request("s3", "get_object", Bucket="b", Key="k", VersionId=VERSION_C)
    headers = request.headers.replaced("Host", "b.s3.localhost.localstack.cloud:4566")
    request = replace(request, target=f"/{C}/x?versionId={VERSION_C}", headers=headers)
    assert request_to_emulator(request, head, table).target == f"/{C}/x?versionId={VERSION_E}"


def test_the_web_site_of_a_bucket(table: AliasTable) -> None:
    headers = Headers([("Host", "b.s3-website.us-east-1.localhost.localstack.cloud:4566")])
    request = Request("GET", f"/{C}/x.html", headers, b"")
    assert request_to_emulator(request, None, table) is request


def test_a_listing_shows_keys_as_the_emulator_has_them(table: AliasTable) -> None:
    body = (
        f"<ListVersionsResult><Name>{E}</Name><Prefix>{E}</Prefix><KeyMarker>{E}</KeyMarker>"
        f"<Version><Key>flow/{E}</Key><VersionId>{VERSION_E}</VersionId></Version>"
        f"<CommonPrefixes><Prefix>{E}/</Prefix></CommonPrefixes></ListVersionsResult>"
    )
    request, head = wire_request("s3", "list_object_versions", Bucket=C)
    found = parse_answer(head, answer_to_client(xml_answer(body.encode()), head, request, table)).parsed
    assert found["Name"] == C and found["Prefix"] == found["KeyMarker"] == E
    assert found["Versions"][0]["Key"] == f"flow/{E}" and found["Versions"][0]["VersionId"] == VERSION_C
    assert found["CommonPrefixes"] == [{"Prefix": f"{E}/"}]


@pytest.mark.parametrize("location", ["http://localhost:4566/{}/{}", "http%3A%2F%2Flocalhost%3A4566%2F{}%2F{}"])
def test_the_address_of_a_complete_upload(table: AliasTable, location: str) -> None:
    body = f"<R><Location>{location.format(E, E)}</Location><Bucket>{E}</Bucket><Key>{E}</Key></R>"
    head = CallHead("s3", "CompleteMultipartUpload", "rest-xml", region="us-east-1")
    request, _ = wire_request("s3", "get_object", Bucket=C, Key="k")
    found = parse_answer(head, answer_to_client(xml_answer(body.encode()), head, request, table)).parsed
    assert (found["Location"], found["Bucket"], found["Key"]) == (location.format(C, E), C, E)


def test_other_services_refer_to_objects_by_the_same_names(table: AliasTable) -> None:
    code = {"S3Bucket": C, "S3Key": KEY, "S3ObjectVersion": VERSION_C}
    read = sent(table, "lambda", "create_function", FunctionName="f", Role="r", Code=code)
    assert read["Code"] == {"S3Bucket": E, "S3Key": KEY, "S3ObjectVersion": VERSION_E}
    for url, expected in (
        (f"http://localhost:4566/{C}/{KEY}", f"http://localhost:4566/{E}/{KEY}"),
        (f"https://b.s3.amazonaws.com/{C}/{KEY}", f"https://b.s3.amazonaws.com/{C}/{KEY}"),
        (
            f"https://s3.amazonaws.com/{C}/{C}?versionId={VERSION_C}",
            f"https://s3.amazonaws.com/{E}/{C}?versionId={VERSION_E}",
        ),
    ):
        stack = sent(
            table, "cloudformation", "create_stack", StackName="s", TemplateURL=url, Tags=[{"Key": "a", "Value": C}]
        )
        assert (stack["TemplateURL"], stack["Tags"][0]["Value"]) == (expected, E)


def test_buckets_are_listed_by_the_beginnings_of_their_names(table: AliasTable) -> None:
    assert sent(table, "s3", "list_buckets", Prefix=C)["Prefix"] == E


def test_every_key_of_an_object_in_the_model_is_such_a_name() -> None:
    rules = payload_rules("s3")
    model = service_model("s3")
    shapes: list[Shape] = [model.shape_for(name) for name in model.shape_names]
    keys = {
        f"{shape.name}.{member}": rules.mark_of(shape, member, part)
        for shape in shapes
        if isinstance(shape, StructureShape)
        for member, part in shape.members.items()
        if part.name in ("ObjectKey", "CopySource")
    }
    unmarked = {path for path, mark in keys.items() if mark not in (NAME, OBJECT)}
    assert len(keys) > 40 and unmarked == {"Tag.Key"}
