"""Terraform in two regions and two accounts, with services whose updates name what an earlier answer gave out.

Apply, then three times: kill emulator and proxy, start again, plan says "no changes", change something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.processes import Proxy, left_out
from tests.support.restarts import restarts_change_nothing
from tests.support.terraform import Terraform, missing_terraform

STACK = Path(__file__).parent / "wide"
OTHER = "222222222222"

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
    pytest.mark.timeout(3600),
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
    files = [file for file in sorted(STACK.glob("*.tf")) if file.stem not in LEFT_OUT[emulator_name]]

    def write(url: str) -> Terraform:
        return Terraform(tmp_path / "terraform", files, url, variables(emulator_name))

    restarts_change_nothing(start_proxy, emulator_name, write)
