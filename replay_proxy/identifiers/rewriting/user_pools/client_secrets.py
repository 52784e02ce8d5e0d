"""The secrets of user pool clients, and the hashes that callers make with them.

A call of a client that has a secret carries a hash over the user's name and the client's id, keyed with the secret:
base64(HMAC-SHA256(secret, username + client id)). A caller makes it of what it was shown. An emulator that drew another
secret or another id the next time expects another one, so the hash is derived anew, where it is the right one for what the
caller knows. A wrong one stays, and is refused.

Where a call names no user, the emulator takes the one to whom the token in the request belongs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.identifiers.rewriting.user_pools.web_tokens import claims_of
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.wire.codecs.answers import Outcome

_SERVICE = "cognito-idp"
_HASHES = (b"SECRET_HASH", b"SecretHash")
_PLACES = (
    ("", "SecretHash", ("Username",)),
    ("AuthParameters", "SECRET_HASH", ("USERNAME",)),
    ("ChallengeResponses", "SECRET_HASH", ("USERNAME", "USER_ID_FOR_SRP")),
)
"""Where a request has a hash: the member above, its own name, and the members beside it that name the user."""
_TOKENS = ("REFRESH_TOKEN", "RefreshToken")
_CLAIMS = ("username", "cognito:username", "sub")
CLIENTS_MAX = 10_000
"""App clients that are remembered, the latest."""


class ClientSecrets:
    """The secrets of app clients: by the id that callers know, their secret and the emulator's."""

    def __init__(self, secrets: Mapping[str, tuple[str, str]] | None = None) -> None:
        self._secrets: dict[str, tuple[str, str]] = dict(secrets or {})

    def listing(self) -> dict[str, tuple[str, str]]:
        """Return what is known, as JSON can hold it."""
        return self._secrets

    @classmethod
    def of_listing(cls, listing: Mapping[str, Any]) -> ClientSecrets:
        """Return what a `listing` holds. Raises ValueError or TypeError where it is none."""
        return cls({str(client): _pair(*each) for client, each in listing.items()})

    def learn(self, head: CallHead, recorded: Outcome, replayed: Outcome) -> None:
        """Note the secret that the recorded and the replayed answer to a call show."""
        if head.service != _SERVICE or not recorded.ok or not replayed.ok:
            return
        one, two = (outcome.parsed.get("UserPoolClient") for outcome in (recorded, replayed))
        if not isinstance(one, dict) or not isinstance(two, dict):
            return
        client, mine, theirs = one.get("ClientId"), one.get("ClientSecret"), two.get("ClientSecret")
        if isinstance(client, str) and isinstance(mine, str) and isinstance(theirs, str):
            self._secrets.pop(client, None)
            self._secrets[client] = mine, theirs
            if len(self._secrets) > CLIENTS_MAX:
                del self._secrets[next(iter(self._secrets))]

    def may_change_request(self, data: bytes) -> bool:
        """Return whether `with_hashes` might change a request of these bytes. Quick; may say True without need."""
        return bool(self._secrets) and any(name in data for name in _HASHES)

    def with_hashes(
        self, request: Request, head: CallHead | None, table: AliasTable, users: Collection[str] = ()
    ) -> Request:
        """Return `request` with its hash as the emulator expects it; the identical object where there is none to derive.

        users: for whom it may be, where neither the request nor a token in it says so.
        """
        if not self._secrets or head is None or head.service != _SERVICE or not isinstance(request.body, bytes):
            return request
        if not any(name in request.body for name in _HASHES):
            return request
        try:
            parameters = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return request
        if not isinstance(parameters, dict) or not self._derive(parameters, head, table, users):
            return request
        body = orjson.dumps(parameters)
        return replace(request, body=body, headers=derived_headers.for_body(request.headers, body))

    def _derive(
        self, parameters: dict[str, Any], head: CallHead, table: AliasTable, more_users: Collection[str]
    ) -> bool:
        """Derive the hashes in parameters anew. Returns whether any was."""
        client = parameters.get("ClientId")
        known = self._secrets.get(client) if isinstance(client, str) else None
        if known is None or not isinstance(client, str):
            return False
        scope, derived = scope_of(head), False
        for above, name, users in _PLACES:
            place = parameters.get(above) if above else parameters
            given = place.get(name) if isinstance(place, dict) else None
            if not isinstance(place, dict) or not isinstance(given, str):
                continue
            for user in (*_users(place, users), *more_users):
                if hmac.compare_digest(secret_hash(known[0], user, client).encode(), given.encode()):
                    theirs = table.to_emulator(user, scope), table.to_emulator(client, scope)
                    place[name] = secret_hash(known[1], *theirs)
                    derived = derived or place[name] != given
                    break
        return derived


def secret_hash(secret: str, user: str, client: str) -> str:
    """Return the hash that a call carries for `user` of the app client `client`."""
    digest = hmac.new(secret.encode(), (user + client).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _users(place: Mapping[str, Any], members: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of the user for whom a hash may be: as the request says, or as its token does."""
    for member in members:
        if isinstance(place.get(member), str):
            yield place[member]
    for member in _TOKENS:
        claims = claims_of(place.get(member))
        yield from (claims[name] for name in _CLAIMS if isinstance(claims.get(name), str))


def _pair(mine: str, theirs: str) -> tuple[str, str]:
    return str(mine), str(theirs)
