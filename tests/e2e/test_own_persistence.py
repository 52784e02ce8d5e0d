"""An emulator that keeps its state by itself: nothing is restored on top of it, and an older state of it is not taken for all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.processes import Proxy, http_status, left_out

pytestmark = pytest.mark.emulator
RETRYING = {"retries": {"max_attempts": 6, "mode": "standard"}}


def settings(folder: Path, port: int) -> dict[str, str]:
    (folder / "state").mkdir(exist_ok=True)
    return {
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }


def make(url: str, number: int) -> None:
    queue = client("sqs", url).create_queue(QueueName="jobs")["QueueUrl"]
    client("sqs", url).send_message(QueueUrl=queue, MessageBody="m")
    client("ec2", url).create_vpc(CidrBlock=f"10.{number}.0.0/16")


def there(url: str) -> dict[str, Any]:
    sqs, ec2 = client("sqs", url, **RETRYING), client("ec2", url, **RETRYING)
    queue = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    count = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    vpcs = [(each["CidrBlock"], each["VpcId"]) for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]]
    return {"messages": count, "vpcs": sorted(vpcs)}


def test_one_that_a_command_of_the_user_starts(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    port = free_port()
    assignments = [f"{name}={value}" for name, value in settings(tmp_path, port).items()]
    command = ("--", "env", *assignments, sys.executable, "-m", "ministack")
    proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}", *command)
    make(proxy.url, 1)
    before = there(proxy.url)
    assert proxy.stop() == 0
    proxy.again()
    assert there(proxy.url) == before, "as the emulator kept it"
    assert proxy.status()["last_restore"] is None
    make(proxy.url, 2)
    before = there(proxy.url)
    proxy.kill_all()
    proxy.again()
    assert there(proxy.url) == before, "the emulator kept an older state, without the second network"
    assert "older state" in proxy.log
    assert proxy.stop() == 0
    proxy.again()
    assert there(proxy.url) == before


@pytest.mark.skipif(left_out(0.4) is not None, reason=str(left_out(0.4)))
def test_one_of_somebody_else(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **settings(tmp_path, port)}
    emulator: subprocess.Popen[bytes] | None = None

    def start() -> subprocess.Popen[bytes]:
        started = subprocess.Popen([sys.executable, "-m", "ministack"], env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while http_status(url + "/_ministack/health") != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return started

    try:
        emulator = start()
        proxy = start_proxy("--upstream", url)
        make(proxy.url, 1)
        before = there(proxy.url)
        for number, (how, meanwhile) in enumerate(
            [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGKILL, False)]
        ):
            if meanwhile:
                proxy.kill()
            emulator.send_signal(how)
            emulator.wait(30)
            emulator = start()
            if meanwhile:
                proxy.again()
            assert there(proxy.url) == before, number
            make(proxy.url, number + 2)
            before = there(proxy.url)
    finally:
        if emulator is not None:
            emulator.kill()
            emulator.wait()
