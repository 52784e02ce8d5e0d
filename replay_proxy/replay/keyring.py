"""The secrets of access keys that the emulator made, for signing what was rewritten.

A request whose identifiers were replaced no longer fits its signature. Most emulators do not look; one that does accepts a
signature made with the secret of the key it knows. Such secrets are seen once, in the answer of CreateAccessKey, at first
or again in a restore. For every other key the setting `--secret-key` is used, where it is given.
"""

from __future__ import annotations

from collections.abc import Mapping

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.answers import Outcome
from replay_proxy.wire.signing import Credential, stamp

UNSIGNED = "none"


class Keyring:
    """Secrets by the emulator's access key id. secret_key: for all other keys; empty for a placeholder signature."""

    def __init__(self, secret_key: str = "", secrets: Mapping[str, str] | None = None) -> None:
        self._secret_key = secret_key
        self.secrets: dict[str, str] = dict(secrets or {})

    def learn(self, head: CallHead, outcome: Outcome) -> None:
        """Take in the emulator's own answer (not yet in the clients' identifiers) to any call."""
        if (head.service, head.operation) == ("iam", "CreateAccessKey") and outcome.ok:
            key = outcome.parsed.get("AccessKey", {})
            if "AccessKeyId" in key and "SecretAccessKey" in key:
                self.secrets[key["AccessKeyId"]] = key["SecretAccessKey"]

    def signed(self, request: Request, credential: Credential) -> Request:
        """`request` signed by `credential`, whose access key is the emulator's; with a placeholder where no secret is known."""
        if credential.kind == UNSIGNED:
            return request
        return stamp(
            request,
            access_key=credential.access_key,
            region=credential.region,
            service=credential.service,
            secret_key=self.secrets.get(credential.access_key, self._secret_key),
        )

    def can_sign(self, credential: Credential) -> bool:
        """Is there a secret for this key?"""
        return credential.kind in ("header", "query") and bool(
            self.secrets.get(credential.access_key, self._secret_key)
        )
