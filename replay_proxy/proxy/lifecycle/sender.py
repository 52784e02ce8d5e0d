"""Sends stored requests to the emulator: what a restore sends, and what the proxy asks on its own account."""

from __future__ import annotations

import asyncio

from replay_proxy.errors import AnswerTimeoutError, UpstreamError
from replay_proxy.exchange import Answer, BlobRef, Request
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.wording import duration


class RequestSender:
    """Sends requests for `replay` and `emulators.session_mark`. blobs: needed where bodies lie in blobs."""

    def __init__(self, upstream: UpstreamClient, blobs: BlobStore | None = None, *, call_timeout: float) -> None:
        self._upstream = upstream
        self._blobs = blobs
        self._call_timeout = call_timeout

    async def __call__(self, request: Request) -> Answer:
        """Send one request. Return its whole answer.

        Raises:
            UpstreamError: there was none. `ConnectError`: nothing was sent. `AnswerError`: it was sent, or a part of it.
                `AnswerTimeoutError`: it was sent, and not answered in time.
            UnsendableError: HTTP cannot carry it.
            RecordingError: the blob of the body is missing or damaged; the request was cut off.
        """
        try:
            async with asyncio.timeout(self._call_timeout):
                if isinstance(request.body, BlobRef):
                    assert self._blobs is not None
                    return await self._upstream.exchange(request, blob=self._blobs.chunks(request.body))
                return await self._upstream.exchange(request)
        except UpstreamError:
            raise
        except TimeoutError as error:
            raise AnswerTimeoutError(
                f"the emulator at {self._upstream.base_url} did not answer within {duration(self._call_timeout)}",
                hint="is it busy, or hung? --call-timeout gives it longer",
            ) from error

    async def load(self, ref: BlobRef) -> bytes:
        """Return a blob as bytes. Raises `RecordingError` where it is missing or damaged, `StorageError`."""
        assert self._blobs is not None
        return b"".join([chunk async for chunk in self._blobs.chunks(ref)])
