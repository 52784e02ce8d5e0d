"""The reviewed services as a table to read: `tests/wire/data/mutability_reviewed.txt` is what `judge` says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import botocore

from replay_proxy.wire.mutability.judge import judge, kind

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).parent / "data" / "mutability_reviewed.txt"


def test_the_table_is_what_is_judged() -> None:
    wrong = []
    for service, group, operation in _rows():
        verdict = judge(service, operation)
        said = f"{verdict.effect}, {kind(service, operation).kind}" if verdict.mutates else str(verdict.effect)
        if said != group:
            wrong.append(f"{service}:{operation} is {said}, and was reviewed as {group}")
    assert wrong == []
    assert len(_rows()) > 5000


def test_the_table_is_complete_for_the_botocore_it_was_made_with() -> None:
    if not TABLE.read_text().startswith(f"botocore {botocore.__version__}:"):
        return  # new operations of a newer botocore have not been reviewed yet; those in the table are held above
    command = [sys.executable, str(ROOT / "scripts" / "show-mutability")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == TABLE.read_text(), "run scripts/show-mutability, read the difference, and check it in"


def _rows() -> list[tuple[str, str, str]]:
    rows, service, group = [], "", ""
    for line in TABLE.read_text().splitlines()[1:]:
        if line.startswith("    "):
            rows.extend((service, group, operation) for operation in line.split())
        elif line.startswith("  "):
            group = line.strip().rpartition(" ")[0]
        elif line:
            service = line.partition(":")[0]
    return rows
