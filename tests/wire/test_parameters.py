"""Parameters from requests that botocore's serialiser alone does not make: hosts, framing, other clients' habits."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import BlobRef, CallHead, Headers, Request
from replay_proxy.wire.codecs.parameters import parse_parameters

JSON = "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def params(
    service: str, operation: str, protocol: str, method: str, target: str, body: Any = b"", **headers: str
) -> dict[str, Any]:
    fields = [(name.replace("_", "-"), value) for name, value in {"Host": "localhost:4566", **headers}.items()]
    content = body.encode() if isinstance(body, str) else body
    return parse_parameters(CallHead(service, operation, protocol), Request(method, target, Headers(fields), content))


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("localhost:4566", "/my-bucket//a//b%20c%2B+%C3%A9/"),
        ("my-bucket.s3.amazonaws.com", "//a//b%20c%2B+%C3%A9/"),
        ("my-bucket.s3.us-west-2.amazonaws.com", "//a//b%20c%2B+%C3%A9/"),
        ("my-bucket.s3.localhost.localstack.cloud:4566", "//a//b%20c%2B+%C3%A9/"),
        ("my-bucket.localhost:4566", "//a//b%20c%2B+%C3%A9/"),
    ],
)
def test_s3_keys_keep_their_slashes_in_every_address_style(host: str, target: str) -> None:
    found = params("s3", "GetObject", "rest-xml", "GET", target + "?versionId=v%2B1&x-id=GetObject", Host=host)
    assert found == {"Bucket": "my-bucket", "Key": "/a//b c++é/", "VersionId": "v+1"}


@pytest.mark.parametrize(
    ("host", "target"), [("b-1.s3.amazonaws.com", "/"), ("localhost", "/b-1"), ("localhost", "/b-1/")]
)
def test_a_bucket_with_or_without_a_slash_at_its_end(host: str, target: str) -> None:
    found = params("s3", "ListObjectsV2", "rest-xml", "GET", target + "?list-type=2&prefix=a%2Fb&max-keys=7", Host=host)
    assert found == {"Bucket": "b-1", "Prefix": "a/b", "MaxKeys": 7}


FRAMED = (
    b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n"
    b"1;chunk-signature=" + b"b" * 64 + b"\r\n!\r\n"
    b"0;chunk-signature=" + b"c" * 64 + b"\r\n\r\n"
)


def test_a_framed_upload_is_its_payload() -> None:
    found = params(
        "s3", "PutObject", "rest-xml", "PUT", "/b-1/k", FRAMED,
        X_Amz_Content_SHA256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Content_Encoding="aws-chunked",
        x_amz_decoded_content_length="6",
    )  # fmt: skip
    assert found == {"Bucket": "b-1", "Key": "k", "Body": b"hello!"}


def test_the_framings_mark_is_taken_off_the_objects_encoding() -> None:
    body = b"1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    found = params(
        "s3", "PutObject", "rest-xml", "PUT", "/b-1/k", body,
        X_Amz_Content_SHA256="STREAMING-UNSIGNED-PAYLOAD-TRAILER", Content_Encoding="gzip,aws-chunked",
    )  # fmt: skip
    assert (found["Body"], found["ContentEncoding"]) == (b"x", "gzip")


def test_an_unframed_body_under_a_header_that_says_framed_is_taken_as_it_is() -> None:
    found = params(
        "s3", "PutObject", "rest-xml", "PUT", "/b-1/k", b"hello!",
        X_Amz_Content_SHA256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", x_amz_decoded_content_length="6",
    )  # fmt: skip
    assert found["Body"] == b"hello!"


def test_a_payload_in_a_blob_stays_there() -> None:
    blob = BlobRef("0" * 64, 10**9)
    assert params("s3", "PutObject", "rest-xml", "PUT", "/b-1/k", blob)["Body"] is blob
    with pytest.raises(MalformedMessage, match="not in memory"):
        params("sqs", "SendMessage", "json", "POST", "/", blob)


def test_a_gzipped_object_is_kept_and_a_gzipped_message_is_read() -> None:
    packed = gzip.compress(b'{"Namespace":"n","MetricData":[]}', mtime=0)
    found = params("cloudwatch", "PutMetricData", "json", "POST", "/", packed, Content_Encoding="gzip")
    assert found == {"Namespace": "n", "MetricData": []}
    found = params("s3", "PutObject", "rest-xml", "PUT", "/b-1/k", packed, Content_Encoding="gzip")
    assert (found["Body"], found["ContentEncoding"]) == (packed, "gzip")


@pytest.mark.parametrize("body", [b"\x1f\x8b broken", gzip.compress(b"x" * 1000, mtime=0)[:-12], b"plain"])
def test_a_damaged_gzip_body_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        params("sqs", "SendMessage", "json", "POST", "/", body, Content_Encoding="gzip")


def test_user_metadata_and_listed_headers() -> None:
    found = params(
        "s3", "CopyObject", "rest-xml", "PUT", "/b-1/k", x_amz_copy_source="src/a%20b", X_Amz_Meta_Colour="b\xc3\xa9",
        x_amz_copy_source_if_modified_since="Tue, 14 Nov 2023 22:13:20 GMT", x_amz_bypass="x",
    )  # fmt: skip
    assert found == {
        "Bucket": "b-1",
        "Key": "k",
        "CopySource": "src/a%20b",
        "CopySourceIfModifiedSince": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        "Metadata": {"Colour": "bé"},
    }
    found = params(
        "s3", "GetObjectAttributes", "rest-xml", "GET", "/b-1/k?attributes", x_amz_object_attributes="ETag, ObjectSize"
    )
    assert found["ObjectAttributes"] == ["ETag", "ObjectSize"]


BOUNDARY = "----WebKitFormBoundary7MA4YWxk"


def form_upload(*fields: tuple[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    ]
    file = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return "".join(parts).encode() + file.encode() + b"\x89PNG\r\n--\x00" + f"\r\n--{BOUNDARY}--\r\n".encode()


def test_a_browsers_upload_form() -> None:
    body = form_upload(
        ("key", "up/${filename}"), ("acl", "public-read"), ("x-amz-meta-a", "b"), ("Content-Type", "image/png"),
        ("policy", "e30="), ("X-Amz-Signature", "f" * 64),
    )  # fmt: skip
    found = params(
        "s3", "PostObject", "rest-xml", "POST", "/b-1", body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}"
    )
    assert found == {
        "Bucket": "b-1",
        "Key": "up/cat.png",
        "ACL": "public-read",
        "ContentType": "image/png",
        "Metadata": {"a": "b"},
        "Body": b"\x89PNG\r\n--\x00",
    }


def test_an_old_sdks_sqs_query_at_the_queues_own_url() -> None:
    body = (
        "Action=SendMessage&Version=2012-11-05&MessageBody=a+b%0A&DelaySeconds=3"
        "&MessageAttribute.1.Name=x&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AP8%3D"
        "&MessageAttribute.2.Name=y&MessageAttribute.2.Value.DataType=String&MessageAttribute.2.Value.StringValue="
    )
    found = params("sqs", "SendMessage", "query", "POST", "/000000000000/q", body, Content_Type=FORM)
    assert found == {
        "QueueUrl": "http://localhost:4566/000000000000/q",
        "MessageBody": "a b\n",
        "DelaySeconds": 3,
        "MessageAttributes": {
            "x": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "y": {"DataType": "String", "StringValue": ""},
        },
    }


def test_an_sqs_batch_and_attribute_names_in_a_query() -> None:
    body = (
        "Action=DeleteMessageBatch&QueueUrl=u&DeleteMessageBatchRequestEntry.2.Id=b"
        "&DeleteMessageBatchRequestEntry.2.ReceiptHandle=r2&DeleteMessageBatchRequestEntry.1.Id=a"
        "&DeleteMessageBatchRequestEntry.1.ReceiptHandle=r1"
    )
    assert params("sqs", "DeleteMessageBatch", "query", "POST", "/", body)["Entries"] == [
        {"Id": "a", "ReceiptHandle": "r1"},
        {"Id": "b", "ReceiptHandle": "r2"},
    ]
    body = "Action=CreateQueue&QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=k&Tag.1.Value=v"
    assert params("sqs", "CreateQueue", "query", "POST", "/", body) == {
        "QueueName": "q",
        "Attributes": {"DelaySeconds": "5"},
        "tags": {"k": "v"},
    }


def test_a_query_in_the_query_string() -> None:
    target = "/?Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=s"
    assert params("sts", "AssumeRole", "query", "GET", target) == {
        "RoleArn": "arn:aws:iam::1:role/r",
        "RoleSessionName": "s",
    }


def test_kinesis_in_cbor() -> None:
    body = b"\xbf\x6aStreamName\x61s\x64Data\x42\x00\xff\x6cPartitionKey\x61k\xff"
    found = params("kinesis", "PutRecord", "json", "POST", "/", body, Content_Type="application/x-amz-cbor-1.1")
    assert found == {"StreamName": "s", "Data": b"\x00\xff", "PartitionKey": "k"}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000.5", datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)),
        ("1.7E9", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000123", datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)),
        ('"2023-11-14T22:13:20Z"', datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ('"2023-11-14T22:13:20.123456789+01:00"', datetime(2023, 11, 14, 21, 13, 20, 123456, tzinfo=UTC)),
        ('"Tue, 14 Nov 2023 22:13:20 GMT"', datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ('"2023-11-14"', datetime(2023, 11, 14, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_timestamps_in_every_format(text: str, moment: datetime) -> None:
    body = f'{{"Namespace":"n","MetricData":[{{"MetricName":"m","Timestamp":{text}}}]}}'
    found = params("cloudwatch", "PutMetricData", "json", "POST", "/", body, Content_Type=JSON)
    assert found["MetricData"][0]["Timestamp"] == moment


@pytest.mark.parametrize("text", ["1e300", '"soon"', "true", '"9999999999999999999"', '"2023-13-01"', "[]", '"NaN"'])
def test_what_is_no_time_is_malformed(text: str) -> None:
    body = f'{{"Namespace":"n","MetricData":[{{"MetricName":"m","Timestamp":{text}}}]}}'
    with pytest.raises(MalformedMessage):
        params("cloudwatch", "PutMetricData", "json", "POST", "/", body, Content_Type=JSON)


def test_json_as_clients_other_than_botocore_write_it() -> None:
    body = '{"QueueUrl":"u","VisibilityTimeout":"30","WaitTimeSeconds":5.0,"MaxNumberOfMessages":null,"New":1}'
    found = params("sqs", "ReceiveMessage", "json", "POST", "/", body, Content_Type=JSON)
    assert found == {"QueueUrl": "u", "VisibilityTimeout": 30, "WaitTimeSeconds": 5}


def test_labels_that_an_sdk_did_not_encode() -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    for path in (f"/2017-03-31/tags/{arn}", "/2017-03-31/tags/" + arn.replace(":", "%3A"), f"/2017-03-31/tags/{arn}/"):
        assert params("lambda", "ListTags", "rest-json", "GET", path) == {"Resource": arn}
    arn = "arn:aws:apigateway:us-east-1::/restapis/abc"
    assert params("apigateway", "GetTags", "rest-json", "GET", f"/tags/{arn}") == {"resourceArn": arn}


def test_an_endpoint_with_a_path_of_its_own() -> None:
    target = "/dev/@connections/abc%3D"
    found = params("apigatewaymanagementapi", "PostToConnection", "rest-json", "POST", target, b"x")
    assert found == {"ConnectionId": "abc=", "Data": b"x"}


def test_lists_and_maps_in_the_query_string() -> None:
    target = "/restapis/r1/resources?embed=methods&embed=x%2Cy&limit=3&position="
    found = params("apigateway", "GetResources", "rest-json", "GET", target)
    assert found == {"restApiId": "r1", "limit": 3, "embed": ["methods", "x,y"], "position": ""}


def test_a_host_label_that_is_nowhere_else() -> None:
    found = params("s3control", "GetPublicAccessBlock", "rest-xml", "GET", "/v20180820/configuration/publicAccessBlock",
                   Host="000000000000.s3-control.us-east-1.amazonaws.com")  # fmt: skip
    assert found == {"AccountId": "000000000000"}


def test_a_path_that_does_not_follow_its_template_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="does not follow"):
        params("lambda", "GetFunction", "rest-json", "GET", "/somewhere/else")


@pytest.mark.parametrize("head", [CallHead("nosuch", "X", "json"), CallHead("sqs", "NoSuch", "query")])
def test_a_call_without_a_model_is_malformed(head: CallHead) -> None:
    with pytest.raises(MalformedMessage, match="no "):
        parse_parameters(head, Request("POST", "/", Headers()))
