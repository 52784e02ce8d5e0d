"""Data beyond its retention: messages, stream records and log events that are older than what holds them keeps them.

A queue, a stream or a log group keeps what is in it for a period that is one of its settings. What was put there longer ago than
that, by the clock of the restore, would be gone by now had the emulator lived on. A replay would bring it back. The rule is only
applied to queues, streams and groups whose creation was seen, and by the longest period that was ever set: what a shorter period
has removed meanwhile is not known.

The clock is a parameter. Without one, nothing is beyond its retention.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.recorded_call import Call

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
    """A stream or a log group. retention: None for ever. calls, times: what was put there, and when (seconds since the epoch)."""

    retention: timedelta | None
    calls: Any = field(default_factory=lambda: array("Q"))
    times: Any = field(default_factory=lambda: array("d"))


class RetentionRule:
    """The rule for stream records and log events. Memory: two numbers for each call that is old enough.

    (`messages` applies the same to messages.)
    """

    def __init__(self, decisions: SupersessionDecisions, now: datetime | None) -> None:
        self._decisions = decisions
        self._now = now
        self._holders: dict[tuple[str, str, str], _Holder] = {}
        self.valid_until: datetime | None = None
        """When the first of what is left will be beyond its period (once finished)."""

    def see(self, call: Call) -> None:
        """Note a call; calls are shown in order."""
        if self._now is None:
            return
        if call.service == "kinesis" and call.operation in _KINESIS:
            self._see_stream(call, call.params.get("StreamName") or short_name(call.params.get("StreamARN", "")))
        elif call.service == "logs" and call.operation in _LOGS:
            self._see_group(call, call.params.get("logGroupName", ""))

    def finish(self) -> None:
        """Supersede what is beyond its retention, after all calls were shown."""
        for holder in self._holders.values():
            if self._now is None or holder.retention is None:
                continue
            border = (self._now - holder.retention).timestamp()
            for seq, latest in zip(holder.calls, holder.times, strict=True):
                if latest < border:
                    self._decisions.supersede(
                        seq, f"what it put there was kept for {_period(holder.retention)}, which are over"
                    )
                    continue
                over = self._now + timedelta(seconds=latest - border)
                if self.valid_until is None or over < self.valid_until:
                    self.valid_until = over

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
            case _ if holder is not None and holder.retention is not None:
                hours = call.params.get("RetentionPeriodHours", 0)
                holder.retention = max(holder.retention, timedelta(hours=hours))

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
                holder.retention = days if holder.retention is None else max(holder.retention, days)
            case "DeleteRetentionPolicy" if holder is not None:
                # What is there stays from now on, whatever had been removed before.
                holder.retention = None


def _add(holder: _Holder, seq: int, latest: float) -> None:
    holder.calls.append(seq)
    holder.times.append(latest)


def _key(call: Call, name: str) -> tuple[str, str, str]:
    return call.service, f"{call.head.account}/{call.head.region}", name


def _period(retention: timedelta) -> str:
    hours = retention.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"
