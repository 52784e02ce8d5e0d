"""The stages of init scripts, and which scripts belong to each.

As in LocalStack: every file below the directory of a stage whose name ends in `.sh` or `.py`; the files of a directory in the
order of their names, then its subdirectories in theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SUFFIXES = (".sh", ".py")


class Stage(StrEnum):
    """A moment of the proxy's life; the values are LocalStack's names.

    BOOT: before anything else. START: while emulator and state come up. READY: the state is restored, and requests pass.
    SHUTDOWN: the proxy is to end, and requests still pass.
    """

    BOOT = "BOOT"
    START = "START"
    READY = "READY"
    SHUTDOWN = "SHUTDOWN"

    @property
    def directory(self) -> str:
        """Return the name of the directory that holds the scripts of this stage."""
        return f"{self.value.lower()}.d"


class ScriptState(StrEnum):
    """What became of a script; the values are LocalStack's names. UNKNOWN: it has not run yet."""

    UNKNOWN = "UNKNOWN"
    RUNNING = "RUNNING"
    SUCCESSFUL = "SUCCESSFUL"
    ERROR = "ERROR"


@dataclass(slots=True)
class Script:
    """One script. path: absolute. place: its path below the directory of its stage, by which people know it."""

    path: Path
    place: str
    stage: Stage
    state: ScriptState = ScriptState.UNKNOWN

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return self.path.name


def find_scripts(root: Path, on_unreadable: Callable[[OSError], None]) -> dict[Stage, list[Script]]:
    """Return the scripts of each stage in the order in which they run.

    on_unreadable: given the error of each directory that cannot be read; one that does not exist is none.
    """
    return {stage: list(_scripts_of(stage, root.absolute() / stage.directory, on_unreadable)) for stage in Stage}


def _scripts_of(stage: Stage, directory: Path, on_unreadable: Callable[[OSError], None]) -> Iterator[Script]:
    seen: set[str] = set()

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            on_unreadable(error)

    for folder, folders, files in os.walk(directory, onerror=failed):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            # Kubernetes mounts a ConfigMap as links into a directory beside them: the same file must not run twice.
            if not name.endswith(SUFFIXES) or not path.is_file() or (real := os.path.realpath(path)) in seen:
                continue
            seen.add(real)
            yield Script(path, path.relative_to(directory).as_posix(), stage)
