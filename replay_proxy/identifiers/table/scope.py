"""Whose identifiers a call speaks of: the account and the region in which its aliases are looked up."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from replay_proxy.exchange import CallHead

_REGION_CHARACTERS_MAX = 64
"""Longer regions are no names of regions, and their scopes are not remembered."""


class Scope(NamedTuple):
    """Whose identifiers: 12 digits (empty: the emulator's default account) and a region (empty: none named)."""

    account: str = ""
    region: str = ""


ANYWHERE = Scope()
"""The scope of what no call says anything about."""


def scope_of(head: CallHead | None) -> Scope:
    """Return the scope in which the identifiers of a call are looked up; None for what is no AWS call."""
    if head is None:
        return ANYWHERE
    if len(head.region) > _REGION_CHARACTERS_MAX:
        return Scope(head.account, head.region)
    return _scope(head.account, head.region)


@lru_cache(maxsize=256)
def _scope(account: str, region: str) -> Scope:
    return Scope(account, region)
