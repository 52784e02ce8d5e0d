#!/usr/bin/env python3
"""What recognising a request costs: microseconds by protocol, for requests as boto3 writes and signs them.

    python bench/wire_recognise.py [--json] [--seconds 0.5]

Each figure is the median over calls of `recognise` with header fields that nobody has looked at yet, as they come from a socket.
The second column repeats the measurement when the operations of all services are loaded: recognition must not depend on
how many services there are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire import models
from replay_proxy.wire.operations import operation_names
from replay_proxy.wire.recognise import recognise
from replay_proxy.wire.rest_routes import route_tree
from replay_proxy.wire.services import service_index

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


def measure(case: Request, seconds: float) -> float:
    """The median time of a call in microseconds."""
    recognise(case)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        fresh = Request(case.method, case.target, Headers(case.headers.pairs), case.body)
        start = time.perf_counter_ns()
        recognise(fresh)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def load_all_services() -> int:
    """Load the operations of every service; their number."""
    index = service_index()
    for services in index.by_signing_name.values():
        route_tree(index.rest(services))
    return sum(len(operation_names(name)) for name in models.service_names())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each case and column (default: 0.5)")
    arguments = parser.parse_args()
    first = {name: measure(case, arguments.seconds) for name, case in CASES.items()}
    operations = load_all_services()
    loaded = {name: measure(case, arguments.seconds) for name, case in CASES.items()}
    if arguments.json:
        cases = {name: {"lazy_us": round(first[name], 2), "all_loaded_us": round(loaded[name], 2)} for name in CASES}
        print(json.dumps({"benchmark": "wire_recognise", "operations": operations, "cases": cases}))
        return
    print(f"{'request':36} {'µs':>7} {f'µs, {operations:,} operations loaded':>34}")
    for name in CASES:
        print(f"{name:36} {first[name]:7.1f} {loaded[name]:34.1f}")


if __name__ == "__main__":
    main()
