"""Errors of our own: read by botocore's parsers, and met by real clients, which try again and then report them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.awsrequest import HeadersDict
from botocore.client import Config
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.error_responses import error_response
from replay_proxy.wire.models.models import protocol_model
from replay_proxy.wire.recognition.likely_call import likely_call
from replay_proxy.wire.recognition.recognise import recognise

MESSAGE = "The emulator restarts & restores: try <again>, été."
CALLS = [
    ("sqs", "SendMessage", "json"),
    ("sqs", "SendMessage", "query"),
    ("dynamodb", "GetItem", "json"),
    ("sns", "Publish", "query"),
    ("ec2", "RunInstances", "ec2"),
    ("s3", "ListObjectsV2", "rest-xml"),
    ("s3", "GetObject", "rest-xml"),
    ("route53", "GetHostedZone", "rest-xml"),
    ("s3control", "GetJobTagging", "rest-xml"),
    ("lambda", "Invoke", "rest-json"),
    ("apigateway", "GetRestApis", "rest-json"),
    ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "PutMetricData", "query"),
]


def refuse(head: CallHead | None, request: Request, status: int = 503) -> Answer:
    return error_response(
        head or likely_call(request),
        request,
        status=status,
        code="ServiceUnavailable",
        message=MESSAGE,
        request_id="req-1",
    )


@pytest.mark.parametrize(("service", "operation", "protocol"), CALLS)
@pytest.mark.parametrize("status", [503, 400])
def test_botocore_reads_code_message_and_request_id(service: str, operation: str, protocol: str, status: int) -> None:
    head = CallHead(service, operation, protocol)
    given = refuse(head, Request("POST", "/", Headers()), status)
    assert isinstance(given.body, bytes)
    response = {"status_code": status, "headers": HeadersDict(dict(given.headers.pairs)), "body": given.body}
    parsed = create_parser(protocol).parse(response, protocol_model(service, operation, protocol).output_shape)
    assert (parsed["Error"]["Code"], parsed["Error"]["Message"]) == ("ServiceUnavailable", MESSAGE)
    assert parsed["ResponseMetadata"]["RequestId"] == "req-1"
    outcome = parse_answer(head, given)
    assert (outcome.status, outcome.error_code, outcome.error_message) == (status, "ServiceUnavailable", MESSAGE)


def test_kinesis_gets_cbor_if_it_speaks_cbor() -> None:
    request = Request("POST", "/", Headers([("Content-Type", "application/x-amz-cbor-1.1")]))
    head = CallHead("kinesis", "PutRecord", "json")
    given = refuse(head, request)
    assert given.headers.get("content-type") == "application/x-amz-cbor-1.1"
    assert parse_answer(head, given).error_message == MESSAGE


def test_a_head_gets_no_body() -> None:
    given = refuse(CallHead("s3", "HeadObject", "rest-xml"), Request("HEAD", "/b/k", Headers()))
    assert (given.body, given.headers.get("content-length")) == (b"", "0")


SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20300101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


@pytest.mark.parametrize(
    ("fields", "target", "start"),
    [
        ({"X-Amz-Target": "AmazonSQS.New", "Content-Type": "application/x-amz-json-1.0"}, "/", b"{"),
        ({"smithy-protocol": "rpc-v2-cbor"}, "/service/X/operation/Y", b"\xa2"),
        ({"Content-Type": "application/x-www-form-urlencoded", "Authorization": SCOPE.format("sns")}, "/", b"<?xml"),
        ({"Content-Type": "application/x-www-form-urlencoded", "Authorization": SCOPE.format("ec2")}, "/", b"<?xml"),
        ({"Authorization": SCOPE.format("s3")}, "/b/k", b"<?xml"),
        ({"Authorization": SCOPE.format("lambda")}, "/2099-01-01/new", b"{"),
        ({"Authorization": SCOPE.format("route53")}, "/2099-01-01/new", b"<?xml"),
        ({"Authorization": SCOPE.format("newservice")}, "/", b"{"),
        ({}, "/b/k", b"<?xml"),
        ({"Accept": "application/json"}, "/b/k", b"{"),
        ({}, "/_localstack/health", b"{"),
        ({}, "/restapis/a/dev/_user_request_/", b"{"),
    ],
)
def test_an_unknown_call_is_answered_in_the_format_its_headers_suggest(
    fields: dict[str, str], target: str, start: bytes
) -> None:
    given = refuse(None, Request("POST", target, Headers(fields.items())))
    assert isinstance(given.body, bytes)
    assert given.body.startswith(start)
    assert b"ServiceUnavailable" in given.body


class Emulator:
    """A server that refuses every call as we refuse it, or the first `refusals` of them, and counts."""

    def __init__(self) -> None:
        self.seen: list[CallHead | None] = []
        self.refusals = 1000
        emulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, Headers(self.headers.items()), body)
                head = recognise(request)
                emulator.seen.append(head)
                if len(emulator.seen) > emulator.refusals:
                    given = Answer(200, Headers([("Content-Length", "0")]), b"")
                else:
                    given = refuse(head, request)
                assert isinstance(given.body, bytes)
                self.send_response(given.status)
                for name, value in given.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815  (the names that http.server calls)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    running = Emulator()
    thread = threading.Thread(target=running.server.serve_forever, daemon=True)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


def client(service: str, emulator: Emulator, mode: str) -> Any:
    return boto3.client(
        service, region_name="us-east-1", endpoint_url=emulator.url, aws_access_key_id="000000000000",
        aws_secret_access_key="x", config=Config(retries={"mode": mode, "total_max_attempts": 2}),
    )  # fmt: skip


CLIENT_CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("sqs", "list_queues", {}),
    ("sns", "list_topics", {}),
    ("ec2", "describe_vpcs", {}),
    ("s3", "list_buckets", {}),
    ("s3", "get_object", {"Bucket": "b-1", "Key": "k"}),
    ("s3", "put_object", {"Bucket": "b-1", "Key": "k", "Body": b"data"}),
    ("route53", "list_hosted_zones", {}),
    ("lambda", "list_functions", {}),
    ("dynamodb", "list_tables", {}),
    ("cloudwatch", "list_metrics", {}),
]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize(("service", "method", "arguments"), CLIENT_CALLS)
def test_boto3_tries_again_and_then_reports_our_error(
    emulator: Emulator, mode: str, service: str, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(service, emulator, mode), method)(**arguments)
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("ServiceUnavailable", MESSAGE)
    assert error["ResponseMetadata"]["RequestId"] == "req-1"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert error["ResponseMetadata"]["RetryAttempts"] == 1
    assert [head.service for head in emulator.seen if head] == [service, service]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_boto3_goes_on_once_the_emulator_is_back(emulator: Emulator, mode: str) -> None:
    emulator.refusals = 1
    answer = client("s3", emulator, mode).head_object(Bucket="b-1", Key="k")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
