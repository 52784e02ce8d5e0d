"""What a restore is given of the emulator that it restores into."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from replay_proxy.exchange import Answer, BlobRef, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.session_state import SessionState

Send = Callable[[Request], Awaitable[Answer]]
"""Sends one request to the emulator.

Raises `UpstreamError` where there is no answer, whose `may_have_been_carried_out` tells whether it was sent;
`UnsendableError` where HTTP cannot carry the request; `RecordingError` where the blob of its body is missing.
"""

AsyncBlobLoader = Callable[[BlobRef], Awaitable[bytes]]
"""Reads a blob into memory. Raises `RecordingError` or `StorageError`."""


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """The emulator that is restored into.

    known, endpoints: what the restore learns goes there. call_timeout: seconds, for each call. issued: finds the calls that
    gave out what recorded requests present; None where nothing is looked for.
    """

    send: Send
    load: AsyncBlobLoader
    known: SessionState
    endpoints: Endpoints
    call_timeout: float = 60.0
    issued: IssuedLookup | None = None
