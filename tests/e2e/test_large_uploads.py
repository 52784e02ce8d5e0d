"""Many large objects that are uploaded at once: bounded memory, each recorded once, and the same bytes after a restart."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.processes import memory_of
from tests.support.clients import client
from tests.support.processes import Proxy, amount

pytestmark = pytest.mark.emulator

# With REPLAY_LONG_TESTS=1: 20 of 200 MB, some minutes.
COUNT = amount(4, 20)
MEGABYTES = amount(20, 200)
MORE_MIB = 60.0
"""Than an idle proxy, while all are uploaded and while all are restored. In the long run one object alone has twice as much."""
TIMEOUT_S = 900.0


def made(path: Path) -> str:
    """Write a file that is like no other; its SHA-256."""
    block, digest = os.urandom(1_000_000), hashlib.sha256()
    with path.open("wb") as out:
        for number in range(MEGABYTES):
            piece = number.to_bytes(8, "big") + block[8:]
            out.write(piece)
            digest.update(piece)
    return digest.hexdigest()


@pytest.mark.timeout(1800)
def test_uploads_at_once_are_bounded_recorded_once_and_restored(
    tmp_path: Path, start_proxy: Callable[..., Proxy]
) -> None:
    proxy = start_proxy("--emulator", "moto", fresh=True)
    s3 = client("s3", proxy.url, read_timeout=TIMEOUT_S, max_pool_connections=COUNT)
    s3.create_bucket(Bucket="large")
    keys = [f"object-{number}" for number in range(COUNT)]
    digests = {key: made(tmp_path / key) for key in keys}
    idle = memory_of(proxy.process.pid)

    def upload(key: str) -> None:
        with (tmp_path / key).open("rb") as body:
            s3.put_object(Bucket="large", Key=key, Body=body)

    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(upload, keys))
    peak = memory_of(proxy.process.pid, "VmHWM")
    print(f"uploads: {peak - idle:.0f} MiB more than idle")
    assert peak - idle < MORE_MIB
    for key in keys:
        (tmp_path / key).unlink()

    def recorded() -> Counter[str]:
        puts = [each for each in proxy.records() if each["operation"] == "PutObject"]
        assert all("body_blob" in each["request"] for each in puts)
        return Counter(each["request"]["target"].partition("?")[0] for each in puts)

    once = Counter(f"/large/{key}" for key in keys)
    assert recorded() == once
    proxy.kill_all()
    proxy.again()
    assert recorded() == once
    for key in keys:
        digest = hashlib.sha256()
        for chunk in s3.get_object(Bucket="large", Key=key)["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
        assert digest.hexdigest() == digests[key]
    peak = memory_of(proxy.process.pid, "VmHWM")
    print(f"restore and downloads: {peak - idle:.0f} MiB more than idle")
    assert peak - idle < MORE_MIB
