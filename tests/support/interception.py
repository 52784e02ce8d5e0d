"""The interception door as users open it, and clients that know no endpoint setting.

mitmproxy is looked for beside this interpreter. INTERCEPT_PYTHON names another one that has it, with this project.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from replay_proxy.emulators.process import free_port
from tests.support.processes import Proxy, replay_proxy

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "INTERCEPT_PYTHON"


def interceptor() -> list[str] | None:
    """The command `replay-proxy` of an interpreter that has mitmproxy, None where there is none."""
    if named := os.environ.get(VARIABLE):
        return [named, "-m", "replay_proxy"]
    return replay_proxy() if find_spec("mitmproxy") is not None else None


def interceptor_python() -> str:
    """That interpreter."""
    return os.environ.get(VARIABLE) or sys.executable


def missing_interception() -> str | None:
    """Why the door cannot be opened here, or None where it can."""
    if interceptor() is not None:
        return None
    return f"mitmproxy is not installed beside this Python, and {VARIABLE} names no other one"


class Interceptor(Proxy):
    """`replay-proxy serve --intercept`. The emulator runs in this interpreter, whatever runs the proxy."""

    def __init__(self, scratch: Path, *options: str, door_port: int | None = None, **more: Any) -> None:
        self.door_port = door_port or free_port()
        self.ca_dir = scratch / "ca"
        command = interceptor()
        assert command is not None
        if more.get("program"):  # started again
            super().__init__(scratch, *options, **more)
            return
        door = ("--intercept", f"127.0.0.1:{self.door_port}", "--ca-dir", str(self.ca_dir))
        if "--upstream" not in options:
            options = (*options, "--emulator-python", sys.executable)
        super().__init__(scratch, *options, *door, program=command, **more)

    def again(self, *, wait: bool = True) -> Interceptor:
        """Start it once more, with the same doors and the same recording."""
        self.__init__(  # type: ignore[misc] # a new process behind the same addresses
            self.scratch,
            *self.options,
            door_port=self.door_port,
            port=self.port,
            environment=self.environment,
            data_dir=self.data_dir,
            wait=wait,
            program=self.program,
        )
        return self

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.door_port}"

    @property
    def certificate(self) -> Path:
        return self.ca_dir / "mitmproxy-ca-cert.pem"

    def variables(self, *options: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """What `replay-proxy env --intercept` prints, for an environment that says nothing of AWS unless it is given."""
        words = ["env", "--format", "dotenv", "--intercept", str(self.door_port), "--ca-dir", str(self.ca_dir)]
        done = subprocess.run(
            [*self.program, *words, *options],
            env={**without_aws(os.environ), **(environment or {})},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Any:
        """A boto3 client without any endpoint setting, by this door."""
        config.setdefault("retries", {"max_attempts": 1})
        return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region).client(
            service,
            verify=str(self.certificate),
            config=Config(proxies={"http": self.door, "https": self.door}, **config),
        )


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment that says nothing of AWS, proxies or certificates."""
    unwanted = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
    ours = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return {
        name: value for name, value in environment.items() if not name.upper().startswith(unwanted) and name not in ours
    }
