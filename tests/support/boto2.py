"""boto 2 as a real client. It speaks TLS through a proxy in Python 2 alone, which is looked for on PATH and where pyenv is."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / ".cache" / "boto2"
_CLIENT = _ROOT / "tests" / "e2e" / "interception" / "boto2_client.py"
VERSION = "2.49.0"


def _python2() -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for path in sorted(pyenv.glob("2.7*/bin/python2.7"))]
    return next((path for path in (*found, shutil.which("python2.7")) if path and _runs(path)), None)


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import ssl"], capture_output=True, check=False).returncode == 0


def missing_boto2() -> str | None:
    """Why boto 2 cannot run here, or None where it can. Installs it where it is not there yet."""
    if _python2() is None:
        return "boto 2 needs a Python 2.7 to speak TLS through a proxy, and none was found"
    if (_FOLDER / "boto" / "__init__.py").is_file():
        return None
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(_FOLDER),
            f"boto=={VERSION}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return None if done.returncode == 0 else f"boto 2 cannot be installed: {done.stderr.strip()[-200:]}"


def boto2(what: str, door_port: int, certificate: Path) -> dict[str, Any]:
    """Run the client; what it sees."""
    python = _python2()
    assert python is not None
    done = subprocess.run(
        [python, str(_CLIENT), what, str(door_port), str(certificate)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_FOLDER)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
