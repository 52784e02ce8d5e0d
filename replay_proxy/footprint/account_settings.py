"""Which operations set or make something for a whole account: they may touch anything of their service.

Settings, such as the form of ARNs, are told by their noun. Of some things an account has one at most, such as an
organization; others of its service need it, and nothing names it. The model tells these: the operation that takes it away
has no member that says which.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from replay_proxy.footprint.resource_kinds import table
from replay_proxy.wire.models import models

_OPPOSITES = {
    "Create": "Delete",
    "Put": "Delete",
    "Register": "Deregister",
    "Enable": "Disable",
    "Associate": "Disassociate",
    "Start": "Stop",
}
_OPERATIONS = 32768


@lru_cache(maxsize=_OPERATIONS)
def concerns_the_account(service: str, operation: str) -> bool:
    """Tell whether a call sets something for the whole account (`PutAccountSetting`), or makes what it has one of."""
    return (
        _setting().match(operation) is not None or (service, operation) in _reviewed() or _makes_one(service, operation)
    )


@cache
def _setting() -> re.Pattern[str]:
    nouns = "|".join(map(re.escape, table()["account_settings"]["nouns"]))
    return re.compile(rf"[A-Z][a-z]+(?:{nouns})(?![a-z])")


@cache
def _reviewed() -> frozenset[tuple[str, str]]:
    entries = table()["account_settings"]["operations"]
    return frozenset((entry["service"], operation) for entry in entries for operation in entry["operations"])


def _makes_one(service: str, operation: str) -> bool:
    for verb, opposite in _OPPOSITES.items():
        if operation.startswith(verb):
            try:
                shape = models.operation_model(service, opposite + operation.removeprefix(verb)).input_shape
            except LookupError:
                return False
            return shape is None or not any(map(_tells_which, shape.members))
    return False


def _tells_which(member: str) -> bool:
    return member not in ("DryRun", "ClientToken", "clientToken")
