"""A diagnosis, as `doctor --json` wrote it: read from a file that anybody may have made, for the views of the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from replay_proxy.errors import UsageError
from replay_proxy.reports.json_file import read_json_file

_HINT: Final = "`replay-proxy doctor --json > FILE` writes one; so does GET /_replay/doctor"
_TEXTS: Final = ("resource", "service", "type", "name")


def read_doctor_report(path: Path) -> dict[str, Any]:
    """Return a diagnosis with every member that views look for; of a repair, that after it. Raises StorageError, UsageError."""
    found = read_json_file(path, "diagnosis", _HINT)
    if isinstance(found, dict) and isinstance(found.get("after"), dict):
        found = found["after"]
    if not isinstance(found, dict) or not isinstance(found.get("tree"), list):
        raise UsageError(f"{path} is no diagnosis: it has no list `tree`", hint=_HINT)
    return diagnosis_document(found)


def diagnosis_document(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a diagnosis with every member that views look for, whatever it has."""
    seconds = found.get("seconds")
    return {
        "seconds": seconds if isinstance(seconds, int | float) else 0,
        "resources": _counts(found.get("resources"), ("checked", "there")),
        "links": _counts(found.get("links"), ("checked", "held")),
        "findings": [_finding(each) for each in _mappings(found.get("findings"))],
        "notes": [_finding(each) for each in _mappings(found.get("notes"))],
        "pending": [_texts(each, (*_TEXTS, "what")) for each in _mappings(found.get("pending"))],
        "tree": [_check(each) for each in _mappings(found["tree"])],
    }


def _finding(found: Mapping[str, Any]) -> dict[str, Any]:
    call = found.get("call")
    return {
        **_texts(found, (*_TEXTS, "problem", "member", "recorded", "answer", "cause")),
        "call": call if isinstance(call, int) and not isinstance(call, bool) and call > 0 else 0,
        "commands": [str(each) for each in _list(found.get("commands"))],
    }


def _check(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_texts(found, ("resource", "type", "name", "state", "status", "reading", "answer")),
        "links": [
            {
                **_texts(each, ("member", "target", "target_type", "target_name")),
                "holds": each.get("holds") if isinstance(each.get("holds"), bool) else None,
                "consequence": each.get("consequence") is True,
            }
            for each in _mappings(found.get("links"))
        ],
    }


def _texts(found: Mapping[str, Any], members: tuple[str, ...]) -> dict[str, str]:
    return {member: str(found.get(member) or "") for member in members}


def _counts(found: Any, members: tuple[str, ...]) -> dict[str, int]:
    held = found if isinstance(found, dict) else {}
    return {member: held[member] if isinstance(held.get(member), int) else 0 for member in members}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]
