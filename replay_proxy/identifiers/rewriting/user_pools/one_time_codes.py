"""One-time codes of authenticators (RFC 6238), which callers make with a secret that they were shown, and the time.

A user of a pool registers an authenticator with the code of a moment. In a restore that moment has passed, and the emulator may
have drawn another secret. So the code is derived anew, where it is the right one for the secret that the caller knows and the
time of the call. A wrong one stays, and is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from time import time
from typing import Any

import orjson

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable

_MAKES = ("cognito-idp", "AssociateSoftwareToken")
_PLACES = {
    "VerifySoftwareToken": ("", "UserCode"),
    "RespondToAuthChallenge": ("ChallengeResponses", "SOFTWARE_TOKEN_MFA_CODE"),
    "AdminRespondToAuthChallenge": ("ChallengeResponses", "SOFTWARE_TOKEN_MFA_CODE"),
}
"""Where a request has a code: the member above, and its own name."""
_STEP_S = 30
_STEPS_APART_MAX = 2
_DIGITS = 6
SECRETS_MAX = 10_000
"""Secrets that are remembered, the latest."""


class OneTimeSecrets:
    """The secrets of authenticators, as callers know them, with those of the emulator."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def learn(self, head: CallHead, recorded: Answer, given: Answer) -> None:
        """Note the secret that the recorded and the emulator's own answer to a call show."""
        if (head.service, head.operation) != _MAKES or given.status != 200:
            return
        mine, theirs = (_document(answer).get("SecretCode") for answer in (recorded, given))
        if isinstance(mine, str) and isinstance(theirs, str):
            self._secrets[mine] = theirs
            if len(self._secrets) > SECRETS_MAX:
                del self._secrets[next(iter(self._secrets))]

    def with_codes(self, request: Request, head: CallHead, made: str) -> Request:
        """Return a recorded request, made at that time (as journals write it), with the code of this moment."""
        if not self._secrets or head.operation not in _PLACES:
            return request
        with suppress(ValueError, OverflowError):
            return _with_codes(request, head, self._secrets, datetime.fromisoformat(made).timestamp(), time())
        return request


def with_codes_of_aliases(request: Request, head: CallHead | None, table: AliasTable) -> Request:
    """Return a request of now with the code that the emulator expects, by the secrets that `table` knows."""
    if head is None or head.service != _MAKES[0] or head.operation not in _PLACES:
        return request
    made = ":".join(_MAKES)
    secrets = {a.client: a.emulator for a in table if a.kind is AliasKind.SECRET and a.learned_from.call == made}
    now_s = time()
    return _with_codes(request, head, secrets, now_s, now_s)


def _with_codes(request: Request, head: CallHead, secrets: Mapping[str, str], made_s: float, now_s: float) -> Request:
    place = _PLACES.get(head.operation)
    if place is None or head.service != _MAKES[0] or not secrets:
        return request
    document = _document(request)
    holder = document.get(place[0]) if place[0] else document
    given = holder.get(place[1]) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or not isinstance(given, str):
        return request
    for mine, theirs in secrets.items():
        if any(code == given for code in _codes_around(mine, made_s)):
            holder[place[1]] = code_of(theirs, now_s)
            body = orjson.dumps(document)
            return replace(request, body=body, headers=derived_headers.for_body(request.headers, body))
    return request


def _codes_around(secret: str, moment_s: float) -> Iterator[str]:
    for steps in range(-_STEPS_APART_MAX, _STEPS_APART_MAX + 1):
        yield code_of(secret, moment_s + steps * _STEP_S)


def code_of(secret: str, moment_s: float) -> str:
    """Return the code of a moment (seconds since the epoch) by a secret in base32; empty where it is none."""
    try:
        key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    except (binascii.Error, ValueError):
        return ""
    digest = hmac.new(key, int(max(moment_s, 0) // _STEP_S).to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def _document(message: Request | Answer) -> dict[str, Any]:
    if not isinstance(message.body, bytes) or message.body[:1] != b"{":
        return {}
    try:
        document = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
