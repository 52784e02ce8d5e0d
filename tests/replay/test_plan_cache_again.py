"""A plan that is kept, gone on with, kept again, and so on: after any number of generations it says what planning says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.read.reader import read
from replay_proxy.replay.planning import plan_cache
from replay_proxy.replay.planning.partial_plans import PartialPlans
from replay_proxy.replay.planning.plan import plan_of
from replay_proxy.replay.planning.plan_cache import plan_for, update_cached_plan
from tests.journal import samples
from tests.replay.test_partial_plans import HOST, parameter, queue, record
from tests.replay.test_plan_cache import same

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUEUES = ("plain", "ordered.fifo")


@pytest.fixture(autouse=True)
def short_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache, "RECORDS_MIN", 1)


@dataclass
class Story:
    """What was recorded, and the clock. live: the messages that wait, each with its queue. versions: of the items."""

    records: list[Record] = field(default_factory=list)
    now: datetime = BEGIN
    live: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    sent: int = 0

    def tell(self, each: Record, **notes: Any) -> None:
        self.records.append(replace(each, time=self.now.isoformat(timespec="microseconds"), notes=notes))

    def begin(self) -> None:
        for name in QUEUES:
            self.tell(queue(name))
        schema = [{"AttributeName": "k", "KeyType": "HASH"}]
        kinds = [{"AttributeName": "k", "AttributeType": "S"}]
        self.tell(
            record(
                "dynamodb",
                "CreateTable",
                {
                    "TableName": "t",
                    "KeySchema": schema,
                    "AttributeDefinitions": kinds,
                    "BillingMode": "PAY_PER_REQUEST",
                },
            )
        )

    def send(self, where: int, size: int) -> None:
        name = QUEUES[where % 2]
        entries, done = [], []
        for number in range(size % 4 + 1):
            self.sent += 1
            message = f"m{self.sent}"
            entry: dict[str, Any] = {"Id": f"e{number}", "MessageBody": message}
            if name.endswith(".fifo"):
                entry |= {"MessageGroupId": "g", "MessageDeduplicationId": message}
            entries.append(entry)
            done.append({"Id": entry["Id"], "MessageId": message})
            self.live[message] = name
        url = f"{HOST}/{name}"
        self.tell(record("sqs", "SendMessageBatch", {"QueueUrl": url, "Entries": entries}, {"Successful": done}))

    def consume(self, which: int, _size: int) -> None:
        if self.live:
            message = sorted(self.live)[which % len(self.live)]
            url = f"{HOST}/{self.live.pop(message)}"
            self.tell(
                record("sqs", "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": f"r-{message}"}),
                messages={f"r-{message}": message},
            )

    def purge(self, where: int, _size: int) -> None:
        name = QUEUES[where % 2]
        self.live = {message: in_ for message, in_ in self.live.items() if in_ != name}
        self.tell(record("sqs", "PurgeQueue", {"QueueUrl": f"{HOST}/{name}"}))

    def put(self, which: int, how: int) -> None:
        """Optimistic locking."""
        key = f"k{which % 4}"
        version = self.versions.get(key, 0)
        more: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(k)"}
        if version:
            values = {":v": {"N": str(version)}}
            more = {"ConditionExpression": "v = :v", "ExpressionAttributeValues": values}
        self.versions[key] = version + 1
        item = {"k": {"S": key}, "v": {"N": str(version + 1)}}
        self.tell(record("dynamodb", "PutItem", {"TableName": "t", "Item": item, **(more if how % 2 else {})}))

    def write(self, which: int, how: int) -> None:
        writes = []
        for number in range(which, which + 3):
            key = f"k{number % 5}"
            if how % 3:
                self.versions[key] = self.versions.get(key, 0) + 1
                item = {"k": {"S": key}, "v": {"N": str(self.versions[key])}}
                writes.append({"PutRequest": {"Item": item}})
            else:
                self.versions.pop(key, None)
                writes.append({"DeleteRequest": {"Key": {"k": {"S": key}}}})
        self.tell(record("dynamodb", "BatchWriteItem", {"RequestItems": {"t": writes}}, {"UnprocessedItems": {}}))

    def set(self, which: int, how: int) -> None:
        self.tell(parameter(f"/p{which % 2}", str(how)))

    def wait(self, which: int, how: int) -> None:
        self.now += timedelta(seconds=20 * (which % 12) + how)

    def do(self, steps: list[tuple[str, int, int]]) -> None:
        for word, which, how in steps:
            self.now += timedelta(milliseconds=50)
            getattr(self, word)(which, how)


WORDS = ("send", "send", "consume", "consume", "consume", "purge", "put", "put", "put", "write", "write", "set", "wait")
numbers = st.integers(0, 20)
stretches = st.lists(
    st.lists(st.tuples(st.sampled_from(WORDS), numbers, numbers), min_size=1, max_size=12), min_size=2, max_size=6
)


def write(root: Path, records: list[Record]) -> None:
    lines = [encode_record(each, seq) for seq, each in enumerate(records, 1)]
    (root / JOURNAL_NAME).write_bytes(encode_header(samples.HEADER) + b"".join(lines))


def by_keeping_up(root: Path, now: datetime) -> None:
    update_cached_plan(read(root), now, lambda: None)


def by_restoring(root: Path, now: datetime) -> None:
    plan_cache.cache_plan(recording := read(root), plan_for(recording, now), now)


def in_parts(root: Path, now: datetime) -> None:
    parts = PartialPlans(read(root), now, supersede=True, caches=True)
    parts.whole(lambda: None)
    parts.cache_whole()


WAYS: dict[str, Callable[[Path, datetime], None]] = {
    "kept up": by_keeping_up,
    "restored": by_restoring,
    "in parts": in_parts,
}


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(told=stretches, ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=6, max_size=6))
def test_any_number_of_cached_plans_after_each_other_equals_a_fresh_one(
    told: list[list[tuple[str, int, int]]], ways: list[str]
) -> None:
    story = Story()
    story.begin()
    with TemporaryDirectory() as directory:
        root = Path(directory)
        for steps, way in zip(told, ways, strict=False):
            story.do(steps)
            write(root, story.records)
            WAYS[way](root, story.now)
            kept, fresh = plan_for(read(root), story.now), plan_of(read(root), story.now)
            assert not kept.is_new
            same(kept, fresh)
            assert kept.edits == replace(fresh.edits, superseded={})


def test_what_a_batch_and_a_condition_lost_stays_lost() -> None:
    story = Story()
    story.begin()
    with TemporaryDirectory() as directory:
        root = Path(directory)

        def edits() -> tuple[Any, Any]:
            write(root, story.records)
            by_restoring(root, story.now)
            plan = plan_for(read(root), story.now)
            assert not plan.is_new
            return plan.edits.removed_entries, plan.edits.lifted_conditions

        story.send(0, 3)  # call 4: the messages 1 to 4
        story.put(0, 1)
        story.put(0, 1)  # call 6: found what call 5 had put
        story.consume(1, 0)
        assert edits() == ({4: {1}}, {6: {-1}})
        story.consume(1, 0)  # the third message is the second of those that are left
        assert edits() == ({4: {1, 2}}, {6: {-1}})
        story.set(0, 0)
        assert edits() == ({4: {1, 2}}, {6: {-1}})
        story.consume(0, 0)
        story.put(0, 1)
        assert edits() == ({4: {0, 1, 2}}, {11: {-1}})
        assert [each.seq for each in plan_for(read(root), story.now).records()] == [1, 2, 3, 4, 9, 11]
