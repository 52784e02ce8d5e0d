"""Clients that leave before their answer is there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from tests.support.clients import REGION, client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def signed(service: str) -> str:
    scope = f"test/20250101/{REGION}/{service}/aws4_request"
    return f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_sent_is_carried_out_and_recorded_though_nobody_waits(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    body = b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.8.0.0%2F16"
    head = [
        "POST / HTTP/1.1",
        f"Host: 127.0.0.1:{proxy.port}",
        signed("ec2"),
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        # The emulator needs a while for its first call of a service; the client does not wait for it.
        time.sleep(0.1)
    wait_for(lambda: proxy.operations() == ["ec2:CreateVpc"])
    vpcs = client("ec2", proxy.url).describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.8.0.0/16"]}])["Vpcs"]
    assert len(vpcs) == 1


def test_an_upload_that_breaks_off_leaves_nothing(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="archive")
    head = [
        "PUT /archive/k HTTP/1.1",
        f"Host: 127.0.0.1:{proxy.port}",
        signed("s3"),
        "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD",
        f"Content-Length: {8 << 20}",
    ]
    with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + b"x" * (3 << 20))
        time.sleep(0.3)
    time.sleep(0.5)
    assert s3.list_objects_v2(Bucket="archive").get("Contents", []) == []
    assert proxy.operations() == ["s3:CreateBucket"]
    blobs = proxy.data_dir / "blobs"
    wait_for(lambda: not [path for path in blobs.rglob("*") if path.is_file()])
