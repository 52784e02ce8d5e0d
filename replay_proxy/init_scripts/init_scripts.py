"""The stages of init scripts in the life of one proxy.

A script that fails is told in a line and has the state ERROR; those after it run, and the proxy lives on.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replay_proxy import log
from replay_proxy.errors import ReplayProxyError
from replay_proxy.init_scripts.done_scripts import DoneScripts
from replay_proxy.init_scripts.script_process import run_script, script_environment
from replay_proxy.init_scripts.stages import Script, ScriptState, Stage, find_scripts
from replay_proxy.supervision import describe_error

_log = log.get("init")

Remembered = tuple[DoneScripts, Callable[[], int]]
"""What a recording has had, and what tells the number of its last record."""


class InitScripts:
    """The scripts below a directory, and what became of them. completed: by stage, whether its scripts have run."""

    def __init__(self, root: Path, timeout_s: float, once: Remembered | None = None) -> None:
        """timeout_s: for one script. once: where scripts of `ready.d` run once per recording; None: at every start."""
        self._timeout_s = timeout_s
        self._once = once
        self.scripts = find_scripts(root, _warn_unreadable)
        self.completed = dict.fromkeys(Stage, False)

    async def run(self, stage: Stage, url: str) -> None:
        """Run the scripts of a stage, one after the other. url: where they reach the proxy. Never raises but CancelledError."""
        scripts = self.scripts[stage]
        if self.completed[stage]:
            return
        if scripts:
            try:
                with tempfile.TemporaryDirectory(prefix="replay-proxy-init-", ignore_cleanup_errors=True) as commands:
                    await self._run_all(scripts, url, Path(commands))
            except OSError as error:
                _log.error(
                    "init scripts cannot be run",
                    stage=stage.lower(),
                    reason=str(error),
                    hint="TMPDIR names another place",
                )
                for script in scripts:
                    script.state = ScriptState.ERROR
        self.completed[stage] = True

    async def _run_all(self, scripts: list[Script], url: str, commands: Path) -> None:
        for_shells = any(script.path.suffix == ".sh" for script in scripts)
        environment = await asyncio.to_thread(script_environment, url, commands, for_shells=for_shells)
        for script in scripts:
            await self._run(script, environment)

    async def _run(self, script: Script, environment: dict[str, str]) -> None:
        once = self._once if script.stage is Stage.READY else None
        script.state = ScriptState.RUNNING
        try:
            if once is not None and once[0].has(script):
                _log.info("init script left out: this recording has had it", script=script.place)
                script.state = ScriptState.SUCCESSFUL
                return
            _log.info("init script", stage=script.stage.lower(), script=script.place)
            await run_script(script, environment, self._timeout_s)
            script.state = ScriptState.SUCCESSFUL
            if once is not None:
                _remember(script, once)
        except asyncio.CancelledError:
            script.state = ScriptState.ERROR
            raise
        except Exception as error:
            script.state = ScriptState.ERROR
            _log.error(
                "an init script failed; the proxy goes on",
                stage=script.stage.lower(),
                script=str(script.path),
                reason=_reason(error),
                hint=error.hint if isinstance(error, ReplayProxyError) else "",
            )

    def as_json(self) -> dict[str, Any]:
        """Return what `GET /_localstack/init` says, in LocalStack's shape."""
        return {
            "completed": {stage.value: completed for stage, completed in self.completed.items()},
            "scripts": [
                {"stage": stage.value, "name": script.name, "state": script.state.value}
                for stage in Stage
                for script in self.scripts[stage]
            ],
        }


def _remember(script: Script, once: Remembered) -> None:
    done, last_seq = once
    try:
        done.add(script, last_seq())
    except OSError as error:
        _log.warning(
            "it cannot be put down that this init script has run; it runs again at the next start",
            script=script.place,
            reason=error.strerror or str(error),
        )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    return describe_error(error)


def _warn_unreadable(error: OSError) -> None:
    _log.warning("a directory of init scripts cannot be read", directory=error.filename, reason=error.strerror)
