"""JSON Web Tokens (RFC 7519), as far as they are read and changed here: what they claim, without a look at their signature."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import Scope

_TOKEN_CHARACTERS_MAX = 16_384


def claims_of(token: Any) -> dict[str, Any]:
    """Return what a JSON Web Token claims; nothing where `token` is none."""
    return _part(token, 1)


def header_of(token: Any) -> dict[str, Any]:
    """Return the header of a JSON Web Token; nothing where `token` is none."""
    return _part(token, 0)


def claims_to_client(token: Any, table: AliasTable, scope: Scope) -> dict[str, Any] | None:
    """Return what a token claims, in client ids; None where it names none by another id, or is no token."""
    claims = claims_of(token)
    changed = {name: _to_client(value, table, scope) for name, value in claims.items()}
    return changed if changed != claims else None


def _to_client(value: Any, table: AliasTable, scope: Scope) -> Any:
    if isinstance(value, str):
        return scan.translated(value, table, scope, to_client=True)
    if isinstance(value, list):
        return [_to_client(each, table, scope) for each in value]
    if isinstance(value, dict):
        return {key: _to_client(each, table, scope) for key, each in value.items()}
    return value


def _part(token: Any, at: int) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > _TOKEN_CHARACTERS_MAX or token.count(".") != 2:
        return {}
    part = token.split(".")[at]
    try:
        content = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
