"""botocore's own protocol test cases, from the source distribution of the botocore that is installed.

They are not copied into this repository. `pip download` fetches the source distribution once into a cache folder
(`REPLAY_PROXY_TEST_CACHE`, by default `replay-proxy-tests` in the user's cache folder); where that cannot be done,
tests that need them are skipped and say why.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import botocore
import orjson
import pytest


@functools.cache
def cases(direction: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """File name, suite (a service description with its cases) and case, of `input` or `output`."""
    found = []
    for path, content in sorted(_members().items()):
        if f"/protocols/{direction}/" in path or f"/protocols/legacy/{direction}/" in path:
            name = path.partition("/protocols/")[2]
            for suite in orjson.loads(content):
                found += [(name, suite, case) for case in suite["cases"]]
    return found


@functools.cache
def _members() -> dict[str, bytes]:
    archive = _source_distribution()
    with tarfile.open(archive) as opened:
        return {
            member.name: opened.extractfile(member).read()  # type: ignore[union-attr]  # regular files only
            for member in opened
            if member.isfile() and "/tests/unit/protocols/" in member.name
        }


def _source_distribution() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "replay-proxy-tests"
    folder = Path(os.environ.get("REPLAY_PROXY_TEST_CACHE") or default)
    archive = folder / f"botocore-{botocore.__version__}.tar.gz"
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "botocore",
             "--dest", str(folder), f"botocore=={botocore.__version__}"],
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        if not archive.is_file():
            pytest.skip(f"botocore's source distribution cannot be obtained: {done.stderr.strip()[-200:]}")
    return archive
