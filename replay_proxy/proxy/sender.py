"""Sends stored requests to the emulator: what a restore sends, and what the proxy asks on its own account."""

from __future__ import annotations

import asyncio

from replay_proxy.exchange import Answer, BlobRef, Request
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.proxy.upstream import Upstream


class Sender:
    """`send` for `replay` and `emulators.session`. `blobs` is needed where bodies lie in blobs."""

    def __init__(self, upstream: Upstream, blobs: BlobStore | None = None, *, call_timeout: float) -> None:
        self._upstream = upstream
        self._blobs = blobs
        self._call_timeout = call_timeout

    async def __call__(self, request: Request) -> Answer:
        """Send one request; its whole answer.

        Raises:
            ConnectionError: the emulator cannot be reached, or broke off.
            TimeoutError: it did not answer in time.
            RecordingError: the blob of the body is missing or damaged.
        """
        async with asyncio.timeout(self._call_timeout):
            if isinstance(request.body, BlobRef):
                assert self._blobs is not None
                return await self._upstream.exchange(request, blob=self._blobs.chunks(request.body))
            return await self._upstream.exchange(request)

    async def load(self, ref: BlobRef) -> bytes:
        """A blob as bytes. Raises `RecordingError` where it is missing or damaged, `StorageError`."""
        assert self._blobs is not None
        return b"".join([chunk async for chunk in self._blobs.chunks(ref)])
