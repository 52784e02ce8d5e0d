"""Requests that may change state and are not recorded are told, once a kind; old clients' are recorded."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, replay_proxy

pytestmark = pytest.mark.emulator


def send(url: str, method: str, path: str, body: bytes | None = None, **fields: str) -> tuple[int, bytes]:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    request = urllib.request.Request(url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def old_client(url: str, method: str, **words: Any) -> tuple[int, bytes]:
    """As boto 2 asks: signature version 2 in the query, or in a form."""
    host = url.partition("://")[2]
    words |= {"AWSAccessKeyId": "test", "SignatureVersion": "2", "SignatureMethod": "HmacSHA256"}
    words["Timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    query = "&".join(f"{key}={urllib.parse.quote(str(value), safe='-_~')}" for key, value in sorted(words.items()))
    text = f"{method}\n{host}\n/\n{query}".encode()
    signature = base64.b64encode(hmac.new(b"test", text, hashlib.sha256).digest()).decode()
    query += "&Signature=" + urllib.parse.quote(signature, safe="")
    if method == "GET":
        return send(url, "GET", f"/?{query}")
    return send(url, "POST", "/", query.encode(), Content_Type="application/x-www-form-urlencoded; charset=UTF-8")


def test_what_old_clients_made_is_recorded_and_comes_back(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    for method, words in (
        ("POST", {"Action": "CreateVolume", "Version": "2014-10-01", "Size": 1, "AvailabilityZone": "us-east-1a"}),
        ("GET", {"Action": "CreateSecurityGroup", "Version": "2013-02-01", "GroupName": "g", "GroupDescription": "d"}),
        ("POST", {"Action": "CreateQueue", "Version": "2009-02-01", "QueueName": "old"}),
        ("POST", {"Action": "CreateTopic", "Version": "2010-01-31", "Name": "old"}),
        ("POST", {"Action": "CreateUser", "Version": "2009-05-08", "UserName": "old", "Path": "/"}),
    ):
        status, body = old_client(proxy.url, method, **words)
        assert status == 200, (words, body)
    assert proxy.status()["requests"]["unrecognised"] == 0
    assert proxy.status()["not_recorded"] == []
    assert proxy.operations() == [
        "ec2:CreateVolume", "ec2:CreateSecurityGroup", "sqs:CreateQueue", "sns:CreateTopic", "iam:CreateUser"
    ]  # fmt: skip
    before = everything(proxy.url)
    proxy.kill_all()
    proxy.again()
    assert everything(proxy.url) == before
    assert proxy.status()["last_restore"]["problems"] == []


def everything(url: str) -> dict[str, Any]:
    return {
        "volumes": [volume["VolumeId"] for volume in client("ec2", url).describe_volumes()["Volumes"]],
        "groups": sorted(group["GroupId"] for group in client("ec2", url).describe_security_groups()["SecurityGroups"]),
        "queues": client("sqs", url).list_queues().get("QueueUrls", []),
        "topics": client("sns", url).list_topics()["Topics"],
        "users": [user["UserId"] for user in client("iam", url).list_users()["Users"]],
    }


def test_each_kind_of_what_is_not_recorded_is_told_once(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)
    for _ in range(3):
        # moto's own interface: it changes state, and is no API of AWS.
        assert send(proxy.url, "POST", "/moto-api/seed?a=42", b"")[0] == 200
    large = b"x" * 300_000  # not in the express lane
    assert (
        send(
            proxy.url, "POST", "/moto-api/config", b'{"batch": {"use_docker": true}}', Content_Type="application/json"
        )[0]
        == 201
    )
    assert send(proxy.url, "GET", "/moto-api/data.json")[0] == 200
    assert send(proxy.url, "POST", "/moto-api/nothing/like/this", large)[0] == 404
    told = proxy.status()["not_recorded"]
    why = "no call of an AWS API that is known here"
    assert told == [
        {"what": "POST /moto-api/…", "why": why, "count": 4},
    ]
    proxy.wait_for_log("not recorded, and missing after a restart")
    assert proxy.log.count("not recorded, and missing after a restart") == 1
    proxy.stop()
    emulator.restart()
    done = subprocess.run(
        [*replay_proxy(), "restore", "--upstream", emulator.url, "--data-dir", str(proxy.data_dir), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    notes = json.loads(done.stdout)["notes"]
    assert sum("POST /moto-api/…" in note and "were not recorded" in note for note in notes) == 1, notes


def test_what_a_switch_leaves_out_is_not_told(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--record-services", "sqs")
    client("sns", proxy.url).create_topic(Name="t")
    client("sqs", proxy.url).create_queue(QueueName="q")
    assert proxy.status()["not_recorded"] == []
    assert proxy.status()["requests"]["switched_off"] == 1


def test_without_a_recording_nothing_is_told(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy("--upstream", start_emulator("moto").url, environment={"PERSISTENCE": "0"})
    assert send(proxy.url, "POST", "/moto-api/seed?a=42", b"")[0] == 200
    assert proxy.status()["not_recorded"] == []
    assert "not recorded" not in proxy.log


TALKING = """
import sys
from aiohttp import web
async def talk(request):
    if "ws" not in request.path:
        return web.Response(text="here")
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket
app = web.Application()
app.router.add_route("*", "/{path:.*}", talk)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


async def test_a_websocket_is_told(start_proxy: Callable[..., Proxy]) -> None:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", TALKING, str(port)])
    try:
        proxy = await asyncio.to_thread(start_proxy, "--upstream", f"http://127.0.0.1:{port}")
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.ws_connect(f"{proxy.url}/ws/room") as socket:
                    await socket.send_str("make something")
                    assert await socket.receive_str() == "make something"
        told = await asyncio.to_thread(lambda: proxy.status()["not_recorded"])
        assert told == [{"what": "GET /ws/…", "why": "messages of a WebSocket are not recorded", "count": 2}]
    finally:
        server.kill()
        server.wait()
