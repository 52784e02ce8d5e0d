"""Terraform with providers for two accounts, one by a role, and two regions: plans are clean after each of three restarts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Proxy, left_out, missing
from tests.support.stories import Story
from tests.support.terraform import Terraform, missing_terraform

STACK = Path(__file__).parent / "accounts"
WHY_NOT = missing_terraform() or left_out(6)

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
]


@pytest.mark.parametrize("emulator", ["moto", "ministack", "localstack"])
def test_two_accounts_and_two_regions(emulator: str, start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    reason = missing(emulator)
    if reason is not None:
        pytest.skip(reason)
    story = Story(start_proxy, emulator)
    terraform = Terraform(tmp_path / "stack", [STACK / "main.tf"], story.proxy.url)
    shutil.copytree(STACK / "place", tmp_path / "stack" / "place")
    terraform.must("get", "-no-color")
    terraform.apply()
    assert terraform.outputs()["accounts"][1] == "222222222222"
    for owner in ("b", "c", "d"):
        report = story.restart()
        assert report["diverged"] == 0, report
        assert terraform.changes() == ""
        terraform.variables(owner=owner)
        assert "8 changed" in terraform.apply()
    terraform.destroy()
    queues = story.client("sqs").list_queues().get("QueueUrls", [])
    assert queues == []
