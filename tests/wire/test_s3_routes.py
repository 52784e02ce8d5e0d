"""The operations of S3, by method, level, subresource and header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.recognition.recognise import recognise

CREDENTIAL = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def operation(method: str, target: str, host: str = "localhost:4566", signing_name: str = "s3", **headers: str) -> str:
    pairs = [("Host", host), ("Authorization", CREDENTIAL.format(signing_name))]
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    head = recognise(Request(method, target, Headers(pairs)))
    return f"{head.service}:{head.operation}" if head else ""


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?x-id=ListBuckets", "ListBuckets"),
        ("GET", "/b", "ListObjects"),
        ("GET", "/b/", "ListObjects"),
        ("GET", "//b", "ListObjects"),
        ("GET", "/b?list-type=2", "ListObjectsV2"),
        ("GET", "/b?list-type=1", "ListObjects"),
        ("GET", "/b?prefix=versions", "ListObjects"),
        ("GET", "/b?versions", "ListObjectVersions"),
        ("GET", "/b?versioning=", "GetBucketVersioning"),
        ("GET", "/b?uploads", "ListMultipartUploads"),
        ("GET", "/b?inventory", "ListBucketInventoryConfigurations"),
        ("GET", "/b?inventory&id=a", "GetBucketInventoryConfiguration"),
        ("PUT", "/b?analytics", "PutBucketAnalyticsConfiguration"),
        ("GET", "/b?lifecycle", "GetBucketLifecycleConfiguration"),
        ("PUT", "/b?notification", "PutBucketNotificationConfiguration"),
        ("PUT", "/b", "CreateBucket"),
        ("HEAD", "/b", "HeadBucket"),
        ("DELETE", "/b", "DeleteBucket"),
        ("POST", "/b?delete", "DeleteObjects"),
        ("GET", "/b/k", "GetObject"),
        ("GET", "/b//", "GetObject"),
        ("GET", "/b//k", "GetObject"),
        ("GET", "/b/k/", "GetObject"),
        ("GET", "/b/k//", "GetObject"),
        ("GET", "/b/%2F", "GetObject"),
        ("GET", "/b/k?versionId=1&partNumber=2", "GetObject"),
        ("GET", "/b/k?response-content-type=acl", "GetObject"),
        ("GET", "/b/k?acl&versionId=1", "GetObjectAcl"),
        ("GET", "/b/k?attributes", "GetObjectAttributes"),
        ("GET", "/b/k?uploadId=1", "ListParts"),
        ("PUT", "/b/k", "PutObject"),
        ("PUT", "/b/k?x-id=PutObject", "PutObject"),
        ("PUT", "/b/k?partNumber=1", "PutObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=2", "UploadPart"),
        ("PUT", "/b/k?tagging", "PutObjectTagging"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=1", "CompleteMultipartUpload"),
        ("POST", "/b/k?restore", "RestoreObject"),
        ("POST", "/b/k?select&select-type=2", "SelectObjectContent"),
        ("DELETE", "/b/k?uploadId=1", "AbortMultipartUpload"),
        ("DELETE", "/b/k?versionId=1", "DeleteObject"),
        ("HEAD", "/b/k", "HeadObject"),
    ],
)
def test_by_method_level_and_subresource(method, target, expected):
    assert operation(method, target) == f"s3:{expected}"
    on_host = target.lstrip("/").partition("b")[2] if target.lstrip("/").startswith("b") else None
    if on_host is not None:
        path = on_host if on_host.startswith("/") else f"/{on_host}"
        for host in (
            "b.s3.localhost.localstack.cloud:4566",
            "b.localhost:4566",
            "b.s3.eu-west-1.amazonaws.com",
        ):
            assert operation(method, path, host) == f"s3:{expected}"


def test_a_copy_has_its_source_in_a_header():
    assert operation("PUT", "/b/k", x_amz_copy_source="/a/b") == "s3:CopyObject"
    assert operation("PUT", "/b/k?partNumber=1&uploadId=2", x_amz_copy_source="/a/b") == "s3:UploadPartCopy"


def test_a_form_upload():
    form = "multipart/form-data; boundary=x"
    assert operation("POST", "/b", Content_Type=form) == "s3:PostObject"
    assert operation("POST", "/b/", Content_Type=form) == "s3:PostObject"
    assert operation("POST", "/", "b.s3.amazonaws.com", Content_Type=form) == "s3:PostObject"


def test_a_post_that_is_nothing():
    assert operation("POST", "/b") == ""
    assert operation("POST", "/b/k") == ""


def test_directory_buckets_are_listed_under_a_signing_name_of_their_own():
    assert operation("GET", "/", signing_name="s3express") == "s3:ListDirectoryBuckets"
    assert operation("GET", "/?x-id=ListDirectoryBuckets") == "s3:ListDirectoryBuckets"
    assert operation("PUT", "/b--usw2-az1--x-s3/k", signing_name="s3express") == "s3:PutObject"


def test_control_and_outposts_have_paths_of_their_own():
    assert operation("GET", "/v20180820/accesspoint", x_amz_account_id="000000000042") == "s3control:ListAccessPoints"
    host = "000000000042.s3-control.eu-west-1.amazonaws.com"
    assert operation("GET", "/v20180820/accesspoint", host) == "s3control:ListAccessPoints"
    assert operation("GET", "/S3Outposts/ListEndpoints", signing_name="s3-outposts") == "s3outposts:ListEndpoints"
    assert operation("GET", "/v20180820-photos/k") == "s3:GetObject"


def test_object_lambda():
    headers = {"x_amz_request_route": "r", "x_amz_request_token": "t"}
    written = operation("POST", "/WriteGetObjectResponse", signing_name="s3-object-lambda", **headers)
    assert written == "s3:WriteGetObjectResponse"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="?#"), min_size=1))
def test_whatever_a_key_is_an_object_is_meant(key):
    assert operation("GET", f"/bucket/{key}") == "s3:GetObject"
    assert operation("PUT", f"/{key}", "bucket.s3.localhost.localstack.cloud:4566") == "s3:PutObject"
