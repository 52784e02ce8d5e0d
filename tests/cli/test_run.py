"""`run`, `env` and `completion`: a command beside the proxy, lines for a shell, and what a shell completes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from replay_proxy.client_environment import client_environment, client_url
from replay_proxy.emulators.process import free_port
from tests.support.processes import Emulator

BIN = Path(sys.executable).parent
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_"))}
ENVIRONMENT = {**PLAIN, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["replay-proxy", *words],
        env={**ENVIRONMENT, **more},
        executable=BIN / "replay-proxy",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_state_is_there_at_the_next_run(tmp_path: Path) -> None:
    """With the AWS CLI of version 1, which takes no endpoint for SQS from the environment, directly and in a script."""
    recording = ("--data-dir", str(tmp_path))
    made = run(
        "run",
        *recording,
        "--",
        "aws",
        "sqs",
        "create-queue",
        "--queue-name",
        "a",
        AWS_ENDPOINT_URL_SQS="http://127.0.0.1:9",
    )
    assert made.returncode == 0, made.stderr
    url = json.loads(made.stdout)["QueueUrl"]
    script = f"aws sqs send-message --queue-url {url} --message-body b > /dev/null && aws sqs list-queues; exit 7"
    listed = run("run", *recording, "--", "sh", "-c", script)
    assert listed.returncode == 7, listed.stderr
    assert "Restored 1 API calls" in listed.stderr
    (shown,) = json.loads(listed.stdout)["QueueUrls"]  # and nothing else on standard output
    assert shown.endswith("/a")


def test_the_aws_command_gets_the_endpoint_whatever_it_says_of_its_version(tmp_path: Path) -> None:
    """It was asked for its version, and one that did not answer in time went to AWS."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 1\necho "$@"\n')
    aws.chmod(0o755)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        upstream = ("--upstream", f"http://127.0.0.1:{server.server_port}", "--persistence", "0")
        path = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PATH']}"
        for script, shown in (
            ("aws sqs x", r"--endpoint-url http://127\.0\.0\.1:\d+ sqs x"),
            ("unset AWS_ENDPOINT_URL; aws a", "a"),
        ):
            done = run("run", *upstream, "--", "sh", "-c", script, PATH=path)
            assert re.fullmatch(shown, done.stdout.strip()), done.stdout + done.stderr
    finally:
        server.shutdown()
        server.server_close()


def test_what_cannot_be_run_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for word, code in (("no-such-command", 127), (str(tmp_path / "file"), 126)):
        shown = run("run", "--data-dir", str(tmp_path / "state"), "--", word)
        assert (shown.returncode, shown.stdout) == (code, "")
        assert word in shown.stderr and "hint: " in shown.stderr
    assert run("run").returncode == 2
    assert not (tmp_path / "state").exists()


def test_two_at_once(tmp_path: Path) -> None:
    """Two recordings: both run. One recording: the second is refused, and its command is not run."""
    emulator = Emulator("moto", tmp_path)
    try:
        upstream = ("--upstream", emulator.url)
        one, other = tmp_path / "one", tmp_path / "other"
        word = [
            "replay-proxy",
            "run",
            *upstream,
            "--data-dir",
            str(one),
            "--",
            "sh",
            "-c",
            "echo $AWS_ENDPOINT_URL; read line; exit 3",
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen(word, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as first:
            assert first.stdin is not None and first.stdout is not None
            used = first.stdout.readline().strip()
            second = run("run", *upstream, "--data-dir", str(other), "--", "sh", "-c", "echo $AWS_ENDPOINT_URL")
            assert second.returncode == 0, second.stderr
            assert second.stdout.startswith("http://127.0.0.1:") and second.stdout.strip() != used
            third = run("run", *upstream, "--data-dir", str(one), "--", "echo", "ran")
            assert third.returncode != 0 and "ran" not in third.stdout
            assert "hint: " in third.stderr
            first.communicate("\n", timeout=60)
            assert first.returncode == 3
    finally:
        emulator.end()


@pytest.mark.parametrize("handled", [False, True])
def test_signals_reach_the_command(tmp_path: Path, handled: bool) -> None:
    emulator = Emulator("moto", tmp_path)
    try:
        trap = "trap 'exit 9' TERM; " if handled else ""
        script = f"{trap}echo up; while :; do sleep 0.1; done"
        word = [
            "replay-proxy",
            "run",
            "--upstream",
            emulator.url,
            "--data-dir",
            str(tmp_path / "r"),
            "--",
            "sh",
            "-c",
            script,
        ]
        with subprocess.Popen(word, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"up\n"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == (9 if handled else 128 + signal.SIGTERM)
    finally:
        emulator.end()


def test_a_signal_before_the_state_is_restored(tmp_path: Path) -> None:
    silent = free_port()
    word = [
        "replay-proxy",
        "run",
        "--upstream",
        f"http://127.0.0.1:{silent}",
        "--data-dir",
        str(tmp_path),
        "--",
        "echo",
        "ran",
    ]
    with subprocess.Popen(word, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "recorded_api_calls.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        shown, _errors = process.communicate(timeout=60)
    assert (process.returncode, shown) == (128 + signal.SIGTERM, b"")


def test_lines_for_a_shell() -> None:
    emulator_less = run(
        "env", "--listen", "0.0.0.0:4711", AWS_ENDPOINT_URL_SQS="http://elsewhere", AWS_ACCESS_KEY_ID="mine"
    )
    assert emulator_less.returncode == 0
    quoted = shlex.quote(emulator_less.stdout)
    command = f'eval {quoted}; echo "$AWS_ENDPOINT_URL,$AWS_ENDPOINT_URL_SQS,$AWS_ACCESS_KEY_ID,$AWS_DEFAULT_REGION"; type aws'
    shown = subprocess.run(
        ["sh", "-c", command],
        env={**ENVIRONMENT, "AWS_ACCESS_KEY_ID": "mine"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = shown.stdout.splitlines()
    assert lines[0] == "http://127.0.0.1:4711,,mine,us-east-1"
    assert lines[1] == "aws is a shell function"  # the AWS CLI that the tests install is of version 1
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4566" in run("env", "--format", "dotenv").stdout.splitlines()
    assert "set -gx AWS_ENDPOINT_URL http://127.0.0.1:4566" in run("env", "--format", "fish").stdout.splitlines()
    assert run("env", "--listen", "0").returncode == 2


def test_what_clients_inherit() -> None:
    needs = client_environment("http://127.0.0.1:1", {"HTTP_PROXY": "http://p", "NO_PROXY": "a, b", "AWS_PROFILE": "x"})
    assert needs.variables["NO_PROXY"] == "a,b,127.0.0.1,localhost,::1"
    assert "AWS_ACCESS_KEY_ID" not in needs.variables and "AWS_REGION" not in needs.variables
    removed = client_environment("u", {"AWS_ENDPOINT_URL_S3": "v", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"})
    assert removed.applied_to({"AWS_ENDPOINT_URL_S3": "v", "A": "b"})["AWS_ENDPOINT_URL"] == "u"
    assert removed.removed == ("AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    assert [client_url(host, 1) for host in ("::", "0.0.0.0", "::1", "name")] == [
        "http://[::1]:1",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://name:1",
    ]


COMPLETE = """
source <(replay-proxy completion bash)
complete_line() {
    COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDS=($1) COMP_CWORD=9 COMPREPLY=()
    _python_argcomplete replay-proxy
    echo "${COMPREPLY[@]}"
}
complete_line "replay-proxy ser"
complete_line "replay-proxy serve --emulator "
complete_line "replay-proxy run --save-strategy ON_R"
"""


def test_completion() -> None:
    shown = subprocess.run(["bash", "-c", COMPLETE], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n") == ["serve ", "moto ministack localstack", "ON_REQUEST ", ""]
    for shell in ("zsh", "fish"):
        assert "replay-proxy" in run("completion", shell).stdout
