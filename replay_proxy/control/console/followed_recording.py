"""A recording and its resources, kept up with a journal that grows.

The journal is read as `journal.read` does; then only what is appended. Where another file took its place (a compaction), it
became shorter (a torn end was cut), or a session began, all is read anew. Calls that may still be saved count here: the
emulator holds what they made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import decode_line
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record
from replay_proxy.journal.read.index import call_type_of
from replay_proxy.journal.read.journal_file import raw_lines
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.files import Files
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Link

LINES_MAX: Final = 2000
"""Lines that are taken in at a time, so that questions are answered in between."""
PROGRESS_INTERVAL: Final = 1000
_REST: Final = 4
"""Links of all resources are worked out anew after so many times as long as that took the last time."""


@dataclass(slots=True)
class News:
    """What came since the last look. changed: the numbers of resources, those that are gone included."""

    calls: list[CallEntry] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.calls or self.changed)


class FollowedRecording:
    """The recording in a directory. generation: grows each time that all was read anew."""

    def __init__(self, data_dir: Path, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """on_progress: told how many records were read, of how many."""
        self._data_dir = data_dir
        self._files = Files(data_dir)
        self._on_progress = on_progress
        self.generation = 0
        self.recording: Recording
        self.model: ResourceModel
        self._end = 0
        self._touched: set[int] = set()
        self._links: dict[int, list[Link]] = {}
        self._account = ""
        self._is_stale = False
        self._next_sweep_s = 0.0

    def load(self) -> None:
        """Read all of the recording. Raises RecordingError and StorageError."""
        recording = read(self._data_dir, files=self._files)
        model = ResourceModel(self._body)
        self.recording, self.model = recording, model
        total = recording.records_total
        for done, item in enumerate(self._standing(recording)):
            model.see(item)
            if done % PROGRESS_INTERVAL == 0:
                self._on_progress(done, total)
        self._end = recording.layout.tail.end
        self._touched, self._is_stale = set(), False
        self._links = {number: model.links(each) for number, each in model.resources.items()}
        self._account = model.default_account
        self.generation += 1

    def _standing(self, recording: Recording) -> Iterator[Record | ControlRecord]:
        """Yield what is in effect, or may still be saved."""
        effect = recording.effect
        items = recording.items() if recording.layout.legacy else (each.decoded.item for each in recording.entries())
        for item in items:
            service = item.service if isinstance(item, ControlRecord) else item.head.service if item.head else ""
            if not effect.is_void(item.seq, service):
                yield item

    def _body(self, ref: BlobRef) -> bytes:
        return b"".join(self.recording.blobs.read(ref))

    def follow(self) -> News | None:
        """Return what came since the last look; None where all has to be read anew (`load`). Raises StorageError."""
        held = self.recording.held
        if held is None:
            return None if self._exists() else News()
        try:
            status = self._files.stat(JOURNAL_NAME)
        except OSError:
            return None
        size = self._files.size(held.fd)
        if (status.st_dev, status.st_ino) != self._files.identity(held.fd)[:2] or size < self._end:
            return None
        news = News()
        if size > self._end and not self._take(size, news):
            return None
        self._sweep(news)
        return news

    def _exists(self) -> bool:
        try:
            self._files.stat(JOURNAL_NAME)
        except OSError:
            return False
        return True

    def _take(self, size: int, news: News) -> bool:
        """Take in lines up to `size`. Returns False where all has to be read anew."""
        recording, model, known = self.recording, self.model, len(self.model.calls)
        for _number, offset, line in islice(raw_lines(self._files, self._end, size, recording.held), LINES_MAX):
            if not line.endswith(b"\n"):
                break  # it is being written
            try:
                item = decode_line(line).item
            except LineError:
                return False
            if isinstance(item, Record):
                recording.index.add(item.seq, offset, len(line), call_type_of(item))
            elif item.kind is ControlKind.SESSION:
                return False
            model.see(item)
            self._end, self._is_stale = offset + len(line), True
        news.calls = model.calls[known:]
        for call in news.calls:
            self._touched.update(call.resources)
        return True

    def _sweep(self, news: News) -> None:
        """Note which resources changed, or link to others than before; not more often than it takes."""
        begun = time.monotonic()
        model = self.model
        if begun < self._next_sweep_s or not self._is_stale:
            return
        links = {number: model.links(each) for number, each in model.resources.items()}
        renamed = self._account != model.default_account
        news.changed = [
            number
            for number, found in links.items()
            if renamed or number in self._touched or self._links.get(number) != found
        ]
        news.changed += [number for number in self._links if number not in links]
        self._links, self._account, self._touched, self._is_stale = links, model.default_account, set(), False
        self._next_sweep_s = begun + _REST * (time.monotonic() - begun)

    def details(self, at: int, count: int) -> Iterator[Record]:
        """Yield the records of the calls at these places. Raises RecordingError and StorageError."""
        for call in self.model.calls[at : at + count]:
            yield self.recording.fetch(call.seq)

    def load_body(self, ref: BlobRef) -> bytes:
        """Return a body that lies in a blob. Raises RecordingError and StorageError."""
        return self._body(ref)
