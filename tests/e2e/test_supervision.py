"""The emulator dies, or is restarted, while the proxy goes on; and the other way round."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, emulator_command, http_status, left_out

pytestmark = pytest.mark.emulator


def fast_exchange(proxy: Proxy) -> dict[str, Any] | None:
    """Its status, as soon as there is one with a restore in it."""
    try:
        told = proxy.status()
    except OSError:
        return None
    return told if told["last_restore"] is not None else None


RETRIES = {"retries": {"max_attempts": 6, "mode": "standard"}}


def test_a_killed_child_is_started_again_and_restored(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    ec2 = client("ec2", proxy.url, **RETRIES)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    pid = proxy.status()["emulator"]["pid"]
    os.kill(pid, signal.SIGKILL)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    status = proxy.status()
    assert status["emulator"]["pid"] != pid
    assert status["last_restore"]["restored"] == 1


def test_an_emulator_that_dies_in_its_first_restore_is_restored_from_the_beginning(
    start_proxy: Callable[..., Proxy],
) -> None:
    proxy = start_proxy()
    ssm = client("ssm", proxy.url, **RETRIES)
    names = [f"/parameter/{number}" for number in range(200)]
    for name in names:
        ssm.put_parameter(Name=name, Value=name, Type="String")
    proxy.stop()
    proxy = proxy.again(wait=False)
    deadline = time.monotonic() + 60
    while (
        (told := fast_exchange(proxy)) is None or told["state"] != "restoring" or not told["last_restore"]["restored"]
    ):
        assert time.monotonic() < deadline, proxy.log
        time.sleep(0.01)
    os.kill(told["emulator"]["pid"], signal.SIGKILL)
    found = [
        parameter["Name"]
        for page in ssm.get_paginator("describe_parameters").paginate()
        for parameter in page["Parameters"]
    ]
    assert sorted(found) == sorted(names)
    status = proxy.status()
    assert status["last_restore"]["restored"] == len(names)
    assert status["emulator"]["pid"] != told["emulator"]["pid"]
    assert "while its state was being restored" in proxy.log


def test_a_restarted_upstream_is_restored(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], emulator_name: str
) -> None:
    if emulator_name == "localstack" and (reason := left_out(0.2)):
        pytest.skip(f"a restart of LocalStack behind the proxy {reason}")
    emulator = start_emulator(emulator_name)
    proxy = start_proxy("--upstream", emulator.url)
    ec2 = client("ec2", proxy.url, **RETRIES)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    emulator.restart()
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    assert proxy.status()["last_restore"]["restored"] == 1


def test_a_restarted_proxy_takes_up_where_it_left_off(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], emulator_name: str
) -> None:
    if emulator_name == "localstack" and (reason := left_out(0.2)):
        pytest.skip(f"a restart of LocalStack, and then of the proxy, {reason}")
    emulator = start_emulator(emulator_name)
    proxy = start_proxy("--upstream", emulator.url)
    ec2 = client("ec2", proxy.url)
    before = len(ec2.describe_vpcs()["Vpcs"])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    emulator.restart()
    deadline = time.monotonic() + 60
    while proxy.status()["last_restore"]["restored"] == 0 or proxy.status()["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # Now the emulator's id is another than the client's; a proxy that starts anew has to know that.
    proxy.kill()
    proxy = proxy.again()
    assert "nothing to restore" in proxy.log
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + 1, "nothing was made twice"


def test_without_its_emulator_the_proxy_answers_in_the_callers_protocol(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url, "--lost-timeout", "0.2")
    emulator.kill()
    for service, call in (
        ("sqs", "list_queues"),
        ("s3", "list_buckets"),
        ("sns", "list_topics"),
        ("ec2", "describe_vpcs"),
    ):
        api = client(service, proxy.url)
        with pytest.raises(api.exceptions.ClientError) as caught:
            getattr(api, call)()
        response = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert response["Error"]["Code"] == "ServiceUnavailable"
    emulator.restart()
    proxy.wait_until("/_localstack/health", [200])
    assert client("sqs", proxy.url).list_queues().get("QueueUrls", []) == []


def test_a_child_dies_with_its_proxy(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    url = proxy.status()["emulator"]["url"]
    assert http_status(url) is not None
    proxy.kill()
    deadline = time.monotonic() + 60
    while http_status(url) is not None:
        assert time.monotonic() < deadline, "the emulator outlived a proxy that was killed"
        time.sleep(0.05)


def test_a_command_of_ones_own_is_supervised(start_proxy: Callable[..., Proxy]) -> None:
    port = free_port()
    command, _environment = emulator_command("moto", port, Path())
    proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}", "--", *command)
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    pid = proxy.status()["emulator"]["pid"]
    os.kill(pid, signal.SIGKILL)
    s3 = client("s3", proxy.url, retries={"max_attempts": 6, "mode": "standard"})
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket"]
    assert proxy.status()["emulator"]["pid"] != pid


def test_nobodys_connection_can_sit_on_the_port_of_an_emulator_that_is_down() -> None:
    """A port from the kernel's own choice could be that of an outgoing connection by the time the emulator starts (again)."""
    kernels = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not kernels.exists():
        pytest.skip("this system does not tell in /proc which ports it gives to outgoing connections")
    first = int(kernels.read_text().split()[0])
    if first < 32768:
        pytest.skip(f"this system gives ports from {first} to outgoing connections, which leaves too few others")
    assert all(port < first for port in (free_port() for _ in range(500)))
