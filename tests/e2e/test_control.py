"""Health, status, and that neither hides what belongs to the emulator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy

pytestmark = pytest.mark.emulator


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_health_joins_the_emulators_own(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("ministack")
    proxy = start_proxy("--upstream", emulator.url)
    status, body = get(proxy.url + "/_localstack/health")
    health = json.loads(body)
    assert status == 200
    assert health["features"]["persistence"] == "initialized"
    assert health["services"]["sqs"] == json.loads(get(emulator.url + "/_localstack/health")[1])["services"]["sqs"]
    assert json.loads(get(proxy.url + "/health")[1]) == health


def test_health_says_when_persistence_is_off(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--persistence", "0")
    assert json.loads(get(proxy.url + "/_localstack/health")[1])["features"] == {"persistence": "disabled"}


def test_a_bucket_called_health_is_not_hidden_from_signed_requests(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="health")
    s3.put_object(Bucket="health", Key="k", Body=b"")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="health")["Contents"]] == ["k"]
    presigned = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "health"})
    assert b"<Key>k</Key>" in get(presigned)[1]


def test_status_tells_state_and_counts(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    status = proxy.status()
    assert status["state"] == "ready"
    assert status["requests"]["recorded_by_service"] == {"s3": 1}
    assert status["recording"] == str(proxy.journal)


def test_save_and_load_stream_a_line_per_service(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--save-strategy", "MANUAL")
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="saved")
    status, body = get(proxy.url + "/_localstack/state/save", "POST")
    assert (status, json.loads(body)) == (200, {"service": "s3", "status": "ok"})
    s3.create_bucket(Bucket="not-saved")
    proxy.kill_all()
    proxy = start_proxy("--save-strategy", "MANUAL", "--load-strategy", "MANUAL", port=proxy.port)
    s3 = client("s3", proxy.url)
    assert s3.list_buckets()["Buckets"] == []
    status, body = get(proxy.url + "/_localstack/state/load", "POST")
    assert (status, json.loads(body)) == (200, {"service": "s3", "status": "ok", "restored": 1, "calls": 1})
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["saved"]


def test_a_foreign_web_page_cannot_load_or_save(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    status, _body = get(proxy.url + "/_localstack/state/load", "POST", Origin="http://evil.example")
    assert status == 403


def test_unknown_endpoints_of_ours_are_named(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    status, body = get(proxy.url + "/_replay/nonsense")
    assert status == 404
    assert "GET /_replay/nonsense" in json.loads(body)["error"]
    assert "GET /_replay/status" in json.loads(get(proxy.url + "/_replay/")[1])


def test_a_wrong_method_is_told_from_a_missing_endpoint_and_is_no_call_of_s3(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    for method, path, taken in (
        ("PUT", "/_localstack/state/save", "POST"),
        ("GET", "/_localstack/state/sqs/load", "POST"),
        ("DELETE", "/_localstack/state/reset", "POST"),
        ("PATCH", "/_localstack/pods/shop", "GET, POST, PUT, DELETE"),
        ("PUT", "/_localstack/pods/environment", "GET"),
        ("GET", "/_replay/pods/load", "POST"),
        ("DELETE", "/_replay/doctor", "POST, GET"),
    ):
        status, body = get(proxy.url + path, method)
        assert (status, method, path) == (405, method, path)
        told = json.loads(body)
        assert told["error"] == f"{path} takes no {method}"
        assert told["hint"].startswith(f"it takes {taken};")
    for method, path in (("PUT", "/_localstack/state/nonsense"), ("GET", "/_localstack/pods/state/versions")):
        assert get(proxy.url + path, method)[0] == 404
    requests = proxy.status()["requests"]
    assert (requests["recorded_by_service"], requests["unrecognised"]) == ({}, 0)
