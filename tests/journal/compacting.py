"""A recording that has a dead part, and what must be left of it after a compaction."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.format.records import Record, RecordKind, utc_now
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.planning.compact_recording import compact_recording, stage_compaction

HOST = Headers([("Host", "127.0.0.1:4566")])
_BUCKET = Request("PUT", "/bucket", HOST)


def s3_call(operation: str, request: Request) -> Record:
    """A call to S3 that succeeded."""
    head = CallHead("s3", operation, "rest-xml", "", "us-east-1", "test")
    return Record(0, utc_now(), 1.0, RecordKind.MUTATION, head, request, Answer(200, Headers()))


def bucket() -> Record:
    return s3_call("CreateBucket", _BUCKET)


def put_object(key: str, body: bytes | BlobRef) -> Record:
    return s3_call("PutObject", Request("PUT", f"/bucket/{key}", HOST, body))


def objects(recording: Recording) -> dict[str, str]:
    """What a restore would bring back: the SHA-256 of each object's content, by key; each blob is verified."""
    found = {}
    for record in recording.records():
        if record.head is not None and record.head.operation == "PutObject":
            body = record.request.body
            if isinstance(body, BlobRef):
                recording.blobs.verify(body)
            key = record.request.target.removeprefix("/bucket/")
            found[key] = body.sha256 if isinstance(body, BlobRef) else hashlib.sha256(body).hexdigest()
    return found


class ObjectWriter:
    """Writes objects as a proxy records them, and remembers what was acknowledged: the content by key.

    `allowed` has, for each key, every content that may be found now.
    """

    def __init__(self, files: Files, strategy: str) -> None:
        self.files = files
        self.strategy = strategy
        self.writer: JournalWriter | None = None
        self.allowed: dict[str, set[str]] = {}
        self.count = 0
        self.compactions = 0

    async def open(self) -> None:
        with suppress(StorageError):
            self.writer = await JournalWriter.open(
                self.files.root, strategy=self.strategy, flush_interval=1e6, files=self.files
            )
            self.writer.blobs.guard()
            await self._append(bucket())

    async def end(self) -> None:
        if self.writer is not None:
            writer, self.writer = self.writer, None
            with suppress(StorageError):
                await writer.close()

    async def do(self, action: str) -> None:
        """`new`, `again`, `blob`: an object; `several` at once; `compact`: with nobody using it; `adopt`: in use."""
        if self.writer is None:
            await self.open()
        if self.writer is None:
            return
        self.count += 1
        match action:
            case "new":
                await self.put(f"new-{self.count}", b"%d" % self.count)
            case "again":
                await self.put("again", b"%d" % self.count)
            case "blob":
                await self.put(f"blob-{self.count % 2}", b"%d" % self.count * 500, blob=True)
            case "several":
                await asyncio.gather(*(self.put(f"several-{n}", b"%d" % self.count) for n in range(3)))
            case "flush":
                with suppress(StorageError):
                    await self.writer.save("")
            case "compact":
                await self.end()
                with suppress(StorageError):
                    self.compactions += compact_recording(self.files.root, files=self.files).worth_it
            case "adopt":
                await self._adopt()

    async def put(self, key: str, content: bytes, *, blob: bool = False) -> None:
        assert self.writer is not None
        digest = hashlib.sha256(content).hexdigest()
        with suppress(StorageError):
            self.writer.check()
            self.begin(key, digest)
            body = await self.writer.blobs.put(content) if blob else content
            await self._append(put_object(key, body))
            self.acknowledge(key, digest)

    def begin(self, key: str, digest: str) -> None:
        self.allowed.setdefault(key, {""}).add(digest)

    def acknowledge(self, key: str, digest: str) -> None:
        self.allowed[key] = {digest}

    async def _append(self, record: Record) -> None:
        assert self.writer is not None
        await self.writer.append(record)

    async def _adopt(self) -> None:
        """As a running proxy does it: appended meanwhile is one more of each."""
        writer = self.writer
        assert writer is not None
        writer.blobs.guard()
        end = writer.position
        try:
            report = stage_compaction(self.files, end)
            await self.put("again", b"carried over %d" % self.count)
            if report.worth_it:
                task = asyncio.ensure_future(writer.adopt(end))
                while not task.done():
                    await asyncio.sleep(0)
                    await self.put("again", b"meanwhile %d" % self.count)
                    await self.put("blob-0", b"meanwhile %d" % self.count * 200, blob=True)
                await task
                writer.blobs.discard(report.unneeded)
                self.compactions += 1
        except StorageError:
            return


def holds(recording: Recording, allowed: dict[str, set[str]]) -> None:
    """Every object has a content that it may have."""
    found = objects(recording)
    for key in {*found, *allowed}:
        assert found.get(key, "") in allowed.get(key, set()), key
