"""Our verdicts beside IAM's access levels: every difference is listed with its reason, and the list is exact."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import orjson

from replay_proxy.wire.mutability.judge import Effect, judge, reviewed_services
from tests.wire.iam_levels import READING, iam_levels

LIST = Path(__file__).parent / "data" / "iam_disagreements.json"


def test_every_difference_is_listed_and_every_listed_one_exists() -> None:
    listed, found = _listed(), _found()
    assert {name: found[name] for name in found.keys() - listed.keys()} == {}, (
        "new differences: explain them in the list"
    )
    assert {name: listed[name] for name in listed.keys() - found.keys()} == {}, (
        "listed, but they agree now: take them out"
    )
    assert listed == found


def test_every_group_of_differences_has_a_reason() -> None:
    reasons = [group["reason"] for group in _groups()]
    assert all(len(reason) > 20 for reason in reasons)
    assert len(set(reasons)) == len(reasons)


def test_the_comparison_covers_nearly_all_operations_of_reviewed_services() -> None:
    levels = iam_levels()
    assert len(levels) > 17_000
    assert len([name for name in levels if name[0] in reviewed_services()]) > 4_800


def _found() -> dict[str, tuple[str, str]]:
    found = {}
    for (service, operation), level in iam_levels().items():
        iam = "reads" if level in READING else "writes"
        ours = judge(service, operation).effect
        agree = ours is not Effect.MUTATES if iam == "reads" else ours is Effect.MUTATES
        if not agree:
            found[f"{service}:{operation}"] = (iam, str(ours))
    return found


def _listed() -> dict[str, tuple[str, str]]:
    names = [name for group in _groups() for name in group["operations"]]
    assert len(names) == len(set(names)), "an operation is listed twice"
    return {name: (group["iam"], group["ours"]) for group in _groups() for name in group["operations"]}


@lru_cache(maxsize=1)
def _groups() -> list[dict[str, object]]:
    return orjson.loads(LIST.read_bytes())["differences"]
