"""What an emulator makes by itself at its start is waited for, recognised, and not made twice."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.emulators.process import free_port
from replay_proxy.emulators.seeds import Seeds
from replay_proxy.exchange import Answer, Headers, Request
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, amount, http_status, left_out

pytestmark = pytest.mark.emulator
RESTARTS = amount(1, 3)
SEED = """import time, boto3
time.sleep(1)
boto3.client("sqs").create_queue(QueueName="jobs")
boto3.client("s3").create_bucket(Bucket="uploads")
boto3.client("ec2").create_vpc(CidrBlock="10.7.0.0/16")
"""
MORE = """
boto3.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
key = {"AttributeName": "pk", "KeyType": "HASH"}
boto3.client("dynamodb").create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", KeySchema=[key],
    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])
boto3.client("logs").create_log_group(logGroupName="/app")
"""
MAIN = """import ministack.app as app
app._collect_scripts = lambda *folders: [{script!r}] if any("ready.d" in each for each in folders) else []
app.main()
"""


class Seeded:
    """MiniStack whose ready.d holds one script, behind a proxy that starts it."""

    def __init__(self, start_proxy: Callable[..., Proxy], folder: Path) -> None:
        self.script, port = folder / "10-seed.py", free_port()
        self.script.write_text(SEED)
        main = folder / "main.py"
        main.write_text(MAIN.format(script=str(self.script)))
        environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
        options = ("--upstream", f"http://127.0.0.1:{port}", "--", sys.executable, str(main))
        self.proxy = start_proxy(*options, environment=environment)

    def restart(self) -> None:
        self.proxy.kill_all()
        self.proxy.again()


def queue_of(url: str) -> str:
    return str(client("sqs", url).get_queue_url(QueueName="jobs")["QueueUrl"])


def there(url: str) -> dict[str, Any]:
    sqs, s3, ec2 = client("sqs", url), client("s3", url), client("ec2", url)
    attributes = sqs.get_queue_attributes(QueueUrl=queue_of(url), AttributeNames=["ApproximateNumberOfMessages"])
    return {
        "messages": attributes["Attributes"],
        "queues": len(sqs.list_queues()["QueueUrls"]),
        "objects": [each["Key"] for each in s3.list_objects_v2(Bucket="uploads").get("Contents", [])],
        "vpcs": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"] == "10.7.0.0/16"],
        "subnets": [
            (each["SubnetId"], each["VpcId"])
            for each in ec2.describe_subnets()["Subnets"]
            if each["CidrBlock"] == "10.7.1.0/24"
        ],
    }


def test_a_restore_begins_when_the_emulators_own_script_is_done(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    seeded = Seeded(start_proxy, tmp_path)
    url = seeded.proxy.url
    assert http_status(url + "/_ministack/ready") == 200, "the proxy is healthy when the script is done"
    [vpc] = there(url)["vpcs"]
    client("sqs", url).send_message(QueueUrl=queue_of(url), MessageBody="m")
    client("s3", url).put_object(Bucket="uploads", Key="k", Body=b"v")
    client("ec2", url).create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")
    # What the script makes from now on, clients have made so far.
    role = client("iam", url).create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]
    client("dynamodb", url).create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("dynamodb", url).put_item(TableName="orders", Item={"pk": {"S": "1"}})
    client("logs", url).create_log_group(logGroupName="/app")
    before = there(url)
    assert before["messages"] == {"ApproximateNumberOfMessages": "1"}
    seeded.script.write_text(SEED + MORE)
    for _ in range(RESTARTS):
        seeded.restart()
        assert there(url) == before
        assert client("iam", url).get_role(RoleName="worker")["Role"]["RoleId"] == role["RoleId"]
        assert client("dynamodb", url).scan(TableName="orders")["Count"] == 1
        report = seeded.proxy.status()["last_restore"]
        assert report["problems"] == []
        there_already = [each["call"] for each in report["findings"] if "was there already" in each["message"]]
        assert sorted(there_already) == ["dynamodb:CreateTable", "iam:CreateRole", "logs:CreateLogGroup"]


@pytest.mark.skipif(left_out(0.2) is not None, reason=str(left_out(0.2)))
def test_an_emulator_of_somebody_else_is_emptied_and_seeded_anew(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    script, main, port = tmp_path / "10-seed.py", tmp_path / "main.py", free_port()
    script.write_text(SEED)
    main.write_text(MAIN.format(script=str(script)))
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "PATH": "/usr/bin:/bin"}
    emulator = subprocess.Popen([sys.executable, str(main)], env=environment)
    try:
        proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}")
        [vpc] = there(proxy.url)["vpcs"]
        client("ec2", proxy.url).create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")
        client("s3", proxy.url).put_object(Bucket="uploads", Key="k", Body=b"v")
        before = there(proxy.url)
        load = urllib_post(proxy.url + "/_localstack/state/load?reset=1")
        assert load == 200
        assert there(proxy.url) == before
    finally:
        emulator.kill()
        emulator.wait()


def urllib_post(url: str) -> int:
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=60) as answer:
        return int(answer.status)


async def asked(answers: dict[str, tuple[int, Any]], path: str = "") -> bool:
    async def send(request: Request) -> Answer:
        status, body = answers.get(request.target, (404, "<html>"))
        return Answer(status, Headers(), (body if isinstance(body, str) else json.dumps(body)).encode())

    seeds = Seeds(path)
    first = await seeds.are_done(send)
    assert await seeds.are_done(send) is first
    return first


@pytest.mark.parametrize(
    ("answers", "path", "seeded"),
    [
        ({}, "", True),
        ({"/_ministack/ready": (503, {"status": "running"})}, "", False),
        ({"/_ministack/ready": (200, {"status": "completed"})}, "", True),
        ({"/_localstack/init": (200, {"completed": {"BOOT": True, "READY": False}})}, "", False),
        ({"/_localstack/init": (200, {"completed": {"BOOT": True, "READY": True}})}, "", True),
        ({"/_localstack/init": (200, {"completed": {"boot": True, "ready": False}})}, "", False),
        ({"/_localstack/init": (200, {"completed": {"BOOT": True}})}, "", True),
        ({"/_localstack/init": (200, {"completed": []})}, "", True),
        ({"/_ministack/ready": (503, "<html>"), "/_localstack/init": (200, [])}, "", True),
        ({"/ready": (503, "")}, "/ready", False),
        ({"/ready": (204, ""), "/_ministack/ready": (503, {"status": "running"})}, "/ready", True),
    ],
)
async def test_what_says_that_a_seed_is_done(answers: dict[str, tuple[int, Any]], path: str, seeded: bool) -> None:
    assert await asked(answers, path) is seeded


def test_a_seed_that_never_ends_is_not_waited_for_longer_than_the_setting_says(
    start_proxy: Callable[..., Proxy],
) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if self.path == "/is-it-ready" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        begun = time.monotonic()
        upstream = f"http://127.0.0.1:{server.server_address[1]}"
        proxy = start_proxy("--upstream", upstream, "--ready-path", "/is-it-ready", "--ready-timeout", "1")
        assert 1 <= time.monotonic() - begun < 30
        assert "has not finished what it makes by itself" in proxy.log
    finally:
        server.shutdown()
        server.server_close()
