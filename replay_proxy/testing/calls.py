"""The calls that one test made: as lines for its report, and as a page of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordingHeader, utc_now
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.blobs import blob_name
from replay_proxy.reports.call_document import call_document
from replay_proxy.reports.moments import model_at
from replay_proxy.reports.page.write import page_pieces

_NAME_MAX = 120


def shown_calls(data_dir: Path, moment: float) -> list[str]:
    """Return the recorded calls that were made since `moment` (seconds since 1970), each as an `aws` command."""
    recording = read(data_dir)
    found = []
    for record in _records_since(recording, moment):
        document = call_document(record, lambda ref: b"".join(recording.blobs.read(ref)))
        shown = document["aws"] or f"{document['request']['method']} {document['request']['target']}"
        found.append(f"{document['status']} {shown}")
    return found


def page_name(test: str) -> str:
    """Return the file name of the page of a test: its id as far as files may be named so, and what tells it from others."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", test).strip("-.")[-_NAME_MAX:]
    return f"{plain}-{hashlib.sha256(test.encode('utf-8', 'replace')).hexdigest()[:8]}.html"


def write_page(data_dir: Path, moment: float, title: str, page: Path) -> None:
    """Write the calls that were made since `moment` as a page. Raises OSError, RecordingError and StorageError."""
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="replay-proxy-report-") as folder:
        own = Path(folder)
        source = read(data_dir)
        # What a test does is never saved, so it would not count: it is copied into a recording of its own.
        lines = [encode_header(RecordingHeader("", utc_now()))]
        for number, record in enumerate(_records_since(source, moment), 1):
            lines.append(encode_record(record, number))
            for ref in record.body_refs:
                target = own / blob_name(ref.sha256)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(data_dir / blob_name(ref.sha256), target)
        (own / JOURNAL_NAME).write_bytes(b"".join(lines))
        recording = read(own)
        part = page.with_name(f".{page.name}.{os.getpid()}.part")
        with part.open("wb") as file:
            model = model_at(recording, "")
            file.writelines(piece.encode("utf-8", "replace") for piece in page_pieces(title, recording, model, None))
        part.replace(page)


def _records_since(recording: Recording, moment: float) -> Iterator[Record]:
    for entry in recording.entries():  # all of them: what tests do is never saved, so it is not in effect
        record = entry.decoded.item
        if isinstance(record, Record) and datetime.fromisoformat(record.time).timestamp() >= moment:
            yield record
