"""The plugin of pytest, driven as a user drives it: a suite of its own, run by pytest as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, amount

SAMPLE = Path(__file__).parent / "sample" / "sample_shop.py"
PLUGIN = "replay_proxy.testing.plugin"
INSTALLED = any(each.value == PLUGIN for each in entry_points(group="pytest11"))


def pod_of(recording: Path) -> Path:
    """Return a pod file with the state of a recording."""
    pod = recording.with_suffix(".pod")
    words = [sys.executable, "-m", "replay_proxy", "pod", "save", str(pod), "--data-dir", str(recording)]
    subprocess.run(words, check=True, capture_output=True)
    return pod


def recorded(folder: Path, queue: str, emulator: str) -> Path:
    """Return a recording with one queue that holds one message."""
    proxy = Proxy(folder.parent, "--emulator", emulator, data_dir=folder)
    try:
        sqs = client("sqs", proxy.url)
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="m")
    finally:
        proxy.stop()
    return folder


KILLED = """
import os, pytest, signal

@pytest.mark.parametrize("number", range(2))
def test_that_kills_the_proxy(aws_state, number):
    os.kill(aws_state._process.pid, signal.SIGKILL)
"""


def suite(folder: Path, *options: str, tests: Path = SAMPLE, **more: str) -> subprocess.CompletedProcess[str]:
    left_out = ("AWS_", "PYTEST_", "REPLAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    plugin = () if INSTALLED else ("-p", PLUGIN)
    usual = ("-q", "-p", "no:cacheprovider", "-o", "python_files=sample_*.py", "--rootdir", str(folder))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *usual, *options, str(tests)],
        env={**environment, **more},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_each_test_finds_the_state_of_the_recording(emulator: str, tmp_path: Path) -> None:
    orders = recorded(tmp_path / "orders", "orders", emulator)
    returns = recorded(tmp_path / "returns", "returns", emulator)
    if emulator == "ministack":
        returns = pod_of(returns)
    before = {path.name: path.read_bytes() for path in orders.iterdir() if path.is_file()}
    workers = ("-n", "2") if emulator == "ministack" else ("-n", "0")
    number = amount(4, 200)
    shown = suite(
        tmp_path,
        *("--replay-recording", str(orders), "--replay-emulator", emulator, "--replay-report", "pages", *workers),
        SAMPLE_OTHER=str(returns),
        SAMPLE_TESTS=str(number),
        SAMPLE_RESET="/moto-api/reset" if emulator == "moto" else "/_ministack/reset",
    )
    assert re.search(rf"1 failed, {number + 8} passed", shown.stdout), shown.stdout + shown.stderr
    assert "recorded AWS calls of this test" in shown.stdout
    assert "200 aws sqs create-queue --queue-name seen-in-the-report" in shown.stdout
    assert "more-" not in shown.stdout.partition("recorded AWS calls")[2]
    (page,) = (tmp_path / "pages").iterdir()
    assert f"page: {page}" in shown.stdout and "test_that_fails" in page.name
    written = page.read_text()
    assert "seen-in-the-report" in written and "PutObject" in written and "of-unittest" not in written
    assert "more-" not in written and "orders" not in written
    assert {path.name: path.read_bytes() for path in orders.iterdir() if path.is_file()} == before


def test_mistakes_are_told_by_their_message_alone(tmp_path: Path) -> None:
    chosen = ("-k", "unittest", "-n", "0")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "recorded_api_calls.json").write_text("no recording\n")
    for options, told in {
        ("--replay-recording", str(tmp_path / "nowhere")): "there is no recording",
        ("--replay-recording", str(damaged)): str(damaged),
        ("--replay-recording", "nowhere"): "there is no pod 'nowhere'",
        ("--replay-emulator", "nosuch"): "write one of: moto, ministack, localstack",
    }.items():
        shown = suite(tmp_path, *options, *chosen)
        assert told in shown.stdout and "hint: " in shown.stdout, shown.stdout + shown.stderr
        assert "plugin.py" not in shown.stdout
        assert shown.returncode == pytest.ExitCode.USAGE_ERROR


def test_what_one_test_alone_is_missing_fails_that_test(tmp_path: Path) -> None:
    shown = suite(tmp_path, "-k", "another_recording", "-n", "0", SAMPLE_OTHER="nowhere")
    assert "there is no pod 'nowhere'" in shown.stdout and "plugin.py" not in shown.stdout, shown.stdout
    assert shown.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_proxy_that_is_gone_is_told_by_a_message_alone(tmp_path: Path) -> None:
    tests = tmp_path / "sample_killed.py"
    tests.write_text(KILLED)
    shown = suite(tmp_path, "-n", "0", tests=tests)
    assert "1 passed, 1 error" in shown.stdout, shown.stdout + shown.stderr
    assert "the proxy does not answer: " in shown.stdout and "it said last:\ninfo: " in shown.stdout
    assert "plugin.py" not in shown.stdout and "During handling" not in shown.stdout


def test_nothing_is_started_where_nobody_asks(tmp_path: Path) -> None:
    (tmp_path / "sample_plain.py").write_text("def test_plain(): pass\n")
    plugin = () if INSTALLED else ("-p", PLUGIN)
    program = (
        "import sys, pytest; code = pytest.main(sys.argv[1:]); "
        "heavy = ('boto', 'aiohttp', 'replay_proxy.testing.proxy'); "
        "print('loaded:', [name for name in sys.modules if name.startswith(heavy)]); sys.exit(code)"
    )
    words = [sys.executable, "-c", program, *plugin, "-q", "-p", "no:xdist", str(tmp_path / "sample_plain.py")]
    shown = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.returncode == 0 and "loaded: []" in shown.stdout, shown.stdout + shown.stderr
