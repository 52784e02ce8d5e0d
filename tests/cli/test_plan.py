"""`replay-proxy plan`: what it tells of a recording that was made by an earlier version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from replay_proxy.journal.format.records import RecordKind
from replay_proxy.journal.read.reader import read

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "recording"))


def plan(recording: Path, *options: str) -> Any:
    command = [sys.executable, "-m", "replay_proxy", "plan", "--data-dir", str(recording), *options]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout) if "--json" in options else done.stdout.decode()


def test_every_call_is_accounted_for(recording: Path) -> None:
    document = plan(recording, "--json")
    records = {record.seq: record for record in read(recording).records()}
    calls = {call["seq"]: call for call in document["calls"]}
    assert calls.keys() == records.keys()
    kept = {seq for seq, call in calls.items() if call["action"] != "leave out"}
    assert document["replay"] == sum(records[seq].kind is RecordKind.MUTATION for seq in kept)
    assert document["leave_out"] == len(calls) - len(kept)
    assert sorted(calls[seq]["order"] for seq in kept) == list(range(1, len(kept) + 1))
    for seq in kept:
        assert set(calls[seq]["waits_for"]) <= kept
        assert all(calls[other]["order"] < calls[seq]["order"] for other in calls[seq]["waits_for"])


@pytest.mark.parametrize(("member", "value"), [("ms", -1e300), ("ms", 1e300), ("time", "2026-13-01")])
def test_a_call_that_cannot_be_sent_is_named_and_takes_no_time(recording: Path, member: str, value: object) -> None:
    journal = recording / "recorded_api_calls.json"
    before = plan(recording, "--json")
    header, first, *others = journal.read_bytes().splitlines(keepends=True)
    line = {**orjson.loads(first), member: value}
    del line["crc"]
    journal.write_bytes(b"".join([header, orjson.dumps(line) + b"\n", *others]))
    document = plan(recording, "--json")
    assert 0 <= document["estimated_seconds"] <= before["estimated_seconds"]
    named = next(call["reason"] for call in document["calls"] if call["seq"] == line["seq"])
    assert named.startswith("it cannot be sent, and counts as failed: ")


def test_one_at_a_time_takes_as_long_as_all_calls_together(recording: Path) -> None:
    document = plan(recording, "--json", "--restore-concurrency", "1", "--compaction", "0")
    assert document["leave_out"] == 0
    took = sum(record.duration_ms for record in read(recording).records()) / 1000
    assert document["estimated_seconds"] == pytest.approx(took, abs=0.002)


def test_the_table_names_what_a_call_waits_for(recording: Path) -> None:
    shown = plan(recording, "--all")
    document = plan(recording, "--json")
    waiting = next(call for call in document["calls"] if call.get("waits_for"))
    line = next(line for line in shown.splitlines() if line.split()[:2] == [str(waiting["seq"]), waiting["call"]])
    assert " ".join(map(str, waiting["waits_for"][:6])) in line
