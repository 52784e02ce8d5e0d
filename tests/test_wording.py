"""Counts, sizes and durations in messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from replay_proxy.wording import counted, duration, size

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("count", "noun", "verbs", "text"),
    [
        (0, "call", "", "0 calls"),
        (1, "call", "", "1 call"),
        (2, "call", "", "2 calls"),
        (1, "large body", "", "1 large body"),
        (2, "large body", "", "2 large bodies"),
        (1, "line", "carries carry", "1 line carries"),
        (3, "line", "carries carry", "3 lines carry"),
        (2, "key", "is are", "2 keys are"),
        (2, "address", "", "2 addresses"),
    ],
)
def test_counts(count: int, noun: str, verbs: str, text: str) -> None:
    assert counted(count, noun, verbs) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.0404, "0.04 s"),
        (0.2, "0.2 s"),
        (0.999, "1 s"),
        (1.849, "1.8 s"),
        (5, "5 s"),
        (9.96, "10 s"),
        (30, "30 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (4200, "1 h 10 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (10_239, "10239 bytes"),
        (10_240, "10 KiB"),
        (5_500_000, "5.2 MiB"),
        (3 << 40, "3072 GiB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


NUMBER_AND_NOUN = re.compile(
    r"\{[^{}]*\} (?:calls|lines|bodies|large bodies|seconds|s\b|secs|problems|messages|requests)\b"
)


def test_messages_leave_nouns_and_units_to_one_place() -> None:
    """A number that is put before a noun in the plural is wrong for one; unless `of` or a bound stands before it."""
    found = []
    for source in sorted((ROOT / "replay_proxy").rglob("*.py")):
        for number, line in enumerate(source.read_text().splitlines(), 1):
            if NUMBER_AND_NOUN.search(line) and source.name != "wording.py":
                found.append(f"{source.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
