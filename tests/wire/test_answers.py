"""Answers: as botocore reads them, and as sloppy emulators write them."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import ResponseParserFactory

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer, read_answer
from replay_proxy.wire.codecs.protocols.timestamps import parse_timestamp
from replay_proxy.wire.models.models import service_model, service_names
from tests.wire.made_answers import answer_of
from tests.wire.test_roundtrip import same

# Both read these answers, and botocore reads them wrong: a flattened list by the name that it does not have on the
# wire (sdb); two members in one element, the one that is text as a list of elements (s3).
MISREAD_BY_BOTOCORE = {("sdb", "GetAttributes"), ("sdb", "Select"), ("s3", "GetBucketNotification")}


def answer(body: bytes | str = b"", status: int = 200, **headers: str) -> Answer:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(status, Headers(fields), body.encode() if isinstance(body, str) else body)


def outcome(service: str, operation: str, protocol: str, given: Answer, method: str = "POST") -> Outcome:
    return parse_answer(CallHead(service, operation, protocol), given, Request(method, "/", Headers()))


def test_every_operations_answer_is_read_as_botocore_reads_it() -> None:
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=parse_timestamp)
    wrong: dict[str, Any] = {}
    count = 0
    for service in service_names():
        model = service_model(service)
        for name in model.operation_names:
            operation = model.operation_model(name)
            shape = operation.output_shape
            if shape is None or shape.event_stream_name is not None or (service, name) in MISREAD_BY_BOTOCORE:
                continue
            for protocol in model.metadata.get("protocols") or [model.metadata["protocol"]]:
                made = answer_of(operation, protocol, random.Random(f"{service} {name} {protocol}"))
                response = {"status_code": 200, "headers": HeadersDict(dict(made.headers.pairs)), "body": made.body}
                theirs = factory.create_parser(protocol).parse(response, shape)
                theirs.pop("ResponseMetadata")
                payload = shape.serialization.get("payload")
                if payload in theirs and shape.members[payload].type_name == "blob":
                    theirs[payload] = theirs[payload].encode()  # a stream in boto3
                ours = read_answer(CallHead("none", name, protocol), operation, made).parsed
                count += 1
                if not same(ours, theirs):
                    wrong[f"{service}:{name} ({protocol})"] = (ours, theirs)
    assert wrong == {}
    assert count > 15_000


QUEUE = {"QueueUrl": "http://localhost:4566/000000000000/q"}
WRAPPED = (
    '<CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><CreateQueueResult>'
    f"<QueueUrl>{QUEUE['QueueUrl']}</QueueUrl></CreateQueueResult>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></CreateQueueResponse>"
)


@pytest.mark.parametrize("protocol", ["query", "json"])
@pytest.mark.parametrize(
    "body",
    [
        WRAPPED,
        WRAPPED.replace("<CreateQueueResult>", "").replace("</CreateQueueResult>", ""),
        '\ufeff<?xml version="1.0"?>\n' + WRAPPED,
        f'{{"QueueUrl": "{QUEUE["QueueUrl"]}"}}',
        f'{{"CreateQueueResponse": {{"CreateQueueResult": {{"QueueUrl": "{QUEUE["QueueUrl"]}"}}}}}}',
        b"\xa1\x68QueueUrl\x78\x24" + QUEUE["QueueUrl"].encode(),
    ],
    ids=["xml", "no result wrapper", "byte order mark", "json", "json as query services wrap it", "cbor"],
)
def test_the_body_says_what_format_it_is_in(protocol: str, body: str | bytes) -> None:
    assert outcome("sqs", "CreateQueue", protocol, answer(body)).parsed == QUEUE


def test_an_sqs_query_answer_has_the_names_of_the_query_protocol() -> None:
    body = (
        "<ReceiveMessageResponse><ReceiveMessageResult><Message><MessageId>m</MessageId><Body>b</Body>"
        "<Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute>"
        "<MessageAttribute><Name>a</Name><Value><DataType>Binary</DataType><BinaryValue>AP8=</BinaryValue></Value>"
        "</MessageAttribute></Message></ReceiveMessageResult></ReceiveMessageResponse>"
    )
    assert outcome("sqs", "ReceiveMessage", "query", answer(body)).parsed == {
        "Messages": [
            {
                "MessageId": "m",
                "Body": "b",
                "Attributes": {"SentTimestamp": "1"},
                "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
            }
        ]
    }


@pytest.mark.parametrize(
    ("service", "operation", "protocol", "given", "code", "message"),
    [
        ("dynamodb", "GetItem", "json", answer('{"__type":"com.x#NoTable","message":"m"}', 400), "NoTable", "m"),
        ("dynamodb", "GetItem", "json", answer('{"__type":"NoTable","Message":"m"}', 400), "NoTable", "m"),
        (
            "sqs",
            "SendMessage",
            "json",
            answer(
                '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}',
                400,
                x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
            ),
            "AWS.SimpleQueueService.NonExistentQueue",
            "m",
        ),
        (
            "lambda",
            "Invoke",
            "rest-json",
            answer('{"Message":"m"}', 404, x_amzn_errortype="NoFn:http://x/"),
            "NoFn",
            "m",
        ),
        ("lambda", "Invoke", "rest-json", answer('{"__type":"NoFn","Message":"m"}', 404), "NoFn", "m"),
        (
            "sns",
            "Publish",
            "query",
            answer(
                "<ErrorResponse xmlns='x'><Error><Type>Sender</Type><Code>NotFound</Code><Message>m</Message></Error>"
                "</ErrorResponse>",
                404,
            ),
            "NotFound",
            "m",
        ),
        (
            "ec2",
            "RunInstances",
            "ec2",
            answer("<Response><Errors><Error><Code>Bad.Id</Code><Message>m</Message></Error></Errors></Response>", 400),
            "Bad.Id",
            "m",
        ),
        (
            "s3",
            "GetObject",
            "rest-xml",
            answer("<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", 404),
            "NoSuchKey",
            "m",
        ),
        (
            "route53",
            "GetHostedZone",
            "rest-xml",
            answer(
                "<ErrorResponse><Error><Code>NoSuchHostedZone</Code><Message>m</Message></Error></ErrorResponse>", 404
            ),
            "NoSuchHostedZone",
            "m",
        ),
        (
            "cloudwatch",
            "PutMetricData",
            "smithy-rpc-v2-cbor",
            answer(b"\xa2\x66__type\x65a#Bad\x67message\x61m", 400),
            "Bad",
            "m",
        ),
        ("s3", "GetObject", "rest-xml", answer("", 304), "304", "Not Modified"),
        ("sqs", "SendMessage", "json", answer("<html><body>Bad gateway</body></html>", 502), "502", "Bad Gateway"),
        ("sqs", "SendMessage", "json", answer("it broke", 500), "500", "it broke"),
        ("sqs", "SendMessage", "json", answer(b"\xff\xfe\x00", 599), "599", "��\x00"),
        ("sns", "Publish", "query", answer('{"__type":"InternalFailure","message":"m"}', 501), "InternalFailure", "m"),
        (
            "sqs",
            "SendMessage",
            "json",
            answer(gzip.compress(b'{"__type":"A","message":"m"}'), 400, content_encoding="gzip"),
            "A",
            "m",
        ),
        (
            "sso-oidc",
            "CreateToken",
            "rest-json",
            answer('{"error":"invalid_grant","error_description":"m"}', 400),
            "invalid_grant",
            "m",
        ),
    ],
)
def test_errors_have_code_and_message(
    service: str, operation: str, protocol: str, given: Answer, code: str, message: str
) -> None:
    found = outcome(service, operation, protocol, given)
    assert not found.ok
    assert (found.status, found.error_code, found.error_message, found.parsed) == (given.status, code, message, {})


def test_a_head_has_no_body_and_its_status_for_a_code() -> None:
    found = outcome("s3", "HeadObject", "rest-xml", answer("", 404), "HEAD")
    assert (found.error_code, found.error_message) == ("404", "Not Found")
    headers = {"Content_Length": "12", "ETag": '"abc"', "x_amz_version_id": "v1", "x_amz_meta_Colour": "blue"}
    assert outcome("s3", "HeadObject", "rest-xml", answer("", 200, **headers), "HEAD").parsed == {
        "ContentLength": 12,
        "ETag": '"abc"',
        "VersionId": "v1",
        "Metadata": {"Colour": "blue"},
    }


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy", "DeleteObjects"])
def test_s3_errors_that_come_with_status_200_are_errors(operation: str) -> None:
    body = "<?xml version='1.0'?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>"
    found = outcome("s3", operation, "rest-xml", answer(body))
    assert (found.ok, found.status, found.error_code, found.error_message) == (False, 200, "InternalError", "again")


def test_an_object_that_looks_like_an_error_is_an_object() -> None:
    body = b"<Error><Code>x</Code></Error>"
    found = outcome("s3", "GetObject", "rest-xml", answer(body), "GET")
    assert found.ok
    assert found.parsed["Body"] == body


def test_partial_failures_of_delete_objects_are_part_of_a_success() -> None:
    body = "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>Denied</Code></Error></DeleteResult>"
    found = outcome("s3", "DeleteObjects", "rest-xml", answer(body))
    assert found.ok
    assert found.parsed == {"Deleted": [{"Key": "a"}], "Errors": [{"Key": "b", "Code": "Denied"}]}


def test_a_payload_in_a_blob_stays_there() -> None:
    blob = BlobRef("0" * 64, 10**9)
    given = Answer(200, Headers([("ETag", '"e"')]), blob)
    assert outcome("s3", "GetObject", "rest-xml", given, "GET").parsed["Body"] is blob
    with pytest.raises(MalformedMessage, match="not in memory"):
        outcome("s3", "ListObjectsV2", "rest-xml", given, "GET")


def test_a_gzipped_message_is_read_and_a_gzipped_object_is_kept() -> None:
    packed = gzip.compress(b'{"QueueUrl":"u"}')
    assert outcome("sqs", "CreateQueue", "json", answer(packed, content_encoding="gzip")).parsed == {"QueueUrl": "u"}
    found = outcome("s3", "GetObject", "rest-xml", answer(packed, content_encoding="gzip"), "GET")
    assert (found.parsed["Body"], found.parsed["ContentEncoding"]) == (packed, "gzip")


@pytest.mark.parametrize(
    ("body", "region"),
    [
        (
            '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>',
            "eu-west-1",
        ),
        ("<LocationConstraint/>", None),
        ("<R><LocationConstraint>eu-west-1</LocationConstraint></R>", "eu-west-1"),
    ],
)
def test_a_buckets_location_is_the_text_of_the_root(body: str, region: str | None) -> None:
    assert outcome("s3", "GetBucketLocation", "rest-xml", answer(body)).parsed == {"LocationConstraint": region}


def test_listed_keys_are_decoded() -> None:
    body = (
        "<ListBucketResult><EncodingType>url</EncodingType><Prefix>a%2F</Prefix>"
        "<Contents><Key>a%2Fb+c%C3%A9</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    found = outcome("s3", "ListObjectsV2", "rest-xml", answer(body)).parsed
    assert found["Contents"] == [{"Key": "a/b cé", "LastModified": datetime(2024, 5, 1, 10, tzinfo=UTC)}]
    assert found["Prefix"] == "a/"


def test_policies_are_objects_as_in_boto3() -> None:
    body = (
        "<GetRolePolicyResponse><GetRolePolicyResult><RoleName>r</RoleName><PolicyName>p</PolicyName>"
        "<PolicyDocument>%7B%22Version%22%3A%221%22%7D</PolicyDocument></GetRolePolicyResult></GetRolePolicyResponse>"
    )
    assert outcome("iam", "GetRolePolicy", "query", answer(body)).parsed["PolicyDocument"] == {"Version": "1"}


def test_an_objects_expires_may_be_no_date() -> None:
    found = outcome("s3", "GetObject", "rest-xml", answer(b"x", Expires="tomorrow"), "GET").parsed
    assert found == {"Body": b"x", "Metadata": {}, "ExpiresString": "tomorrow"}


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("logs", "DescribeLogStreams", '{"logStreams":[{"creationTime":1700000000123.456,"storedBytes":7.0}]}'),
        ("logs", "GetLogEvents", '{"events":[{"timestamp":1700000000123.5,"message":"m"}]}'),
        ("dynamodb", "DescribeTable", '{"Table":{"ItemCount":1.5}}'),
    ],
)
def test_a_fraction_where_an_integer_is_due_is_taken_as_botocore_takes_it(
    service: str, operation: str, body: str
) -> None:
    """moto writes the times of logs as fractions of milliseconds."""
    shape = service_model(service).operation_model(operation).output_shape
    response = {"status_code": 200, "headers": HeadersDict({}), "body": body.encode()}
    theirs = ResponseParserFactory().create_parser("json").parse(response, shape)
    theirs.pop("ResponseMetadata")
    assert outcome(service, operation, "json", answer(body)).parsed == theirs


def test_kinesis_speaks_cbor_in_its_json_protocol() -> None:
    # Java writes times as tag 1 with milliseconds.
    body = (
        b"\xa1\x67Records\x81\xa3\x64Data\x42\x00\xff\x6cPartitionKey\x61k\x78\x1bApproximateArrivalTimestamp\xc1\x1b"
    )
    body += (1_700_000_000_123).to_bytes(8, "big")
    found = outcome("kinesis", "GetRecords", "json", answer(body, content_type="application/x-amz-cbor-1.1"))
    assert found.parsed["Records"] == [
        {
            "Data": b"\x00\xff",
            "PartitionKey": "k",
            "ApproximateArrivalTimestamp": datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC),
        }
    ]


@pytest.mark.parametrize(
    ("service", "operation", "protocol", "body"),
    [
        ("sqs", "CreateQueue", "json", '{"QueueUrl": ['),
        ("sqs", "CreateQueue", "json", "[]"),
        ("sqs", "CreateQueue", "json", '{"QueueUrl": {"a": 1}}'),
        ("sqs", "CreateQueue", "query", "<a><b></a>"),
        ("sqs", "CreateQueue", "query", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'),
        ("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor", b"\xa1\x67Metrics"),
        ("s3", "ListObjectsV2", "rest-xml", "<a><MaxKeys>many</MaxKeys></a>"),
        ("nosuch", "X", "json", "{}"),
    ],
)
def test_what_is_no_such_answer_is_malformed(service: str, operation: str, protocol: str, body: str | bytes) -> None:
    with pytest.raises(MalformedMessage):
        outcome(service, operation, protocol, answer(body))
