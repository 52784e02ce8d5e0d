from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.identifiers.rewriting.body.derived_headers import for_body

CHECK = b"123456789"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # The check values of the CRC catalogue for "123456789".
        ("x-amz-checksum-crc32", base64.b64encode(bytes.fromhex("cbf43926")).decode()),
        ("x-amz-checksum-crc32c", base64.b64encode(bytes.fromhex("e3069283")).decode()),
        ("x-amz-checksum-crc64nvme", base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()),
        ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(CHECK).digest()).decode()),
        ("x-amz-checksum-sha1", base64.b64encode(hashlib.sha1(CHECK).digest()).decode()),
        ("Content-MD5", base64.b64encode(hashlib.md5(CHECK).digest()).decode()),
        ("x-amz-crc32", str(zlib.crc32(CHECK))),
        ("X-Amz-Content-SHA256", hashlib.sha256(CHECK).hexdigest()),
        ("Content-Length", "9"),
    ],
)
def test_what_depends_on_the_body_is_computed_again(name: str, value: str) -> None:
    old = "0" * 64 if name == "X-Amz-Content-SHA256" else "old"
    headers = for_body(Headers([("A", "b"), (name, old)]), CHECK)
    assert headers.pairs == (("A", "b"), (name, value))


def test_nothing_is_added_and_keywords_stay() -> None:
    headers = Headers([("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("ETag", '"abc"')])
    assert for_body(headers, CHECK).pairs == headers.pairs
