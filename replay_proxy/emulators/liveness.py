"""An open connection to an external emulator: when it breaks, the emulator may have been restarted.

A restart that falls between two requests is not seen by any request, and the one after it would meet an emulator
without memory. The kernel tells at once: it closes every connection of a process that ends, an idle one too.

Some servers close idle connections by themselves. So a broken connection is a reason to look, and proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

_PAUSE_S = 0.25


async def wait_until_disconnected(url: str) -> bool:
    """Hold a connection to `url` until the other side ends it. Return False where none can be made."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError:
        await asyncio.sleep(_PAUSE_S)
        return False
    try:
        with contextlib.suppress(OSError):
            await reader.read(1)
        return True
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
