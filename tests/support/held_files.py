"""What the proxy has written down of the values that clients hold."""

from __future__ import annotations

import time
from hashlib import blake2b

from tests.support.processes import Proxy


def written_down(proxy: Proxy) -> str:
    """What stands in the files."""
    return "".join(path.read_text() for path in sorted(proxy.data_dir.glob("held_*.jsonl*")))


def wait_until_written(proxy: Proxy, *values: str) -> None:
    """Wait until digests of these values are written down, which takes some milliseconds after the answer."""
    digests = [blake2b(value.encode(), digest_size=16).hexdigest() for value in values]
    deadline = time.monotonic() + 30
    while missing := [digest for digest in digests if digest not in written_down(proxy)]:
        assert time.monotonic() < deadline, f"not written down: {missing}"
        time.sleep(0.01)
