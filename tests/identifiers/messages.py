"""Requests as boto3 writes them, and answers as services write them, without a network."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.recognition.recognise import recognise

PROXY = "http://localhost:4566"


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


@lru_cache(maxsize=64)
def _client(service: str, url: str) -> tuple[Any, list[Request]]:
    client = boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 0},
            parameter_validation=False,
            request_checksum_calculation="when_required",
        ),
    )
    sent: list[Request] = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        pairs = [("Host", parts.netloc)]
        pairs += [(k, v.decode() if isinstance(v, bytes) else v) for k, v in request.headers.items()]
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        data = body.encode() if isinstance(body, str) else bytes(body)
        sent.append(Request(request.method, target, Headers(pairs), data))
        return AWSResponse(request.url, 500, {}, _Raw(b""))

    client.meta.events.register("before-send", keep)
    return client, sent


def wire_request(service: str, method: str, url: str = PROXY, **params: Any) -> tuple[Request, CallHead]:
    """The request that boto3 sends for `client(service).method(**params)`, and what it is recognised as."""
    client, sent = _client(service, url)
    sent.clear()
    try:
        getattr(client, method)(**params)
    except Exception:
        if not sent:
            raise
    head = recognise(sent[0])
    assert head is not None
    return sent[0], head


def json_answer(body: bytes, status: int = 200) -> Answer:
    return answer(body, "application/x-amz-json-1.0", status)


def xml_answer(body: bytes, status: int = 200) -> Answer:
    return answer(body, "text/xml", status)


def answer(body: bytes, content_type: str, status: int = 200) -> Answer:
    pairs = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", "abcd-1234"),
    ]
    return Answer(status, Headers(pairs), body)


_HEX = "0123456789abcdef"
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _resource_id() -> st.SearchStrategy[str]:
    prefix = st.sampled_from(["vpc-", "subnet-", "sg-", "us-east-1_", "AROA", ""])
    return st.builds(str.__add__, prefix, st.text(_HEX, min_size=8, max_size=17))


run_ids = st.one_of(
    _resource_id(),
    st.uuids().map(str),
    st.text(_ALNUM, min_size=4, max_size=40),
    st.text(_ALNUM + "-_", min_size=6, max_size=40),
)
"""Identifiers that are one run."""

compound_ids = st.builds(
    "{}{}{}{}".format,
    st.text(_ALNUM, min_size=5, max_size=20),
    st.sampled_from([".", "+", "/", "=", "~", "//", "+/", "."]),
    st.text(_ALNUM, min_size=4, max_size=20),
    st.sampled_from(["", "=", "=="]),
)
"""Identifiers with other characters in them: upload ids, receipt handles, version ids."""

identifiers = st.one_of(run_ids, compound_ids)
