"""Data that was kept for a while only: messages, stream records and log events whose time is over.

A queue, a stream or a log group keeps what is in it for a period that it tells. What was put there longer ago than that,
by the clock of the restore, would be gone by now had the emulator lived on; a replay would give it a second life. This is
only said of queues, streams and groups whose creation was seen, and by the longest period that was ever set: what a
shorter one has removed meanwhile is not known.

The clock is a parameter. Without one nothing is beyond its time.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from replay_proxy.identifiers.names import short
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.replay.compaction.decisions import Decisions

# What holds where nobody sets anything (API references of the three services).
QUEUE = timedelta(days=4)
STREAM = timedelta(hours=24)

_KINESIS = {
    "CreateStream",
    "DeleteStream",
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    "PutRecord",
    "PutRecords",
}
_LOGS = {
    "CreateLogGroup",
    "DeleteLogGroup",
    "PutRetentionPolicy",
    "DeleteRetentionPolicy",
    "PutLogEvents",
}


@dataclass(slots=True)
class _Holder:
    """A stream or a log group. kept: for how long; None for ever. calls, times: what was put there, in seconds."""

    kept: timedelta | None
    calls: Any = field(default_factory=lambda: array("Q"))
    times: Any = field(default_factory=lambda: array("d"))


class Retention:
    """The rule for stream records and log events. Memory: two numbers for each call that is old enough.

    (`messages` applies the same to messages.)
    """

    def __init__(self, decisions: Decisions, now: datetime | None) -> None:
        self._decisions = decisions
        self._now = now
        self._holders: dict[tuple[str, str, str], _Holder] = {}
        self.until: datetime | None = None
        """When the first of what is left will be beyond its period (once finished)."""

    def see(self, call: Call) -> None:
        """Take in a call, in order."""
        if self._now is None:
            return
        if call.service == "kinesis" and call.operation in _KINESIS:
            self._see_stream(call, call.params.get("StreamName") or short(call.params.get("StreamARN", "")))
        elif call.service == "logs" and call.operation in _LOGS:
            self._see_group(call, call.params.get("logGroupName", ""))

    def finish(self) -> None:
        """All calls were shown."""
        for holder in self._holders.values():
            if self._now is None or holder.kept is None:
                continue
            border = (self._now - holder.kept).timestamp()
            for seq, latest in zip(holder.calls, holder.times, strict=True):
                if latest < border:
                    self._decisions.drop(seq, f"what it put there was kept for {_told(holder.kept)}, which are over")
                    continue
                over = self._now + timedelta(seconds=latest - border)
                if self.until is None or over < self.until:
                    self.until = over

    def _see_stream(self, call: Call, name: str) -> None:
        key = _key(call, name)
        holder = self._holders.get(key)
        match call.operation:
            case "CreateStream":
                self._holders[key] = _Holder(STREAM)
            case "DeleteStream":
                self._holders.pop(key, None)
            case "PutRecord" | "PutRecords" if holder is not None:
                _add(holder, call.seq, datetime.fromisoformat(call.time).timestamp())
            case _ if holder is not None and holder.kept is not None:
                hours = call.params.get("RetentionPeriodHours", 0)
                holder.kept = max(holder.kept, timedelta(hours=hours))

    def _see_group(self, call: Call, name: str) -> None:
        key = _key(call, name)
        holder = self._holders.get(key)
        match call.operation:
            case "CreateLogGroup":
                self._holders[key] = _Holder(None)
            case "DeleteLogGroup":
                self._holders.pop(key, None)
            case "PutLogEvents" if holder is not None:
                times = [event.get("timestamp", 0) for event in call.params.get("logEvents", ())]
                if times:
                    # The events tell their own times.
                    _add(holder, call.seq, max(times) / 1000)
            case "PutRetentionPolicy" if holder is not None:
                days = timedelta(days=call.params.get("retentionInDays", 0))
                holder.kept = days if holder.kept is None else max(holder.kept, days)
            case "DeleteRetentionPolicy" if holder is not None:
                # What is there stays from now on, whatever had been removed before.
                holder.kept = None


def _add(holder: _Holder, seq: int, latest: float) -> None:
    holder.calls.append(seq)
    holder.times.append(latest)


def _key(call: Call, name: str) -> tuple[str, str, str]:
    return call.service, f"{call.head.account}/{call.head.region}", name


def _told(kept: timedelta) -> str:
    hours = kept.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"
