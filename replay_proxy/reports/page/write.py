"""The page: the template, the style, the scripts, and the data in pieces.

A page of few calls holds its data as plain JSON, which can be searched in the file; one of many as compressed JSON, which
browsers unpack in the background. Each kind of data has its share of the page's size; what exceeds it is left out, and the page
says so.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.page.assets import script_of, shared_file
from replay_proxy.reports.page.data import all_resources, call_details, call_row, overview
from replay_proxy.reports.page.doctor_part import doctor_part
from replay_proxy.reports.page.preview import page_json
from replay_proxy.reports.page.restore_part import restore_part
from replay_proxy.reports.plain_text import plain
from replay_proxy.resources.folding.model import ResourceModel

PLAIN_MAX: Final = 2000
"""Calls and resources of a page whose data are plain JSON."""
_PLAIN_CHARACTERS_MAX: Final = 1 << 20
ROWS_MAX: Final = 200_000
REPORT_SCRIPTS: Final = ("embedded", "report")
"""What the page of the report adds."""
_SHARES: Final = {"rows": 5 << 20, "resources": 5 << 20, "calls": 12 << 20}
"""Bytes in the file for each kind of data: together with the rest less than 25 MiB."""
_PIECE: Final = {"rows": 5000, "resources": 500, "calls": 500}
_TEXT_MIN: Final = 40
_MARK: Final = re.compile("@([A-Z_]+)@")


def page_pieces(
    title: str,
    recording: Recording,
    model: ResourceModel,
    restore: Mapping[str, Any] | None,
    diagnosis: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Return the page in pieces. title: of the recording.

    restore: as `restore_report.read_restore_report` returns it; diagnosis: as `doctor_report.read_doctor_report` does; None where
    there is none. Raises RecordingError and StorageError.
    """
    script = script_of([shared_file(f"script/{name}.js") for name in REPORT_SCRIPTS])
    style = shared_file("page.css")
    texts = {
        "SCRIPT_DIGEST": _digest(script),
        "STYLE_DIGEST": _digest(style),
        "TITLE": html.escape(plain(title, 200)),
        "STYLE": style,
        "SCRIPT": script,
    }
    # In one pass: what is put in may have a mark in it.
    before, after = shared_file("page.html").split("@DATA@")
    yield _MARK.sub(lambda match: texts[match[1]], before)
    yield from _data(recording, model, {"restore": restore_part(restore), "doctor": doctor_part(diagnosis)})
    yield _MARK.sub(lambda match: texts[match[1]], after)


def _data(recording: Recording, model: ResourceModel, more: Mapping[str, Any]) -> Iterator[str]:
    packed = len(model.calls) + len(model.resources) + len(model.gone) > PLAIN_MAX
    text_max, total_max = (1000, 4000) if packed else (2000, 12_000)
    calls = model.calls[-ROWS_MAX:]
    room = dict(_SHARES)
    left_out: dict[str, int] = {"rows": len(model.calls) - len(calls)}
    yield _block("overview", page_json({**overview(recording, model, None), **more}))
    yield from _blocks("rows", map(call_row, calls), packed, room, left_out)
    yield from _blocks("resources", all_resources(model, text_max, total_max), packed, room, left_out)

    def load(ref: BlobRef) -> bytes:
        return b"".join(recording.blobs.read(ref))

    def details() -> Iterator[str]:
        first, last = (calls[0].seq, calls[-1].seq) if calls else (0, 0)
        size, before, count = text_max, room["calls"], 0
        for item in recording.items():
            if not isinstance(item, Record) or not first <= item.seq <= last:
                continue
            if count and count % _PIECE["calls"] == 0:
                # Where the rest would not find room as long as this, all of it is shown shorter: rather than some not at all.
                used, before = max(before - room["calls"], 1) / _PIECE["calls"], room["calls"]
                fitting = room["calls"] / (len(calls) - count) / used
                if fitting < 1:
                    # Texts stand in a request and in its command.
                    size = int(max(_TEXT_MIN, 0.9 * fitting * min(size, used / 2)))
            count += 1
            # What is left out is not read.
            yield call_details(item, load, size, min(4 * size, total_max)) if room["calls"] > 0 else ""

    yield from _blocks("calls", details(), packed, room, left_out)
    yield _block("left_out", page_json(left_out))


def _blocks(
    kind: str, documents: Iterable[str], packed: bool, room: dict[str, int], left_out: dict[str, int]
) -> Iterator[str]:
    """Return documents in elements of some hundreds each, until their share of the page is used up; count the others."""
    lines: list[str] = []
    left_out.setdefault(kind, 0)
    for document in chain(documents, [None]):
        if document is not None and room[kind] > 0:
            lines.append(document)
        elif document is not None:
            left_out[kind] += 1
        if lines and (document is None or len(lines) == _PIECE[kind]):
            block = _lines_block(kind, lines, packed)
            size = len(block.encode())
            if size <= room[kind]:
                room[kind] -= size
                yield block
            else:
                room[kind] = 0
                left_out[kind] += len(lines)
            lines = []


def _lines_block(kind: str, lines: list[str], packed: bool) -> str:
    text = "[\n" + ",\n".join(lines) + "\n]"
    if not packed and len(text) <= _PLAIN_CHARACTERS_MAX:
        return _block(kind, text)
    deflate = zlib.compressobj(5, wbits=31)
    whole = deflate.compress(text.encode("utf-8", "surrogatepass")) + deflate.flush()
    return _block(kind, f'"{base64.b64encode(whole).decode()}"')


def _block(kind: str, text: str) -> str:
    return f'<script type="application/json" data-part="{kind}">{text}</script>\n'


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
