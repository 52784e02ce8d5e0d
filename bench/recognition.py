"""What recognising and parsing a request costs: microseconds by protocol, for requests as boto3 writes and signs them.

A figure is the median over calls with header fields that nobody has looked at yet, as they come from a socket.
"""

from __future__ import annotations

import http.client
import io
import statistics
import time
from collections.abc import Callable

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models
from replay_proxy.wire.models.operations import operation_names
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.recognition.rest_routes import route_tree

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def request(method: str, target: str, signing_name: str, body: bytes = b"", **headers: str) -> Request:
    """A request with the header fields of a boto3 client."""
    pairs = [
        ("Host", headers.pop("host", "localhost:4566")),
        ("Accept-Encoding", "identity"),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
        (
            "User-Agent",
            "Boto3/1.43.106 md/Botocore#1.43.106 ua/2.1 os/linux#6.18 md/arch#x86_64 lang/python#3.11.7",
        ),
        ("X-Amz-Date", "20260101T000000Z"),
        ("Content-Length", str(len(body))),
        ("amz-sdk-invocation-id", "9c2f3f66-21ac-4f0a-a16e-0f3f9a5c2b8d"),
        ("amz-sdk-request", "attempt=1"),
    ]
    if signing_name:
        credential = f"AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{signing_name}/aws4_request"
        signature = f"Credential={credential}, SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
        pairs.append(("Authorization", f"AWS4-HMAC-SHA256 {signature}"))
    return Request(method, target, Headers(pairs), body)


CASES = {
    "json: dynamodb PutItem": request(
        "POST",
        "/",
        "dynamodb",
        b"{}",
        X_Amz_Target="DynamoDB_20120810.PutItem",
        Content_Type="application/x-amz-json-1.0",
    ),
    "json: sqs SendMessage": request(
        "POST",
        "/",
        "sqs",
        b"{}",
        X_Amz_Target="AmazonSQS.SendMessage",
        Content_Type="application/x-amz-json-1.0",
    ),
    "query: sqs SendMessage, 64 KiB": request(
        "POST",
        "/000000000000/orders",
        "sqs",
        b"Action=SendMessage&Version=2012-11-05&MessageBody=" + b"x" * 65536,
        Content_Type=FORM,
    ),
    "query: sns Publish": request(
        "POST", "/", "sns", b"Action=Publish&Version=2010-03-31&TopicArn=a&Message=b", Content_Type=FORM
    ),
    "query: sts, unsigned": request(
        "POST", "/", "", b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=a", Content_Type=FORM
    ),
    "ec2: DescribeInstances": request(
        "POST", "/", "ec2", b"Action=DescribeInstances&Version=2016-11-15", Content_Type=FORM
    ),
    "cbor: cloudwatch PutMetricData": request(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricData",
        "monitoring",
        b"\xa0",
        smithy_protocol="rpc-v2-cbor",
        Content_Type="application/cbor",
    ),
    "rest-xml: s3 PutObject, path": request(
        "PUT", "/bucket/some/key.txt", "s3", x_amz_content_sha256="UNSIGNED-PAYLOAD"
    ),
    "rest-xml: s3 PutObject, host": request(
        "PUT", "/some/key.txt", "s3", host="bucket.s3.localhost.localstack.cloud:4566"
    ),
    "rest-xml: s3 UploadPart": request("PUT", "/bucket/key?partNumber=3&uploadId=abc", "s3"),
    "rest-xml: s3 GetObject, presigned": request(
        "GET",
        "/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1"
        "%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        "",
    ),
    "rest-xml: route53 ListRecordSets": request("GET", "/2013-04-01/hostedzone/Z1/rrset?maxitems=10", "route53"),
    "rest-json: lambda Invoke": request("POST", "/2015-03-31/functions/handler/invocations", "lambda", b"{}"),
    "rest-json: apigateway PutMethod": request(
        "PUT", "/restapis/abc123/resources/def456/methods/GET", "apigateway", b"{}"
    ),
    "no call: an invoked REST API": request("GET", "/restapis/abc123/dev/_user_request_/orders?page=2", ""),
}


PARSED = {
    "json: dynamodb PutItem": b'{"TableName":"t","Item":{"id":{"S":"1"},"total":{"N":"12"},"text":{"S":"an order of twelve"}}}',
    "json: sqs SendMessage": b'{"QueueUrl":"http://localhost:4566/000000000000/orders","MessageBody":"an order of twelve"}',
}
"""Bodies for the cases that are too small to be parsed as they stand."""


def recognising(case: Request) -> Callable[[], object]:
    """What is timed: recognition of a fresh request."""
    fresh = Request(case.method, case.target, Headers(case.headers.pairs), case.body)
    return lambda: recognise(fresh)


def parsing(name: str, case: Request) -> Callable[[], object] | None:
    """What is timed: reading the parameters of a fresh request; None where there is no call in it."""
    head = recognise(case)
    if head is None or case.body == b"\xa0":
        return None
    fresh = Request(case.method, case.target, Headers(case.headers.pairs), PARSED.get(name, case.body))
    return lambda: parse_parameters(head, fresh)


def standard_library(case: Request) -> Callable[[], object]:
    """What is timed as the peer: the header fields read as Python's own HTTP server reads them."""
    raw = b"".join(f"{key}: {value}\r\n".encode("latin-1") for key, value in case.headers.pairs) + b"\r\n"
    return lambda: http.client.parse_headers(io.BytesIO(raw))


def measure(make: Callable[[], Callable[[], object]], seconds: float) -> float:
    """The median time of what `make` makes, in microseconds."""
    make()()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        once = make()
        start = time.perf_counter_ns()
        once()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def load_all_services() -> int:
    """Load the operations of every service; their number."""
    index = service_index()
    for services in index.by_signing_name.values():
        route_tree(index.rest(services))
    return sum(len(operation_names(name)) for name in models.service_names())
