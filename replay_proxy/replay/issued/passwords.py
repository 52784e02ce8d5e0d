"""The password with which a user can log in today, where it was changed after the log-in that is to be made again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.issued.issuing_calls import digest, document_of
from replay_proxy.replay.issued.revocations import owner_of, root_of


async def with_latest_password(
    record: Record, head: CallHead, request: Request, lookup: IssuedLookup, before: int | None = None
) -> Request | None:
    """Return the log-in `request`, made again for `record`, with a later password of its user; None where there is none.

    before: the number of the call in a restore for which it is made; passwords of later calls are not set yet.
    """
    document = document_of(request)
    parameters = document.get("AuthParameters") if isinstance(document, dict) else None
    if head.service != "cognito-idp" or not isinstance(parameters, dict) or "PASSWORD" not in parameters:
        return None
    pool, user = owner_of(record)
    latest = ""
    for each in await lookup.passwords():
        if each.seq <= record.seq or (before is not None and each.seq >= before):
            continue
        if found := await _password(each, pool, user, lookup):
            latest = found
    if not latest or latest == parameters["PASSWORD"]:
        return None
    parameters["PASSWORD"] = latest
    body = orjson.dumps(document)
    return replace(request, body=body, headers=derived_headers.for_body(request.headers, body))


async def _password(record: Record, pool: str, user: str, lookup: IssuedLookup) -> str:
    """Return the password that a call set for this user; empty where it set none."""
    given: Any = document_of(record.request) or {}
    if "AccessToken" in given:
        origin = await lookup.find(digest(str(given["AccessToken"])))
        same = origin is not None and owner_of(await root_of(origin, lookup)) == (pool, user)
        return str(given.get("ProposedPassword", "")) if same else ""
    if given.get("Username") != user or given.get("UserPoolId", pool) != pool:
        return ""
    return str(given.get("Password", ""))
