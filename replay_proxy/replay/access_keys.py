"""The access keys that the emulator gave: their secrets, for signing what was rewritten, and their accounts.

A request whose identifiers were replaced no longer fits its signature. Most emulators do not look; one that does accepts a
signature made with the secret of the key it knows. Secrets, and the session tokens of temporary keys, are seen once: in the
answer of the call that gives the key, at first or again in a restore. For every other key the setting `--secret-key` is
used, where it is given.

Emulators that look at no other signature look at those of presigned URLs, which stand for the whole right to do what they
say. Where no secret is known, these are signed with `test`, the secret that nearly everybody uses with an emulator.

An emulator tells by the access key for which account a call is meant. Some take a key that is spelled like an account (12
digits) for that account, and others do not, so the emulator is asked. Of a key that was given, the call that gave it tells: the
role that was assumed. Where it tells none, it is the caller's own account until the emulator has been asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.given_accounts import account_given
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.mutability.judge import gives_credentials
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER
from replay_proxy.wire.signing.issued_keys import issued_keys
from replay_proxy.wire.signing.sigv4 import Credential, sign_again

UNSIGNED = "none"
USUAL_SECRET = "test"  # noqa: S105  # what documents of emulators tell everybody to use
USUAL_KEY: Final = "test"
"""The access key that nearly everybody uses with an emulator. It stands for the emulator's default account."""
IDENTITY = CallHead("sts", "GetCallerIdentity", "query", region="us-east-1", access_key=USUAL_KEY)
"""The call whose answer names the account of its caller."""
_PRESIGNED = frozenset({"query", "sigv2-query"})
SECRETS_MAX = 10_000
"""Keys that are remembered, the latest; requests signed with an older one are signed with the setting's secret."""
_KEY_CHARACTERS_MAX = 1024
"""Characters of a key and its secret, together. AWS's have 60, and no more than 168."""
_TOKEN_CHARACTERS_MAX = 4096
"""Characters of a session token; AWS's have less than half as many."""
TOKENS_CHARACTERS_MAX = 16 << 20
"""Characters of all tokens that are remembered, the latest."""
_ACCOUNT = re.compile(r"\d{12}")


_REFUSALS = frozenset(
    {"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId", "IncompleteSignature"}
)


def signing_hint(error_code: str) -> str:
    """Return what to add to a refusal where the emulator did not accept the signature; empty for any other error code."""
    return "; --secret-key names the secret to sign with" if error_code in _REFUSALS else ""


class AccessKeys:
    """Access keys that the emulator gave.

    secret_key: for all other keys; empty for a placeholder signature. secrets, tokens: by the emulator's access key id.
    accounts: by the id that clients know, the account as clients know it. default_account: the emulator's name of the account
    of every key that stands for none; empty where that is not known. guessed: keys that another account's caller was given, and
    of which nobody told whose they are.
    """

    def __init__(
        self,
        secret_key: str = "",
        secrets: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        accounts: Mapping[str, str] | None = None,
        default_account: str = "",
        guessed: Iterable[str] = (),
    ) -> None:
        self._secret_key = secret_key
        self.secrets: dict[str, str] = dict(secrets or {})
        self.tokens: dict[str, str] = dict(tokens or {})
        self.accounts: dict[str, str] = dict(accounts or {})
        self.guessed: set[str] = set(guessed)
        self.default_account = default_account
        self._token_characters = sum(map(len, self.tokens.values()))

    def learn(self, head: CallHead, outcome: Outcome) -> None:
        """Note the secrets in the emulator's own answer to any call, before that is translated to client ids."""
        if outcome.ok and gives_credentials(head.service, head.operation):
            for key in issued_keys(outcome.parsed):
                self._remember(key.access_key, key.secret_key, key.session_token)

    def learn_account(self, head: CallHead, params: Mapping[str, Any], outcome: Outcome) -> None:
        """Note the account of the keys in the answer to any call, as its client saw it. params: of the call."""
        if not outcome.ok or not gives_credentials(head.service, head.operation):
            return
        account = account_given(params, outcome)
        for key in issued_keys(outcome.parsed):
            if len(key.access_key) <= _KEY_CHARACTERS_MAX:
                self.note_account(key.access_key, account or head.account)
                if head.account and not account:
                    self.guessed.add(key.access_key)

    def note_account(self, access_key: str, account: str) -> None:
        """Note whose a key is: as clients know both."""
        self.accounts.pop(access_key, None)
        self.accounts[access_key] = account
        self.guessed.discard(access_key)
        while len(self.accounts) > SECRETS_MAX:
            oldest = next(iter(self.accounts))
            del self.accounts[oldest]
            self.guessed.discard(oldest)

    def _remember(self, key: str, secret: str, token: str) -> None:
        if len(key) + len(secret) > _KEY_CHARACTERS_MAX or len(token) > _TOKEN_CHARACTERS_MAX:
            return
        self.secrets[key] = secret
        if len(self.secrets) > SECRETS_MAX:
            self._forget_token(oldest := next(iter(self.secrets)))
            del self.secrets[oldest]
        self._forget_token(key)
        if token:
            self.tokens[key] = token
            self._token_characters += len(token)
        while self._token_characters > TOKENS_CHARACTERS_MAX:
            self._forget_token(next(iter(self.tokens)))

    def _forget_token(self, key: str) -> None:
        self._token_characters -= len(self.tokens.pop(key, ""))

    def placed(self, head: CallHead, default_account: str) -> CallHead:
        """Return a client's call with the account of the key that signed it, where that is known.

        default_account: as clients know it. A call that is meant for that names no account, whoever signed it. An account that
        a field of the request names stays.
        """
        account = self.accounts.get(head.access_key)
        if not account or head.account not in ("", head.access_key):
            return head
        placed = "" if account == default_account else account
        return head if placed == head.account else replace(head, account=placed)

    def identity_request(self, host: str, access_key: str = USUAL_KEY) -> Request:
        """Return the request that asks the emulator whose `access_key` is. host: for its `Host`."""
        secret = self._secret_key or (USUAL_SECRET if access_key == USUAL_KEY else "")
        return sign_again(
            build_request(IDENTITY, {}, host),
            access_key=access_key,
            region=IDENTITY.region,
            service=IDENTITY.service,
            secret_key=secret,
        )

    def learn_default_account(self, outcome: Outcome) -> None:
        """Note what the emulator answered to `identity_request`."""
        account = outcome.parsed.get("Account")
        if outcome.ok and isinstance(account, str) and _ACCOUNT.fullmatch(account):
            self.default_account = account

    def lacks_key_of(self, head: CallHead, request: Request) -> bool:
        """Return whether a recorded call was signed with a key of another account that was not given again so far."""
        if not head.account or head.access_key in self.accounts:
            return False
        return head.account not in (head.access_key, request.headers.get(ACCOUNT_HEADER))

    def signed(self, request: Request, credential: Credential) -> Request:
        """Return `request`, signed by `credential`, whose access key is the emulator's.

        Where no secret is known, the signature is a placeholder.
        """
        if credential.kind == UNSIGNED:
            return request
        return sign_again(
            request,
            access_key=credential.access_key,
            region=credential.region,
            service=credential.service,
            secret_key=self._secret_of(credential),
            session_token=self.tokens.get(credential.access_key, ""),
        )

    def _secret_of(self, credential: Credential) -> str:
        """Return the secret to sign with; empty for a placeholder."""
        usual = USUAL_SECRET if credential.kind in _PRESIGNED else ""
        return self.secrets.get(credential.access_key, self._secret_key) or usual

    def can_sign(self, credential: Credential) -> bool:
        """Return whether there is a secret to sign with for this key."""
        return credential.kind in {"header", *_PRESIGNED} and bool(self._secret_of(credential))
