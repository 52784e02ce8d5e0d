"""A recording that is compacted, and gone on with, restores the state that was: at random places of random histories.

The histories are those of `test_equivalence`. A compaction sees only the part before it; what comes later must neither miss
what it left out, nor bring anything of it back. The same holds for a plan that is kept, four times in a row. (Objects are not
tagged here: MiniStack leaves an object the tags of the one that it overwrote, which AWS does not, and which no plan repeats.)
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.ordering.dependency_graph import graph_of
from replay_proxy.replay.planning import plan_cache
from replay_proxy.replay.planning.compact_recording import compact_recording
from replay_proxy.replay.planning.plan import PARTIAL, plan_of
from tests.e2e import test_equivalence as histories
from tests.replay.lab import RESETS, Lab, operations
from tests.support.histories import Step, steps
from tests.support.processes import Emulator, amount

pytestmark = pytest.mark.emulator

NOW = datetime.now(UTC)
EXAMPLES = int(os.environ.get("EQUIVALENCE_EXAMPLES", amount(3, 6)))
Do = Callable[[Lab, Step], None]
SUBJECTS: dict[str, tuple[Do, Callable[[Lab], Any], tuple[str, ...]]] = {
    "queues": (
        histories.do_queues,
        histories.queues,
        (
            "create",
            "create",
            "send",
            "send",
            "batch",
            "repeat",
            "repeat",
            "consume",
            "consume",
            "consume batch",
            "purge",
            "delete",
            "set",
        ),
    ),
    "objects": (
        histories.do_objects,
        histories.objects,
        (
            "create",
            "create",
            "version",
            "put",
            "put",
            "put",
            "copy",
            "delete",
            "delete several",
            "empty and drop",
            "upload",
            "policy",
            "no policy",
        ),
    ),
    "items": (
        histories.do_items,
        histories.items,
        (
            "create",
            "create",
            "drop",
            "put",
            "put",
            "put new",
            "put if",
            "update",
            "delete",
            "delete if",
            "batch",
            "transact",
        ),
    ),
    "links": (
        histories.do_links,
        histories.links,
        (
            "topic",
            "topic",
            "no topic",
            "queue",
            "no queue",
            "subscribe",
            "subscribe",
            "unsubscribe",
            "set subscription",
            "parameter",
            "no parameter",
            "role",
            "policy",
            "attach",
            "detach",
            "inline",
            "no role",
            "no policy",
        ),
    ),
    "networks": (
        histories.do_networks,
        histories.networks,
        (
            "vpc",
            "vpc",
            "no vpc",
            "subnet",
            "no subnet",
            "group",
            "rule",
            "no rule",
            "no group",
            "gateway",
            "no gateway",
            "tag",
        ),
    ),
}


@pytest.fixture(scope="module", params=sorted(RESETS))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    emulator = Emulator(str(request.param), tmp_path_factory.mktemp("compacted"))
    yield Lab(emulator)
    emulator.stop()


async def record(root: Path, records: list[Record]) -> None:
    writer = await JournalWriter.open(root, strategy="ON_SHUTDOWN")
    for each in records:
        writer.write(each)
    await writer.close()


def keep(root: Path) -> None:
    """Keep the plan, however short the recording is."""
    with patch.object(plan_cache, "RECORDS_MIN", 0):
        plan_cache.update_cached_plan(read(root), NOW, lambda: None)


def plan_of_kept(root: Path) -> list[Record]:
    """What the kept plan says, which must be current; its graph must be the one that its records lead to."""
    recording = read(root)
    plan = plan_cache.plan_for(recording, NOW)
    assert not plan.is_new
    records = list(plan.records())
    graph = graph_of((plan.record(seq) for seq in plan.order), lambda ref: b"".join(recording.blobs.read(ref)))
    assert plan.graph == graph
    return records


def bare(records: list[Record]) -> list[Record]:
    """Without what says of a witness that it was partial."""
    return [replace(each, notes={**each.notes, PARTIAL: None}) for each in records]


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[phase for phase in Phase if phase is not Phase.shrink or "EQUIVALENCE_SHRINK" in os.environ],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), where=st.integers(1, 99))
def test_compacting_in_the_middle(lab: Lab, subject: str, data: st.DataObject, where: int) -> None:
    do, state, words = SUBJECTS[subject]
    history = data.draw(steps(*words))
    lab.begin()
    for step in history:
        with suppress(ClientError):
            do(lab, step)
    lab.recording = False
    before = state(lab)
    cut = len(lab.records) * where // 100
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "recording"
        asyncio.run(record(root, lab.records[:cut]))
        compact_recording(root)
        asyncio.run(record(root, lab.records[cut:]))
        numbers = [each.seq for each in read(root)]
        assert numbers == sorted(numbers)
        assert numbers[len(numbers) - (len(lab.records) - cut) :] == list(range(cut + 1, len(lab.records) + 1))
        compact_recording(root)
        recording = read(root)
        kept = list(plan_of(recording).records())
        assert recording.warnings == []
        going_on = Path(directory) / "kept"
        for start, end in pairwise((0, cut // 2, cut, (cut + len(lab.records)) // 2, len(lab.records))):
            asyncio.run(record(going_on, lab.records[start:end]))
            keep(going_on)
        ways = [kept]
        if bare(planned := plan_of_kept(going_on)) != bare(kept):
            ways.append(planned)  # what an earlier look left can show more, or less, to be superfluous at the next
    for way in ways:
        lab.empty()
        report = lab.restore(way)
        assert [problem.as_json() for problem in report.problems] == []
        assert state(lab) == before, (cut, operations(lab.records), operations(way))
