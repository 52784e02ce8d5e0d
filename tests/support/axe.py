"""axe-core, which finds what keeps people from using a page. npm installs it once into `.cache/axe`."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.chromium import Page

VERSION = "4.14.1"
COMMAND_LIMIT = 120.0
_FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "axe"
_SCRIPT = _FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", f"axe-core@{VERSION}")


@cache
def missing_axe() -> str | None:
    """Why axe cannot run here, or None where it can. Installs it where it is not there yet."""
    if _SCRIPT.is_file():
        return None
    if shutil.which("npm") is None:
        return "npm is not on PATH, and axe-core is not installed"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _SCRIPT.is_file():
            return None
        (_FOLDER / "package.json").write_text('{"private": true}')
        try:
            done = subprocess.run(
                _INSTALL, cwd=_FOLDER, capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return "npm did not install axe-core in time"
    return None if done.returncode == 0 else f"npm cannot install axe-core: {done.stderr.strip()[-200:]}"


async def complaints_of_axe(page: Page) -> list[Any]:
    """What axe finds on the page as it is now."""
    if await page.run("typeof axe") == "undefined":
        await page.run(_SCRIPT.read_text(encoding="utf-8") + "; 0")
    found: list[Any] = await page.run(
        "axe.run(document, {resultTypes: ['violations']}).then(({ violations }) => violations.map((each) => "
        "[each.id, each.help, each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))"
    )
    return found
