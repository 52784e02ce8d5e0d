"""One init script as a process: how it is run, with which environment; its output goes to the log, line by line.

A script has a process group of its own, so that it can be ended with what it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from replay_proxy import log
from replay_proxy.client_environment import (
    client_environment,
    write_aws_command,
    write_awslocal_command,
)
from replay_proxy.errors import ReplayProxyError
from replay_proxy.init_scripts.stages import Script
from replay_proxy.wording import duration

_log = log.get("init")

END_TIMEOUT_S = 2.0
"""Between SIGTERM and SIGKILL for a script that has to end."""
OUTPUT_TIMEOUT_S = 1.0
"""For the rest of the output of a script that has ended: what it left running may hold the pipe open."""
_LINE_BYTES_MAX = 4096
_SHEBANG_BYTES_MAX = 256

_running: set[int] = set()
"""The process groups of the scripts that run, for `kill_running`."""


class ScriptError(ReplayProxyError):
    """An init script could not be run, or failed."""


def script_environment(url: str, commands: Path, *, for_shells: bool) -> dict[str, str]:
    """Return the environment of scripts that reach the proxy at `url`.

    commands: an empty directory; takes an `awslocal` where there is none, and an `aws` that needs no option. for_shells:
    whether a script may want these.
    """
    environment = client_environment(url, os.environ).applied_to(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    path = environment.get("PATH") or os.defpath
    aws = shutil.which("aws", path=path) if for_shells else None
    if aws is None:
        return environment
    if shutil.which("awslocal", path=path) is None:
        write_awslocal_command(commands, aws)
    write_aws_command(commands, aws)
    return {**environment, "PATH": f"{commands}{os.pathsep}{path}"}


async def run_script(script: Script, environment: Mapping[str, str], timeout_s: float) -> None:
    """Run a script to its end. Where this is cancelled, the script is ended with what it started.

    Raises:
        ScriptError: it cannot be run, ended with an exit code other than 0, or took longer than `timeout_s`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(script.path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        raise ScriptError(f"it cannot be run: {error.strerror or error}", hint=_hint(error)) from error
    _running.add(process.pid)
    reading = asyncio.create_task(_log_output(script, process))
    try:
        async with asyncio.timeout(timeout_s):
            status = await process.wait()
        await asyncio.wait({reading}, timeout=OUTPUT_TIMEOUT_S)
    except TimeoutError as error:
        raise ScriptError(
            f"it took longer than {duration(timeout_s)}, and was ended", hint="--init-timeout gives scripts more time"
        ) from error
    finally:
        if process.returncode is None:
            await asyncio.shield(_end(process))
        _running.discard(process.pid)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    if status:
        by = f"signal {-status}" if status < 0 else f"exit code {status}"
        raise ScriptError(f"it ended with {by}", hint="its output is in the lines above")


def kill_running() -> None:
    """Kill the scripts that run, at once: the process is about to end without another step."""
    for group in _running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _command(path: Path) -> list[str]:
    """Return how a script is run: as a program where it is one, else by its first line, else by `sh`. Raises OSError."""
    if path.suffix == ".py":
        return [sys.executable, str(path)]
    with path.open("rb") as file:
        first = file.readline(_SHEBANG_BYTES_MAX).decode("utf-8", "replace")
    if not first.startswith("#!"):
        return ["/bin/sh", str(path)]
    if os.access(path, os.X_OK):
        return [str(path)]
    # A file that was mounted without its mode says by its first line what runs it.
    try:
        return [*shlex.split(first[2:]), str(path)]
    except ValueError:
        return ["/bin/sh", str(path)]


def _hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "its first line names a program that is not there; a line that ends with CR LF does, too"
    return "`ls -l` shows who may read and run it"


async def _log_output(script: Script, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    pending = b""
    while chunk := await process.stdout.read(1 << 16):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in [*lines, *([pending] if len(pending) > _LINE_BYTES_MAX else [])]:
            _log_line(script, line)
        pending = b"" if len(pending) > _LINE_BYTES_MAX else pending
    if pending:
        _log_line(script, pending)


def _log_line(script: Script, line: bytes) -> None:
    if line.strip():
        _log.info("init script says", script=script.place, line=line[:_LINE_BYTES_MAX].decode("utf-8", "replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a script and what it started: by SIGTERM, then by SIGKILL."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), END_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
