"""The expected contents of streams: records by partition key and data, each so often.

Sequence numbers are counted anew by every emulator, so they do not tell a record. What left the stream by its retention is not
found to be gone: a restore leaves it out by itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from replay_proxy.observing.container import Caller
from replay_proxy.observing.expected import CHANGED_BYTES_MAX, ExpectedContents, Look, digest
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import Reader
from replay_proxy.replay.recorded_call import Call

_PAGE = 1000


class Records(ExpectedContents):
    """The records of one stream. A part is a record's digest, with how many of its like stand before it."""

    def see(self, call: Call) -> None:
        """Take in a call to the stream."""
        match call.operation:
            case "PutRecord":
                self._add(call.params)
            case "PutRecords":
                results = call.result.get("Records", ())
                for entry, result in zip(call.params["Records"], results, strict=False):
                    if not result.get("ErrorCode"):
                        self._add(entry)
            case "DeleteStream" | "CreateStream":
                self.clear()

    def _add(self, entry: Mapping[str, Any]) -> None:
        name = _digest(entry)
        count = 0
        while f"{name}/{count}" in self.parts:
            count += 1
        self.put(f"{name}/{count}", b"1")
        self.touched_whole = True

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look:
        """Read all records that the stream still has."""
        name, look, counts, held = self.container.name, Look(), Counter[str](), 0
        shards = await reader.ask(self.container, caller, "ListShards", {"StreamName": name})
        for shard in shards.get("Shards", ()):
            asked = {"StreamName": name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = (await reader.ask(self.container, caller, "GetShardIterator", asked)).get("ShardIterator")
            while iterator:
                page = await reader.ask(
                    self.container, caller, "GetRecords", {"ShardIterator": iterator, "Limit": _PAGE}
                )
                for record in page.get("Records", ()):
                    key = _digest(record)
                    part = f"{key}/{counts[key]}"
                    counts[key] += 1
                    look.seen[part] = b"1"
                    held += len(record.get("Data", b""))
                    if part not in self.parts and held <= CHANGED_BYTES_MAX:
                        look.changed[part] = self._finding(record, shard, part)
                iterator = page.get("NextShardIterator") if page.get("Records") else None
        return look

    def _finding(self, record: Mapping[str, Any], shard: Mapping[str, Any], part: str) -> Finding:
        parameters = {
            "StreamName": self.container.name,
            "Data": record.get("Data", b""),
            "PartitionKey": record["PartitionKey"],
        }
        if (explicit := _explicit_hash_key(record["PartitionKey"], shard)) is not None:
            parameters["ExplicitHashKey"] = explicit
        arrived = record.get("ApproximateArrivalTimestamp")
        made_at = arrived.timestamp() if isinstance(arrived, datetime) else 0.0
        result = {"ShardId": shard["ShardId"], "SequenceNumber": record["SequenceNumber"]}
        return Finding("PutRecord", parameters, "GetRecords", part, result, made_at=made_at)

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return None: what is gone is beyond the stream's retention."""
        return None


def _explicit_hash_key(partition_key: str, shard: Mapping[str, Any]) -> str | None:
    """Return the hash key by which a record comes into its shard, where its partition key would lead it into another."""
    own = int.from_bytes(hashlib.md5(partition_key.encode()).digest())  # noqa: S324
    reach = shard.get("HashKeyRange") or {}
    first, last = reach.get("StartingHashKey"), reach.get("EndingHashKey")
    return None if first is None or last is None or int(first) <= own <= int(last) else str(first)


def _digest(record: Mapping[str, Any]) -> str:
    data = record.get("Data", b"")
    data = data if isinstance(data, bytes) else str(data).encode()
    return digest(str(record["PartitionKey"]).encode() + b"\0" + data).hex()
