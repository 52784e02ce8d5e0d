"""Terraform through the proxy: apply, kill emulator and proxy, start again, plan says "no changes"; change some resources,
the same once more; destroy.

`stack/*.tf` is one stack; a file is a group of resources that can be left out. What is left out for an emulator is what
Terraform cannot apply, plan without changes, or destroy there *without* proxy and restart, each with what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.diagnoses import wrong_in
from tests.support.processes import Proxy, left_out
from tests.support.restarts import options
from tests.support.terraform import Terraform, function_zip, missing_terraform

STACK = Path(__file__).parent / "stack"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "moto": {
        "machine": "answers 500 to states:ValidateStateMachineDefinition, which Terraform always calls",
    },
    "ministack": {
        "defaults": "once there is a VPC of one's own, the filter is-default=true matches several",
        "alarm": "an alarm is read back without its statistic, period and actions",
    },
    "localstack": {
        "activity": "answers 400 ResourceNotFound to states:ListTagsForResource of an activity",
        "alarm": "an alarm is read back without its tags",
        "cognito": "501, not part of the community edition",
        "ecr": "501, not part of the community edition",
        "elbv2": "501, not part of the community edition",
        "dynamodb": "needs a Java program that it downloads at the first use",
        "lambda": "needs a runtime that it downloads at the first use",
        "lambda_source": "needs the function",
        "events_function": "needs the function",
        "apigateway_function": "needs the function",
    },
}

RESOURCES = 40
SERVICES = 15
OWNED = 5
"""Resources that are updated in place when the variable `owner` changes."""
PREFIXES = {
    "vpc": "ec2", "subnet": "ec2", "internet": "ec2", "route": "ec2", "security": "ec2", "eip": "ec2", "nat": "ec2",
    "lb": "elbv2", "sfn": "states",
}  # fmt: skip
"""What a resource type begins with, where that is not the service's name."""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(missing_terraform() is not None, reason=str(missing_terraform())),
]


def service(address: str) -> str:
    """The service of a resource, by its type: `aws_sqs_queue.orders` is `sqs`."""
    found = re.match(r"aws_((?:cloudwatch_event)|(?:cloudwatch_log)|[a-z0-9]+)", address)
    assert found is not None, address
    return PREFIXES.get(found[1], found[1])


def test_no_restart_changes_a_stack(start_proxy: Callable[..., Proxy], emulator_name: str, tmp_path: Path) -> None:
    if emulator_name != "moto" and (reason := left_out(3)):
        pytest.skip(f"Terraform on {emulator_name} {reason}")
    proxy = start_proxy(*options(emulator_name))
    files = [file for file in sorted(STACK.glob("*.tf")) if file.stem not in LEFT_OUT[emulator_name]]
    package = function_zip(tmp_path / "worker.zip")
    terraform = Terraform(tmp_path / "terraform", files, proxy.url, {"function_zip": str(package)})
    terraform.apply()
    if left_out(3) is None:
        assert wrong_in(proxy) == []
    resources = terraform.resources()
    outputs = terraform.outputs()
    if emulator_name != "localstack":
        assert len(resources) >= RESOURCES
        assert len({service(address) for address in resources}) >= SERVICES

    def restart() -> None:
        nonlocal proxy
        proxy.kill_all()
        proxy = start_proxy(*options(emulator_name), port=proxy.port)
        restore = proxy.status()["last_restore"]
        changes = terraform.changes()
        assert changes == "", f"{changes}\nrestore: {restore}"
        assert restore["problems"] == []
        assert wrong_in(proxy) == []

    restart()
    terraform.variables(owner="somebody")
    summary = re.search(r"(\d+) added, (\d+) changed, (\d+) destroyed", terraform.apply())
    assert summary is not None
    assert summary.groups() == ("0", str(OWNED), "0")
    restart()
    assert (terraform.resources(), terraform.outputs()) == (resources, outputs)
    terraform.destroy()
    assert terraform.resources() == []
