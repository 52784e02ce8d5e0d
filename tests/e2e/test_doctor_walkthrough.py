"""The walkthrough of docs/doctor.md, by its very commands: built, restored, broken, diagnosed, mended, and seen to work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Proxy, aws_cli, left_out

pytestmark = pytest.mark.emulator

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"


def blocks() -> list[str]:
    """The commands of the walkthrough, block by block."""
    _before, _title, rest = DOCUMENT.read_text().partition("## A walkthrough\n")
    return re.findall(r"```sh\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)


@pytest.mark.timeout(1800)
def test_the_walkthrough_ends_as_the_document_says(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    if reason := left_out(1):
        pytest.skip(f"the walkthrough of the doctor {reason}")
    if aws_cli() is None:
        pytest.skip("there is no AWS CLI here")
    proxy = start_proxy("--emulator", "ministack")
    beside = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def carried_out(commands: str, *, all_succeed: bool = True) -> tuple[int, str]:
        words = ["bash", *(["-e"] if all_succeed else []), "-c", commands]
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0 or not all_succeed, done.stdout + done.stderr
        return done.returncode, done.stdout

    build, look, break_it, diagnose, mend = blocks()
    carried_out(build)
    for _ in range(2):
        _code, said = carried_out(look)
        assert "wired 6 of 6 links; nothing is wrong" in said
        assert "2 of 2 checks passed" in said
        proxy.kill_all()
        proxy.again()
    carried_out(break_it)
    code, said = carried_out(diagnose, all_succeed=False)
    assert code == 3
    assert "0 of 2 checks passed" in said
    for line in (
        "✗ AWS::Lambda::EventSourceMapping ",
        "✗ AWS::Lambda::Permission api",
        "  ✗ Integration.uri -> AWS::Lambda::Function take",
        "    $ aws lambda create-event-source-mapping ",
        "    $ aws lambda add-permission --function-name take --statement-id api ",
        "      $ aws apigateway put-integration ",
    ):
        assert line in said
    assert said.splitlines()[-1].endswith("; 3 findings")
    _code, said = carried_out(mend)
    assert "wired 6 of 6 links; nothing is wrong" in said
    assert "2 of 2 checks passed" in said
