"""What is kept of an exchange: all that changes what the call does, and nothing secret."""

from __future__ import annotations

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from hypothesis import given

from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.journal.format.recorded_headers import answer_to_keep, request_to_keep, without_secrets
from replay_proxy.wire.recognition.recognise import recognise
from tests.journal import samples

SECRET = "wJalrXUtnFEMISECRET"
TOKEN = "FwoGZXIvYXdzEBYaTOKEN"


def kept(*pairs: tuple[str, str], body: bytes = b"") -> list[str]:
    return [name for name, _value in request_to_keep(Request("POST", "/", Headers(pairs), body)).headers]


def test_order_spelling_and_duplicates_stay() -> None:
    pairs = [("X-Amz-Meta-B", "1"), ("x-amz-meta-a", "2"), ("User-Agent", "x"), ("X-AMZ-META-B", "3")]
    found = request_to_keep(Request("PUT", "/", Headers(pairs)))
    assert found.headers.pairs == (pairs[0], pairs[1], pairs[3])


def test_what_belongs_to_the_connection_is_left_out() -> None:
    pairs = [("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("Transfer-Encoding", "chunked"), ("A", "1")]
    assert kept(*pairs) == ["A"]


@pytest.mark.parametrize(
    ("length", "body", "stays"),
    [("5", b"12345", False), ("5", b"", True), ("0", b"", True), ("05", b"12345", True)],
)
def test_a_length_stays_only_where_it_is_not_that_of_the_body(length: str, body: bytes, stays: bool) -> None:
    assert kept(("Content-Length", length), body=body) == (["Content-Length"] if stays else [])


def test_that_an_answer_has_no_body_needs_no_length() -> None:
    assert len(answer_to_keep(Answer(200, Headers([("Content-Length", "0")]))).headers) == 0


def test_the_length_of_a_blob_is_known_too() -> None:
    ref = BlobRef("0" * 64, 77)
    assert len(request_to_keep(Request("PUT", "/", Headers([("content-length", "77")]), ref)).headers) == 0


def test_the_length_in_the_answer_to_a_head_request_stays() -> None:
    assert answer_to_keep(Answer(200, Headers([("Content-Length", "1234")]))).headers.get("content-length") == "1234"


def test_nothing_is_copied_where_nothing_is_left_out() -> None:
    request = Request("GET", "/?a=1", Headers([("Host", "h")]))
    assert request_to_keep(request) is request
    answer = Answer(200, Headers([("ETag", "e")]))
    assert answer_to_keep(answer) is answer


@given(samples.headers)
def test_keeping_twice_is_keeping_once(headers: Headers) -> None:
    once = request_to_keep(Request("GET", "/", headers))
    assert request_to_keep(once) == once


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/b/k?X-Amz-Signature=s", "/b/k"),
        ("/b/k?a=1&X-Amz-Signature=s", "/b/k?a=1"),
        ("/b/k?X-Amz-Signature=s&a=1", "/b/k?a=1"),
        ("/b/k?a=1&x-amz-security-token=t&b=2&X-Amz-Signature=s", "/b/k?a=1&b=2"),
        ("/b/X-Amz-Signature=s?acl", "/b/X-Amz-Signature=s?acl"),
        ("/b?prefix=X-Amz-Signature", "/b?prefix=X-Amz-Signature"),
        ("/b?", "/b?"),
        ("/b?acl&", "/b?acl&"),
    ],
)
def test_queries_lose_signature_and_token(target: str, expected: str) -> None:
    assert without_secrets(target) == expected


@pytest.mark.parametrize("service", ["s3", "sqs", "sns", "dynamodb", "ec2", "lambda"])
def test_requests_of_a_real_sdk_keep_their_meaning_and_lose_their_secrets(service: str) -> None:
    calls = {
        "s3": lambda client: client.put_object(Bucket="things", Key="a key", Body=b"x", Metadata={"a": "b"}),
        "sqs": lambda client: client.create_queue(QueueName="orders"),
        "sns": lambda client: client.create_topic(Name="news"),
        "dynamodb": lambda client: client.delete_table(TableName="t"),
        "ec2": lambda client: client.create_vpc(CidrBlock="10.0.0.0/16"),
        "lambda": lambda client: client.delete_function(FunctionName="f"),
    }
    seen: list[AWSRequest] = []

    class Sent(Exception):
        pass

    def keep(request: AWSRequest, **_more: object) -> None:
        seen.append(request)
        raise Sent

    client = boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=SECRET,
        aws_session_token=TOKEN,
        config=Config(retries={"max_attempts": 0}),
    )
    client.meta.events.register("before-send", keep)
    with pytest.raises(Sent):
        calls[service](client)
    pairs = [(name, value if isinstance(value, str) else value.decode()) for name, value in seen[0].headers.items()]
    path = seen[0].url.partition("://")[2].partition("/")
    given_body = seen[0].body
    content = (
        given_body.encode() if isinstance(given_body, str) else given_body if isinstance(given_body, bytes) else b""
    )
    sent = Request(seen[0].method, "/" + path[2], Headers([("Host", path[0]), *pairs]), content)
    stored = request_to_keep(sent)
    text = repr(stored)
    assert TOKEN in repr(sent)
    assert TOKEN not in text
    assert SECRET not in text
    assert "Signature=" not in text
    before = recognise(sent)
    assert before is not None
    assert before.access_key == "AKIDEXAMPLE"
    # The stored request is recognised by what the signature does not say; that, its record keeps beside it.
    after = recognise(stored)
    assert after is None or (after.service, after.operation) == (before.service, before.operation)
