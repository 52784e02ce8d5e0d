"""Saving: the live part of a recording as a new version of a pod.

What is saved is what a compaction would leave, without the numbers that differ from one recording to the next. Nothing of the
recording is changed, and nobody is kept waiting: it is read as it is at that moment, up to a line. Memory holds the plan and the
model of its resources; lines and bodies stream.

Run as a process (`python -m replay_proxy.pods.state.save`), this is the half of saving a running proxy's state that takes long.
No thread of the proxy does it: one that holds the interpreter while the machine is busy with others keeps every request waiting.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.compaction.rewrite import CompactionInput
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.interchange.export import catalogue_of
from replay_proxy.journal.interchange.redaction.messages import name_of
from replay_proxy.journal.interchange.redaction.redact import Redactor
from replay_proxy.journal.interchange.redaction.secret_catalogue import CannotRedactError
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.pods.archive import write_archive
from replay_proxy.pods.limits import Limits
from replay_proxy.pods.names import PodReference
from replay_proxy.pods.oci.descriptor import (
    AUTHORS,
    BODY_TYPE,
    CALLS,
    CONFIG_TYPE,
    CREATED,
    EMPTY_CONFIG,
    EMULATOR,
    FORMAT_VERSION_KEY,
    MESSAGE,
    METAMODEL_TYPE,
    PARENT,
    REDACTED,
    RESOURCES,
    SERVICES,
    SMOKE_TYPE,
    STATE,
    TITLE,
    UNPACKED,
    Descriptor,
    descriptor_of,
)
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.oci.manifest import FORMAT_VERSION, PLAIN_VERSION, Manifest
from replay_proxy.pods.state.live_records import LiveRecords, without_place
from replay_proxy.pods.state.metamodel import encoded, metamodel_of
from replay_proxy.pods.state.save_request import SaveReport, SaveRequest
from replay_proxy.pods.state.segments import SegmentWriter, line_of, packed
from replay_proxy.pods.state.smoke_file import SMOKE_NAME, carried_by_recording
from replay_proxy.pods.store import PodStore, Version
from replay_proxy.pods.worker import become_worker
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.wire.models.service_names import UnknownServiceError, services_in

LARGE_BYTES: Final = 16 << 10
"""A body that is larger is a layer of its own, whatever the recording did with it: so the segment of a line stays small."""
Progress = Callable[[int, int], None]


def save_recording(
    files: Files,
    store: PodStore,
    request: SaveRequest,
    *,
    end: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> SaveReport:
    """Save the live part of the recording below `files.root` (up to the offset `end`) as the next version. Blocking.

    progress: called with the number of calls that are done, and of all.

    Raises:
        UsageError: it cannot be saved so, or there is no such service. RecordingError: the recording is damaged.
        StorageError: something cannot be read or written.
    """
    request.checked()
    source = CompactionInput(files, end)
    request = replace(request, services=_services(request.services, source))
    report = SaveReport(request.name)
    with store.layout.writing():
        before = next(reversed(store.versions(request.name)), None)
        manifest = _Saving(source, store.layout, request, report, progress).manifest(before)
        version = store.add(request.name, manifest)
    report.version, report.digest = version.number, version.digest
    return report


def _services(names: Iterable[str], source: CompactionInput) -> tuple[str, ...]:
    """Return the services that are meant. Raises UnknownServiceError."""
    try:
        return services_in(names)
    except UnknownServiceError:
        # Also one that botocore does not know, or not any more.
        return services_in(names, {each.head.service for each in source.records() if each.head is not None})


class _Saving:
    """One save: reads records, writes layers."""

    def __init__(
        self, source: CompactionInput, layout: Layout, request: SaveRequest, report: SaveReport, progress: Progress
    ) -> None:
        self._source = source
        self._layout = layout
        self._request = request
        self._report = report
        self._progress = progress
        self._bodies: dict[str, Descriptor] = {}
        self._new = 0

    def manifest(self, before: Version | None) -> Manifest:
        """Write all layers, and return the manifest of the new version."""
        report, request = self._report, self._request
        self._put(EMPTY_CONFIG, CONFIG_TYPE)
        model = ResourceModel(self._body)
        segments = SegmentWriter(self._put)
        for number, record in enumerate(self._records(), 1):
            segments.add(line_of(record))
            model.see(replace(record, seq=number))
        segments.finish()
        pieces = list(encoded(metamodel_of(model)))
        metamodel = self._put(packed(pieces), METAMODEL_TYPE)
        report.calls, report.resources = len(model.calls), len(model.resources)
        report.services = sorted({each.service for each in model.calls if each.service})
        report.state = segments.state
        report.warnings += self._source.recording.warnings
        header = self._source.recording.header
        emulator = request.emulator or str((header.emulator if header is not None else {}).get("name", ""))
        parent = request.parent or (before.digest if before is not None else "")
        bodies = sorted(self._bodies.values(), key=lambda each: each.digest)
        smoke = self._smoke()
        unpacked = segments.unpacked_bytes + sum(map(len, pieces)) + sum(each.size for each in (*bodies, *smoke))
        annotations = {
            FORMAT_VERSION_KEY: str(FORMAT_VERSION if smoke else PLAIN_VERSION),
            TITLE: request.name,
            CREATED: datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            STATE: report.state,
            SERVICES: ",".join(report.services),
            CALLS: str(report.calls),
            RESOURCES: str(report.resources),
            UNPACKED: str(unpacked),
            **({MESSAGE: request.message} if request.message else {}),
            **({AUTHORS: request.author} if request.author else {}),
            **({EMULATOR: emulator} if emulator else {}),
            **({PARENT: parent} if parent else {}),
            **({REDACTED: "true"} if request.redact else {}),
        }
        manifest = Manifest((*segments.segments, *bodies, metamodel, *smoke), annotations)
        report.size, report.new_bytes = manifest.size, self._new
        return manifest

    def _smoke(self) -> list[Descriptor]:
        """Store the file of smoke tests that the recording carries; of a redacted version nothing, since it may hold anything."""
        content = carried_by_recording(self._source.recording.data_dir)
        if content is None:
            return []
        if self._request.redact:
            self._report.warnings.append(f"{SMOKE_NAME} is not in it: nobody can tell what secrets that holds")
            return []
        return [self._put(content, SMOKE_TYPE)]

    def _records(self) -> Iterator[Record]:
        """Yield what is to be saved, in the order of its replay, with its large bodies stored."""
        source, report = self._source, self._report
        live = LiveRecords(source, datetime.now(UTC), self._request.services)
        left_out = live.left_out
        redactor = Redactor(catalogue_of(source.recording)) if self._request.redact else None
        for done, found in enumerate(live):
            if not done % 256:
                self._progress(done, len(live))
            record = without_place(found)
            if redactor is not None:
                try:
                    record = redactor.redacted(record)
                except CannotRedactError as error:
                    left_out[f"{name_of(record)}: a secret may be in it, and {error}"] += 1
                    continue
            yield replace(
                record,
                request=replace(record.request, body=self._stored(record.request.body)),
                answer=replace(record.answer, body=self._stored(record.answer.body)),
            )
        self._progress(len(live), len(live))
        report.left_out = dict(sorted(left_out.items()))
        if redactor is not None:
            report.redacted = dict(sorted(redactor.counts.items()))
            report.not_judged = dict(sorted(redactor.catalogue.not_judged.items()))
        if source.first_pending is not None:
            report.warnings.append(
                "calls that do not count yet are not in it: not saved under MANUAL, or of a load that is under way"
            )

    # -- bodies ----------------------------------------------------------------------------------------------------

    def _put(self, data: bytes, media_type: str) -> Descriptor:
        descriptor = descriptor_of(data, media_type)
        if self._layout.holds(descriptor):
            return descriptor
        self._new += descriptor.size
        return self._layout.put(data, media_type)

    def _stored(self, body: Body) -> Body:
        """Return a body as a version holds it: a large one as a reference to its layer."""
        if isinstance(body, BlobRef):
            if body.size <= LARGE_BYTES:
                return self._body(body)
            descriptor = Descriptor(BODY_TYPE, f"sha256:{body.sha256}", body.size)
            if not self._layout.holds(descriptor):
                self._new += body.size
                self._layout.take(descriptor, self._source.blobs.read(body))
            self._bodies[body.sha256] = descriptor
            return body
        if len(body) <= LARGE_BYTES:
            return body
        descriptor = self._put(body, BODY_TYPE)
        self._bodies[descriptor.sha256] = descriptor
        return BlobRef(descriptor.sha256, descriptor.size)

    def _body(self, ref: BlobRef) -> bytes:
        """Return the content of a large body, of the recording or of the version that is being written."""
        descriptor = self._bodies.get(ref.sha256)
        return b"".join(self._source.blobs.read(ref) if descriptor is None else self._layout.read(descriptor))


def _move_into_file(store: PodStore, version: Version, path: Path) -> None:
    """Write a version as an archive, and remove the store that it was in. Raises PodError, StorageError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as sink:
            write_archive(store.layout, version, sink)
    except OSError as error:
        if isinstance(error, ReplayProxyError):
            raise
        raise storage_error("write the pod", path, error) from error
    shutil.rmtree(store.root, ignore_errors=True)


def main(argument: str) -> int:
    """Save as `argument` says (JSON), print the report as JSON, and return the exit code."""
    become_worker()
    told = orjson.loads(argument)
    request = SaveRequest(**{**told["request"], "services": tuple(told["request"]["services"])})
    limits = Limits(**told["limits"])
    store = PodStore(Path(told["store"]), limits, durable=told["durable"], option=told["option"])
    try:
        report = save_recording(Files(Path(told["data_dir"])), store, request, end=told["end"])
        if told["archive"]:
            _move_into_file(store, store.find(PodReference(request.name, str(report.version))), Path(told["archive"]))
    except ReplayProxyError as error:
        sys.stdout.buffer.write(orjson.dumps({"message": error.message, "hint": error.hint}))
        return error.exit_code
    sys.stdout.buffer.write(orjson.dumps(report.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
