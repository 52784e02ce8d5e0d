"""The report of a restore, as `restore --json` wrote it: read from a file that anybody may have made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from replay_proxy.errors import UsageError
from replay_proxy.reports.json_file import read_json_file

_COUNTS: Final = (
    "restored",
    "diverged",
    "failed",
    "uncertain",
    "superseded",
    "switched_off",
    "lost",
    "unlisted",
    "total",
)
_HINT: Final = "`replay-proxy restore --json > FILE` writes one; so does the endpoint /_replay/status"


def read_restore_report(path: Path) -> dict[str, Any]:
    """Return a report: its counts, and its problems and findings with every member that they may have.

    The status of a proxy, which holds the report of its last restore, is taken as well. Raises StorageError and UsageError.
    """
    found = read_json_file(path, "report of a restore", _HINT)
    if isinstance(found, dict) and isinstance(found.get("last_restore"), dict):
        found = found["last_restore"]
    if not isinstance(found, dict) or not isinstance(found.get("problems"), list):
        raise UsageError(f"{path} is no report of a restore: it has no list `problems`", hint=_HINT)
    return restore_document(found)


def restore_document(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report with every member that views look for, whatever it has."""
    return {
        **{name: _number(found.get(name)) for name in _COUNTS},
        "path": str(found.get("path", "")),
        "seconds": found["seconds"] if isinstance(found.get("seconds"), int | float) else 0,
        "finished": found.get("finished") is not False,
        "problems": [_problem(each) for each in _mappings(found["problems"])],
        "findings": [_finding(each) for each in _mappings(found.get("findings"))],
        "notes": [str(each) for each in _list(found.get("notes"))],
    }


def _problem(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seq": _number(found.get("seq")),
        "call": str(found.get("call", "")),
        "result": str(found.get("result", "failed")),
        "reason": str(found.get("reason", "")),
        "details": [str(each) for each in _list(found.get("details"))],
        "differences": [
            {name: str(each.get(name, "")) for name in ("member", "recorded", "replayed")}
            for each in _mappings(found.get("differences"))
        ],
    }


def _finding(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seq": _number(found.get("seq")),
        "call": str(found.get("call", "")),
        "message": str(found.get("message", "")),
        "loss": found.get("loss") is True,
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
