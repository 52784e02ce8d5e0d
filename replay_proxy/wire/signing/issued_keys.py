"""Access keys in the answers of calls that give credentials: AssumeRole and its kin, GetSessionToken, CreateAccessKey, …

An access key is told by the members of its structure, in the spelling of any service: `AccessKeyId` with `SecretAccessKey`
(or `SecretKey`), and beside them, where the key is temporary, a session token and the time at which it ends.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

_KEYS: Final = ("AccessKeyId", "accessKeyId")
_SECRETS: Final = ("SecretAccessKey", "secretAccessKey", "SecretKey")
_TOKENS: Final = ("SessionToken", "sessionToken")
_ENDS: Final = ("Expiration", "expiration", "ExpirationTime")
_DEPTH: Final = 4
_SECRET_BYTES_MIN: Final = 8
"""A shorter text is no secret that an emulator drew, and may stand for something else in the same answer."""
_SECONDS_MAX: Final = 1e11
"""Seconds since the epoch are less than this, until the year 5138; more are milliseconds (SSO writes these)."""


class IssuedKey(NamedTuple):
    """An access key as it was given.

    session_token: empty for a key without one. ends_at: seconds since the epoch; None where it does not end.
    """

    access_key: str
    secret_key: str
    session_token: str = ""
    ends_at: float | None = None


def holds_issued_key(members: Container[str]) -> bool:
    """Return whether a structure with these members is an access key with its secret."""
    return any(name in members for name in _KEYS) and any(name in members for name in _SECRETS)


def issued_keys(parsed: Mapping[str, Any]) -> list[IssuedKey]:
    """Return the access keys in what a call returned. Never raises."""
    return list(_keys(parsed, _DEPTH))


def without_temporary_secrets(body: bytes, keys: Iterable[IssuedKey]) -> bytes:
    """Return the body of an answer with zeros in the place of the secret and the token of each temporary key in it.

    As many zeros as there were bytes, so that every format stays whole. The identical object where nothing changes.
    """
    spellings = {
        text.encode()
        for key in keys
        if key.session_token
        for value in (key.secret_key, key.session_token)
        for text in _spellings(value)
    }
    # The longest first, because one may be a part of another.
    for spelled in sorted(spellings, key=len, reverse=True):
        if len(spelled) >= _SECRET_BYTES_MIN and spelled in body:
            body = body.replace(spelled, b"0" * len(spelled))
    return body


def _spellings(value: str) -> set[str]:
    """Return a text as XML and JSON spell it."""
    quoted = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, escape(value), *quoted, *(text.replace("/", "\\/") for text in quoted)}


def _keys(value: Any, depth: int) -> Iterator[IssuedKey]:
    if depth <= 0 or not isinstance(value, Mapping):
        return
    access_key, secret = _text(value, _KEYS), _text(value, _SECRETS)
    if access_key and secret:
        ends = next((value[name] for name in _ENDS if name in value), None)
        yield IssuedKey(access_key, secret, _text(value, _TOKENS), _seconds(ends))
        return
    for below in value.values():
        yield from _keys(below, depth - 1)


def _text(value: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if isinstance(value.get(name), str):
            return str(value[name])
    return ""


def _seconds(value: Any) -> float | None:
    """Return a point in time as seconds since the epoch; None where it cannot be read."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1000 if value > _SECONDS_MAX else float(value)
    return None
