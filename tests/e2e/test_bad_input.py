"""What goes wrong in front of a user: one clear message, a hint, a documented exit code, never a traceback."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from replay_proxy.emulators.process import free_port
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.errors import ConnectError, EmulatorError, StorageError
from replay_proxy.exchange import Headers
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from tests.support.processes import replay_proxy


def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*replay_proxy(), *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )


def refused(words: Sequence[str], code: int, *fragments: str, env: dict[str, str] | None = None) -> None:
    done = run(*words, env=env)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert text.count("error: ") == 1, text
    assert "hint: " in text
    for fragment in fragments:
        assert fragment in text, text


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["serv"], ["'serv'", "serve"]),
        (["serve", "--no-such-option"], ["--no-such-option", "--help"]),
        (["serve", "--listen", "nowhere"], ["--listen", "'nowhere'", "HOST:PORT"]),
        (["serve", "--listen", "127.0.0.1:99999"], ["--listen", "99999"]),
        (["serve", "--upstream", "http://host:1/path"], ["--upstream", "path"]),
        (["serve", "--upstream", "ftp://host"], ["--upstream", "ftp://host"]),
        (["serve", "--emulator", "minio"], ["--emulator", "moto, ministack, localstack"]),
        (["serve", "--flush-interval", "-1"], ["--flush-interval", "-1"]),
        (["serve", "--body-threshold", "much"], ["--body-threshold", "256k"]),
        (["serve", "--save-strategy", "SOMETIMES"], ["--save-strategy", "ON_REQUEST"]),
        (["serve", "--upstream", "http://127.0.0.1:1", "--emulator", "moto"], ["--upstream", "--emulator"]),
        (["serve", "--", "sleep", "1"], ["COMMAND", "--upstream"]),
        (["restore"], ["--upstream"]),
    ],
)
def test_usage(words: list[str], fragments: list[str]) -> None:
    refused(words, 2, *fragments)


def test_a_bad_environment_variable_is_named() -> None:
    refused(["serve"], 2, "SNAPSHOT_FLUSH_INTERVAL", "often", env={"SNAPSHOT_FLUSH_INTERVAL": "often"})


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_a_directory_that_cannot_be_made_was_not_removed_by_anybody() -> None:
    refused(
        ["serve", "--upstream", "http://127.0.0.1:9", "--data-dir", "/proc/x"],
        5,
        "/proc/x",
        "can be made",
        "--data-dir",
    )
    with pytest.raises(StorageError) as failed:
        Layout(Path("/proc/x")).create()
    assert "can be made" in failed.value.hint
    assert "--pods-dir" in failed.value.hint


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(["serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path)], 7, str(port), "--listen")


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    refused(["serve", "--listen", "192.0.2.1:4566", "--data-dir", str(tmp_path)], 7, "192.0.2.1")


def serve(tmp_path: Path, *words: str) -> list[str]:
    return ["serve", "--listen", f"127.0.0.1:{free_port()}", "--data-dir", str(tmp_path), *words]


def test_an_upstream_that_nobody_runs(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    refused(
        serve(tmp_path, "--upstream", url, "--ready-timeout", "0.5"), 6, url, "0.5 s: ", "refused", "--ready-timeout"
    )


def test_an_upstream_that_accepts_and_never_answers(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refused(serve(tmp_path, "--upstream", url, "--ready-timeout", "0.5"), 6, url)
        refused(["restore", "--upstream", url, "--ready-timeout", "0.5", "--data-dir", str(tmp_path)], 6, url)


async def test_a_probe_that_never_ends_is_given_up_when_the_time_is_over() -> None:
    async def probe() -> bool:
        await asyncio.sleep(60)
        return True

    with pytest.raises(EmulatorError, match=r"within 0\.2 s"):
        await asyncio.wait_for(wait_until_ready(probe, 0.2, address="http://silent"), 10)


async def test_that_a_host_has_no_address_is_told_however_late_that_is_known() -> None:
    """Whoever asks next waits for the same answer, also where a name server takes longer than a connection may."""
    upstream = UpstreamClient("http://nobody-has-this-name.invalid", connect_timeout=0.0001)
    reason = ""
    async with asyncio.timeout(60):
        while "cannot be reached" not in reason:
            with pytest.raises(ConnectError) as failed:
                await upstream.send("GET", "/", Headers())
            reason = str(failed.value)
            await asyncio.sleep(0.05)
    await upstream.close()


def test_a_command_that_ends_at_once(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    words = serve(tmp_path, "--upstream", url, "--", "sh", "-c", "echo out of order; exit 3")
    refused(words, 6, "ended before it answered", "out of order")


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    refused(serve(tmp_path, "--upstream", url, "--", "no-such-command"), 6, "no-such-command")


def test_an_interpreter_without_the_emulator(tmp_path: Path) -> None:
    refused(serve(tmp_path, "--emulator", "moto", "--emulator-python", "/bin/false"), 6, "ended before it answered")
    refused(serve(tmp_path, "--emulator", "localstack", "--emulator-python", "/nonexistent"), 6, "/nonexistent")


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(serve(tmp_path / "file" / "recordings"), 5, "file/recordings", "data directory")


def test_a_recording_that_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "recorded_api_calls.json").write_text('{"name": "somebody else\'s"}\n')
    refused(serve(tmp_path), 4, "recorded_api_calls.json", "not a recording")
    assert (tmp_path / "recorded_api_calls.json").read_text() == '{"name": "somebody else\'s"}\n'


def test_a_directory_without_a_recording_cannot_be_restored(tmp_path: Path) -> None:
    refused(["restore", "--upstream", "http://127.0.0.1:1", "--data-dir", str(tmp_path)], 4, str(tmp_path))


def test_help_names_every_setting() -> None:
    from replay_proxy.config import SETTINGS

    text = run("serve", "--help").stdout
    for setting in SETTINGS:
        if "serve" in setting.verbs:
            assert setting.flag in text
            assert setting.env in text
