"""A version of a pod as a recording again: for those who look into it, compare it, or load it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordingHeader
from replay_proxy.journal.storage.blobs import blob_name
from replay_proxy.journal.storage.files import DIRECTORY_MODE, folder_error
from replay_proxy.journal.storage.scratch import TEMPORARY
from replay_proxy.pods.limits import damaged
from replay_proxy.pods.oci.descriptor import BODY_TYPE, Descriptor
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.state.segments import Budget, lines_in, record_of, unpacked
from replay_proxy.pods.state.smoke_file import SMOKE_NAME, carried_by_version
from replay_proxy.pods.state.stated import Stated
from replay_proxy.wording import counted

CALLS_MAX: Final = 50_000_000
INLINE_BYTES: Final = 256 << 10
"""A smaller body is in its line when a version is a recording again, as recordings have it."""
_NAMESPACE: Final = uuid.UUID("6f1d9a52-0f3b-5d0e-9d8a-6a1f3f3f7c11")


def records_of(layout: Layout, manifest: Manifest, where: str) -> Iterator[Record]:
    """Yield the records of a version, numbered from 1, each verified, and compare them with what it says in the end.

    where: for messages.
    A body of more than `INLINE_BYTES` is a reference to a layer that the manifest names; a smaller one is in the record, wherever
    it lies. Raises PodError, StorageError.
    """

    def inline(body: Body) -> Body:
        if not isinstance(body, BlobRef) or body.size > INLINE_BYTES:
            return body
        return b"".join(layout.read(Descriptor(BODY_TYPE, f"sha256:{body.sha256}", body.size)))

    budget, stated = Budget(layout.limits, manifest.size), Stated(manifest, where)
    bodies = {each.sha256: each.size for each in manifest.bodies}
    number = 0
    for segment in manifest.journal:
        for line in lines_in(layout.read(segment), budget, f"{where}: {segment.digest}"):
            number += 1
            if number > CALLS_MAX:
                raise damaged(f"{where} has more than {counted(CALLS_MAX, 'call')}")
            record = record_of(line, number, where)
            stated.see(line, record)
            for ref in record.body_refs:
                if bodies.get(ref.sha256) != ref.size:
                    raise damaged(f"{where}: call {number} refers to a body that the manifest does not name")
            if not record.body_refs:
                yield record
                continue
            request, answer = record.request, record.answer
            yield replace(
                record,
                request=replace(request, body=inline(request.body)),
                answer=replace(answer, body=inline(answer.body)),
            )
    stated.check()


def unpack(layout: Layout, manifest: Manifest, folder: Path, where: str, option: str = TEMPORARY) -> int:
    """Write a version into a folder, which must be empty or missing, as a recording. Return how many calls it has. Blocking.

    option: what names where the folder lies, for hints.

    Raises:
        PodError: something in it is not what its digest says, or larger than the limits. StorageError: it cannot be written.
    """
    try:
        folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        for body in manifest.bodies:
            if body.size <= INLINE_BYTES:
                continue
            place = folder / blob_name(body.sha256)
            place.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            _write(place, layout.read(body))
        count = 0

        def lines() -> Iterator[bytes]:
            nonlocal count
            yield encode_header(_header_of(manifest))
            for record in records_of(layout, manifest, where):
                count += 1
                yield encode_record(record, record.seq)

        _write(folder / JOURNAL_NAME, lines())
        smoke = carried_by_version(layout, manifest, where)
        if smoke is not None:
            _write(folder / SMOKE_NAME, iter([smoke]))
    except OSError as error:
        if isinstance(error, ReplayProxyError):
            raise
        raise folder_error("unpack the pod", folder, error, option) from error
    return count


def metamodel_in(layout: Layout, manifest: Manifest, where: str) -> dict[str, object]:
    """Return the metamodel of a version; empty where it has none. Raises PodError, StorageError."""
    descriptor = manifest.metamodel
    if descriptor is None:
        return {}
    budget = Budget(layout.limits, manifest.size)
    try:
        document = orjson.loads(b"".join(unpacked(layout.read(descriptor), budget, f"{where}: its metamodel")))
    except ValueError as error:
        raise damaged(f"{where}: its metamodel is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise damaged(f"{where}: its metamodel is no JSON object")
    return document


def _header_of(manifest: Manifest) -> RecordingHeader:
    emulator = {"name": manifest.emulator} if manifest.emulator else {}
    return RecordingHeader(str(uuid.uuid5(_NAMESPACE, manifest.state)), manifest.created, emulator)


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as sink:
        for chunk in chunks:
            sink.write(chunk)
