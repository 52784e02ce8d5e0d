"""Whatever a request is made of, recognition returns a call or None: it raises nothing, and it ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import BlobRef, CallHead, Headers, Request
from replay_proxy.wire.models.operations import operation_names
from replay_proxy.wire.recognition.recognise import needs_body, recognise
from tests.support.processes import amount

WIRE_TEXT = st.text(st.characters(max_codepoint=255))
PIECES = st.sampled_from(
    """/ // ? & = % %2 %2F %00 + ; , . .. : @ # [ ] { } * ~ \x00 \xff s3 sqs es rds bucket key ?acl ?tagging ?uploadId=
    &partNumber=1 list-type=2 Action= Action=ListQueues &Version=2012-11-05 Version= AWSAccessKeyId= Signature= Expires=
    X-Amz-Credential= X-Amz-Algorithm= AWS4-HMAC-SHA256 AWS4-ECDSA-P256-SHA256 AWS4 AWS AWS3 Bearer Credential= a/b/c/d/e
    /20260101/us-east-1/s3/aws4_request /us-east-1/lambda/ 000000000042 queue/us-east-1/ /service/ /operation/ /@connections/
    /2015-03-31/functions /v20180820/ /S3Outposts/ http:// https:// localhost .localhost .s3. s3-website
    .localhost.localstack.cloud .amazonaws.com us-east-1 execute-api lambda-url application/x-www-form-urlencoded
    multipart/form-data gzip rpc-v2-cbor AmazonSQS. AmazonSQS.CreateQueue DynamoDB_20120810 api/s3#3 \x1f\x8b\x08""".split()  # noqa: SIM905 - a list of fifty literals would not be read
)
VALUE = st.one_of(WIRE_TEXT, st.lists(st.one_of(PIECES, WIRE_TEXT), max_size=8).map("".join))
NAME = st.one_of(
    st.sampled_from(
        [
            "Host", "Authorization", "X-Amz-Target", "Content-Type", "Content-Encoding", "smithy-protocol", "User-Agent",
            "X-Amz-Region-Set", "X-Amzn-Authorization", "x-amz-copy-source", "x-amz-user-agent", "x-amz-request-route",
        ]
    ),
    WIRE_TEXT,
)  # fmt: skip
METHOD = st.one_of(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT"]), WIRE_TEXT)
BODY = st.one_of(st.binary(), VALUE.map(lambda text: text.encode("latin-1")), st.just(BlobRef("0" * 64, 1)))
REQUESTS = st.builds(
    Request,
    METHOD,
    st.one_of(VALUE, VALUE.map(lambda text: f"/{text}")),
    st.lists(st.tuples(NAME, VALUE), max_size=6).map(Headers),
    BODY,
)


@settings(max_examples=amount(500, 1500), deadline=None)
@given(REQUESTS)
def test_any_request_gives_a_call_or_none(request):
    head = recognise(request)
    assert head is None or is_known(head)
    assert needs_body(request) in {True, False}


@settings(max_examples=amount(166, 500), deadline=None)
@given(REQUESTS)
def test_a_body_that_is_not_needed_decides_nothing(request):
    if not needs_body(request):
        bodiless = Request(request.method, request.target, request.headers)
        assert recognise(bodiless) == recognise(request)


def test_large_and_hostile_requests_are_recognised_in_one_pass():
    """What takes the square of its length meets the limit of every test."""
    signed = [
        ("Host", "localhost"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/apigateway/aws4_request, x"),
    ]
    hostile = [
        Request("GET", "/" + "a/" * 100_000, Headers(signed)),
        Request("GET", "/?" + "a=b&" * 100_000, Headers(signed)),
        Request("GET", "/" + "%" * 200_000, Headers()),
        Request("POST", "/", Headers([("Authorization", "AWS4" + "Credential=" * 20_000)]), b"&Action" * 100_000),
        Request("POST", "/", Headers([("Host", ".s3." * 20_000)]), b"A"),
        Request("POST", "/", Headers([("User-Agent", "api/" * 50_000)]), b""),
        Request("POST", "/service/" * 20_000 + "operation/x", Headers([("smithy-protocol", "x")])),
        Request("GET", "/" + "1" * 200_000 + "/x?Action=ReceiveMessage", Headers()),
    ]
    for request in hostile:
        recognise(request)
        needs_body(request)


def is_known(head: CallHead) -> bool:
    return head.operation == "PostObject" or head.operation in operation_names(head.service)
