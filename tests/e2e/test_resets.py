"""A reset that a client asks for: what was recorded before does not come back, and what came after does."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from replay_proxy.emulators.reset_requests import reset_request_of
from replay_proxy.exchange import Answer, Headers
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out, replay_proxy

pytestmark = pytest.mark.emulator
RESTARTS = 3
RETRYING = {"retries": {"max_attempts": 6, "mode": "standard"}}


def post(url: str, path: str, method: str = "POST") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, b"", method=method), timeout=60) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def make(url: str, number: int) -> None:
    dynamodb, ec2 = client("dynamodb", url), client("ec2", url)
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="items", Item={"pk": {"S": f"test-{number}"}})
    queue = client("sqs", url).create_queue(QueueName=f"queue{number}")["QueueUrl"]
    client("sqs", url).send_message(QueueUrl=queue, MessageBody="m")
    vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    default = next(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["IsDefault"])
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.1.0/24")
    ec2.create_security_group(GroupName=f"group{number}", Description="d", VpcId=default)


def there(url: str) -> dict[str, Any]:
    dynamodb, ec2, sqs = (client(name, url, **RETRYING) for name in ("dynamodb", "ec2", "sqs"))
    queues = sqs.list_queues().get("QueueUrls", [])
    tables = dynamodb.list_tables()["TableNames"]
    return {
        "items": sorted(i["pk"]["S"] for table in tables for i in dynamodb.scan(TableName=table)["Items"]),
        "queues": sorted(queues),
        "messages": [
            sqs.get_queue_attributes(QueueUrl=each, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
            for each in queues
        ],
        "vpcs": sorted((vpc["VpcId"], vpc["CidrBlock"]) for vpc in ec2.describe_vpcs()["Vpcs"]),
        "groups": sorted(each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]),
        "subnets": sorted(
            (each["SubnetId"], each["VpcId"])
            for each in ec2.describe_subnets()["Subnets"]
            if each["CidrBlock"].startswith("10.")
        ),
    }


def marks(proxy: Proxy) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in proxy.journal.read_text().splitlines()]
    return [line for line in lines if line.get("mark") == "reset"]


def test_a_suite_that_resets_moto_leaves_the_state_of_its_last_test(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "moto")
    for number in range(3):
        if number:
            assert json.loads(post(proxy.url, "/moto-api/reset")[1]) == {"status": "ok"}
            assert there(proxy.url)["items"] == []
        make(proxy.url, number)
    assert post(proxy.url, "/moto-api/reset", "GET")[0] == 400, "moto resets when it is posted to"
    assert post(proxy.url, "/_ministack/reset")[0] >= 400, "which is no endpoint of moto"
    assert len(marks(proxy)) == 2
    before = there(proxy.url)
    assert (before["items"], len(before["vpcs"])) == (["test-2"], 2)
    assert json.loads(post(proxy.url, "/_localstack/state/load")[1]) == {"status": "ok"}, "nothing is missing"
    for _ in range(RESTARTS):
        proxy.kill_all()
        proxy.again()
        assert there(proxy.url) == before
        restored = proxy.status()["last_restore"]
        assert (restored["problems"], restored["findings"]) == ([], [])
    assert post(proxy.url, "/_localstack/state/load?reset=1")[0] == 200
    assert there(proxy.url) == before
    assert json.loads(post(proxy.url, "/_localstack/state/reset")[1]) == {"status": "ok"}, "as LocalStack is asked"
    assert there(proxy.url)["queues"] == []
    assert [warning for warning in proxy.status()["not_recorded"] if "reset" in warning["what"]] == []


def test_a_proxy_that_dies_before_a_ministack_that_was_reset_restores_nothing(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url, "--load-strategy", "ON_REQUEST")
    make(proxy.url, 0)
    assert post(proxy.url, "/moto-api/reset")[0] != 200 or not marks(proxy), "another emulator's"
    assert there(proxy.url)["items"] == ["test-0"]
    emulator.restart()
    proxy.kill()
    proxy.again()
    assert json.loads(post(proxy.url, "/_ministack/reset?init=1")[1]) == {"reset": "ok"}, "in the middle of a restore"
    proxy.kill()
    proxy.again()
    assert there(proxy.url)["items"] == []
    make(proxy.url, 1)
    before = there(proxy.url)
    proxy.kill()
    proxy.again()
    assert there(proxy.url) == before, "the emulator lived on, with its mark"
    for _ in range(RESTARTS):
        emulator.restart()
        assert post(proxy.url, "/_localstack/state/load")[0] == 200
        assert there(proxy.url) == before
    assert len(marks(proxy)) == 1


def chosen(url: str) -> dict[str, Any]:
    """What clients made; what they learned from reads alone is not saved with it."""
    return {name: value for name, value in there(url).items() if name in ("items", "queues", "messages", "subnets")}


@pytest.mark.skipif(left_out(0.2) is not None, reason=str(left_out(0.2)))
def test_what_was_not_saved_is_no_reset_either(start_proxy: Callable[..., Proxy], tmp_path: Any) -> None:
    proxy = start_proxy("--emulator", "moto", "--save-strategy", "MANUAL")
    make(proxy.url, 0)
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    saved = chosen(proxy.url)
    assert post(proxy.url, "/moto-api/reset")[0] == 200
    make(proxy.url, 1)
    proxy.kill_all()
    proxy.again()
    assert chosen(proxy.url) == saved
    assert post(proxy.url, "/moto-api/reset")[0] == 200
    make(proxy.url, 2)
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    saved = chosen(proxy.url)
    assert proxy.stop() == 0

    def run(*words: str) -> Any:
        command = [*replay_proxy(), *words, "--data-dir", str(proxy.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    plan = json.loads(run("plan", "--json").stdout)
    reasons = {call["reason"] for call in plan["calls"] if call["action"] == "leave out"}
    assert "the emulator was reset after it" in reasons
    assert plan["replay"] == 7
    run("export", "--output", str(tmp_path / "copy"))
    assert len((tmp_path / "copy" / proxy.journal.name).read_text().splitlines()) < 12
    run("compact")
    assert len(marks(proxy)) <= 1
    proxy.again()
    assert chosen(proxy.url) == saved


@pytest.mark.parametrize(
    "lives_on",
    [False, pytest.param(True, marks=pytest.mark.skipif(left_out(0.2) is not None, reason=str(left_out(0.2))))],
)
def test_under_manual_a_load_after_a_reset_brings_back_what_was_saved(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], lives_on: bool
) -> None:
    """As people of LocalStack expect of a snapshot: a reset empties the emulator, and not what lies on the disk."""
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url, "--save-strategy", "MANUAL")
    make(proxy.url, 0)
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    saved = chosen(proxy.url)
    for _ in range(2):
        assert post(proxy.url, "/_localstack/state/reset")[0] == 200
        make(proxy.url, 1)
        if lives_on:
            proxy.kill()
            proxy.again()
            client("sqs", proxy.url).create_queue(QueueName="another-session")
        assert chosen(proxy.url)["items"] == ["test-1"]
        assert post(proxy.url, "/_localstack/state/load")[0] == 200
        assert chosen(proxy.url) == saved
        assert json.loads(post(proxy.url, "/_localstack/state/load")[1]) == {"status": "ok"}, "nothing is missing"
    assert post(proxy.url, "/_localstack/state/reset")[0] == 200
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    assert json.loads(post(proxy.url, "/_localstack/state/load")[1]) == {"status": "ok"}, "the reset was saved"
    assert chosen(proxy.url)["items"] == []


def test_under_manual_a_reset_of_one_service_is_pending_and_saves_nothing(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    """Also where the emulator has no such reset, and is emptied and restored for it."""
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url, "--save-strategy", "MANUAL")
    sqs, sns = client("sqs", proxy.url, **RETRYING), client("sns", proxy.url, **RETRYING)

    def names() -> tuple[list[str], list[str]]:
        queues, topics = sqs.list_queues().get("QueueUrls", []), sns.list_topics()["Topics"]
        return [url.rsplit("/", 1)[1] for url in queues], [each["TopicArn"].rsplit(":", 1)[1] for each in topics]

    sqs.create_queue(QueueName="saved")
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    for comes_back in ("by a load", "by a start"):
        sns.create_topic(Name="pending")
        assert post(proxy.url, "/_localstack/state/sqs/reset")[0] == 200
        assert names() == ([], ["pending"]), comes_back
        sqs.create_queue(QueueName="pending-too")
        if comes_back == "by a load":
            assert post(proxy.url, "/_localstack/state/load")[0] == 200
        else:
            proxy.kill()
            emulator.restart()
            proxy.again()
        assert names() == (["saved"], []), comes_back
    sns.create_topic(Name="kept")
    assert post(proxy.url, "/_localstack/state/sqs/reset")[0] == 200
    assert post(proxy.url, "/_localstack/state/save")[0] == 200
    emulator.restart()
    assert post(proxy.url, "/_localstack/state/load?reset=1")[0] == 200
    assert names() == ([], ["kept"]), "the reset was saved"


class _Relay(http.server.BaseHTTPRequestHandler):
    """Answers the resets of one service, as LocalStack's paid edition does; all else goes to `upstream`."""

    protocol_version = "HTTP/1.0"
    upstream = ""
    answers: dict[str, int]

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.answers.get(self.path)
        if self.path == "/_localstack/state/sqs/reset":
            sqs = client("sqs", self.upstream)
            for url in sqs.list_queues().get("QueueUrls", []):
                sqs.delete_queue(QueueUrl=url)
            status = 200
        if status is not None:
            return self._answer(status, b"")
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        request = urllib.request.Request(self.upstream + self.path, body or None, kept, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self._answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.read(), error.headers)

    def _answer(self, status: int, body: bytes, fields: Any = ()) -> None:
        self.send_response_only(status)
        for name in fields:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, fields[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass  # noqa: N815

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@contextmanager
def relay(upstream: str, answers: dict[str, int]) -> Iterator[str]:
    handler = type("Handler", (_Relay,), {"upstream": upstream, "answers": answers})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_one_service_and_resets_that_fail(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    disguised = {"/moto-api/": 404, "/_localstack/info": 404, "/_ministack/health": 404, "/moto-api/reset": 500}
    with relay(emulator.url, disguised) as url:
        proxy = start_proxy("--upstream", url)
        make(proxy.url, 0)
        before = there(proxy.url)
        assert post(proxy.url, "/moto-api/reset")[0] == 500
        assert post(proxy.url, "/_floci/state/reset")[0] >= 400
        assert marks(proxy) == []
        assert there(proxy.url) == before
        assert post(proxy.url, "/_localstack/state/sqs/reset")[0] == 200
        client("sqs", proxy.url).create_queue(QueueName="later")
        before = there(proxy.url)
        assert [url.rsplit("/", 1)[1] for url in before["queues"]] == ["later"]
        assert [mark["service"] for mark in marks(proxy)] == ["sqs"]
        for _ in range(RESTARTS):
            emulator.restart()
            assert post(proxy.url, "/_localstack/state/load")[0] == 200
            assert there(proxy.url) == before
            assert proxy.status()["last_restore"]["problems"] == []


def test_a_reset_is_known_by_what_the_emulator_says_of_it() -> None:
    def answer(body: bytes, status: int = 200) -> Answer:
        return Answer(status, Headers(), body)

    moto, any_emulator = (
        reset_request_of("POST", "/moto-api/reset"),
        reset_request_of("POST", "/_localstack/state/reset"),
    )
    assert moto is not None and any_emulator is not None
    assert moto.succeeded(answer(b'{"status": "ok"}')) and any_emulator.succeeded(answer(b""))
    for body in (b"", b"<Error/>", b"[]", b'{"status": "no"}', b'{"reset": "ok"}'):
        assert not moto.succeeded(answer(body))
    assert not any_emulator.succeeded(answer(b"", 404))
    one = reset_request_of("POST", "/_localstack/state/cognito-idp/reset?x=1")
    assert one is not None and one.service == "cognito-idp"
    others = [
        "/moto-api/reset-auth",
        "/_localstack/state//reset",
        "/_localstack/state/a/b/reset",
        "/reset",
        "/bucket/reset",
    ]
    assert not any(reset_request_of("POST", path) for path in others)
    assert reset_request_of("GET", "/moto-api/reset") is None
