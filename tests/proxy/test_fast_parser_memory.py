"""The compiled fast parser reads what anybody may send: no byte beyond a message, and nothing undefined.

The extension is built with the sanitizers of the compiler and fed with odd messages in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.processes import amount

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("cc") or ""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The extension, and the library that has to be loaded before it."""
    if not COMPILER:
        pytest.skip("no C compiler (cc) was found: the extension cannot be built with sanitizers")
    headers = sysconfig.get_path("include")
    if not Path(headers, "Python.h").exists():
        pytest.skip("this Python's headers are not installed: the extension cannot be built with sanitizers")
    library = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    path = library.stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip("this compiler has no address sanitizer (libasan.so)")
    built = tmp_path_factory.mktemp("sanitized") / "_plain.abi3.so"
    command = [COMPILER, "-g", "-O1", "-shared", "-fPIC", f"-I{headers}", "-o", built]
    source = ROOT / "replay_proxy/proxy/http/_fast_parser.c"
    subprocess.run([*command, source], check=True)
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover"]
    if subprocess.run([*command, *sanitizers, source], capture_output=True, check=False).returncode:
        pytest.skip("this compiler builds the extension, and not with its address and undefined behaviour sanitizers")
    return built, path


@pytest.mark.parametrize("seed", [1, 2])
def test_no_odd_message_is_read_beyond_its_end(sanitized: tuple[Path, str], seed: int) -> None:
    extension, library = sanitized
    count = amount(60_000, 2_000_000)
    done = subprocess.run(
        [sys.executable, "-m", "tests.proxy.fuzz_fast_parser", str(extension), str(seed), str(count)],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert count / 20 < int(done.stdout) < count / 2
