"""Every extra installs, alone and all together, with the pinned versions, on the oldest Python and on a new one.

Alone, an extra is resolved and not installed, which takes a tenth of the time. All together they are installed, and what is
installed must fit (`pip check`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.processes import left_out

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
PYTHONS = ("3.11", "3.13")


def python(version: str) -> str | None:
    """An interpreter of that version: on PATH, or where pyenv keeps it."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python3"))]
    candidates = [*found, shutil.which(f"python{version}")]
    return next((path for path in candidates if path and runs(path)), None)


def runs(interpreter: str) -> bool:
    done = subprocess.run([interpreter, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", PYTHONS)
def test_every_extra_installs_alone_and_all_together(version: str, tmp_path: Path) -> None:
    if reason := left_out(20):
        pytest.skip(f"installing every extra on Python {version} {reason}")
    interpreter = python(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} was found")
    source = tmp_path / "source"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "recordings", "build", "*.egg-info", "*.so")
    shutil.copytree(ROOT, source, ignore=unwanted)
    subprocess.run([interpreter, "-m", "venv", str(tmp_path / "venv")], check=True)
    inside = str(tmp_path / "venv" / "bin" / "python")
    for extra in EXTRAS:
        pip(inside, source, ["--dry-run", "--ignore-installed", f".[{extra}]"])
    pip(inside, source, [f".[{','.join(EXTRAS)}]"])
    checked = subprocess.run([inside, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    code = "import mitmproxy, moto.server, ministack, replay_proxy.proxy.intercept.addon"
    subprocess.run([inside, "-c", code], cwd=tmp_path, check=True)


def pip(inside: str, source: Path, words: Sequence[str]) -> None:
    command = [
        inside,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        "constraints.txt",
        *words,
    ]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-3000:]}"
