"""Requests of our own making are understood as what they were made of."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import CallHead
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters


@pytest.mark.parametrize(
    ("service", "protocol", "operation", "params"),
    [
        ("s3", "rest-xml", "ListObjectVersions", {"Bucket": "b", "KeyMarker": "k &?", "VersionIdMarker": "v"}),
        ("s3", "rest-xml", "GetObjectTagging", {"Bucket": "b", "Key": "k", "VersionId": "v"}),
        ("s3", "rest-xml", "ListObjectsV2", {"Bucket": "b", "Prefix": "a/b"}),
        ("s3", "rest-xml", "ListMultipartUploads", {"Bucket": "b", "MaxUploads": 3}),
        ("s3", "rest-xml", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}),
        ("s3", "rest-xml", "ListObjectVersions", {"Bucket": "b"}),
        ("lambda", "rest-json", "ListFunctions", {"MaxItems": 3}),
        ("apigateway", "rest-json", "GetRestApis", {"limit": 3}),
    ],
)
def test_a_path_that_has_a_query_of_its_own(
    service: str, protocol: str, operation: str, params: dict[str, Any]
) -> None:
    head = CallHead(service, operation, protocol, "", "us-east-1")
    made = build_request(head, params, "localhost:4566")
    assert made.target.count("?") <= 1, made.target
    assert parse_parameters(head, made) == params
