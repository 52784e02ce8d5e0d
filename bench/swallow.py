"""A fast upstream for large bodies: swallows what is sent to it, and sends SIZE bytes of nothing to whoever asks.

python -m bench.swallow PORT SIZE
"""

from __future__ import annotations

import asyncio
import sys

CHUNK = bytes(1 << 20)
_OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nETag: "0"\r\nContent-Length: %d\r\n\r\n'


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            left = _length(head)
            while left:
                piece = await reader.read(min(left, 1 << 20))
                if not piece:
                    return
                left -= len(piece)
            wanted = size if head.startswith(b"GET /bucket/large") else 0
            writer.write(_OK % wanted)
            for _ in range(wanted >> 20):
                writer.write(CHUNK)
                await writer.drain()
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def main() -> None:
    """Serve until killed."""
    port, size = map(int, sys.argv[1:])
    server = await asyncio.start_server(lambda r, w: _serve(r, w, size), "127.0.0.1", port, limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
