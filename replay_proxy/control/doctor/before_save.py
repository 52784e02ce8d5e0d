"""The checks before a save: what is under way, and would not be in the state, and what is not as it was recorded.

A save goes on, and says so (`warn`), or is refused (`strict`). It does not wait for long, and needs no emulator: where nothing
can be found out in time, that is what it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay_proxy import log, wording
from replay_proxy.control.doctor.examiner_process import examine
from replay_proxy.errors import DivergedError, ReplayProxyError, UsageError
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.reports.plain_text import plain
from replay_proxy.values import parse_switch

_log = log.get("doctor")

LIMIT_S: Final = 30.0
"""A save waits no longer for its checks."""
WARNINGS_MAX: Final = 20
_CHARACTERS_MAX: Final = 300


class UnsoundStateError(DivergedError):
    """A save was refused, since what is there is not what it should hold."""


@dataclass(frozen=True, slots=True)
class SaveWarning:
    """What a save may lack. service: that it is about; empty where it is about none."""

    service: str
    text: str


async def check_before_save(proxy: Proxy, asked: Mapping[str, str], services: Collection[str]) -> list[SaveWarning]:
    """Return what a save of these services (empty: of all) may lack, at most `WARNINGS_MAX`, and log that there is something.

    asked: of the query of a request: `check=0` for no checks, `strict=1` to refuse; else the setting says (`--check-saves`).

    Raises:
        UnsoundStateError: with `strict`, where there is something, or nothing can be found out. UsageError: no such value.
    """
    mode = _mode(asked, proxy.settings.check_saves)
    if mode == "off":
        return []
    found = await _found(proxy, services)
    if not found:
        return []
    about = "; ".join(each.text for each in found[:3])
    if mode == "strict":
        raise UnsoundStateError(
            f"not saved: {about}" + (f"; and {len(found) - 3} more" if len(found) > 3 else ""),
            hint="`replay-proxy doctor --before-save` shows all; without `strict` it is saved all the same",
        )
    _log.warning("what is saved may not be what was recorded", found=len(found), first=found[0].text)
    kept = found[:WARNINGS_MAX]
    if len(found) > WARNINGS_MAX:
        kept.append(SaveWarning("", f"and {len(found) - WARNINGS_MAX} more: see replay-proxy doctor --before-save"))
    return kept


def _mode(asked: Mapping[str, str], usual: str) -> str:
    try:
        if "strict" in asked and parse_switch(asked["strict"] or "1"):
            return "strict"
        if "check" in asked:
            return ("warn" if usual == "off" else usual) if parse_switch(asked["check"] or "1") else "off"
    except UsageError as error:
        raise UsageError(f"strict, check: {error.message}", hint="write 1 or 0") from error
    return usual


async def _found(proxy: Proxy, services: Collection[str]) -> list[SaveWarning]:
    if not proxy.gate.is_open:
        return [SaveWarning("", "not checked: the emulator is away, or its state is being restored")]
    try:
        async with asyncio.timeout(LIMIT_S):
            document = await examine(proxy, services, before_save=True)
    except TimeoutError:
        return [SaveWarning("", f"not checked: that takes longer than {wording.duration(LIMIT_S)}")]
    except ReplayProxyError as error:
        return [SaveWarning("", f"not checked: {error.message}"[:_CHARACTERS_MAX])]
    return list(_warnings(document))


def _warnings(document: Mapping[str, Any]) -> Iterator[SaveWarning]:
    for each in (*document["pending"], *document["findings"]):
        said = each["what"] if "what" in each else " ".join(filter(None, (each["problem"], each["member"])))
        yield SaveWarning(each["service"], plain(f"{each['type']} {each['name']}: {said}", _CHARACTERS_MAX))
