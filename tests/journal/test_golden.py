"""Files of every version of the format stay loadable, with the meaning they had. See tests/golden/README.md."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.check import check
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal import samples

GOLDEN = Path(__file__).parents[1] / "golden"


def plain(record: Record) -> dict[str, Any]:
    """A record in words of its own, so that no change of our types goes unnoticed."""
    head, credential = record.head, record.credential
    return {
        "seq": record.seq,
        "time": record.time,
        "ms": record.duration_ms,
        "kind": record.kind.value,
        "head": head and [head.service, head.operation, head.protocol, head.account, head.region, head.access_key],
        "credential": [credential.access_key, credential.region, credential.service, credential.kind],
        "request": [
            record.request.method,
            record.request.target,
            [list(pair) for pair in record.request.headers],
            body(record.request.body),
        ],
        "answer": [
            record.answer.status,
            record.answer.reason,
            [list(pair) for pair in record.answer.headers],
            body(record.answer.body),
        ],
        "notes": dict(record.notes),
    }


def body(content: Body) -> str:
    if isinstance(content, BlobRef):
        return f"blob {content.sha256} {content.size}"
    return b64encode(content).decode()


@pytest.mark.parametrize("version", sorted(path.name for path in GOLDEN.glob("v*")))
class TestEveryVersion:
    def test_it_means_what_it_meant(self, version: str) -> None:
        recording = read(GOLDEN / version)
        expected = json.loads((GOLDEN / version / "expected.json").read_text())
        assert [plain(record) for record in recording] == expected["records"]
        assert recording.header is not None
        assert recording.header.id == expected["id"]
        assert recording.header.created == expected["created"]
        assert recording.header.emulator == expected["emulator"]
        assert recording.records_total == expected["records_total"]
        for record in recording:
            for content in (record.request.body, record.answer.body):
                if isinstance(content, BlobRef):
                    recording.blobs.verify(content)

    def test_it_is_whole(self, version: str) -> None:
        report = check(GOLDEN / version)
        assert report.ok, report.findings

    async def test_it_can_be_gone_on_with(self, version: str, tmp_path: Path) -> None:
        shutil.copytree(GOLDEN / version, tmp_path / "r")
        before = list(read(tmp_path / "r"))
        writer = await JournalWriter.open(tmp_path / "r")
        await writer.append(samples.create_queue("new"))
        await writer.close()
        after = list(read(tmp_path / "r"))
        assert after[:-1] == before
        assert after[-1].request.body == b'{"QueueName":"new"}'
        kept = (GOLDEN / version / JOURNAL_NAME).read_bytes()
        assert (tmp_path / "r" / JOURNAL_NAME).read_bytes().startswith(kept)
