"""The report of a restore as the page's script reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from replay_proxy.reports.page.preview import Preview, page_json

_RESTORE_MAX: Final = 1 << 20


def restore_part(restore: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the report of a restore within its share of the page: each text cut, and of the lists their beginning."""
    if restore is None:
        return None
    left = _RESTORE_MAX
    kept: dict[str, Any] = {**restore, "cut": 0}
    for name in ("problems", "findings"):
        kept[name] = []
        for each in restore[name]:
            if left <= 0:
                kept["cut"] += 1
                continue
            cut = Preview(2000, 12_000).of(each)
            left -= len(page_json(cut))
            kept[name].append(cut)
    kept["notes"] = Preview(2000, 12_000).of(restore["notes"])
    return kept
