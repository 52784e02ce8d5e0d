"""Measuring in turns: A B A B, so that a machine that drifts, drifts for both; and what is said of the figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turns(variants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every variant `rounds` times, one after the other in each round."""
    measured: dict[str, list[T]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            measured[name].append(run())
    return measured


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), digits),
        "median": round(statistics.median(values), digits),
        "max": round(max(values), digits),
    }


def ratios(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """The ratio of each round."""
    return [a / b for a, b in zip(these, those, strict=True)]
