"""Lines of the README that say what a restart changes: each has a test."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def check_lines(section: str, tests: Mapping[str, str], here: Container[str]) -> None:
    """Fail where a line of a section has no test, or the other way round.

    tests: by the beginning of each line, in order, the name of its test, or of the file that has it. here: names of the tests in
    the file that asks.
    """
    text = (ROOT / "README.md").read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^- (.*)$", text, re.MULTILINE)
    assert len(lines) == len(tests), lines
    for line, (beginning, test) in zip(lines, tests.items(), strict=True):
        assert line.startswith(beginning)
        assert (ROOT / test).exists() or test in here, test
