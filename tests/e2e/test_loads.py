"""A load that somebody asks for: nothing is done twice, and what is missing comes back."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, http_status, left_out, missing

pytestmark = pytest.mark.emulator

PATIENT = {"retries": {"max_attempts": 6, "mode": "standard"}, "read_timeout": 120}
RESETS = {"moto": "/moto-api/reset", "ministack": "/_ministack/reset"}
"""What a user of that emulator posts to empty it."""


def post(url: str, path: str, timeout: float = 120) -> tuple[int, list[dict[str, Any]]]:
    """The status, and the JSON lines (or the one document) of the answer."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request("POST", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.headers.get_content_type() == "application/x-ndjson":
        return answer.status, [json.loads(line) for line in body.splitlines()]
    try:
        return answer.status, [json.loads(body)]
    except ValueError:
        return answer.status, []


def load(proxy: Proxy, what: str = "load") -> tuple[int, list[dict[str, Any]]]:
    return post(proxy.url, f"/_localstack/state/{what}")


def make(url: str) -> str:
    """What shows by itself whether it was made twice; gives the queue's URL."""
    sqs, dynamodb = client("sqs", url), client("dynamodb", url)
    queue: str = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    client("ec2", url).create_vpc(CidrBlock="10.9.0.0/16")
    dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for _ in range(3):
        dynamodb.update_item(
            TableName="table",
            Key={"k": {"S": "c"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    return queue


def there(url: str, queue: str) -> dict[str, Any]:
    sqs, ec2, dynamodb = (client(name, url, **PATIENT) for name in ("sqs", "ec2", "dynamodb"))
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return {
        "vpcs": sorted(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"].startswith("10.")),
        "messages": attributes["ApproximateNumberOfMessages"],
        "counter": dynamodb.get_item(TableName="table", Key={"k": {"S": "c"}})["Item"]["n"]["N"],
    }


@pytest.fixture(params=["child", "external"])
def kept_by(request: pytest.FixtureRequest) -> str:
    """Whether the proxy starts the emulator, or somebody else does."""
    return str(request.param)


@pytest.fixture(params=["moto", "ministack"])
def begun(
    request: pytest.FixtureRequest,
    kept_by: str,
    start_proxy: Callable[..., Proxy],
    start_emulator: Callable[..., Emulator],
) -> Callable[..., tuple[Proxy, str, str]]:
    """Starts a proxy with options: it, the emulator's URL, and the path of the emulator's own reset."""
    name = str(request.param)
    if (name, kept_by) in REPEATING and (reason := left_out(0.1)):
        pytest.skip(f"{name}, kept by {kept_by}, {reason}")

    def begin(*options: str) -> tuple[Proxy, str, str]:
        if kept_by == "child":
            proxy = start_proxy("--emulator", name, *options)
            return proxy, proxy.status()["emulator"]["url"], RESETS[name]
        emulator = start_emulator(name)
        return start_proxy("--upstream", emulator.url, *options), emulator.url, RESETS[name]

    return begin


REPEATING = {("moto", "external"), ("ministack", "child")}
"""What shows the same once more: each emulator, and each way to keep one, is there without them."""


def marked(proxy: Proxy) -> None:
    """A child is marked beside the open gate; wait for it."""
    deadline = time.monotonic() + 60
    while not proxy.status()["emulator"]["marked"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestWhole:
    @pytest.mark.parametrize("name", ["moto", "ministack"])
    def test_a_load_of_what_is_there_does_nothing(self, start_proxy: Callable[..., Proxy], name: str) -> None:
        proxy = start_proxy("--emulator", name)
        queue = make(proxy.url)
        before, lines = there(proxy.url, queue), len(proxy.records())
        assert load(proxy) == (200, [{"status": "ok"}])
        assert load(proxy, "sqs/load") == (200, [{"service": "sqs", "status": "ok", "restored": 0, "calls": 0}])
        assert load(proxy, "kinesis/load") == (200, [{"service": "kinesis", "status": "ok", "restored": 0, "calls": 0}])
        assert load(proxy, "monitoring/load")[0] == 200, "the name that CloudWatch signs with"
        status, [told] = load(proxy, "nosuchservice/load")
        assert status == 404
        assert "'nosuchservice'" in told["error"] and told["hint"]
        assert load(proxy, "nosuchservice/save")[0] == 404
        assert there(proxy.url, queue) == before
        assert len(proxy.records()) == lines

    @pytest.mark.parametrize("strategy", ["ON_STARTUP", "ON_REQUEST", "MANUAL"])
    def test_nor_does_one_after_a_restart_by_any_strategy(
        self, start_proxy: Callable[..., Proxy], strategy: str
    ) -> None:
        proxy = start_proxy("--load-strategy", strategy)
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        proxy.kill_all()
        proxy.again()
        for what in ("sqs/load", "load", "load", "dynamodb/load", "load"):
            assert load(proxy, what)[0] == 200
        assert there(proxy.url, queue) == before
        assert load(proxy) == (200, [{"status": "ok"}])
        assert there(proxy.url, queue) == before

    def test_what_is_not_saved_stays_until_a_reset_goes_back_to_the_last_save(
        self, start_proxy: Callable[..., Proxy]
    ) -> None:
        proxy = start_proxy("--save-strategy", "MANUAL")
        queue = make(proxy.url)
        saved = there(proxy.url, queue)
        assert load(proxy, "save")[0] == 200
        client("ec2", proxy.url).create_vpc(CidrBlock="10.10.0.0/16")
        client("sqs", proxy.url).send_message(QueueUrl=queue, MessageBody="two")
        now = there(proxy.url, queue)
        assert load(proxy) == (200, [{"status": "ok"}])
        assert there(proxy.url, queue) == now
        assert load(proxy, "load?reset=1")[0] == 200
        assert there(proxy.url, queue) == saved
        assert load(proxy, "save")[0] == 200, "what was void stays void"
        proxy.kill_all()
        proxy.again()
        assert there(proxy.url, queue) == saved

    def test_what_counts_is_restored_again_and_again(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy("--save-strategy", "MANUAL")
        sqs, back = client("sqs", proxy.url), "load?reset=own"

        def queues() -> list[str]:
            return sorted(url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", ()))

        sqs.create_queue(QueueName="first")
        assert load(proxy, "save")[0] == 200
        for number in range(2):
            sqs.create_queue(QueueName=f"void-{number}")
            assert load(proxy, back) == (200, [{"service": "sqs", "status": "ok", "restored": 1, "calls": 1}])
            assert queues() == ["first"]
        sqs.create_queue(QueueName="second")
        client("s3", proxy.url).create_bucket(Bucket="void")
        assert load(proxy, "sqs/save")[0] == 200
        status, [begun, *lines] = load(proxy, f"{back}&begun=1")
        assert (status, begun, [line["service"] for line in lines]) == (200, {"status": "begun"}, ["sqs"])
        assert queues() == ["first", "second"]
        assert load(proxy, "load?begun=2")[0] == 400
        sqs.create_queue(QueueName="there")
        with (proxy.data_dir / "recorded_api_calls.json").open("r+b") as file:
            file.seek(file.read().index(b'"first'))
            file.write(b'"First')
        status, [told] = load(proxy, back)
        assert status == 500 and "checksum" in told["error"], told
        assert queues() == ["first", "second", "there"]


class TestReset:
    def test_a_reset_restores_anew(self, begun: Callable[..., tuple[Proxy, str, str]]) -> None:
        proxy, emulator, _reset = begun()
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        pid = proxy.status()["emulator"]["pid"]
        client("s3", emulator).create_bucket(Bucket="beside-the-proxy")
        for _ in range(2):
            status, lines = load(proxy, "load?reset=1")
            assert status == 200
            assert sorted(line["service"] for line in lines) == ["dynamodb", "ec2", "sqs"]
            assert all(line["status"] == "ok" for line in lines)
        assert there(proxy.url, queue) == before
        assert client("s3", proxy.url).list_buckets()["Buckets"] == []
        assert pid is None or proxy.status()["emulator"]["pid"] != pid
        assert proxy.status()["last_restore"]["problems"] == []

    def test_a_reset_behind_the_proxys_back_is_noticed(
        self, begun: Callable[..., tuple[Proxy, str, str]], kept_by: str
    ) -> None:
        proxy, emulator, reset = begun()
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        marked(proxy)
        assert post(emulator, reset)[0] == 200
        client("ec2", proxy.url).create_vpc(CidrBlock="10.11.0.0/16")
        status, lines = load(proxy)
        assert (status, sorted(line["service"] for line in lines)) == (200, ["dynamodb", "ec2", "sqs"])
        now = there(proxy.url, queue)
        assert set(before["vpcs"]) < set(now["vpcs"])
        assert {**now, "vpcs": len(now["vpcs"])} == {**before, "vpcs": 2}, "what came after the reset is not doubled"
        assert load(proxy) == (200, [{"status": "ok"}])
        assert post(emulator, reset)[0] == 200, "and once more"
        assert load(proxy)[0] == 200
        assert there(proxy.url, queue) == now

    def test_one_service_after_a_reset(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy("--load-strategy", "MANUAL")
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        proxy.kill_all()
        proxy.again()
        assert load(proxy, "sqs/load")[0] == 200, "its answer says that the emulator is marked, too"
        assert post(proxy.status()["emulator"]["url"], RESETS["moto"])[0] == 200
        assert load(proxy, "sqs/load") == (200, [{"service": "sqs", "status": "ok", "restored": 2, "calls": 2}])
        assert client("dynamodb", proxy.url).list_tables()["TableNames"] == [], "one service means one service"
        assert load(proxy)[0] == 200
        assert there(proxy.url, queue) == before

    def test_an_empty_recording(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        assert load(proxy, "load?reset=1") == (200, [{"status": "ok"}])

    def test_loads_at_once(self, begun: Callable[..., tuple[Proxy, str, str]]) -> None:
        proxy, emulator, reset = begun()
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        marked(proxy)
        assert post(emulator, reset)[0] == 200
        answers: list[tuple[int, Any]] = []
        asks = ["load", "sqs/load", "load", "load?reset=1", "dynamodb/load", "load"]
        threads = [threading.Thread(target=lambda what=what: answers.append(load(proxy, what))) for what in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert [status for status, _lines in answers] == [200] * len(asks), answers
        assert all(line["status"] == "ok" for _status, lines in answers for line in lines), answers
        load(proxy)
        assert there(proxy.url, queue) == before

    @pytest.mark.parametrize("strategy", ["ON_STARTUP", "ON_REQUEST"])
    def test_a_client_works_on_while_everything_is_restored_anew(
        self, start_proxy: Callable[..., Proxy], strategy: str
    ) -> None:
        if strategy == "ON_STARTUP" and (reason := left_out(0.2)):
            pytest.skip(f"with {strategy}, which asks less of it than ON_REQUEST, {reason}")
        proxy = start_proxy("--load-strategy", strategy)
        queue = make(proxy.url)
        sent, stop = 1, threading.Event()

        def work() -> None:
            nonlocal sent
            sqs = client("sqs", proxy.url, **PATIENT)
            while not stop.is_set():
                sqs.send_message(QueueUrl=queue, MessageBody="more")
                sent += 1

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(3):
            time.sleep(0.2)
            assert load(proxy, "load?reset=1")[0] == 200
        stop.set()
        thread.join(60)
        assert int(there(proxy.url, queue)["messages"]) == sent

    def test_what_cannot_be_asked_for(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        status, [told] = load(proxy, "sqs/load?reset=1")
        assert status == 409
        assert "cannot be reset alone" in told["error"] and "load?reset=1" in told["hint"]
        assert load(proxy, "load?reset=perhaps")[0] == 400
        assert load(proxy, "load?reset=0") == (200, [{"status": "ok"}])
        assert there(proxy.url, queue) == before

    def test_an_emulator_that_cannot_be_emptied(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
    ) -> None:
        emulator = start_emulator("moto")
        with disguised(emulator.port, b"/moto-api/", b"/not-know/") as port:
            proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}")
            queue = make(proxy.url)
            before = there(proxy.url, queue)
            status, [told] = load(proxy, "load?reset=1")
            assert status == 409
            assert "no way that is known to empty it" in told["error"] and "restart the emulator" in told["hint"]
            assert there(proxy.url, queue) == before
            assert post(emulator.url, RESETS["moto"])[0] == 200
            assert load(proxy)[0] == 200
            assert there(proxy.url, queue) == before

    @pytest.mark.skipif(missing("localstack") is not None, reason=str(missing("localstack")))
    def test_an_emulator_that_refuses_to_be_emptied_goes_on(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
    ) -> None:
        emulator = start_emulator("localstack")  # the community's has no reset
        proxy = start_proxy("--upstream", emulator.url)
        sqs = client("sqs", proxy.url, **PATIENT)
        sqs.create_queue(QueueName="jobs")
        status, [told] = load(proxy, "load?reset=1")
        assert status == 500
        assert "was not emptied" in told["error"] and "restart the emulator" in told["hint"]
        assert len(sqs.list_queues()["QueueUrls"]) == 1
        assert load(proxy) == (200, [{"status": "ok"}])


class TestFailure:
    def test_a_damaged_recording_changes_nothing(self, begun: Callable[..., tuple[Proxy, str, str]]) -> None:
        proxy, _emulator, _reset = begun()
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        damage(proxy)
        for what in ("load", "sqs/load", "load?reset=1"):
            status, [told] = load(proxy, what)
            assert status == 500
            assert "line 2" in told["error"], told
        assert "nothing was loaded: the recording cannot be read" in proxy.log
        assert there(proxy.url, queue) == before
        assert proxy.status()["state"] == "ready"

    def test_an_emulator_that_dies_while_it_is_restored_anew(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        queue = make(proxy.url)
        sqs = client("sqs", proxy.url)
        for number in range(150):
            sqs.create_queue(QueueName=f"q{number}")
        before = there(proxy.url, queue)
        asked = threading.Thread(target=load, args=(proxy, "load?reset=1"))
        asked.start()
        deadline = time.monotonic() + 60
        while (told := proxy.status())["state"] != "restoring" or told["last_restore"]["restored"] < 5:
            assert time.monotonic() < deadline, told
        os.kill(told["emulator"]["pid"], signal.SIGKILL)
        asked.join(120)
        assert there(proxy.url, queue) == before
        assert load(proxy) == (200, [{"status": "ok"}])

    @pytest.mark.parametrize("managed", [True, False], ids=["managed", "external"])
    @pytest.mark.parametrize("strategy", ["ON_STARTUP", "ON_REQUEST"])
    def test_who_asked_for_it_gets_a_503(
        self,
        start_proxy: Callable[..., Proxy],
        start_emulator: Callable[..., Emulator],
        strategy: str,
        managed: bool,
    ) -> None:
        emulator = None if managed else start_emulator("moto")
        upstream = () if emulator is None else ("--upstream", emulator.url, "--lost-timeout", "1")
        proxy = start_proxy("--load-strategy", strategy, *upstream)
        sqs = client("sqs", proxy.url, **PATIENT)
        for number in range(150):
            sqs.create_queue(QueueName=f"q{number}")
        answers: list[tuple[int, Any]] = []
        asked = threading.Thread(target=lambda: answers.append(load(proxy, "load?reset=1")))
        asked.start()
        deadline = time.monotonic() + 60
        while not 5 <= ((told := proxy.status())["last_restore"] or {"restored": 0})["restored"] < 150:
            assert time.monotonic() < deadline, told
        if emulator is None:
            os.kill(told["emulator"]["pid"], signal.SIGKILL)
        else:
            emulator.end()
        asked.join(120)
        [(status, lines)] = answers
        if strategy == "ON_STARTUP" or status != 200:  # a restore in parts may go on in the next emulator
            assert status == 503, lines
            assert lines[0]["error"] and lines[0]["hint"]
        if emulator is not None:
            emulator.restart()
        proxy.wait_until("/_localstack/health", [200])
        assert load(proxy)[0] == 200
        assert len(sqs.list_queues(MaxResults=1000)["QueueUrls"]) == 150

    def test_while_the_emulator_is_away(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
    ) -> None:
        emulator = start_emulator("moto")
        proxy = start_proxy("--upstream", emulator.url, "--lost-timeout", "1")
        queue = make(proxy.url)
        before = there(proxy.url, queue)
        emulator.end()
        proxy.wait_for_log("the emulator is lost")
        for what in ("load", "load?reset=1", "sqs/load"):
            status, [told] = load(proxy, what)
            assert status == 503
            assert "the emulator can be given no other state now: " in told["error"]
        status, [told] = post(proxy.url, "/_replay/doctor")
        assert status == 503
        assert told["error"].startswith("nothing can be examined now: ") and "emulator" in told["error"]
        emulator.restart()
        proxy.wait_until("/_localstack/health", [200])
        assert there(proxy.url, queue) == before
        assert load(proxy) == (200, [{"status": "ok"}])

    def test_while_the_proxy_is_being_stopped(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        sqs = client("sqs", proxy.url)
        for number in range(150):
            sqs.create_queue(QueueName=f"q{number}")
        asked = threading.Thread(target=lambda: suppressed(proxy))
        asked.start()
        deadline = time.monotonic() + 60
        while proxy.status()["state"] != "restoring":
            assert time.monotonic() < deadline
        emulator = proxy.status()["emulator"]
        assert proxy.stop() == 0
        asked.join(60)
        assert http_status(emulator["url"]) is None, "the emulator was stopped with it"
        assert "Traceback" not in proxy.log
        proxy.again()
        assert len(client("sqs", proxy.url, **PATIENT).list_queues(MaxResults=1000)["QueueUrls"]) == 150


def suppressed(proxy: Proxy) -> None:
    with suppress(OSError, http.client.HTTPException):
        load(proxy, "load?reset=1")


def damage(proxy: Proxy) -> None:
    """Change one byte of the first call."""
    with proxy.journal.open("r+b") as file:
        place = file.read().find(b'"kind"') + 3
        file.seek(place)
        file.write(b"X")


@contextmanager
def disguised(target: int, name: bytes, other: bytes) -> Iterator[int]:
    """A way to an emulator on which it does not know `name`: the port."""
    assert len(name) == len(other)
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(one: socket.socket, another: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                another.sendall(data.replace(name, other))
        for each in (one, another):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                here, _peer = listener.accept()
                there = socket.create_connection(("127.0.0.1", target))
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
