"""A stack that Terraform made on one emulator, moved to another one as a pod: there, Terraform plans no changes.

What both emulators let Terraform apply and plan by themselves is moved (`LEFT_OUT` of the tests of single emulators). What then
differs is listed here with its reason, and in docs/pods.md; the list is exact, so that it cannot grow unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.terraform.test_terraform import LEFT_OUT, STACK
from tests.pods.test_pods import pod
from tests.support.processes import Proxy, left_out, missing
from tests.support.restarts import options
from tests.support.terraform import Terraform, function_zip, missing_terraform

DIFFERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("moto", "ministack"): {
        "aws_api_gateway_integration.get": "the address of the function's version is shown without the version",
        "aws_lambda_permission.topic": "the permission is shown without its qualifier",
    },
    ("ministack", "moto"): {},
    ("moto", "localstack"): {},
    ("localstack", "moto"): {},
    ("ministack", "localstack"): {},
    ("localstack", "ministack"): {},
}
"""By source and target, the resources that Terraform would change there, with what the target shows otherwise."""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(left_out(5)), reason=str(left_out(5))),
    pytest.mark.skipif(missing_terraform() is not None, reason=str(missing_terraform())),
]


@pytest.mark.parametrize(("source", "target"), sorted(DIFFERS))
def test_a_stack_that_was_moved_plans_clean(
    start_proxy: Callable[..., Proxy], tmp_path: Path, source: str, target: str
) -> None:
    for name in (source, target):
        if reason := missing(name):
            pytest.skip(reason)
    unknown = {*LEFT_OUT[source], *LEFT_OUT[target]}
    files = [file for file in sorted(STACK.glob("*.tf")) if file.stem not in unknown]
    first = start_proxy(*options(source), data_dir=tmp_path / source)
    package = function_zip(tmp_path / "worker.zip")
    terraform = Terraform(tmp_path / "terraform", files, first.url, {"function_zip": str(package)})
    terraform.apply()
    pod(first, "save", "stack")
    first.stop()
    second = start_proxy(*options(target), port=first.port, data_dir=tmp_path / target)
    pod(second, "load", "stack", "--merge", "overwrite", "--yes")
    terraform.run("plan", "-no-color", "-parallelism=20", "-out=plan")
    plan = json.loads(terraform.must("show", "-json", "plan"))
    changed = {
        each["address"]: each["change"]["actions"]
        for each in plan["resource_changes"]
        if each["change"]["actions"] not in (["no-op"], ["read"])
    }
    assert changed.keys() == DIFFERS[source, target].keys(), changed
