"""Headers that follow from the bytes of a body: its length, its digests, its checksums.

A header that was there is computed again; none is added. ETags stay: where they follow from content, they are identifiers of
it to clients, and where they do not, they are identifiers like any other.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from functools import lru_cache

from replay_proxy.exchange import Headers

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@lru_cache(maxsize=4)
def _table(polynomial: int) -> tuple[int, ...]:
    out = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        out.append(value)
    return tuple(out)


def _reflected_crc(data: bytes, polynomial: int, bits: int) -> str:
    table, ones = _table(polynomial), (1 << bits) - 1
    crc = ones
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return _base64((crc ^ ones).to_bytes(bits // 8, "big"))


# The polynomials of CRC-32C (RFC 3720, appendix B.4) and CRC-64/NVME, reflected. Pure Python is fast enough: a body
# that is rewritten is a small document, object bytes never are.
_DIGESTS: dict[str, Callable[[bytes], str]] = {
    "content-md5": lambda body: _base64(hashlib.md5(body, usedforsecurity=False).digest()),
    "x-amz-checksum-crc32": lambda body: _base64(zlib.crc32(body).to_bytes(4, "big")),
    "x-amz-checksum-crc32c": lambda body: _reflected_crc(body, 0x82F63B78, 32),
    "x-amz-checksum-crc64nvme": lambda body: _reflected_crc(body, 0x9A6C9329AC4BC9B5, 64),
    "x-amz-checksum-sha1": lambda body: _base64(hashlib.sha1(body, usedforsecurity=False).digest()),
    "x-amz-checksum-sha256": lambda body: _base64(hashlib.sha256(body).digest()),
    "x-amz-crc32": lambda body: str(zlib.crc32(body)),
}


_DEPENDENT = frozenset({"content-length", "x-amz-content-sha256", *_DIGESTS})
_CODING = frozenset({"content-encoding"})


def for_unpacked(headers: Headers, body: bytes) -> Headers:
    """Return `headers` made to fit `body`, which is not compressed, whatever the body before it was."""
    return for_body(headers.less(_CODING), body)


def _dependent(names: tuple[str, ...]) -> frozenset[str]:
    return _DEPENDENT.intersection(names)


def for_body(headers: Headers, body: bytes) -> Headers:
    """Return `headers` with everything that depends on the body made to fit `body`."""
    for name in headers.of_names(_dependent):
        if name == "content-length":
            headers = headers.replaced(name, str(len(body)))
        elif name == "x-amz-content-sha256":
            if _SHA256_HEX.fullmatch(headers.get(name)):  # otherwise a keyword such as UNSIGNED-PAYLOAD
                headers = headers.replaced(name, hashlib.sha256(body).hexdigest())
        else:
            headers = headers.replaced(name, _DIGESTS[name](body))
    return headers
