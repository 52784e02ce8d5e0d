"""The proxy's own endpoints under any request: documented outcomes alone, no traceback, and nothing changed by a GET."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from replay_proxy.control.routes import ENDPOINTS
from replay_proxy.emulators.reset_requests import reset_request_of
from tests.support.clients import client
from tests.support.processes import Proxy, amount

pytestmark = pytest.mark.emulator

OWN = 200, 401, 403, 404, 409, 503
"""What an endpoint of the proxy may answer. 503: health, until the state is back."""
OF_HTTP = 400, 405, 408, 411, 413, 414, 417, 431, 501, 505
"""What HTTP itself may be answered by, before anybody knows whom a request is for."""

SAVING = {"/_replay/pods/save", "/_localstack/pods/state", "/_localstack/pods/state/metamodel"}
"""Each takes a process of its own: too long for as often as this."""
PATHS = sorted(
    {name.partition(" ")[2].replace("<service>", "sqs").replace("<stage>", "boot") for name in ENDPOINTS}.union(
        {"/health", "/_replay/"}
    )
    - SAVING
)
ACCENT = "é".encode().decode("latin-1")
SERVICES = ["sqs", "s3", "nosuch", "", ".", "..", "%2e%2e", "a" * 300, "s%33", "%00", "sq%20s", ACCENT, "S3", "*"]
UNKNOWN = frozenset(SERVICES) - {"sqs", "s3", "s%33"}
PIECES = st.sampled_from(
    [
        "save",
        "load",
        "state",
        "reset",
        "",
        "/",
        "//",
        "?",
        ";",
        "%2F",
        "..",
        "x" * 500,
        "health",
        "status",
        "console/",
        "rows/0",
    ]
)
STATE_PATHS = st.builds(
    lambda service, verb, tail: f"/_localstack/state/{service}/{verb}{tail}",
    st.sampled_from(SERVICES),
    st.sampled_from(["save", "load", "sav", "", "load/", "save/x"]),
    st.sampled_from(["", "/", "?reset=1", "?x=%", "?" + "y" * 300, "?reset=%FF&reset", "#f"]),
)
OTHER_PATHS = st.builds(
    lambda root, pieces: root + "".join(pieces),
    st.sampled_from(["/_replay/", "/_localstack/state/", "/_replay", "/_localstack/health", "/health"]),
    st.lists(PIECES, max_size=4),
)
TARGETS = st.one_of(st.sampled_from(PATHS), STATE_PATHS, OTHER_PATHS)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0"), max_size=30)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["Origin", "Sec-Fetch-Site", "X-Replay-Token", "Authorization", "Accept"]), VISIBLE),
        st.sampled_from(
            [
                ("Origin", "http://[x/b"),
                ("Origin", "null"),
                ("Origin", "http://evil.example"),
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Site", "same-origin"),
                ("Authorization", "Bearer"),
                ("Authorization", "Bearer  é".encode().decode("latin-1")),
                ("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request"),
                ("Content-Type", "application/json"),
                ("Content-Encoding", "gzip"),
                ("X-Amz-Target", "A.B"),
                ("Accept-Encoding", "gzip"),
                ("Accept", "text/html,*/*;q=0.8"),
            ]
        ),
    ),
    max_size=4,
)
BODIES = st.one_of(
    st.just(b""), st.binary(max_size=200), st.sampled_from([b"{}", b"null", b"[" * 5000, b'{"a": 1', b"x" * 70_000])
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])


def ask(port: int, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"127.0.0.1:{port}")
        for name, value in fields:
            connection.putheader(name, value.encode("latin-1"))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        kind = answer.headers.get("Content-Type", "")
        # A stream of events has no end.
        content = answer.readline() if kind == "text/event-stream" else answer.read()
        return answer.status, content, kind
    finally:
        connection.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path_factory.mktemp("fuzzed"), "--control-token", "")
    try:
        sqs = client("sqs", proxy.url)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="one")
        client("s3", proxy.url).create_bucket(Bucket="bucket")
        yield proxy
    finally:
        proxy.end()


def is_own(method: str, target: str) -> bool:
    """Is this request for the proxy itself, and not for the emulator?"""
    path = target.partition("?")[0]
    if path.startswith("/_replay/"):
        return True
    if path == "/_localstack/pods" or path.startswith("/_localstack/state/") or path.startswith("/_localstack/pods/"):
        return True
    return path in ("/_localstack/health", "/health") and method in ("GET", "HEAD")


def names_unknown_service(method: str, target: str) -> bool:
    """Is this a save or a load of a service that does not exist?"""
    parts = target.partition("?")[0].removeprefix("/_localstack/state/").split("/")
    return method == "POST" and len(parts) == 2 and parts[1] in ("save", "load") and parts[0] in UNKNOWN


def is_documented(status: int, body: bytes, kind: str, *, head: bool) -> None:
    """One of the outcomes that are documented.

    JSON with the reason of a refusal, the metrics in Prometheus text, the console's page, its script and style, or its events.
    """
    assert status in OWN + OF_HTTP, (status, body[:300])
    if head or status in OF_HTTP:
        return
    if kind.partition(";")[0] == "text/plain":
        assert status == 200
        assert "replay_proxy" in {family.name[:12] for family in text_string_to_metric_families(body.decode())}
        return
    if kind.partition(";")[0] in ("text/html", "text/javascript", "text/css"):
        assert status == 200
        assert body
        return
    if kind == "text/event-stream":
        assert (status, body) == (200, b"event: hello\n")
        return
    documents = [json.loads(line) for line in body.splitlines()] if "ndjson" in kind else [json.loads(body or b"{}")]
    if status not in (200, 503):
        (document,) = documents
        assert document["error"], body


@settings(
    max_examples=amount(250, 3000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(METHODS, TARGETS, FIELDS, BODIES)
@example("POST", "/_localstack/state/nosuch/save", [], b"")
@example("POST", "/_localstack/state/" + "a" * 300 + "/save", [], b"")
@example("POST", "/_localstack/state/nosuch/load", [], b"")
@example("POST", "/_localstack/state/S3/load?reset=1", [], b"")
@example("POST", "/_localstack/state/%FF/load", [], b"")
@example("POST", "/_localstack/state/load", [], b"")
@example("POST", "/_localstack/state/sqs/load", [], b"")
@example("POST", "/_localstack/state/load?reset=1", [], b"")
@example("GET", "/_localstack/state/save", [], b"")
@example("POST", "/_replay/status", [("Origin", "http://[")], b"")
@example("GET", "/health", [("Authorization", ACCENT)], b"")
@example("GET", "/_replay/", [("Accept", "text/html")], b"")
@example("GET", "/_replay/console/events", [], b"")
@example("GET", "/_replay/console/rows/" + "9" * 400, [], b"")
@example("GET", "/_replay/console/call/0", [("Accept-Encoding", "gzip")], b"")
@example("GET", "/_replay/metrics", [], b"")
@example("GET", "/_replay/metrics", [("Accept", "application/openmetrics-text")], b"")
def test_any_request_has_a_documented_outcome(
    running: Proxy, method: str, target: str, fields: list[tuple[str, str]], body: bytes
) -> None:
    try:
        target.encode("ascii")
    except UnicodeEncodeError:
        target = "".join(f"%{ord(each):02X}" if ord(each) > 126 else each for each in target)
    if "#" in target:
        target = target.partition("#")[0]
    if reset_request_of(method, target) is not None:
        return  # what is there is looked at after all of these
    before = state(running) if method in ("GET", "HEAD") else None
    status, answer, kind = ask(running.port, method, target, fields, body)
    if is_own(method, target) and not any(name == "Authorization" for name, _value in fields):
        is_documented(status, answer, kind, head=method == "HEAD")
    if before is not None:
        assert state(running) == before, target
    if names_unknown_service(method, target) and not fields:
        assert status == 404, (target, answer[:300])
    assert running.process.poll() is None
    assert "Traceback" not in running.log


def state(proxy: Proxy) -> Any:
    """What a GET must not change."""
    status = proxy.status()
    counted = {name: value for name, value in status["requests"].items() if name not in ("unrecognised", "reads")}
    return proxy.journal.read_bytes(), counted, status["state"], status["last_restore"], status["aliases"]


def test_what_was_there_is_there_after_all_that(running: Proxy) -> None:
    # What was no endpoint of the proxy went to the emulator, which may have taken it for a bucket.
    assert "bucket" in [bucket["Name"] for bucket in client("s3", running.url).list_buckets()["Buckets"]]
    assert messages(running) == 1


@pytest.mark.parametrize("target", ["load", "sqs/load", "load?reset=1", "load?reset=1&reset=0", "sqs/load?x=%"])
def test_a_load_on_a_restored_proxy_leaves_one_message_one(running: Proxy, target: str) -> None:
    assert ask(running.port, "POST", f"/_localstack/state/{target}", [], b"")[0] == 200
    assert messages(running) == 1


def messages(proxy: Proxy) -> int:
    """How many messages there are in the queue."""
    sqs = client("sqs", proxy.url)
    name = "ApproximateNumberOfMessages"
    attributes = sqs.get_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName="q")["QueueUrl"], AttributeNames=[name])
    return int(attributes["Attributes"][name])


def test_with_a_token_nothing_but_health_is_told_without_it(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--control-token", "tell-me")
    for name in ENDPOINTS:
        method, _blank, path = name.partition(" ")
        path = path.replace("<service>", "sqs").replace("<stage>", "boot")
        for fields in ([], [("Authorization", "Bearer wrong")], [("X-Replay-Token", ACCENT)]):
            status, _body, _kind = ask(proxy.port, method, path, fields, b"")
            assert status == (200 if path.endswith(("health", "/_replay/ready")) else 401), (name, fields)
        if path in SAVING:
            continue
        expected = 400 if path == "/_replay/smoke" else 200  # without tests in the body
        if "/pods/remotes/" in path:
            expected = 409 if method == "POST" else 404  # without a URL in the body; there is none
        elif "/pods" in path and "<name>" in path:
            expected = 404 if method in ("GET", "DELETE") else 200  # what goes wrong with a save or a load, events tell
        elif "/pods" in path and method == "POST" and not path.endswith("save"):
            expected = 409  # without a pod in the body
        answered = ask(proxy.port, method, path.replace("<name>", "shop"), [("X-Replay-Token", "tell-me")], b"")[0]
        assert answered == expected, name
        if name == "POST /_localstack/pods/<name>":
            ask(proxy.port, "DELETE", "/_localstack/pods/shop", [("X-Replay-Token", "tell-me")], b"")
    assert "Traceback" not in proxy.log
