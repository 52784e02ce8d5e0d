"""`replay-proxy run` with the tools it is there for: what one `run` has made is there in the next one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from replay_proxy.emulators.process import free_port
from tests.support.processes import left_out
from tests.support.terraform import Terraform, missing_terraform

BIN = Path(sys.executable).parent
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_"))}
STACK = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
}

resource "aws_vpc" "a" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.a.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_sqs_queue" "orders" {
  name = "orders"
}

output "queue" {
  value = aws_sqs_queue.orders.url
}
"""
CDK_APP = """
const { App, Stack, LegacyStackSynthesizer } = require("aws-cdk-lib");
const { Queue } = require("aws-cdk-lib/aws-sqs");
const stack = new Stack(new App(), "shop", { synthesizer: new LegacyStackSynthesizer() });
new Queue(stack, "orders", { queueName: "orders" });
"""


class Runs:
    """`replay-proxy run` again and again, on one recording and one port."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        listen = ("--listen", f"127.0.0.1:{free_port()}")
        self._words = [str(BIN / "replay-proxy"), "run", *listen, "--data-dir", str(folder / "state")]
        self._environment = {**environment, "PATH": f"{BIN}{os.pathsep}{environment['PATH']}"}

    def __call__(self, *words: str, folder: Path, code: int = 0) -> str:
        done = subprocess.run(
            [*self._words, "--", *words],
            env=self._environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=560,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.mark.timeout(900)
def test_terraform(tmp_path: Path) -> None:
    if reason := missing_terraform() or left_out(1.5):
        pytest.skip(reason)
    (tmp_path / "main.tf").write_text(STACK)
    terraform = Terraform(tmp_path / "stack", [tmp_path / "main.tf"], "http://127.0.0.1:9")
    run = Runs(tmp_path, terraform.environment)
    applied = run("terraform", "apply", "-auto-approve", "-no-color", folder=terraform.folder)
    assert "3 added" in applied
    planned = run("terraform", "plan", "-detailed-exitcode", "-no-color", folder=terraform.folder)
    assert "No changes" in planned
    assert run("terraform", "output", "-raw", "queue", folder=terraform.folder).endswith("/orders")
    assert "3 destroyed" in run("terraform", "destroy", "-auto-approve", "-no-color", folder=terraform.folder)


def test_pytest(tmp_path: Path) -> None:
    if reason := left_out(0.5):
        pytest.skip(reason)
    (tmp_path / "test_twice.py").write_text(
        "import boto3\n\n\ndef test_queue():\n    sqs = boto3.client('sqs')\n    found = sqs.list_queues().get('QueueUrls', [])\n"
        "    sqs.create_queue(QueueName='orders')\n    assert len(found) == 1, found\n"
    )
    run = Runs(tmp_path, PLAIN)
    words = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "test_twice.py",
    )
    assert "1 failed" in run(*words, folder=tmp_path, code=1)
    assert "1 passed" in run(*words, folder=tmp_path)


@pytest.mark.timeout(1200)
def test_cdk(tmp_path: Path) -> None:
    if reason := left_out(4):
        pytest.skip(reason)
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    (tmp_path / "package.json").write_text(
        json.dumps({"private": True, "dependencies": {"aws-cdk": "^2", "aws-cdk-lib": "^2", "constructs": "^10"}})
    )
    (tmp_path / "app.js").write_text(CDK_APP)
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the CDK: {done.stderr.strip()[-200:]}")
    run = Runs(tmp_path, PLAIN)
    deploy = ("sh", "-c", "npx cdk deploy --app 'node app.js' --require-approval never --ci --no-notices 2>&1")
    first, second = (run(*deploy, folder=tmp_path) for _ in range(2))
    arn = [line for line in first.splitlines() if line.startswith("arn:aws:cloudformation:")]
    assert len(arn) == 1 and arn[0] in second
    assert "(no changes)" in second and "(no changes)" not in first
