"""A merge of two recordings: ours and a pod's, into a third one that holds the calls of the merged state.

Run as a process (`python -m replay_proxy.pods.merge.merge_recordings`), this is the half of a load that takes long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from replay_proxy.errors import ReplayProxyError
from replay_proxy.journal.compaction.rewrite import CompactionInput
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordingHeader
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.merge.collisions import Renamed, collisions
from replay_proxy.pods.merge.merging import Merge
from replay_proxy.pods.merge.report import MergeReport
from replay_proxy.pods.merge.side import Side
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.merge.twins import default_accounts, twins
from replay_proxy.pods.state.live_records import LiveRecords
from replay_proxy.pods.worker import become_worker
from replay_proxy.replay.recorded_call import BlobLoader
from replay_proxy.wording import counted

_MERGED_ID = "00000000-0000-0000-0000-000000000000"


def merge_recordings(files: Files, pod: Recording, strategy: MergeStrategy, folder: Path | None) -> MergeReport:
    """Merge a pod into the recording below `files.root`, as that is now, and write the merged calls into a new `folder`.

    Bodies stay where they are: in the blobs of the one or of the other. folder: None where only the report is asked for.
    Blocking, for long. Raises RecordingError, StorageError, and PodError where nothing of the pod can be carried out.
    """
    source = CompactionInput(files)
    records: Iterable[Record] = LiveRecords(source, datetime.now(UTC))
    ours = Side(records, _loader(source.blobs))
    its, names, known = Side(pod, _loader(pod.blobs)), dict[str, str](), dict[str, str]()
    if its.refused and not its.changes:
        raise PodError(
            f"none of the pod's calls can be carried out ({counted(its.refused, 'call')}); the last one: {its.flaw}",
            hint="nothing was changed; `pod inspect` shows what it holds",
        )
    accounts = {} if strategy is MergeStrategy.OVERWRITE else default_accounts(ours, its)
    if accounts:
        records = Renamed(records, {}, accounts)
        ours = Side(records, ours.load)
    if strategy is MergeStrategy.SERVICE:
        known = twins(ours, its)
        if known:
            ours = Side(Renamed(records, known), ours.load)
        names = collisions(ours, its, known.values())
        if names:
            its = Side(Renamed(pod, names), its.load)
    merge = Merge(ours, its, strategy)
    merge.report.renamed = names
    merge.report.united = accounts | {old: new for old, new in known.items() if not _are_at_one_path(old, new)}
    if folder is not None:
        try:
            folder.mkdir(mode=0o700)
            fd = os.open(folder / JOURNAL_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as sink:
                sink.writelines(_lines(merge))
        except OSError as error:
            raise storage_error("write the merged calls", folder, error) from error
    return merge.report


def _are_at_one_path(*urls: str) -> bool:
    """Return whether URLs differ in their hosts alone, which each client is shown as it calls the proxy."""
    places = {urlsplit(each)[2:] for each in urls}
    return len(places) == 1 and all("://" in each for each in urls)


def _lines(merge: Merge) -> Iterator[bytes]:
    yield encode_header(RecordingHeader(_MERGED_ID, ""))
    for number, call in enumerate(merge, 1):
        yield encode_record(replace(call.record, seq=number), number)


def _loader(blobs: BlobStore) -> BlobLoader:
    return lambda ref: b"".join(blobs.read(ref))


def main(argument: str) -> int:
    """Merge as `argument` says (JSON), print the report as JSON, and return the exit code."""
    become_worker()
    told = orjson.loads(argument)
    folder = Path(told["folder"]) if told["folder"] else None
    try:
        report = merge_recordings(
            Files(Path(told["data_dir"])), read(Path(told["pod"])), MergeStrategy(told["strategy"]), folder
        )
    except ReplayProxyError as error:
        sys.stdout.buffer.write(orjson.dumps({"message": error.message, "hint": error.hint}))
        return error.exit_code
    sys.stdout.buffer.write(orjson.dumps(report.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
