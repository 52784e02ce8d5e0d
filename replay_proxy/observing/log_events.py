"""The expected contents of log groups: their streams, and the events in each.

A function writes its log into a group that it makes itself. So the group and its streams are parts, too. What left a group by
its retention is not found to be gone: a restore leaves it out by itself.

The list of streams says of each when something was written last, and how much it holds. Where nothing is known to have happened,
only those streams are read of which that is other than at the last look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import CHANGED_BYTES_MAX, ExpectedContents, Look, digest
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.replay.recorded_call import Call

EVENTS_AT_ONCE: Final = 1000
"""Events that one observation puts back."""
_GROUP: Final = "group"
_THERE: Final = b"1"
_SEPARATOR: Final = "\0"
_Sign = tuple[int, ...]


class LogEvents(ExpectedContents):
    """The events of one log group.

    A part is the group itself, a stream, or an event with how many of its like stand before it.
    """

    def __init__(self, container: Container) -> None:
        super().__init__(container)
        self._signs: dict[str, _Sign] = {}
        self._signs_now: dict[str, _Sign] = {}

    def begin_look(self) -> None:
        """Forget what calls touched before."""
        super().begin_look()
        self._signs_now = {}

    def end_look(self) -> None:
        """Take no more note of what calls touch. What they touched is read anew by the next look."""
        self._signs = {} if self.touched or self.touched_whole else self._signs_now
        super().end_look()

    def see(self, call: Call) -> None:
        """Take in a call to the log group."""
        params = call.params
        match call.operation:
            case "CreateLogGroup":
                self.put(_GROUP, _THERE)
            case "CreateLogStream":
                self.put(_stream(params["logStreamName"]), _THERE)
            case "PutLogEvents":
                stream = params["logStreamName"]
                self.put(_stream(stream), _THERE)
                for event in params["logEvents"]:
                    self._add(stream, event)
                self.touched_whole = True
            case "DeleteLogStream":
                beginning = _stream(params["logStreamName"])
                for part in [
                    each for each in self.parts if each == beginning or each.startswith(f"{beginning}{_SEPARATOR}")
                ]:
                    self.drop(part)
            case "DeleteLogGroup":
                self.clear()

    def _add(self, stream: str, event: Mapping[str, Any]) -> None:
        name, count = _event(stream, event), 0
        while f"{name}/{count}" in self.parts:
            count += 1
        self.put(f"{name}/{count}", _THERE)

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look:
        """Read all events of all streams; only of those that were written since the last look, where not `thorough`."""
        group = self.container.name
        look = Look(seen={_GROUP: _THERE}, read="DescribeLogStreams")
        asked: dict[str, Any] = {"logGroupName": group}
        streams: dict[str, _Sign] = {}
        made_at: dict[str, float] = {}
        while True:
            page = await reader.ask(self.container, caller, "DescribeLogStreams", asked)
            for each in page.get("logStreams", ()):
                streams[each["logStreamName"]] = _sign_of(each)
                made_at[each["logStreamName"]] = _seconds_in(each, "creationTime")
            if not page.get("nextToken"):
                break
            asked = {"logGroupName": group, "nextToken": page["nextToken"]}
        if _GROUP not in self.parts:
            look.changed[_GROUP] = await self._group(reader, caller)
        last = {} if thorough else self._signs
        unread = {_stream(stream) for stream, sign in streams.items() if sign and sign == last.get(stream)}
        look.seen.update((part, _THERE) for part in self.parts if part.partition(_SEPARATOR)[0] in unread)
        held = 0
        for stream in streams:
            part = _stream(stream)
            look.seen[part] = _THERE
            if part in unread and part in self.parts:
                continue
            if part not in self.parts:
                parameters = {"logGroupName": group, "logStreamName": stream}
                look.changed[part] = Finding(
                    "CreateLogStream", parameters, "DescribeLogStreams", part, made_at=made_at[stream]
                )
            held = await self._read(reader, caller, stream, look, held)
        self._signs_now = {} if look.more else streams
        return look

    async def _group(self, reader: Reader, caller: Caller) -> Finding:
        """Return the finding for the group itself, with the time at which it was made where the emulator tells that."""
        group = self.container.name
        made_at = 0.0
        with suppress(LookError):  # its time is not worth the group
            page = await reader.ask(self.container, caller, "DescribeLogGroups", {"logGroupNamePrefix": group})
            shown = (each for each in page.get("logGroups", ()) if each["logGroupName"] == group)
            made_at = next((_seconds_in(each, "creationTime") for each in shown), 0.0)
        return Finding("CreateLogGroup", {"logGroupName": group}, "DescribeLogGroups", _GROUP, made_at=made_at)

    async def _read(self, reader: Reader, caller: Caller, stream: str, look: Look, held: int) -> int:
        """Read the events of a stream. held: bytes of changed ones so far; returns how many there are now."""
        group = self.container.name
        counts: Counter[str] = Counter()
        new: list[tuple[str, dict[str, Any]]] = []
        taken: list[float] = []
        asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        token = ""
        while True:
            page = await reader.ask(self.container, caller, "GetLogEvents", asked)
            for event in page.get("events", ()):
                name = _event(stream, event)
                part = f"{name}/{counts[name]}"
                counts[name] += 1
                look.seen[part] = _THERE
                if part not in self.parts:
                    held += len(event["message"])
                    if held > CHANGED_BYTES_MAX:
                        look.more = True
                    else:
                        new.append((part, {"timestamp": _time_of(event), "message": event["message"]}))
                        taken.append(_seconds_in(event, "ingestionTime"))
            following = page.get("nextForwardToken") or ""
            if not page.get("events") or not following or following == token:
                break
            token = following
            asked = {**asked, "nextToken": token}
        for begin in range(0, len(new), EVENTS_AT_ONCE):
            some = new[begin : begin + EVENTS_AT_ONCE]
            events = sorted((event for _part, event in some), key=_time_of)
            parameters = {"logGroupName": group, "logStreamName": stream, "logEvents": events}
            # One finding for all of them.
            made_at = max(taken[begin : begin + EVENTS_AT_ONCE])
            finding = Finding("PutLogEvents", parameters, "GetLogEvents", stream, made_at=made_at)
            look.changed.update((part, finding) for part, _event_of in some)
        return held

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return None: what is gone is beyond its retention."""
        return None


def _stream(name: str) -> str:
    return f"stream {name}"


def _sign_of(stream: Mapping[str, Any]) -> _Sign:
    """Return when a stream was written last, and how much it holds; empty where the emulator does not say."""
    written, stored = stream.get("lastIngestionTime"), stream.get("storedBytes")
    return (int(written), int(stored)) if written and stored else ()


def _seconds_in(shown: Mapping[str, Any], member: str) -> float:
    """Return a time, told in milliseconds, in seconds since the epoch; 0 where the emulator does not tell it."""
    return float(shown.get(member) or 0) / 1000


def _time_of(event: Mapping[str, Any]) -> int:
    """Return the time of an event in milliseconds. moto has fractions, which cannot be written back."""
    return int(event["timestamp"])


def _event(stream: str, event: Mapping[str, Any]) -> str:
    return f"{_stream(stream)}{_SEPARATOR}{_time_of(event)} {digest(str(event['message']).encode()).hex()}"
