"""What a benchmark says: rows and bars, as a table for people and as one JSON document for machines."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A figure and the bar it is to clear; `sense` is `at most` or `at least`."""

    name: str
    value: float
    bar: float
    sense: str

    @property
    def holds(self) -> bool:
        return self.value <= self.bar if self.sense == "at most" else self.value >= self.bar


@dataclass
class Report:
    """One benchmark's result."""

    benchmark: str
    about: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def bar(self, bar: Bar) -> None:
        self.bars.append(bar)

    def note(self, note: str) -> None:
        self.notes.append(note)

    @property
    def holds(self) -> bool:
        return all(bar.holds for bar in self.bars)

    def as_json(self) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark,
            "machine": machine(),
            "rows": self.rows,
            "bars": [
                {"name": b.name, "value": round(b.value, 3), "bar": b.bar, "sense": b.sense, "holds": b.holds}
                for b in self.bars
            ],
            "notes": self.notes,
        }

    def as_markdown(self) -> str:
        """The tables for a document."""
        told = machine()
        lines = [f"{told['processor']}, {told['cores']} cores, {told['system']}, Python {told['python']}.", ""]
        for names, group in groupby(self.rows, key=tuple):
            lines += [*_markdown([list(names), *([_cell(v) for v in row.values()] for row in group)]), ""]
        bars = [
            [b.name, f"{b.value:.2f}", f"{b.sense} {b.bar:g}", "holds" if b.holds else "**missed**"] for b in self.bars
        ]
        lines += _markdown([["bar", "value", "wanted", ""], *bars])
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines)

    def show(self) -> None:
        """Print tables on standard output."""
        from rich.console import Console
        from rich.table import Table

        console = Console(width=None if os.isatty(1) else 150, highlight=False)
        console.print(f"{self.benchmark}: {self.about}; median (min to max)")
        for _, group in groupby(self.rows, key=tuple):
            rows = list(group)
            table = Table(*rows[0])
            for row in rows:
                table.add_row(*(_cell(value) for value in row.values()))
            console.print(table)
        bars = Table("bar", "value", "", "", title="bars")
        for bar in self.bars:
            bars.add_row(bar.name, f"{bar.value:.2f}", f"{bar.sense} {bar.bar:g}", "holds" if bar.holds else "MISSED")
        console.print(bars)
        for note in self.notes:
            console.print(note)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _markdown(rows: list[list[str]]) -> list[str]:
    first, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return [first, "|" + "---|" * len(rows[0]), *rest]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['median']:g} ({value['min']:g} to {value['max']:g})"
    return str(value)
