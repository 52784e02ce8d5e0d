"""Real emulators, started afresh for each boot, and a boto3 that keeps what went over the wire."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.recognition.recognise import recognise
from tests.support.processes import Emulator


@dataclass
class Call:
    """One call as it went over the wire."""

    head: CallHead
    request: Request
    answer: Answer

    @property
    def outcome(self) -> Outcome:
        return parse_answer(self.head, self.answer, self.request)


@dataclass
class Boot:
    """One life of an emulator, and what was said to it."""

    url: str
    calls: list[Call] = field(default_factory=list)

    def client(self, service: str, region: str = "us-east-1", key: str = "test") -> Any:
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}
        headers.setdefault("Host", parts.netloc)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = send(self.url, Request(request.method, target, Headers(headers.items()), body), self)
        raw = _Raw(answer.body)
        return AWSResponse(request.url, answer.status, dict(answer.headers.pairs), raw)


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def send(url: str, request: Request, boot: Boot | None = None) -> Answer:
    """Send one request to the emulator at `url`; where it is an AWS call, `boot` keeps it."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.pairs:
        if name.lower() not in ("content-length", "transfer-encoding", "expect"):
            connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    response = connection.getresponse()
    answer = Answer(response.status, Headers(response.getheaders()), response.read(), response.reason)
    connection.close()
    if boot is not None:
        head = recognise(request)
        assert head is not None, request
        boot.calls.append(Call(head, request, answer))
    return answer


@contextmanager
def booted(name: str) -> Iterator[Boot]:
    """A fresh emulator of that kind on a free port of this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        emulator = Emulator(name, Path(scratch))
        try:
            yield Boot(emulator.url)
        finally:
            emulator.stop()
