"""The addon inside of a mitmproxy that is somebody's own: the same recording, which either program restores."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.interception import Interceptor, interceptor, interceptor_python, missing_interception
from tests.support.processes import Emulator, Process, left_out

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception())),
]
REGION = "eu-west-1"


class Mitmdump(Process):
    """mitmdump with the addon."""

    def __init__(self, scratch: Path, data_dir: Path, *options: str, **environment: str) -> None:
        self.door_port, listen = free_port(), free_port()
        self.certificate = scratch / "mitmproxy" / "mitmproxy-ca-cert.pem"
        command = interceptor()
        assert command is not None
        addon = subprocess.run([*command, "addon"], capture_output=True, text=True, check=True).stdout.strip()
        words = ["-q", "-p", str(self.door_port), "--set", f"confdir={self.certificate.parent}", "-s", addon, *options]
        code = "from mitmproxy.tools.main import mitmdump; mitmdump()"
        variables = {
            "REPLAY_LISTEN": f"127.0.0.1:{listen}",
            "DATA_DIR": str(data_dir),
            "REPLAY_EMULATOR_PYTHON": sys.executable,
            **environment,
        }
        super().__init__(
            [interceptor_python(), "-c", code, *words],
            variables,
            scratch / "mitmdump.log",
            f"http://127.0.0.1:{listen}",
        )
        self._wait("/_localstack/health", [200])

    def client(self, service: str) -> Any:
        door = f"http://127.0.0.1:{self.door_port}"
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        settings = Config(proxies={"https": door, "http": door}, retries={"max_attempts": 1})
        return session.client(service, verify=str(self.certificate), config=settings)


def test_an_addon_records_what_the_door_restores(start: Callable[..., Interceptor], tmp_path: Path) -> None:
    if reason := left_out(0.4):
        pytest.skip(reason)
    recordings = tmp_path / "recordings"
    theirs = Mitmdump(tmp_path, recordings)
    try:
        url = theirs.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        vpc = theirs.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    finally:
        theirs.stop()
    assert url.startswith("https://sqs.eu-west-1.amazonaws.com/")
    proxy = start("--emulator", "moto", data_dir=recordings)
    assert proxy.operations() == ["sqs:CreateQueue", "ec2:CreateVpc"]
    assert proxy.client("sqs", REGION).get_queue_url(QueueName="jobs")["QueueUrl"] == url
    assert client("ec2", proxy.url, region=REGION).describe_vpcs(VpcIds=[vpc])["Vpcs"]


def test_in_reverse_mode_the_emulators_own_address_is_recorded(
    start_emulator: Callable[[str], Emulator], tmp_path: Path
) -> None:
    if reason := left_out(0.4):
        pytest.skip(reason)
    emulator = start_emulator("moto")
    mode = f"reverse:{emulator.url}"
    theirs = Mitmdump(tmp_path, tmp_path / "recordings", "--mode", mode, REPLAY_UPSTREAM=emulator.url)
    try:
        at = f"http://127.0.0.1:{theirs.door_port}"
        vpc = client("ec2", at).create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        emulator.restart()
        assert client("ec2", at).describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.1.0.0/16"
    finally:
        theirs.stop()
