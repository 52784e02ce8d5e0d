"""Pods of a running proxy: saved, loaded by each strategy, at the start, by LocalStack's endpoints and by its public SDK."""

from __future__ import annotations

import json
import os
import random
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.pods.store import PodStore
from tests.pods.samples import file_of, saved
from tests.support.clients import client
from tests.support.processes import Proxy, amount, left_out, replay_proxy

State = dict[str, Any]


def pod(proxy: Proxy, *words: str, code: int = 0) -> dict[str, Any]:
    """Run `replay-proxy pod` against a proxy, with its store; return what it printed."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.url, "REPLAY_PODS_DIR": str(proxy.scratch / "pods")}
    command = [*replay_proxy(), "pod", *words, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout)) if done.stdout else {}


def work(proxy: Proxy, who: str, queues: dict[str, dict[str, str]], items: dict[str, str]) -> None:
    """Make a table with items, queues with a message each, and a bucket with an object."""
    sqs, dynamodb, s3 = (client(each, proxy.url) for each in ("sqs", "dynamodb", "s3"))
    for name, attributes in queues.items():
        url = sqs.create_queue(QueueName=name, Attributes=attributes, tags={"by": who, who: "1"})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=f"{who} in {name}")
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for key, value in items.items():
        dynamodb.put_item(TableName="items", Item={"id": {"S": key}, "v": {"S": value}})
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key=who, Body=who.encode())


def state(proxy: Proxy) -> State:
    """What the API shows: queues with attributes, tags and messages; items; objects."""
    sqs, dynamodb, s3 = (client(each, proxy.url) for each in ("sqs", "dynamodb", "s3"))
    queues = {}
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        counts = [int(attributes[f"ApproximateNumberOfMessages{each}"]) for each in ("", "Delayed", "NotVisible")]
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        queues[url.rpartition("/")[2]] = {
            "settings": [attributes[each] for each in ("VisibilityTimeout", "MaximumMessageSize")],
            "tags": tags,
            "messages": sum(counts),
        }
    tables = dynamodb.list_tables()["TableNames"]
    items = {each["id"]["S"]: each["v"]["S"] for name in tables for each in dynamodb.scan(TableName=name)["Items"]}
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    objects = {each["Key"] for name in buckets for each in s3.list_objects_v2(Bucket=name).get("Contents", [])}
    return {"queues": queues, "items": items, "objects": sorted(objects)}


def united(ours: State, pods: State) -> State:
    """What `service-merge` is defined to make of what the API showed of both sides."""
    queues = dict(ours["queues"])
    for name, its in pods["queues"].items():
        mine = queues.get(name, {"settings": its["settings"], "tags": {}, "messages": 0})
        # Each side sets one attribute to another value than the default, so the other one stays what the other side set.
        both = zip(its["settings"], pods["queues"]["pods"]["settings"], mine["settings"], strict=True)
        settings = [new if new != default else now for new, default, now in both]
        queues[name] = {"settings": settings, "tags": {**mine["tags"], **its["tags"]}, "messages": its["messages"]}
        if name in ours["queues"]:
            queues[name]["messages"] = its["messages"] + mine["messages"]
    return {
        "queues": queues,
        "items": {**ours["items"], **pods["items"]},
        "objects": sorted({*ours["objects"], *pods["objects"]}),
    }


def test_a_pod_is_loaded_as_each_strategy_is_defined(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """Three loads in random order, each compared with the definition of its strategy, as the API shows the outcome."""
    proxy = start_proxy()
    work(proxy, "pod", {"shared": {"VisibilityTimeout": "60"}, "pods": {}}, {"a": "pod", "b": "pod"})
    of_pod = state(proxy)
    saved = pod(proxy, "save", "shop", "-m", "a message")
    assert (saved["version"], saved["services"]) == (1, ["dynamodb", "s3", "sqs"])
    client("sqs", proxy.url).create_queue(QueueName="late")
    assert pod(proxy, "load", "shop", "--merge", "overwrite", code=2) == {}
    assert "late" in state(proxy)["queues"]
    subprocess.run(
        [*replay_proxy(), "reset", "--yes"], env={**os.environ, "AWS_ENDPOINT_URL": proxy.url}, check=True, timeout=60
    )
    assert state(proxy) == {"queues": {}, "items": {}, "objects": []}
    work(proxy, "ours", {"shared": {"MaximumMessageSize": "2048"}, "ours": {}}, {"b": "ours", "c": "ours"})
    client("ssm", proxy.url).put_parameter(Name="/kept", Value="1", Type="String")
    before = state(proxy)
    would = pod(proxy, "load", "shop", "--merge", "service-merge", "--dry-run")["merge"]
    assert would["services"]["sqs"]["counts"] == {"added": 1, "changed": 1, "replaced": 0, "removed": 0, "unchanged": 1}
    assert state(proxy) == before
    expected = united(before, of_pod)
    chosen = random.Random(str(tmp_path))
    strategies = chosen.sample(
        ["service-merge", "service-merge", "account-region-merge", "overwrite"], 3 + amount(0, 1)
    )
    for number, strategy in enumerate(strategies):
        pod(proxy, "load", "shop", "--merge", strategy, "--yes")
        expected = expected if strategy == "service-merge" else of_pod
        assert state(proxy) == expected, strategies
        if strategy == "overwrite":
            assert not client("ssm", proxy.url).describe_parameters()["Parameters"]
        elif "overwrite" not in strategies[:number]:
            assert client("ssm", proxy.url).get_parameter(Name="/kept")["Parameter"]["Value"] == "1"
    proxy.kill_all()
    proxy.again()
    assert state(proxy) == expected, "after a restart"


def test_a_save_under_manual_has_what_is_pending_and_saves_it(start_proxy: Callable[..., Proxy]) -> None:
    """A pod holds the state as clients see it; what it holds is then back after a restart, too."""
    proxy = start_proxy("--save-strategy", "MANUAL")
    client("sqs", proxy.url).create_queue(QueueName="pending")
    assert pod(proxy, "save", "shop")["calls"] == 1
    proxy.kill_all()
    proxy.again()
    assert "pending" in client("sqs", proxy.url).get_queue_url(QueueName="pending")["QueueUrl"]


SDK = """
import socket, sys
real = socket.getaddrinfo
def local(host, port, *more, **named):
    if host == "localhost.localstack.cloud":
        host, port = "127.0.0.1", PORT
    return real(host, port, *more, **named)
socket.getaddrinfo = local
from localstack.sdk.pods import PodsClient
from localstack.sdk.pods.exceptions import PodLoadException
from localstack.sdk.state import StateClient
from localstack.sdk.testing import cloudpods
import boto3
def queues():
    return len(boto3.client("sqs", endpoint_url="http://127.0.0.1:PORT").list_queues().get("QueueUrls", []))
pods = PodsClient()
pods.save_pod(pod_name="from-sdk")
assert [(each.pod_name, each.max_version) for each in pods.list_pods().cloudpods] == [("from-sdk", 1)]
StateClient().reset_state()
assert queues() == 0
@cloudpods(name="from-sdk")
def inside():
    return queues()
assert inside() == 1, "loaded for the test"
assert queues() == 0, "and reset after it"
pods.delete_pod(pod_name="from-sdk")
assert not pods.list_pods().cloudpods
try:
    pods.load_pod(pod_name="from-sdk")
except PodLoadException:
    print("done")
"""


def test_the_public_sdk_of_localstack_works(start_proxy: Callable[..., Proxy]) -> None:
    """PodsClient, StateClient and the `cloudpods` decorator, unmodified, under the host name that they come with."""
    pytest.importorskip("localstack.sdk")
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="q")
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    program = SDK.replace("PORT", str(proxy.port))
    import sys

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "done", done.stdout + done.stderr


@pytest.mark.skipif(bool(left_out(0.2)), reason=str(left_out(0.2)))
def test_pods_are_loaded_at_the_start(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """AUTO_LOAD_POD and a folder: there before the first request; once, so that what was done since stays; ids stay, too."""
    first = start_proxy(data_dir=tmp_path / "first")
    client("sqs", first.url).create_queue(QueueName="q")
    vpc = client("ec2", first.url).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    pod(first, "save", "seed")
    pod(first, "save", str(tmp_path / "vpc.pod"), "--services", "ec2")
    assert (tmp_path / "vpc.pod").stat().st_mode & 0o777 == 0o600
    first.stop()
    (tmp_path / "init").mkdir()
    (tmp_path / "vpc.pod").rename(tmp_path / "init" / "vpc.pod")
    options = ("--auto-load-pod", "seed:1", "--init-pods-dir", str(tmp_path / "init"), "--pod-merge", "service-merge")
    second = start_proxy(*options, data_dir=tmp_path / "second")
    sqs = client("sqs", second.url)
    (url,) = sqs.list_queues()["QueueUrls"]
    assert client("ec2", second.url).describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.9.0.0/16"
    sqs.delete_queue(QueueUrl=url)
    second.stop()
    assert not client("sqs", second.again().url).list_queues().get("QueueUrls")


def test_a_damaged_body_is_told_as_the_pod_file_that_was_sent(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    """Before and in the events, without a folder of the proxy, and with the exit code of damage; nothing is changed."""
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="q")
    store = PodStore(tmp_path)
    whole = file_of(store, saved(store, "shop", b"some content"))
    status, told = post(proxy, whole.replace(b"some content", b"SOME CONTENT"))
    assert (status, told[-1]["error"].startswith("the pod file: sha256:")) == (400, True)
    status, told = post(proxy, whole)
    hint = "fetch it once more, or save it again where it came from"
    message = "the pod file holds no call, and does not say that it is empty"
    assert status == 200
    assert told[-1] == {"event": "completion", "status": "error", "message": message, "hint": hint, "exit_code": 4}
    assert len(client("sqs", proxy.url).list_queues()["QueueUrls"]) == 1


def post(proxy: Proxy, body: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Send a body to be loaded as a pod, and return the status and what is told."""
    request = urllib.request.Request(f"{proxy.url}/_replay/pods/load", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, [json.loads(line) for line in answer]
    except urllib.error.HTTPError as error:
        return error.code, [json.loads(error.read())]
