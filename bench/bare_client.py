"""What an emulator does when nothing stands in the way: the same calls, fired by a bare aiohttp client with the same concurrency.

    python -m bench.bare_client FILE URL CONCURRENCY FIRST

FILE is a history as the legacy recorder wrote it. The first FIRST calls are sent one by one, since the others need what
they make. Prints one JSON object: how many were sent and refused, and the seconds from the first request to the last answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any


async def fire(calls: list[dict[str, Any]], url: str, concurrency: int, first: int) -> dict[str, float]:
    """Send `calls` in order, `concurrency` at a time."""
    import aiohttp
    from yarl import URL

    refused = 0
    prepared = [(c["m"], URL(url + c["p"], encoded=True), c["h"], base64.b64decode(c["d"])) for c in calls]
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def send(call: tuple[str, URL, dict[str, str], bytes]) -> None:
            nonlocal refused
            method, target, headers, body = call
            async with session.request(method, target, headers=headers, data=body) as answer:
                await answer.read()
                refused += answer.status >= 400

        async def work(queue: Any) -> None:
            for call in queue:
                await send(call)

        begun = time.perf_counter()
        await work(prepared[:first])
        rest = iter(prepared[first:])
        await asyncio.gather(*(work(rest) for _ in range(concurrency)))
        return {"sent": len(prepared), "refused": refused, "seconds": time.perf_counter() - begun}


def main() -> None:
    path, url, concurrency, first = sys.argv[1:]
    calls = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
    print(json.dumps(asyncio.run(fire(calls, url, int(concurrency), int(first)))))


if __name__ == "__main__":
    main()
