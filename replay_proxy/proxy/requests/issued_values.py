"""What the emulator gives out, on its way to clients and back (`replay.issued` has the theory).

On the way to the emulator, a value that an earlier emulator gave out is replaced by one of today. On the way to a client, a
token of a user pool whose claims name things by the emulator's identifiers is signed anew, with those of clients. Where a pool
shows the keys by which its tokens are verified, it shows those of all tokens that clients may hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.errors import UpstreamError
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.user_pools.oauth_requests import (
    TOKEN_MEMBERS,
    TOKEN_PATHS,
    oauth_to_emulator,
)
from replay_proxy.identifiers.rewriting.user_pools.web_tokens import claims_of, claims_to_client, header_of
from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import Origin
from replay_proxy.identifiers.table.scope import ANYWHERE, Scope, scope_of
from replay_proxy.replay.issued.issued_lookup import KEYS_NOTE, IssuedLookup
from replay_proxy.replay.issued.issuing_calls import (
    are_identifiers,
    document_of,
    issued_values,
    issuing_call,
    presented,
    revokes,
    sets_password,
    with_values,
)
from replay_proxy.replay.issued.revocations import user_named
from replay_proxy.replay.issued.stand_ins import Ask, Emulator
from replay_proxy.replay.issued.token_signing import TokenSigner
from replay_proxy.replay.session_state import SessionState

_TAKERS = (
    b"TrentService.",
    b"AWSCognitoId",
    b"uthorization: ey",
    b"uthorization: Bearer ey",
    b"RedshiftData.",
    b"QueryResults",
    b"StopQuery",
)
"""What stands in requests that may present what was given out: to KMS, to Cognito, to an API with an authorizer, to what
runs queries."""
_KEYS_PATH = "/.well-known/jwks.json"
PUBLIC_DOCUMENTS = (_KEYS_PATH, "/.well-known/openid-configuration")
"""How the paths end under which a user pool says who it is."""

AskForClient = Callable[[Request, CallHead | None], Awaitable[Answer]]
"""Sends a request of the proxy's own, in client ids. Returns its answer, in client ids. Raises `UpstreamError`."""


class IssuedValues:
    """What the emulator gives out, for one proxy. make_again: as `StandIns` needs it. ask: asks the emulator something."""

    def __init__(self, lookup: IssuedLookup, make_again: Ask, ask: AskForClient) -> None:
        self._lookup = lookup
        self._emulator = Emulator(lookup, make_again, self._with_hashes)
        self._ask = ask
        self._signer = TokenSigner()
        self._noted_keys: set[tuple[str, str]] = set()
        self._state = SessionState()

    def use_session(self, state: SessionState) -> None:
        """Go by `state` from now on: the emulator was restored, or another one was taken up."""
        self._state = state
        self._noted_keys.clear()
        self._lookup.look_again()

    # On the way to the emulator.

    def may_be_presented(self, data: bytes) -> bool:
        """Return whether a request of these bytes may present what has to be replaced. Quick."""
        return self._may_replace and any(mark in data for mark in _TAKERS)

    @property
    def _may_replace(self) -> bool:
        return self._lookup.may_know or self._state.stand_ins.any or len(self._state.aliases) > 0

    async def in_request(self, request: Request, head: CallHead | None) -> Request:
        """Return `request` with values of today in the place of old ones. Raises `UpstreamError`."""
        if not self._may_replace:
            return request
        if head is not None:
            changed = await self._state.stand_ins.in_request(request, head, self._emulator)
            if changed is not request and are_identifiers(head.service):
                self._note_identifiers(head, request, changed)
            return changed
        request = oauth_to_emulator(request, self._state.aliases)
        given = request.headers.get("authorization")
        kind, _, token = given.rpartition(" ")
        if kind not in ("", "Bearer", "bearer") or not claims_of(token):
            return request
        today = await self._state.stand_ins.of_today(token, self._emulator)
        if today is None:
            return request
        return replace(request, headers=request.headers.replaced("Authorization", f"{kind} {today}".strip()))

    def _note_identifiers(self, head: CallHead, presented_request: Request, changed: Request) -> None:
        """Note what is an identifier of what was made again, since answers show it."""
        values = presented(head, presented_request).values(), presented(head, changed).values()
        origin = Origin(0, f"{head.service}:{head.operation}")
        for client, emulator in zip(*values, strict=True):
            with suppress(ValueError):
                self._state.aliases.add(client, emulator, scope=scope_of(head), learned_from=origin)

    # On the way to a client.

    async def to_client(self, answer: Answer, head: CallHead | None, request: Request) -> Answer:
        """Return an answer, which is in client ids, with tokens and keys as its client is to see them."""
        if answer.status != 200:
            return answer
        if head is not None:
            values = issued_values(head, answer) if head.service == "cognito-idp" else {}
            return await self._with_own_signatures(answer, values, scope_of(head))
        if request.path.endswith(TOKEN_PATHS):
            document = document_of(answer)
            values = {name: document[name] for name in TOKEN_MEMBERS if document and name in document}
            return await self._with_own_signatures(answer, values, ANYWHERE)
        return await self._public_document(answer, request)

    async def _with_own_signatures(self, answer: Answer, tokens: Mapping[str, str], scope: Scope) -> Answer:
        """Return an answer whose tokens, given by their paths, claim client ids; the identical object where they do already."""
        signed = {}
        for path, token in tokens.items() if len(self._state.aliases) else ():
            claims = claims_to_client(token, self._state.aliases, scope)
            if claims is not None and (new := await asyncio.to_thread(self._signer.signed, claims)):
                self._state.stand_ins.keep(new, token)
                signed[path] = new
        return with_values(answer, signed) if signed else answer

    async def _public_document(self, answer: Answer, request: Request) -> Answer:
        """Return what a user pool says of itself in client ids, with all keys of tokens that clients may hold."""
        if not request.path.endswith(PUBLIC_DOCUMENTS) or not isinstance(answer.body, bytes):
            return answer
        text = answer.body.decode("utf-8", "replace")
        changed = scan.translated(text, self._state.aliases, ANYWHERE, to_client=True)
        document = document_of(replace(answer, body=changed.encode()))
        keys = document.get("keys") if isinstance(document, dict) else None
        if request.path.endswith(_KEYS_PATH) and isinstance(keys, list):
            known = {key.get("kid") for key in keys if isinstance(key, dict)}
            pool = request.path.removesuffix(_KEYS_PATH).rpartition("/")[2]
            more = await self._lookup.keys(pool)
            if self._signer.is_used:
                more = [*more, self._signer.public_key]
            added = [key for key in more if key.get("kid") not in known]
            if added:
                changed = orjson.dumps({**document, "keys": [*keys, *added]}).decode()
        if changed == text:
            return answer
        body = changed.encode()
        return replace(answer, body=body, headers=_sized(answer.headers, body))

    # What is recorded.

    async def with_lessons(
        self, notes: Mapping[str, Any], head: CallHead, request: Request, to_client: Answer
    ) -> Mapping[str, Any]:
        """Return the notes of a call, with what has to be asked of the emulator, because no later one will know it.

        That is what a ciphertext hides, and the key by which a token is verified. Raises `UpstreamError`.
        """
        call = issuing_call(head.service, head.operation)
        if call is None or not notes:
            return notes
        if head.service == "cognito-idp":
            keys = await self._new_keys(head, request, to_client)
            return {**notes, KEYS_NOTE: keys} if keys else notes
        if call.learns is None:
            return notes
        asked = call.learns.request(request, document_of(request), document_of(to_client), notes)
        answer = await self._ask(asked, replace(head, operation=call.learns.operation))
        value = (document_of(answer) or {}).get(call.learns.gives)
        return {**notes, call.learns.note: value} if isinstance(value, str) else notes

    async def _new_keys(self, head: CallHead, request: Request, to_client: Answer) -> list[dict[str, Any]]:
        """Return the keys by which the tokens in an answer are verified, each with its pool, unless they are noted already."""
        found = []
        for token in issued_values(head, to_client).values():
            pool, kid = str(claims_of(token).get("iss", "")).rpartition("/")[2], header_of(token).get("kid")
            if not pool or not isinstance(kid, str) or (pool, kid) in self._noted_keys:
                continue
            self._noted_keys.add((pool, kid))
            if self._signer.is_used and kid == self._signer.public_key["kid"]:
                found.append({"pool": pool, "key": self._signer.public_key})
                continue
            question = Request("GET", f"/{pool}{_KEYS_PATH}", Headers([("Host", request.headers.get("host"))]))
            try:
                document = document_of(await self._ask(question, None))
            except UpstreamError:
                continue
            keys = document.get("keys") if isinstance(document, dict) else None
            found += [
                {"pool": pool, "key": key}
                for key in (keys if isinstance(keys, list) else ())
                if isinstance(key, dict) and key.get("kid") == kid
            ]
        return found

    def note_issued(self, head: CallHead, request: Request, to_client: Answer) -> None:
        """Note that the emulator of today gave out what the answer to a request shows, or what it revokes; it is recorded."""
        if revokes(head.service, head.operation) or sets_password(head.service, head.operation):
            self._lookup.look_again()
        values = issued_values(head, to_client)
        user = user_named(request) if values else ""
        for value in values.values():
            self._state.stand_ins.keep_own(value, user)

    def _with_hashes(self, request: Request, head: CallHead, users: Collection[str]) -> Request:
        state = self._state
        return state.client_secrets.with_hashes(request, head, state.aliases, users)


def _sized(headers: Headers, body: bytes) -> Headers:
    return headers.replaced("Content-Length", str(len(body))) if "content-length" in headers else headers
