"""Signing tokens whose claims were translated.

A token of a user pool says which pool and which client it is of, and who its user is. After a restart the emulator knows these
by other identifiers than its clients, who compare them with what they were shown. A token with other claims needs another
signature, and the emulator keeps its key to itself. So the proxy has a key of its own, and shows it beside the emulator's
where a pool shows its keys (`jwks.json`). It is made when it is first needed, for one process, and never written down: what is
recorded is the public half, with the first token that it has signed, so that the token can be verified later.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from replay_proxy import log

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_log = log.get("issued")

_KEY_BITS = 2048
_EXPONENT = 65537


class TokenSigner:
    """Signs with RS256, as user pools do, where `cryptography` is installed (moto and MiniStack bring it)."""

    def __init__(self) -> None:
        self.is_used = False

    @cached_property
    def _key(self) -> RSAPrivateKey | None:
        try:
            from cryptography.hazmat.primitives.asymmetric import rsa
        except ImportError:
            _log.warning(
                "tokens of user pools show the emulator's identifiers: they cannot be signed anew",
                hint="install the Python package cryptography beside replay-proxy",
            )
            return None
        return rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_KEY_BITS)

    def signed(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims; empty where nothing can be signed. Blocking; the first takes a tenth of a second."""
        key = self._key
        if key is None:
            return ""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        self.is_used = True
        header = {"kid": self.public_key["kid"], "alg": "RS256"}
        text = b".".join(_encoded(orjson.dumps(part)) for part in (header, claims))
        signature = key.sign(text, PKCS1v15(), hashes.SHA256())
        return (text + b"." + _encoded(signature)).decode()

    @cached_property
    def public_key(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 7517)."""
        assert self._key is not None
        numbers = self._key.public_key().public_numbers()
        modulus = numbers.n.to_bytes(_KEY_BITS // 8, "big")
        exponent = numbers.e.to_bytes(3, "big")
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": _encoded(hashlib.sha256(modulus).digest()).decode(),
            "n": _encoded(modulus).decode(),
            "e": _encoded(exponent).decode(),
        }


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
