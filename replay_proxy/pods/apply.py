"""Putting merged calls into a recording: a reset, and the calls, all of which count, or none."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.storage.blobs import BlobStore, blob_name
from replay_proxy.journal.write.writer import JournalWriter

PAUSE_CALLS: Final = 32


async def record_merged(writer: JournalWriter, merged: Recording, pod: Recording) -> None:
    """Record a reset, and then the merged calls; to be called after `JournalWriter.begin_trial`.

    merged: what `merge_recordings` wrote. pod: has the large bodies that the recording has not.
    Raises RecordingError, StorageError.
    """
    writer.reset()
    for number, record in enumerate(merged.records()):
        for ref in record.body_refs:
            if not _has(writer.blobs, ref):
                await _copy(ref, pod.blobs, writer.blobs)
        writer.write(record)
        if not number % PAUSE_CALLS:
            await asyncio.sleep(0)


def _has(blobs: BlobStore, ref: BlobRef) -> bool:
    with suppress(OSError):
        return blobs.files.stat(blob_name(ref.sha256)).st_size == ref.size
    return False


async def _copy(ref: BlobRef, source: BlobStore, target: BlobStore) -> None:
    spool = target.begin()
    try:
        async for chunk in source.chunks(ref):
            spool.write(chunk)
        await spool.commit()
    finally:
        spool.abort()
