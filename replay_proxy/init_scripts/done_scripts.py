"""Which scripts of `ready.d` a recording has had already: those that run once per recording are left out then.

They stand in `init_scripts.json` beside the journal, each with the number of the last record when it had succeeded. What a
restore brings back includes what they made, as far as these records count. Where they do not (a save strategy MANUAL under
which nobody saved, an older copy of the journal), the script runs again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.init_scripts.stages import Script
from replay_proxy.journal.storage.files import Files, replace

_log = log.get("init")

FILE_NAME = "init_scripts.json"
TEMPORARY = "init_scripts.json.new"


class DoneScripts:
    """The scripts that a recording has had.

    A script is known by its place and its content: one that was changed runs again.
    """

    def __init__(self, data_dir: Path, recording: str, is_in_effect: Callable[[int], bool]) -> None:
        """data_dir: of the recording. recording: its id. is_in_effect: whether what was recorded up to a number counts."""
        self._files = Files(data_dir)
        self._recording = recording
        self._done: dict[str, tuple[str, int]] = {}
        for each in self._saved():
            if is_in_effect(int(each["seq"])):
                self._done[str(each["script"])] = str(each["sha256"]), int(each["seq"])

    def has(self, script: Script) -> bool:
        """Return whether the recording has had this script, as it is now. Raises OSError."""
        known = self._done.get(script.place)
        return known is not None and known[0] == _sha256(script)

    def add(self, script: Script, seq: int) -> None:
        """Remember that a script has succeeded; `seq` is the number of the last record. Raises OSError."""
        self._done[script.place] = _sha256(script), seq
        ready = [{"script": name, "sha256": digest, "seq": at} for name, (digest, at) in self._done.items()]
        content = orjson.dumps({"recording": self._recording, "ready": ready}, option=orjson.OPT_INDENT_2)
        replace(self._files, FILE_NAME, [content, b"\n"], temporary=TEMPORARY)

    def _saved(self) -> list[dict[str, Any]]:
        """Return what the file says of this recording; nothing where it is of another one or cannot be read."""
        try:
            content = orjson.loads(self._files.content(FILE_NAME))
            if content["recording"] != self._recording:
                return []
            return [each for each in content["ready"] if {"script", "sha256"} <= each.keys() and int(each["seq"]) >= 0]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning(
                "which init scripts this recording has had is not known; they run again",
                file=FILE_NAME,
                reason=str(error),
            )
            return []


def _sha256(script: Script) -> str:
    return hashlib.sha256(script.path.read_bytes()).hexdigest()
