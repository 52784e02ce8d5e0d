"""The role of a member of an answer: an identifier, a point in time, a secret, …

The type says it where it can (timestamps, enumerations, types of identifiers); otherwise the name does, through the rules
of `data/members.json`. Keys of maps are no names of members, unless they name attributes. No rule contains a format of
identifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.footprint.members.handed_out import is_handed_out


class Role(StrEnum):
    """What the values of a member are.

    IDENTIFIER: name a resource. TEXT: nothing in particular. VOLATILE: differ at every call. SECRET: are secret. CONTENT:
    follow from what was put in. STATE: say how far something has come. LABEL: may differ without meaning anything.
    """

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
    handed_out: bool
    drawn: bool
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
            rule.get("handed_out", False),
            rule.get("drawn", False),
            Role(rule["role"]),
        )
        for rule in document["rules"]
    )


NAME_MAX = 128
"""More characters than the name of any member in any model has. A key of a map stands in the place of a member's name and
may be longer; then its role is TEXT, without a look at it."""


def role_by_name(service: str, operation: str, member: str) -> Role:
    """Return the role of a string member called `member`."""
    return _role_by_name(service, operation, member) if len(member) <= NAME_MAX else Role.TEXT


@lru_cache(maxsize=16384)
def _role_by_name(service: str, operation: str, member: str) -> Role:
    rule = _rule_of(service, operation, member)
    return rule.role if rule is not None else Role.TEXT


@lru_cache(maxsize=4096)
def is_next_token(service: str, operation: str, member: str) -> bool:
    """Tell whether a member of an answer is a token that stands for one moment of something: the next answer shows another one.

    A resource's identifier, which other operations take as well, is none.
    """
    rule = _rule_of(service, operation, member) if len(member) <= NAME_MAX else None
    return rule is not None and rule.handed_out


def is_label_to_name(service: str, operation: str, member: str, shape: Any) -> bool:
    """Tell whether a member whose differences mean nothing is one that a later call may have to name (`RevisionId` in Lambda)."""
    return role_of(service, operation, member, shape) is Role.LABEL and is_handed_out(service, operation, member)


@lru_cache(maxsize=16384)
def is_drawn_label(service: str, operation: str, member: str) -> bool:
    """Tell whether a label shows a drawn value where no client has sent one (`CallerReference`)."""
    rule = _rule_of(service, operation, member) if len(member) <= NAME_MAX else None
    return rule is not None and rule.drawn


def _rule_of(service: str, operation: str, member: str) -> _Rule | None:
    for rule in _rules():
        if rule.service is not None and not rule.service.fullmatch(service):
            continue
        if rule.operation is not None and not rule.operation.fullmatch(operation):
            continue
        if rule.match.fullmatch(member) and not (rule.handed_out and not is_handed_out(service, operation, member)):
            return rule
    return None


_IDENTIFIER_TYPE = re.compile(r"(?:.*(?<!Or))?(?:Arn|ARN|(?<![a-z])Id|(?<=[a-z])Id)(?:Type|String|Value)?")
"""Names of types whose values are identifiers; `RoleNameOrArn` is none, since what a client calls a role is a name."""


def role_of(service: str, operation: str, member: str, shape: Any) -> Role:
    """Return the role of a member of type `shape` (a botocore shape; None where no model describes the value)."""
    if shape is not None:
        if shape.type_name == "timestamp":
            return Role.VOLATILE
        if shape.type_name == "blob":
            role = role_by_name(service, operation, member)
            return role if role in (Role.SECRET, Role.VOLATILE) else Role.CONTENT
        if shape.type_name == "string" and getattr(shape, "enum", None):
            role = role_by_name(service, operation, member)
            return role if role is Role.STATE else Role.CONTENT
    role = role_by_name(service, operation, member)
    if role is Role.TEXT and shape is not None and shape.type_name == "string" and is_identifier_type(shape):
        return Role.IDENTIFIER
    return role


def is_identifier_type(shape: Any) -> bool:
    """Tell whether the name of a type says that its values are identifiers."""
    return _IDENTIFIER_TYPE.fullmatch(shape.name) is not None


def member_in_map(member: str, shape: Any, key: str) -> str:
    """Return the name that says what the value under `key` in a map is: that of a member.

    member, shape: of the map; None where no model describes it, so that it may as well be a structure. Where keys are
    names of attributes, as in a queue's `Attributes`, the key says it; what users call things says nothing.
    """
    if shape is None or shape.type_name != "map" or keys_are_attributes(shape):
        return key
    return member


def keys_are_attributes(shape: Any) -> bool:
    """Tell whether the keys of a map are names of attributes, which the service gives and users do not choose."""
    key = shape.key
    return bool(getattr(key, "enum", None)) or key.name.lower().endswith("attributename")


def names_by_key(shape: Any) -> bool:
    """Tell whether the keys of a map are identifiers, as in a secret's `VersionIdsToStages`."""
    return shape is not None and shape.type_name == "map" and is_identifier_type(shape.key)
