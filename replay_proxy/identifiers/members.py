"""What a member of an answer is: an identifier, a point in time, a secret, …

The type says it where it can (timestamps, numbers, enumerations); otherwise the name does, through the rules of
`data/members.json`. They sharpen what is learned and compared; no list of identifier formats is behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson


class Role(StrEnum):
    """What the values of a member are."""

    IDENTIFIER = "identifier"
    TEXT = "text"
    VOLATILE = "volatile"
    SECRET = "secret"  # noqa: S105 - the name of a role
    CONTENT = "content"
    STATE = "state"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class _Rule:
    match: re.Pattern[str]
    service: re.Pattern[str] | None
    operation: re.Pattern[str] | None
    role: Role


@lru_cache(maxsize=1)
def _rules() -> tuple[_Rule, ...]:
    document = orjson.loads((Path(__file__).parent / "data" / "members.json").read_bytes())

    def pattern(text: str | None) -> re.Pattern[str] | None:
        return re.compile(text) if text else None

    return tuple(
        _Rule(
            re.compile(rule["match"], re.IGNORECASE),
            pattern(rule.get("service")),
            pattern(rule.get("operation")),
            Role(rule["role"]),
        )
        for rule in document["rules"]
    )


@lru_cache(maxsize=16384)
def role_by_name(service: str, operation: str, member: str) -> Role:
    """The role of a string member called `member`."""
    for rule in _rules():
        if rule.service is not None and not rule.service.fullmatch(service):
            continue
        if rule.operation is not None and not rule.operation.fullmatch(operation):
            continue
        if rule.match.fullmatch(member):
            return rule.role
    return Role.TEXT


def role_of(service: str, operation: str, member: str, shape: Any) -> Role:
    """The role of a member of type `shape` (a botocore shape; None where no model describes the value)."""
    if shape is not None:
        if shape.type_name == "timestamp":
            return Role.VOLATILE
        if shape.type_name == "blob":
            role = role_by_name(service, operation, member)
            return role if role in (Role.SECRET, Role.VOLATILE) else Role.CONTENT
        if shape.type_name == "string" and getattr(shape, "enum", None):
            role = role_by_name(service, operation, member)
            return role if role is Role.STATE else Role.CONTENT
    return role_by_name(service, operation, member)
