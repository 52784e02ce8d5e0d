"""Terraform in two regions and two accounts, with services whose updates name what an earlier answer gave out.

Apply, then three times: kill emulator and proxy, start again, plan says "no changes", change something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.terraform.test_terraform import options
from tests.support.diagnoses import wrong_in
from tests.support.processes import Proxy, left_out
from tests.support.terraform import Terraform, missing_terraform

STACK = Path(__file__).parent / "wide"
OTHER = "222222222222"
RESTARTS = 3

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "moto": {"ipv6_subnet": "answers 500 to a DescribeSubnets that filters by the association of an IPv6 block"},
    "ministack": {
        "ipv6": "has no IPv6 blocks: an association is shown without one",
        "ipv6_subnet": "has no IPv6 blocks",
    },
    "localstack": {
        "appconfig": "501, not part of the community edition",
        "client_secret": "501, not part of the community edition",
        "cloudmap": "501, not part of the community edition",
        "waf": "501, not part of the community edition",
    },
}
"""What Terraform cannot apply or plan without changes there without a restart, with what was seen."""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(missing_terraform() is not None, reason=str(missing_terraform())),
]


def variables(emulator: str) -> dict[str, str]:
    """How the other account is reached: moto knows accounts by roles, the others by access keys."""
    if emulator == "moto":
        return {"other_role": f"arn:aws:iam::{OTHER}:role/any", "description": "flags"}
    return {"other_key": OTHER}


def test_three_restarts_change_nothing(start_proxy: Callable[..., Proxy], emulator_name: str, tmp_path: Path) -> None:
    if reason := left_out(3):
        pytest.skip(f"Terraform in two regions and accounts on {emulator_name} {reason}")
    proxy = start_proxy(*options(emulator_name))
    files = [file for file in sorted(STACK.glob("*.tf")) if file.stem not in LEFT_OUT[emulator_name]]
    terraform = Terraform(tmp_path / "terraform", files, proxy.url, variables(emulator_name))
    terraform.apply()
    changes = terraform.changes()
    assert changes == "", f"without any restart: {changes}"
    assert wrong_in(proxy) == []
    for turn in range(RESTARTS):
        resources, outputs = terraform.resources(), terraform.outputs()
        proxy.kill_all()
        proxy = start_proxy(*options(emulator_name), port=proxy.port)
        restore = proxy.status()["last_restore"]
        changes = terraform.changes()
        assert changes == "", f"restart {turn + 1}: {changes}\nrestore: {restore}"
        assert (terraform.resources(), terraform.outputs()) == (resources, outputs)
        assert restore["problems"] == []
        assert wrong_in(proxy) == []
        terraform.variables(owner=f"owner {turn}")
        terraform.apply()
    terraform.destroy()
    assert terraform.resources() == []
