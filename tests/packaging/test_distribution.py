"""What is built installs by pip, uv and pipx, on the oldest and the newest Python, with and without the compiled module."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from replay_proxy.emulators.process import free_port
from tests.support.clients import client
from tests.support.processes import http_status, left_out

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {
    name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REPLAY_", "SNAPSHOT_", "PYTHON"))
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DATA = ("*.json", "*.toml", "*.pyi", "*.html", "*.css", "*.js", "py.typed")


def run(*words: str | Path, **more: str) -> str:
    done = subprocess.run(
        list(map(str, words)), env={**PLAIN, **more}, capture_output=True, text=True, timeout=900, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def newest_python() -> str:
    """A Python 3.13 or later where there is one, else this one."""
    beside = sorted(Path(PLAIN.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("3.1[3-9]*/bin/python3"))
    names = [*map(str, reversed(beside)), *filter(None, (shutil.which(f"python3.{minor}") for minor in (14, 13)))]
    for name in names:
        if subprocess.run([name, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return name
    return sys.executable


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs: build, uv and pipx."""
    if reason := left_out(6):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tools")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "-q", "build", "wheel", "uv", "pipx", "twine")
    return folder / "bin"


@pytest.fixture(scope="module")
def built(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scripts/build-packages makes of what is under version control."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(source / "scripts" / "build-packages", out, PYTHON=str(tools / "python"))
    return out


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.mark.timeout(1200)
def test_contents(tools: Path, built: Path) -> None:
    run(tools / "twine", "check", "--strict", *built.iterdir())
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "replay_proxy").rglob("*.py")}
    wanted |= {str(path.relative_to(ROOT)) for name in DATA for path in (ROOT / "replay_proxy").rglob(name)}
    compiled = {"replay_proxy/proxy/http/_fast_parser.abi3.so"}
    plain_wheel = only(built, "*-py3-none-any.whl")
    wheels = {plain_wheel: set()}
    with_module = [path for path in built.glob("*.whl") if path != plain_wheel]
    if shutil.which("cc"):
        assert len(with_module) == 1 and "-cp311-abi3-" in with_module[0].name
        wheels[with_module[0]] = compiled
    for wheel, more in wheels.items():
        inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("replay_proxy/")}
        assert inside == wanted | more
    with tarfile.open(only(built, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted | {"SECURITY.md", "CHANGELOG.md", "LICENSE", "docs/replay-proxy.1"} <= names
    assert "replay_proxy/proxy/http/_fast_parser.c" in names and not any(name.startswith("tests") for name in names)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", ["pip", "uv", "pipx"])
def test_installs_and_serves(way: str, tools: Path, built: Path, tmp_path: Path) -> None:
    """pip: this Python, the wheel for it. uv: the newest Python, the wheel without the compiled module. pipx: the source."""
    place = tmp_path / "place"
    plain = only(built, "*-py3-none-any.whl")
    match way:
        case "pip":
            wheel = next((path for path in built.glob("*.whl") if path != plain), plain)
            run(sys.executable, "-m", "venv", place)
            run(place / "bin" / "pip", "install", "-q", f"{wheel}[ministack]")
        case "uv":
            run(tools / "uv", "venv", "-q", "--python", newest_python(), place, UV_PYTHON_DOWNLOADS="never")
            run(tools / "uv", "pip", "install", "-q", "--python", place / "bin" / "python", f"{plain}[ministack]")
        case "pipx":
            home = {
                "PIPX_HOME": str(tmp_path / "pipx"),
                "PIPX_BIN_DIR": str(place / "bin"),
                "PIPX_MAN_DIR": str(place / "man"),
            }
            run(
                tools / "pipx", "install", "-q", f"replay-proxy[ministack] @ {only(built, '*.tar.gz').as_uri()}", **home
            )
            assert (place / "man" / "man1" / "replay-proxy.1").exists()
    program = place / "bin" / "replay-proxy"
    assert run(program, "--version") == f"replay-proxy {VERSION}\n"
    assert "serve" in run(program, "--help")
    if way != "pipx":
        python = place / "bin" / "python"
        named = "from importlib.metadata import entry_points as e; print([p.value for p in e(group='pytest11')])"
        assert "replay_proxy.testing.plugin" in run(python, "-c", named)
        compiled = "from replay_proxy.proxy.http.fast_parser import is_compiled as c; print(c())"
        assert run(python, "-c", compiled).strip() == str(way == "pip" and bool(shutil.which("cc")))
    port = free_port()
    words = [
        program,
        "serve",
        "--emulator",
        "ministack",
        "--listen",
        f"127.0.0.1:{port}",
        "--data-dir",
        tmp_path / "state",
    ]
    with (tmp_path / "log").open("w") as log:
        serving = subprocess.Popen(list(map(str, words)), env=PLAIN, stdout=log, stderr=log, cwd=tmp_path)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while http_status(f"{url}/_replay/ready") != 200:
            assert serving.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        client("sqs", url).create_queue(QueueName="q")
    finally:
        serving.terminate()
        assert serving.wait(30) == 0
    assert re.search(
        r"AWS::SQS::Queue", json.dumps(json.loads(run(program, "inspect", "--json", "--data-dir", tmp_path / "state")))
    )
