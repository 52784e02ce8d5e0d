"""Whether a token had been revoked before the restart.

An emulator that has forgotten its tokens has forgotten which were revoked, too. To make such a token again would let in who
was signed out. So the calls that revoke are recorded, and a token that was given out before one that is about it stays what it
is: a text that the emulator does not know. A recorded call that presented it before that is made again with a token of today.
"""

from __future__ import annotations

from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.rewriting.user_pools.web_tokens import claims_of
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.issued.issuing_calls import digest, document_of, issued_values, presented
from replay_proxy.wire.recognition.recognise import recognise

_DEPTH_MAX = 8


async def is_revoked(
    record: Record, head: CallHead, value: str, lookup: IssuedLookup, before: int | None = None
) -> bool:
    """Return whether a later call revoked `value`, which the call of `record` gave out.

    before: the number of the call that presents it; None for one of today.
    """
    later = [
        each for each in await lookup.revocations() if each.seq > record.seq and (before is None or each.seq < before)
    ]
    if not later or head.service != "cognito-idp":
        return False
    root = await root_of(record, lookup)
    owner = owner_of(root)
    for each in later:
        parameters: Any = document_of(each.request) or {}
        operation = each.head.operation if each.head is not None else ""
        if operation == "AdminUserGlobalSignOut":
            if (parameters.get("UserPoolId"), parameters.get("Username")) == owner:
                return True
            continue
        token = parameters.get("AccessToken") or parameters.get("Token")
        origin = await lookup.find(digest(token)) if isinstance(token, str) else None
        source = await root_of(origin, lookup) if origin is not None else None
        if token == value or (source is not None and source.seq == root.seq):
            return True
        if operation == "GlobalSignOut" and source is not None and owner[1] and owner_of(source) == owner:
            return True
    return False


async def root_of(record: Record, lookup: IssuedLookup, depth: int = 0) -> Record:
    """Return the call from which the tokens of `record` come: the log-in, where a token was got by another token."""
    head = record.head or recognise(record.request)
    if head is None or depth >= _DEPTH_MAX:
        return record
    for value in presented(head, record.request).values():
        source = await lookup.find(digest(value))
        if source is not None and source.seq < record.seq and issued_values(head, source.answer):
            return await root_of(source, lookup, depth + 1)
    return record


def owner_of(record: Record) -> tuple[str, str]:
    """Return the user pool and the user of a log-in; empty texts where it does not say."""
    head = record.head or recognise(record.request)
    values = issued_values(head, record.answer).values() if head is not None else ()
    issuers = [str(claims["iss"]) for claims in map(claims_of, values) if "iss" in claims]
    return issuers[0].rpartition("/")[2] if issuers else "", user_named(record.request)


def user_named(request: Request) -> str:
    """Return for whom a log-in is, as its request says; empty where it does not."""
    parameters: Any = document_of(request) or {}
    for place in ("AuthParameters", "ChallengeResponses"):
        named = parameters.get(place)
        if isinstance(named, dict) and isinstance(named.get("USERNAME"), str):
            return str(named["USERNAME"])
    return ""
