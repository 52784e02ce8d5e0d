"""Signatures: nothing of them is left in what is stored, and what is sent again carries one."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import boto3
import pytest
from botocore.auth import HmacV1Auth, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials

from replay_proxy.exchange import BlobRef, Headers, Request
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.credentials import read_credentials
from replay_proxy.wire.signing.sigv4 import PLACEHOLDER_SIGNATURE, Credential, payload_hash, scrub, sign_again

KEY, SECRET, TOKEN = "123456789012", "verysecretkey", "FwoGZXIvYXdzEXAMPLETOKEN//"
FORM = "application/x-www-form-urlencoded"
NOW = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def signed(service: str, url: str, method: str = "POST", body: bytes = b"", token: str | None = TOKEN) -> Request:
    prepared = AWSRequest(
        method=method, url=url, data=body, headers={"Content-Type": FORM if service == "sqs" else "text/plain"}
    )
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(KEY, SECRET, token), service, "eu-west-1").add_auth(prepared)
    parts = urlsplit(url)
    fields = [("Host", parts.netloc), *((name, str(value)) for name, value in prepared.headers.items())]
    return Request(method, parts.path + (f"?{parts.query}" if parts.query else ""), Headers(fields), body)


def presigned(**options: str) -> Request:
    client = boto3.client(
        "s3", region_name="eu-west-1", endpoint_url="http://localhost:4566", aws_access_key_id=KEY,
        aws_secret_access_key=SECRET, aws_session_token=TOKEN, config=Config(**options),
    )  # fmt: skip
    url = client.generate_presigned_url("put_object", {"Bucket": "b-1", "Key": "a b/é"}, ExpiresIn=60)
    target = url.removeprefix("http://localhost:4566")
    return Request("PUT", target, Headers([("Host", "localhost:4566")]), b"data")


def everything(request: Request) -> str:
    body = request.body.decode("latin-1") if isinstance(request.body, bytes) else ""
    return unquote(request.target) + repr(request.headers) + body


def test_a_signed_request_loses_its_signature_and_token() -> None:
    request = signed("sqs", "http://localhost:4566/?a=b")
    stored, credential = scrub(request)
    assert credential == Credential(KEY, "eu-west-1", "sqs", "header")
    assert "Signature" in everything(request)
    assert TOKEN in everything(request)
    assert "Signature" not in everything(stored)
    assert TOKEN not in everything(stored)
    assert KEY not in everything(stored)
    assert stored.headers.get("x-amz-date")
    assert (stored.target, stored.body) == (request.target, request.body)


@pytest.mark.parametrize(
    ("version", "kind", "kept"),
    [("s3v4", "query", ["X-Amz-Credential", "X-Amz-Expires", "X-Amz-Date"]), ("s3", "sigv2-query", ["AWSAccessKeyId"])],
)
def test_a_presigned_request_loses_its_signature_and_token(version: str, kind: str, kept: list[str]) -> None:
    request = presigned(signature_version=version)
    stored, credential = scrub(request)
    assert (credential.kind, credential.access_key) == (kind, KEY)
    before, after = dict(parse_qsl(urlsplit(request.target).query)), dict(parse_qsl(urlsplit(stored.target).query))
    assert any("signature" in name.lower() for name in before)
    assert not [name for name in after if name.lower() in ("x-amz-signature", "signature", "x-amz-security-token")]
    assert TOKEN not in everything(stored)
    assert set(kept) <= set(after)
    assert stored.path == request.path


def test_sigv2_headers_forms_and_bearer_tokens() -> None:
    prepared = AWSRequest(method="GET", url="http://localhost/b/k", headers={})
    HmacV1Auth(Credentials(KEY, SECRET)).add_auth(prepared)
    fields = [(name, str(value)) for name, value in prepared.headers.items()]
    stored, credential = scrub(Request("GET", "/b/k", Headers(fields)))
    assert credential == Credential(KEY, "", "s3", "sigv2-header")
    assert "authorization" not in stored.headers

    form = (
        b"Action=ListQueues&AWSAccessKeyId=123456789012&Signature=abc%3D&SignatureVersion=2&SecurityToken=t&Version=1"
    )
    fields = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(form)))]
    stored, credential = scrub(Request("POST", "/", Headers(fields), form))
    assert credential == Credential(KEY, "", "", "sigv2-query")
    assert stored.body == b"Action=ListQueues&AWSAccessKeyId=123456789012&SignatureVersion=2&Version=1"
    assert stored.headers.get("content-length") == str(len(stored.body))

    stored, credential = scrub(Request("GET", "/", Headers([("Authorization", "Bearer abc.def")])))
    assert (credential, len(stored.headers)) == (Credential(kind="bearer"), 0)
    assert scrub(Request("GET", "/?Signature=mine", Headers()))[0].target == "/?Signature=mine"
    assert scrub(Request("GET", "/", Headers()))[1] == Credential()


def test_an_upload_form_loses_its_policy_and_signature() -> None:
    client = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=TOKEN,
        config=Config(signature_version="s3v4"),
    )  # fmt: skip
    fields = client.generate_presigned_post("b-1", "k")["fields"]
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = '--XX\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\ndata\r\n--XX--\r\n'
    body = ("".join(parts) + file).encode()
    request = Request("POST", "/b-1", Headers([("Content-Type", "multipart/form-data; boundary=XX")]), body)
    stored, _ = scrub(request)
    assert isinstance(stored.body, bytes)
    assert fields["x-amz-signature"].encode() in body
    assert stored.body == (parts[0] + file).encode()
    assert 'name="key"' in parts[0]


def test_chunk_signatures_go_with_the_framing() -> None:
    body = b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n0;chunk-signature=" + b"b" * 64 + b"\r\n\r\n"
    fields = [
        ("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20300101/us-east-1/s3/aws4_request, Signature=" + "c" * 64),
        ("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("Content-Encoding", "aws-chunked"),
    ]
    stored, credential = scrub(Request("PUT", "/b/k", Headers(fields), body))
    assert (stored.body, credential.access_key) == (b"hello", "AKID")
    blob = Request("PUT", "/b/k", Headers(fields), BlobRef("0" * 64, 10**9))
    assert scrub(blob)[0].body is blob.body


@pytest.mark.parametrize(
    ("request_", "service"),
    [
        (signed("sqs", "http://localhost:4566/", body=b"Action=ListQueues&Version=2012-11-05"), "sqs"),
        (signed("s3", "http://localhost:4566/b-1/k%20%C3%A9?x-id=PutObject", "PUT", b"data"), "s3"),
        (presigned(signature_version="s3v4"), "s3"),
    ],
    ids=["query", "s3", "presigned"],
)
@pytest.mark.parametrize("secret", ["", SECRET], ids=["placeholder", "signed"])
def test_a_stamped_request_is_recognised_as_the_same_call(request_: Request, service: str, secret: str) -> None:
    stored, credential = scrub(request_)
    assert credential.service == service
    sent = sign_again(
        stored, access_key=credential.access_key, region=credential.region, service=service, secret_key=secret, now=NOW
    )
    before, after = recognise(request_), recognise(sent)
    assert before is not None
    assert after == before
    found = read_credentials(sent.headers, dict(parse_qsl(urlsplit(sent.target).query)))
    assert (found.access_key, found.region, found.signing_name) == (KEY, "eu-west-1", service)
    assert sent.body == request_.body


def test_a_placeholder_has_the_shape_and_the_time_of_a_signature() -> None:
    stored, _ = scrub(signed("sqs", "http://localhost:4566/"))
    sent = sign_again(stored, access_key=KEY, region="eu-west-1", service="sqs", now=NOW)
    assert sent.headers.get("authorization") == (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20310203/eu-west-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, "
        f"Signature={PLACEHOLDER_SIGNATURE}"
    )
    assert sent.headers.get("x-amz-date") == "20310203T040506Z"
    stored, _ = scrub(presigned(signature_version="s3v4"))
    query = dict(
        parse_qsl(urlsplit(sign_again(stored, access_key=KEY, region="r", service="s3", now=NOW).target).query)
    )
    assert (query["X-Amz-Date"], query["X-Amz-Signature"]) == ("20310203T040506Z", PLACEHOLDER_SIGNATURE)
    assert int(query["X-Amz-Expires"]) >= 3600
    stored, _ = scrub(presigned(signature_version="s3"))
    query = dict(
        parse_qsl(urlsplit(sign_again(stored, access_key=KEY, region="r", service="s3", now=NOW).target).query)
    )
    assert (query["AWSAccessKeyId"], query["Expires"]) == (KEY, str(int(NOW.timestamp()) + 3600))


def hmac_of(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def expected_signature(
    request: Request, query: dict[str, str], signed_headers: str, scope: str, date: str, payload: str
) -> str:
    """SigV4 from its description, independent of botocore's signer."""
    path = request.path if "/s3/" in scope else quote(request.path, safe="/~")
    canonical_query = "&".join(
        sorted(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in query.items() if n != "X-Amz-Signature")
    )
    names = signed_headers.split(";")
    canonical = "\n".join(
        [request.method, path, canonical_query, *(f"{n}:{' '.join(request.headers.get(n).split())}" for n in names), "",
         signed_headers, payload]
    )  # fmt: skip
    day, region, service, _ = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = hmac_of(f"AWS4{SECRET}".encode(), day)
    for part in (region, service, "aws4_request"):
        key = hmac_of(key, part)
    return hmac_of(key, text).hex()


@pytest.mark.parametrize(
    ("service", "body"),
    [("sqs", b"x"), ("s3", b"data"), ("s3", BlobRef("0" * 64, 10**9))],
    ids=["sqs", "s3", "blob"],
)
def test_with_the_secret_key_the_signature_is_right(service: str, body: bytes | BlobRef) -> None:
    fields = [("Host", "localhost:4566"), ("X-Amz-Meta-A", "b  c"), ("User-Agent", "any")]
    request = Request("PUT", "/b-1/k%20%C3%A9?acl=&x=a%2Bb", Headers(fields), body)
    sent = sign_again(request, access_key=KEY, region="eu-west-1", service=service, secret_key=SECRET)
    parts = dict(
        part.strip().split("=", 1)
        for part in sent.headers.get("authorization").removeprefix("AWS4-HMAC-SHA256").split(",")
    )
    scope = parts["Credential"].partition("/")[2]
    query = dict(parse_qsl(urlsplit(sent.target).query, keep_blank_values=True))
    right = expected_signature(
        sent, query, parts["SignedHeaders"], scope, sent.headers.get("x-amz-date"), payload_hash(sent)
    )
    assert parts["Signature"] == right
    assert "host" in parts["SignedHeaders"]
    assert "user-agent" not in parts["SignedHeaders"]


def test_with_the_secret_key_a_presigned_url_is_right() -> None:
    stored, _ = scrub(presigned(signature_version="s3v4"))
    sent = sign_again(stored, access_key=KEY, region="eu-west-1", service="s3", secret_key=SECRET)
    query = dict(parse_qsl(urlsplit(sent.target).query, keep_blank_values=True))
    scope = query["X-Amz-Credential"].partition("/")[2]
    right = expected_signature(
        sent, query, query["X-Amz-SignedHeaders"], scope, query["X-Amz-Date"], "UNSIGNED-PAYLOAD"
    )
    assert query["X-Amz-Signature"] == right
    assert sent.path == stored.path


@pytest.mark.parametrize(
    ("host", "target", "resource"),
    [
        ("localhost:4566", "/b-1/a%20b", "/b-1/a%20b"),
        ("localhost:4566", "/b-1/k?uploadId=u&partNumber=2&x=1", "/b-1/k?partNumber=2&uploadId=u"),
        ("b-1.s3.amazonaws.com", "/k", "/b-1/k"),
    ],
    ids=["path", "subresource", "virtual host"],
)
def test_with_the_secret_key_a_url_presigned_the_old_way_is_right(host: str, target: str, resource: str) -> None:
    joint = "&" if "?" in target else "?"
    stored = Request(
        "PUT",
        f"{target}{joint}AWSAccessKeyId={KEY}&Expires=1",
        Headers([("Host", host), ("Content-Type", "text/plain"), ("X-Amz-Acl", "private"), ("User-Agent", "any")]),
        b"x",
    )
    sent = sign_again(stored, access_key=KEY, region="", service="s3", secret_key=SECRET, now=NOW)
    query = dict(parse_qsl(urlsplit(sent.target).query))
    expires = str(int(NOW.timestamp()) + 3600)
    assert (query["AWSAccessKeyId"], query["Expires"]) == (KEY, expires)
    text = f"PUT\n\ntext/plain\n{expires}\nx-amz-acl:private\n{resource}"
    right = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()
    assert query["Signature"] == right


@pytest.mark.parametrize(("key", "service"), [("", "s3"), (KEY, "")])
def test_what_names_no_key_or_no_service_is_sent_as_it_was_stored(key: str, service: str) -> None:
    request = Request("POST", "/", Headers([("Host", "h")]), b"AWSAccessKeyId=1")
    assert sign_again(request, access_key=key, region="r", service=service, now=NOW) is request


def test_a_signature_without_a_region_gets_the_default_one() -> None:
    sent = sign_again(Request("GET", "/b/k", Headers()), access_key=KEY, region="", service="s3", now=NOW)
    assert f"{KEY}/20310203/us-east-1/s3/aws4_request" in sent.headers.get("authorization")


def test_the_payloads_hash_follows_the_payload() -> None:
    request = Request("PUT", "/b/k", Headers([("X-Amz-Content-SHA256", "0" * 64)]), b"rewritten")
    sent = sign_again(request, access_key=KEY, region="r", service="s3", now=NOW)
    assert sent.headers.get("x-amz-content-sha256") == hashlib.sha256(b"rewritten").hexdigest()
    blob = Request("PUT", "/b/k", request.headers, BlobRef("0" * 64, 9))
    assert (
        sign_again(blob, access_key=KEY, region="r", service="s3").headers.get("x-amz-content-sha256")
        == "UNSIGNED-PAYLOAD"
    )
    framed = Request("PUT", "/b/k", Headers([("X-Amz-Content-SHA256", "STREAMING-X")]), b"")
    assert payload_hash(framed) == "STREAMING-X"
