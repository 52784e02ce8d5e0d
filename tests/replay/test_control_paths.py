"""Requests that would control an emulator: none is sent by a restore, and objects with such names are."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.serving import WSGIRequestHandler

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordKind
from replay_proxy.journal.format.sendable import flaw_of_request
from replay_proxy.replay.execution.executor import Executor
from replay_proxy.replay.execution.reporting.report import RestoreReport, Result
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.replay.planning.plan import plan_of_records
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.models.control_paths import with_bucket_in_path
from replay_proxy.wire.signing.sigv4 import Credential
from tests.journal.samples import HEADER
from tests.support.clients import client
from tests.support.processes import Emulator, replay_proxy

TIME = "2026-01-31T12:00:00.000000Z"
PAST_WERKZEUG = ("/moto-api/reset#://b/c", "x:/moto-api/reset", "http:/moto-api/reset")
"""Targets that Werkzeug takes for `/moto-api/reset`, and that look like something else."""


def call(method: str, target: str, operation: str, seq: int = 1, host: str = "localhost:4566") -> Record:
    head = CallHead("s3", operation, "rest-xml", "", "us-east-1", "test")
    request = Request(method, target, Headers([("Host", host)]), b"")
    credential = Credential("test", "us-east-1", "s3", "header")
    return Record(seq, TIME, 1.0, RecordKind.MUTATION, head, request, Answer(200, Headers(), b""), credential)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("CONNECT", "/"),
        ("POST", "/moto-api/reset"),
        ("POST", "/%6doto-api/reset?x"),
        ("POST", "//moto-api/./reset"),
        ("POST", "http://127.0.0.1/_ministack/reset"),
        ("POST", "/_localstack/state/sqs/reset"),
        ("PUT", "/moto-api/recorder/upload-recording"),
        ("PUT", "/_localstack/health"),
        ("GET", "/_ministack/../moto-api/recorder/replay-recording"),
        *(("POST", each) for each in PAST_WERKZEUG),
        ("POST", "/moto-api#x/reset"),
        ("POST", "HTTP://127.0.0.1/moto-api/reset"),
        ("POST", "http:///moto-api/reset"),
        ("POST", "https:moto-api/reset"),
        ("POST", "moto-api/reset"),
        ("POST", "?/moto-api/reset"),
        ("POST", "\xa0/moto-api/reset"),
        ("POST", "/%2Fmoto-api/reset"),
        ("POST", "/%256doto-api/reset"),
        ("POST", "/_floci;a=b/state/reset"),
        ("PUT", "/_ministack/cfn-response/../../x"),
        ("POST", "/bucket/%2e%2e/_floci/state/reset"),
    ],
)
def test_what_is_no_call_is_never_sent(method: str, target: str) -> None:
    for host in ("", "localhost:4566", "s3.amazonaws.com", "moto-api.example.com"):
        assert flaw_of_request(Request(method, target, Headers([("Host", host)] if host else [])))


def test_a_host_that_names_a_bucket_is_no_way_around_it() -> None:
    bucket = Headers([("Host", "archive.s3.localhost:4566")])
    assert flaw_of_request(Request("PUT", "/../moto-api/recorder/upload-recording", bucket))
    assert flaw_of_request(Request("PUT", "http://archive.s3.localhost/moto-api/recorder/upload-recording", bucket))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *(
            ("POST", each)
            for each in ("/", "/bucket/moto-api/reset", "/_aws/execute-api/a/b", "/queue?x=/moto-api/reset")
        ),
        ("POST", "/_replay/status"),
        ("PUT", "/pages/https%3A//example.com/_localstack/health"),
        ("PUT", "/pages/https://example.com/moto-api/reset"),
        ("PUT", "/pages/a%23b/moto-api/reset"),
        ("PUT", "/moto-api-pages/reset"),
        ("PUT", "http://localhost:4566/pages/http://moto-api/reset"),
        ("OPTIONS", "*"),
    ],
)
def test_what_looks_a_little_like_it_is_a_call(method: str, target: str) -> None:
    assert flaw_of_request(Request(method, target, Headers())) == ""


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "GET"])
@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [
        ("archive", "s3.localhost:4566"),
        ("archive", "localhost:4566"),
        ("archive", "s3.amazonaws.com"),
        ("my-fips", "s3.localhost.localstack.cloud"),
        ("global.data", "s3.localhost.localstack.cloud"),
        ("logs-prod-1", "s3.eu-west-1.localhost.localstack.cloud"),
    ],
)
def test_an_object_with_such_a_name_is_sent_with_its_bucket_in_the_path(
    method: str, bucket: str, endpoint: str
) -> None:
    host = f"{bucket}.{endpoint}"
    request = Request(
        method, "/moto-api/reset?uploads", Headers([("Host", host), ("x-amz-acl", "private")]), b"content"
    )
    assert flaw_of_request(request) == ""
    sent = with_bucket_in_path(request)
    assert (sent.method, sent.target, sent.body) == (method, f"/{bucket}/moto-api/reset?uploads", b"content")
    assert sent.headers.pairs == (("Host", endpoint), ("x-amz-acl", "private"))
    assert flaw_of_request(sent) == ""
    other = replace(request, target="/key%2Fmoto-api/reset")
    assert with_bucket_in_path(other) is other


def path_at_werkzeug(method: str, target: str) -> str | None:
    """Return the path that the server of moto hands to its application; None where it refuses the request."""
    handler: Any = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.raw_requestline = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
    handler.rfile, handler.wfile = io.BytesIO(b"Host: x\r\n\r\n"), io.BytesIO()
    handler.client_address, handler.connection = ("127.0.0.1", 1), None
    handler.server = SimpleNamespace(
        ssl_context=None, multithread=True, multiprocess=False, server_address=("127.0.0.1", 1), log=lambda *_: None
    )
    handler.log_error = handler.log_request = lambda *_: None
    try:
        return str(handler.make_environ()["PATH_INFO"]) if handler.parse_request() else None
    except ValueError:
        return None


NAMES = ["moto-api", "_ministack", "_localstack"]
PIECES = st.lists(
    st.one_of(
        st.sampled_from([*NAMES, "/", "//", "reset", "http", "https", ":", "://", "#", "?", ".", "..", "%2f"]),
        st.sampled_from(
            ["x", "\\", ";", "[", "%25", "%6d", "%23", "%3a", "\x85", "\xa0", "\u00e9", "oto-api", "@", "*"]
        ),
    ),
    max_size=9,
).map("".join)


@settings(max_examples=2000, deadline=None)
@given(PIECES, st.sampled_from(["", "localhost:4566", "archive.s3.localhost:4566"]))
@example("/moto-api/reset#://b/c", "")
@example("x:/moto-api/reset", "")
@example("http:/moto-api/reset", "")
@example("\xa0/moto-api/reset", "")
@example("//moto-api/reset", "")
@example("http://x/%6doto-api/reset", "archive.s3.localhost:4566")
def test_nothing_that_reaches_the_control_of_an_emulator_is_sent(target: str, host: str) -> None:
    request = Request("POST", target, Headers([("Host", host)] if host else []))
    if flaw_of_request(request):
        return
    sent = with_bucket_in_path(request).target
    path = path_at_werkzeug("POST", sent)
    assert path is None or not f"{path}/".startswith("/moto-api/")
    # As Hypercorn does it (MiniStack), and Twisted (LocalStack); what has no slash at its beginning is rolo's (LocalStack).
    path = sent.partition("?")[0]
    for read in (unquote(path), path if path.startswith("/") else urlparse(path).path):
        assert not f"{read}/".startswith(("/_ministack/", "/_localstack/"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["/moto-api/reset", "//moto-api/./reset", "/%6doto-api/reset"]), st.text("ab/.:%", max_size=9))
def test_an_object_of_a_bucket_reaches_it_whatever_its_key_is(control: str, before: str) -> None:
    key = before.replace("%", "%25").replace(".", "") + control.replace("./", "")
    assert flaw_of_request(Request("PUT", f"/pages/x{key}", Headers())) == ""


def target_of(sent: list[Request], known: SessionState) -> RestoreTarget:
    async def send(request: Request) -> Answer:
        sent.append(request)
        return Answer(200, Headers(), b"")

    async def load(_: Any) -> bytes:
        return b""

    return RestoreTarget(send, load, known, Endpoints("http://127.0.0.1:1"), 1.0)


def test_a_path_that_controls_an_emulator_only_with_its_identifiers_put_in_costs_its_call() -> None:
    known = SessionState()
    known.aliases.add("zzapi77f3", "moto-api")
    records = [
        call("PUT", "/before", "CreateBucket", 1),
        call("PUT", "/zzapi77f3/reset", "PutObject", 2),
        call("PUT", "/after", "CreateBucket", 3),
    ]
    sent: list[Request] = []
    report = RestoreReport("x")
    plan = plan_of_records(records, supersede=False)
    asyncio.run(asyncio.wait_for(Executor(target_of(sent, known), concurrency=1).run(plan, report), 60))
    assert [each.target for each in sent] == ["/before", "/after"]
    (failed,) = report.problems
    assert (failed.seq, failed.result) == (2, Result.FAILED)
    assert failed.reason == "it cannot be sent: it would control an emulator: '/moto-api/reset'"
    assert report.finished
    assert not report.in_doubt


def test_what_is_signed_is_what_is_sent() -> None:
    known = SessionState()
    known.access_keys.secrets["test"] = "secret"
    sent: list[Request] = []
    sender = EmulatorSender(target_of(sent, known), 1)
    in_host = call("PUT", "/moto-api/x?acl", "PutObject", host="archive.s3.localhost:4566")
    asyncio.run(sender.send(sender.signed(in_host.request, in_host.credential)))
    (request,) = sent
    assert (request.target, request.headers.get("host")) == ("/archive/moto-api/x?acl", "s3.localhost:4566")
    signature = request.headers.get("authorization").partition("Signature=")[2]
    assert signature == botocore_signature(request, "test", "secret")


def botocore_signature(request: Request, key: str, secret: str) -> str:
    """Return the signature that botocore makes of a request to S3 at the time that it names."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    names = request.headers.get("authorization").partition("SignedHeaders=")[2].partition(",")[0].split(";")
    asked = AWSRequest(
        request.method,
        f"http://{request.headers.get('host')}{request.target}",
        {name: request.headers.get(name) for name in names},
        request.body,
    )
    asked.context["timestamp"] = request.headers.get("x-amz-date")
    auth = S3SigV4Auth(Credentials(key, secret), "s3", "us-east-1")
    return str(auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked))


@pytest.mark.emulator
def test_a_recording_cannot_empty_moto(tmp_path: Path) -> None:
    emulator = Emulator("moto", tmp_path)
    try:
        s3 = client("s3", emulator.url)
        for target in PAST_WERKZEUG:  # what they are when somebody else sends them
            s3.create_bucket(Bucket="lost")
            connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=30)
            connection.putrequest("POST", target)
            connection.endheaders()
            assert json.load(connection.getresponse()) == {"status": "ok"}
            connection.close()
            assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="there")
        data_dir = tmp_path / "recording"
        data_dir.mkdir()
        key = "https%3A//example.com/moto-api/reset"
        records = [
            call("PUT", "/pages", "CreateBucket"),
            *(call("POST", target, "PutObject") for target in PAST_WERKZEUG),
            call("PUT", f"/pages/{key}", "PutObject"),
        ]
        lines = [encode_record(each, seq) for seq, each in enumerate(records, 1)]
        (data_dir / JOURNAL_NAME).write_bytes(encode_header(HEADER) + b"".join(lines))
        done = subprocess.run(
            [*replay_proxy(), "restore", "--json", "--upstream", emulator.url, "--data-dir", str(data_dir)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 3, done.stderr
        problems = json.loads(done.stdout)["problems"]
        assert [each["seq"] for each in problems] == [2, 3, 4]
        assert all(each["reason"].startswith("it cannot be sent: ") for each in problems)
        assert {each["Name"] for each in s3.list_buckets()["Buckets"]} >= {"there", "pages"}
        assert s3.list_objects_v2(Bucket="pages")["Contents"][0]["Key"] == "https://example.com/moto-api/reset"
    finally:
        emulator.stop()
