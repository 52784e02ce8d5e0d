"""The example for JavaScript: vitest against a recording, and the container that Testcontainers would start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "javascript"
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_"))}
CONTAINER = """
import { replayProxyContainer } from "./container.js";
const made = replayProxyContainer({ init: "init", recording: "recording" });
console.log(JSON.stringify([made.exposedPorts, made.directoriesToCopy.map((each) => each.target)]));
"""


@pytest.mark.timeout(900)
def test_example(tmp_path: Path) -> None:
    if reason := left_out(2):
        pytest.skip(reason)
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "package-lock.json"))
    environment = {**PLAIN, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{PLAIN['PATH']}"}

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            words, cwd=folder, env={**environment, **more}, capture_output=True, text=True, timeout=560, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("npm", "install", "--no-audit", "--no-fund")
    recording = tmp_path / "recording"
    proxy = Proxy(tmp_path, "--emulator", "ministack", data_dir=recording)
    client("sqs", proxy.url).create_queue(QueueName="orders")
    proxy.stop()
    before = (recording / "recorded_api_calls.json").read_bytes()
    shown = run(
        "npm", "test", RECORDING=str(recording), RECORDED_QUEUES="orders", REPLAY_EMULATOR="ministack", NO_COLOR="1"
    )
    assert "3 passed" in shown
    assert (recording / "recorded_api_calls.json").read_bytes() == before
    assert "3 passed" in run("npm", "test", REPLAY_EMULATOR="ministack", NO_COLOR="1")  # from an empty emulator
    (folder / "try.js").write_text(CONTAINER)
    assert run("node", "try.js").strip() == '[[4566],["/etc/replay-proxy/init","/var/lib/replay-proxy"]]'
