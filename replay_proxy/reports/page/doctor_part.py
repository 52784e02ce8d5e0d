"""A diagnosis as the page's script reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from replay_proxy.reports.page.preview import Preview, page_json

_BYTES_MAX: Final = 2 << 20


def doctor_part(diagnosis: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a diagnosis within its share of the page: each text cut, what is wrong first, and of the lists their beginning."""
    if diagnosis is None:
        return None
    wrong = {each["resource"] for each in diagnosis["findings"]}
    left = _BYTES_MAX
    kept: dict[str, Any] = {**diagnosis, "cut": 0}
    for name in ("findings", "pending", "tree", "notes"):
        kept[name] = []
        for each in sorted(diagnosis[name], key=lambda found: found["resource"] not in wrong):
            if left <= 0:
                kept["cut"] += 1
                continue
            cut = Preview(2000, 12_000).of(each)
            left -= len(page_json(cut))
            kept[name].append(cut)
    return kept
