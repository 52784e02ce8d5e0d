"""The JavaScript SDK as a real client: node on PATH, and packages that npm installs once into `.cache/javascript`.

REPLAY_TEST_NODE_MODULES names a folder whose `node_modules` has them already.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clients import CREDENTIALS

FOLDER_VARIABLE = "REPLAY_TEST_NODE_MODULES"
PACKAGES = {
    "@aws-sdk/client-dynamodb": "3.1143.0",
    "@aws-sdk/client-kinesis": "3.1143.0",
    "@aws-sdk/client-s3": "3.1143.0",
    "@smithy/node-http-handler": "4.14.2",
    "https-proxy-agent": "7.0.6",
}
COMMAND_LIMIT = 240.0
_ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = _ROOT / "tests" / "e2e" / "javascript"


def _folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else _ROOT / ".cache" / "javascript"


def missing_javascript() -> str | None:
    """Why the JavaScript SDK cannot run here, or None where it can. Installs it where it is not there yet."""
    if shutil.which("node") is None:
        return "node is not on PATH"
    if _is_installed():
        return None
    if FOLDER_VARIABLE in os.environ:
        return f"{FOLDER_VARIABLE} names a folder without the JavaScript SDK"
    if shutil.which("npm") is None:
        return "npm is not on PATH, and the JavaScript SDK is not installed"
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_installed():
            return None
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": PACKAGES}))
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False)
    return None if done.returncode == 0 else f"npm cannot install the JavaScript SDK: {done.stderr.strip()[-200:]}"


def _is_installed() -> bool:
    modules = _folder() / "node_modules"
    return all((modules / name / "package.json").is_file() for name in PACKAGES)


def javascript(
    script: str, url: str | None, scratch: Path, *words: str, variables: Mapping[str, str] | None = None
) -> Any:
    """Run a script of tests/e2e/javascript against `url`; what it prints, as JSON.

    url: None for an SDK without an endpoint. variables: more of its environment. A script may be given by its path, too.
    """
    if not (scratch / "node_modules").exists():
        (scratch / "node_modules").symlink_to(_folder() / "node_modules")
    shutil.copy(_SCRIPTS / script, scratch)
    environment = {
        **os.environ,
        **CREDENTIALS,
        "AWS_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
        "AWS_EC2_METADATA_DISABLED": "true",
        **({} if url is None else {"AWS_ENDPOINT_URL": url}),
        **(variables or {}),
    }
    command = ["node", Path(script).name, *words]
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
