"""Any bytes are parsed, or are malformed: nothing else is raised, nothing hangs, nothing grows without a bound."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.error_responses import error_response
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.json import load_json
from replay_proxy.wire.codecs.protocols.query import load_pairs, load_tree
from replay_proxy.wire.codecs.protocols.xml import load_xml
from replay_proxy.wire.recognition.likely_call import likely_call
from replay_proxy.wire.signing.sigv4 import scrub, sign_again
from tests.support.processes import amount

HEADS = [
    CallHead("sqs", "SendMessageBatch", "json"),
    CallHead("sqs", "SendMessageBatch", "query"),
    CallHead("ec2", "RunInstances", "ec2"),
    CallHead("dynamodb", "PutItem", "json"),
    CallHead("kinesis", "PutRecords", "json"),
    CallHead("lambda", "Invoke", "rest-json"),
    CallHead("lambda", "CreateFunction", "rest-json"),
    CallHead("apigateway", "GetResources", "rest-json"),
    CallHead("s3", "PutObject", "rest-xml"),
    CallHead("s3", "PostObject", "rest-xml"),
    CallHead("s3", "ListObjectsV2", "rest-xml"),
    CallHead("s3", "PutBucketLifecycleConfiguration", "rest-xml"),
    CallHead("s3", "GetBucketLocation", "rest-xml"),
    CallHead("s3control", "CreateJob", "rest-xml"),
    CallHead("route53", "ChangeResourceRecordSets", "rest-xml"),
    CallHead("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    CallHead("cloudwatch", "GetMetricData", "query"),
    CallHead("iam", "GetRolePolicy", "query"),
]
# Pieces that parsers care about, so that random bytes get past their first character.
TOKENS = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"null",
        b"NaN",
        b"1e999",
        b'"\\ud800"',
        b"<a>",
        b"</a>",
        b"<a/>",
        b"<!DOCTYPE a>",
        b"<!--",
        b"<?xml version='1.0'?>",
        b"<Error>",
        b"</Error>",
        b"<Contents>",
        b"<Key>",
        b"&amp;",
        b"&x;",
        b"Action=",
        b"&",
        b"=",
        b".1",
        b".member",
        b".entry",
        b"Entries",
        b"Records",
        b"MetricData",
        b"%",
        b"%ff",
        b"\xbf",
        b"\xff",
        b"\x9f",
        b"\xa1",
        b"\x7f",
        b"\xc1",
        b"\xc4",
        b"\xfb",
        b"\xf9\x7c\x00",
        b"\x1b" + b"\xff" * 8,
        b"--b",
        b"\r\n",
        b"\r\n\r\n",
        b'Content-Disposition: form-data; name="key"',
        b"5;chunk-signature=",
        b"0",
        b"\x1f\x8b",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=120), st.lists(st.one_of(TOKENS, st.binary(max_size=4)), max_size=25).map(b"".join)
)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Host",
                "Content-Type",
                "Content-Encoding",
                "X-Amz-Content-Sha256",
                "X-Amz-Meta-A",
                "Expires",
                "X-Amz-Target",
                "x-amz-decoded-content-length",
                "Authorization",
                "x-amzn-errortype",
                "x-amzn-query-error",
                "Content-Length",
                "x-amz-object-lock-retain-until-date",
                "X-Amz-Client-Context",
                "x-amz-server-side-encryption-aws-kms-key-id",
            ]
        ),
        st.one_of(
            LATIN,
            st.sampled_from(
                [
                    "aws-chunked",
                    "gzip",
                    "STREAMING-X",
                    "application/x-amz-cbor-1.1",
                    "6",
                    "b.s3.localhost",
                    "multipart/form-data; boundary=b",
                    "application/x-www-form-urlencoded",
                    "deflate",
                    "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=x",
                    "AWS a:b",
                ]
            ),
        ),
    ),
    max_size=5,
)
TARGETS = st.one_of(
    LATIN.map(lambda text: "/" + text),
    st.sampled_from(
        [
            "/b/k?x=%ff",
            "/%ff/%fe",
            "*",
            "",
            "http://h/p",
            "/?X-Amz-Credential=%",
            "/b?AWSAccessKeyId=1&Expires=x",
            "/2015-03-31/functions/f/invocations",
            "/2013-04-01/hostedzone/Z/rrset",
            "/v20180820/jobs",
        ]
    ),
)
MANY = settings(max_examples=amount(500, 1500), deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(st.sampled_from(HEADS), st.sampled_from(["GET", "PUT", "POST", "HEAD", "x"]), TARGETS, FIELDS, BODIES)
def test_any_request_has_parameters_or_is_malformed(
    head: CallHead, method: str, target: str, fields: list[tuple[str, str]], body: bytes
) -> None:
    request = Request(method, target, Headers(fields), body)
    try:
        assert isinstance(parse_parameters(head, request), dict)
    except MalformedMessage as error:
        assert str(error)


@MANY
@given(st.sampled_from(HEADS), st.sampled_from([200, 204, 304, 400, 500, 999]), FIELDS, BODIES)
@example(HEADS[12], 200, [], b"<LocationConstraint")
@example(HEADS[12], 200, [("Content-Encoding", "gzip")], gzip.compress(b"<LocationConstraint>x</LocationConstraint>"))
def test_any_answer_has_an_outcome_or_is_malformed(
    head: CallHead, status: int, fields: list[tuple[str, str]], body: bytes
) -> None:
    try:
        outcome = parse_answer(head, Answer(status, Headers(fields), body))
    except MalformedMessage:
        assert status < 300  # what is an error is never malformed
        return
    assert outcome.ok == (not outcome.error_code)
    assert outcome.ok or outcome.parsed == {}


@MANY
@given(st.sampled_from([None, *HEADS]), st.sampled_from(["GET", "HEAD", "POST"]), TARGETS, FIELDS, BODIES)
def test_any_request_can_be_scrubbed_stamped_and_refused(
    head: CallHead | None, method: str, target: str, fields: list[tuple[str, str]], body: bytes
) -> None:
    request = Request(method, target, Headers(fields), body)
    scrubbed, credential = scrub(request)
    assert "authorization" not in scrubbed.headers
    assert scrub(scrubbed)[0] == scrubbed
    sign_again(scrubbed, access_key=credential.access_key, region="r", service="s3")
    refused = error_response(
        head or likely_call(request), request, status=503, code="A", message="m\x00\ud800", request_id="i"
    )
    assert all(f"{name}: {value}".encode("latin-1") for name, value in refused.headers)
    assert len(refused.body) == int(refused.headers.get("content-length"))  # type: ignore[arg-type]  # bytes always


def deep_json(depth: int) -> bytes:
    return b'{"M":' * depth + b"{}" + b"}" * depth


@pytest.mark.parametrize(
    ("load", "body"),
    [
        (load_json, b"[" * 1_000_000),
        (load_json, deep_json(500_000)),
        (load_json, b"1" * 10_000),
        (load_cbor, b"\x81" * 1_000_000),
        (load_cbor, b"\xa1\x61a" * 300_000),
        (load_cbor, b"\xc1" * 1_000_000),
        (load_cbor, b"\x9b" + b"\xff" * 8),
        (load_cbor, b"\x5b" + b"\xff" * 8),
        (load_cbor, b"\xbb" + b"\xff" * 8),
        (load_cbor, b""),
        (load_xml, b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"),
        (load_xml, b"<?xml version='1.0'?>\n<!-- c --><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
        (load_xml, b"\xef\xbb\xbf <!DOCTYPE a><a/>"),
        (load_xml, "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>".encode("utf-16")),
        (load_xml, b"<a>&x;</a>"),
        (load_xml, b"<a/>" * 1_000_000),
        (load_xml, b"<a>" + b"<b/>" * 2_000_001 + b"</a>"),
        (load_xml, b""),
        (lambda body: load_tree(load_pairs(body)), b".".join([b"a"] * 1000) + b"=1"),
        (load_pairs, b"a&" * 3_000_000),
        (load_pairs, b"a=%ff"),
    ],
)
def test_hostile_documents_are_malformed(load: Callable[[bytes], object], body: bytes) -> None:
    """In one pass: what takes the square of its length meets the limit of every test."""
    with pytest.raises(MalformedMessage):
        load(body)


@pytest.mark.parametrize("depth", [100_000, 2_000])
def test_deep_documents_of_recursive_shapes_are_malformed(depth: int) -> None:
    item = b'{"M":{"a":' * depth + b'{"S":"x"}' + b"}}" * depth
    with pytest.raises(MalformedMessage):
        parse_parameters(
            CallHead("dynamodb", "PutItem", "json"),
            Request("POST", "/", Headers(), b'{"TableName":"t","Item":{"a":' + item + b"}}"),
        )


def test_an_item_as_deep_as_dynamodb_allows_is_read() -> None:
    item = b'{"M":{"a":' * 32 + b'{"S":"x"}' + b"}}" * 32
    request = Request("POST", "/", Headers(), b'{"TableName":"t","Item":{"a":' + item + b"}}")
    assert parse_parameters(CallHead("dynamodb", "PutItem", "json"), request)["TableName"] == "t"


def test_deep_xml_is_read_no_deeper_than_its_shape() -> None:
    body = b"<LifecycleConfiguration>" + b"<Rule>" * 200_000 + b"</Rule>" * 200_000 + b"</LifecycleConfiguration>"
    request = Request("PUT", "/b-1?lifecycle", Headers(), body)
    found = parse_parameters(CallHead("s3", "PutBucketLifecycleConfiguration", "rest-xml"), request)
    assert found["LifecycleConfiguration"] == {"Rules": [{}]}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compression_bomb_is_refused_in_bounded_memory(coding: str) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | (16 if coding == "gzip" else 0))
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    request = Request("POST", "/", Headers([("Content-Encoding", coding)]), bomb)
    tracemalloc.start()
    with pytest.raises(MalformedMessage, match="unpacks to more"):
        parse_parameters(CallHead("sqs", "SendMessage", "json"), request)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20
