"""The container files: they are well formed, and every command in them does what it is there for.

No image is built. What an image would run is run directly: the entry point with the environment of the Dockerfile, as
another user and as process 1 where that is possible here, and the health checks against what they check.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from replay_proxy.emulators.process import free_port
from replay_proxy.settings.interception import DEFAULT_PORT
from tests.support.clients import client
from tests.support.processes import Emulator

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMPOSE = sorted((ROOT / "compose").glob("*.yaml"))
KUBERNETES = sorted((ROOT / "kubernetes").glob("*.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_"))}


def instructions(name: str) -> list[str]:
    """Return what follows the instruction `name` in the Dockerfile, each time, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return re.findall(rf"^{name}\s+(.+(?:\n\s+CMD .+)?)$", joined, re.MULTILINE)


def image_environment() -> dict[str, str]:
    """Return the variables of the image that speak to the proxy."""
    pairs = [pair.partition("=") for line in instructions("ENV") for pair in line.split()]
    names = ("REPLAY_LISTEN", "DATA_DIR", "PYTHONUNBUFFERED", "XDG_DATA_HOME")
    return {name: value for name, _, value in pairs if name in names}


def in_volume(volume: Path, variable: str) -> str:
    """Return what a variable of the image would name, were the volume this folder."""
    inside = image_environment()
    return str(volume / Path(inside[variable]).relative_to(inside["DATA_DIR"]))


class Container:
    """The entry point of the image as a process: its port is a free one, its volume a folder."""

    def __init__(self, volume: Path, *words: str, before: tuple[str, ...] = (), **more: str) -> None:
        self.port = free_port()
        command = json.loads(instructions("ENTRYPOINT")[0]) + (list(words) or json.loads(instructions("CMD")[-1]))
        places = {name: in_volume(volume, name) for name in ("DATA_DIR", "XDG_DATA_HOME")}
        variables = {**image_environment(), **places, "REPLAY_LISTEN": f"127.0.0.1:{self.port}", **more}
        self.environment = {**PLAIN, "PATH": f"{BIN}{os.pathsep}{PLAIN['PATH']}", **variables}
        self.process = subprocess.Popen(
            [*before, str(BIN / command[0]), *command[1:]],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def health(self) -> int:
        """Run the health check of the image, and return its exit code."""
        (check,) = re.findall(r"CMD (\[.+\])$", instructions("HEALTHCHECK")[0])
        words = [word.replace(":4566", f":{self.port}") for word in json.loads(check)]
        return subprocess.run([sys.executable, *words[1:]], capture_output=True, check=False).returncode

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 60
        while self.health() != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        self.process.kill()
        return self.process.communicate(timeout=30)[0]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output


def test_dockerfile_is_linted() -> None:
    linter = shutil.which("hadolint", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint has no package for this machine")
    shown = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout) == (0, "")


def test_compose_files_follow_the_schema() -> None:
    assert len(COMPOSE) >= 5
    words = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, COMPOSE)]
    shown = subprocess.run(words, executable=BIN / words[0], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_compose_files_fit_the_image(path: Path) -> None:
    """Clients keep port 4566, on loopback; the recording lies in a volume; who needs the state waits for health."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    proxies = [service for service in document["services"].values() if "build" in service]
    (proxy,) = proxies
    assert proxy["ports"] == ["127.0.0.1:4566:4566"]
    recording, *others = proxy["volumes"]
    assert recording == f"recording:{image_environment()['DATA_DIR']}" and "recording" in document["volumes"]
    assert set(others) <= {"./init:/etc/replay-proxy/init:ro"}, (
        "what is beside it are the user's scripts, which are only read"
    )
    assert proxy["restart"] == "unless-stopped"
    assert f"AS {proxy['build']['target']}" in DOCKERFILE
    for service in document["services"].values():
        for name, wanted in service.get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}
            assert "healthcheck" in document["services"][name] or "build" in document["services"][name]


def test_kubernetes_files_follow_the_schema() -> None:
    import kubernetes_validate

    kinds = set()
    for document in (each for path in KUBERNETES for each in yaml.safe_load_all(path.read_text())):
        kubernetes_validate.validate(document, "1.30", strict=True)
        kinds.add(document["kind"])
    assert {"Deployment", "Service", "PersistentVolumeClaim"} <= kinds


@pytest.mark.parametrize("name", ["moto", "ministack"])
def test_health_check_of_an_emulator(name: str, tmp_path: Path) -> None:
    emulator = Emulator(name, tmp_path)
    try:
        service = yaml.safe_load((ROOT / "compose" / f"{name}.yaml").read_text())["services"]["emulator"]
        words = service["healthcheck"]["test"]
        assert words[:2] == ["CMD", "python"]
        address = emulator.url.removeprefix("http://")
        own = [re.sub(r"127\.0\.0\.1:\d+", address, word) for word in words[2:]]
        assert subprocess.run([sys.executable, *own], capture_output=True, check=False).returncode == 0
    finally:
        emulator.end()


def test_state_is_back_before_it_is_healthy(tmp_path: Path) -> None:
    """Two containers after each other on one volume; the emulator forgot everything between."""
    volume = tmp_path / "volume"
    volume.mkdir()
    for number in range(2):
        emulator = Emulator("moto", tmp_path)
        container = Container(volume, REPLAY_UPSTREAM=emulator.url)
        try:
            container.wait_until_healthy()
            queues = client("sqs", container.url)
            if number:
                assert len(queues.list_queues()["QueueUrls"]) == 1
            else:
                queues.create_queue(QueueName="a")
            code, output = container.end((signal.SIGTERM, signal.SIGINT)[number])
            assert code == 0, output
        finally:
            container.process.kill()
            emulator.end()


def test_both_doors(tmp_path: Path) -> None:
    """The image that holds an emulator, and its two ports; the authority lies in the volume."""
    exposed = instructions("EXPOSE")[0].split()
    assert exposed == ["4566", DEFAULT_PORT]
    assert all(f"[$EXTRAS{more}]" in DOCKERFILE for more in ("", ",moto"))
    assert {"intercept", "registry"} <= set(instructions("ARG")[0].partition("=")[2].split(","))
    door, volume = free_port(), tmp_path / "volume"
    container = Container(volume, REPLAY_EMULATOR="moto", REPLAY_INTERCEPT=f"127.0.0.1:{door}")
    try:
        container.wait_until_healthy()
        command = [str(BIN / "replay-proxy"), "ca"]
        shown = subprocess.run(command, env=container.environment, capture_output=True, text=True, check=True)
        authority = Path(shown.stdout.strip())
        assert authority.is_relative_to(volume)
        words = ["aws", "sqs", "create-queue", "--queue-name", "jobs", "--region", "eu-west-1"]
        trusted = {"HTTPS_PROXY": f"http://127.0.0.1:{door}", "AWS_CA_BUNDLE": str(authority)}
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        made = subprocess.run(words, env={**container.environment, **trusted, **keys}, capture_output=True, check=False)
        assert b".amazonaws.com/" in made.stdout, made.stderr
        there = client("sqs", container.url, region="eu-west-1").list_queues()["QueueUrls"]
        assert [url.rpartition("/")[2] for url in there] == ["jobs"]
    finally:
        container.process.terminate()
        container.wait()


@pytest.mark.parametrize(
    ("kind", "told"), [("full", "No space left on device"), ("read-only", "Read-only file system")]
)
def test_volume_that_takes_nothing(kind: str, told: str, tmp_path: Path) -> None:
    """A file system of its own, in a mount namespace that ends with the process."""
    unshare = shutil.which("unshare")
    volume = tmp_path / "volume"
    volume.mkdir()
    commands = [f"mount -t tmpfs -o size=64k tmpfs {volume}"]
    if kind == "full":
        commands.append(f"! dd if=/dev/zero of={volume}/fill bs=1k count=128 2> {os.devnull}")
    else:
        commands.append(f"mount -o remount,ro {volume}")
    before = (unshare or "", "--mount", "sh", "-c", " && ".join([*commands, 'exec "$@"']), "container")
    if unshare is None or subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here (unshare --mount)")
    container = Container(volume, before=before, REPLAY_UPSTREAM="http://127.0.0.1:9")
    code, output = container.wait()
    assert code == 5, output
    assert told in output and "hint: " in output and "Traceback" not in output


def test_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, output = Container(tmp_path / "v", REPLAY_LISTEN=address, REPLAY_UPSTREAM="http://127.0.0.1:9").wait()
    assert code == 7 and "hint: " in output and "Traceback" not in output, output


def test_value_that_cannot_be_understood(tmp_path: Path) -> None:
    code, output = Container(tmp_path / "v", SNAPSHOT_FLUSH_INTERVAL="soon").wait()
    assert code == 2 and "SNAPSHOT_FLUSH_INTERVAL" in output and "hint: " in output, output


def test_restore_ends_with_its_exit_code(tmp_path: Path) -> None:
    silent = free_port()
    missing = Container(tmp_path / "none", "restore")
    code, output = missing.wait()
    assert code == 2 and "hint: " in output and "--upstream" in output
    nobody = Container(tmp_path, "restore", REPLAY_UPSTREAM=f"http://127.0.0.1:{silent}", REPLAY_READY_TIMEOUT="1")
    code, output = nobody.wait()
    assert code not in (0, 1) and "hint: " in output


class Slow(BaseHTTPRequestHandler):
    """An upstream that takes half a minute for one path."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(30)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_interrupted_twice(tmp_path: Path) -> None:
    """The first interrupt waits for a request under way, the second does not."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    upstream.daemon_threads = True
    Thread(target=upstream.serve_forever, daemon=True).start()
    container = Container(tmp_path, REPLAY_UPSTREAM=f"http://127.0.0.1:{upstream.server_port}", PERSISTENCE="0")
    try:
        container.wait_until_healthy()
        with socket.create_connection(("127.0.0.1", container.port)) as waiting:
            waiting.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.3)
            container.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert container.process.poll() is None
            code, output = container.end(signal.SIGINT)
        assert (code, "ended at once" in output) == (130, True)
    finally:
        container.process.kill()
        upstream.shutdown()
        upstream.server_close()


@pytest.fixture
def as_process_1() -> tuple[str, ...]:
    """The words by which a command becomes process 1 of a namespace of its own."""
    unshare = shutil.which("unshare")
    before = (unshare or "", "--pid", "--fork", "--mount-proc", "--kill-child")
    if unshare is None or subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no new process namespace can be made here (unshare --pid)")
    return before


def child_of(container: Container) -> int:
    """Return the number of the process that `unshare` has started, as it is seen from here."""
    children = Path(f"/proc/{container.process.pid}/task/{container.process.pid}/children").read_text().split()
    return int(children[0])


def test_process_1_without_an_init(as_process_1: tuple[str, ...], tmp_path: Path) -> None:
    """The kernel gives process 1 only signals that it handles."""
    before = as_process_1
    emulator = Emulator("moto", tmp_path)
    container = Container(tmp_path / "volume", before=before, REPLAY_UPSTREAM=emulator.url)
    try:
        container.wait_until_healthy()
        second = Container(tmp_path / "volume", REPLAY_UPSTREAM=emulator.url)
        code, output = second.wait()
        assert code == 4 and "in use" in output and "Traceback" not in output, output
        os.kill(child_of(container), signal.SIGTERM)
        code, output = container.wait()
        assert code == 0 and "stopping" in output and "SIGTERM" in output, output
    finally:
        container.process.kill()
        emulator.end()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_process_1_that_restores(as_process_1: tuple[str, ...], number: int, expected: int, tmp_path: Path) -> None:
    """It waits for an emulator, which never comes."""
    (tmp_path / "recorded_api_calls.json").write_text("")
    address = f"http://127.0.0.1:{free_port()}"
    container = Container(tmp_path, "restore", before=as_process_1, REPLAY_UPSTREAM=address, REPLAY_READY_TIMEOUT="60")
    said = ""
    while "waiting for the emulator" not in said:
        assert container.process.stdout is not None
        line = container.process.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    os.kill(child_of(container), number)
    code, output = container.wait()
    assert code == expected and "interrupted: " in output and "Traceback" not in output, output


def test_volume_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    user = ("setpriv", "--reuid=10001", "--regid=10001", "--clear-groups")
    if (
        shutil.which("setpriv") is None
        or subprocess.run([*user, str(BIN / "replay-proxy"), "--version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("another user cannot run what is installed here")
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o755)
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    code, output = Container(volume, before=user, REPLAY_UPSTREAM="http://127.0.0.1:9").wait()
    assert code == 5, output
    assert "error: " in output and "hint: " in output and "Traceback" not in output


WITHOUT_EMULATOR = """
import sys
from replay_proxy.cli.main import main
from replay_proxy.emulators import kinds

kinds._installed = lambda module: False
sys.exit(main(["serve", "--listen", "0", "--data-dir", sys.argv[1]]))
"""


def test_the_image_without_an_emulator_names_what_is_missing(tmp_path: Path) -> None:
    """The image with the proxy alone, started without REPLAY_UPSTREAM: moto is not installed there."""
    shown = subprocess.run(
        [sys.executable, "-c", WITHOUT_EMULATOR, str(tmp_path)],
        env=PLAIN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 6
    assert "REPLAY_UPSTREAM" in shown.stderr and "Traceback" not in shown.stderr
