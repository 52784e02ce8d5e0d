"""All rules, and which of them a call is shown to."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from replay_proxy.journal.records import Record
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.replay.compaction.decisions import Decisions
from replay_proxy.replay.compaction.items import Items
from replay_proxy.replay.compaction.messages import Messages
from replay_proxy.replay.compaction.objects import Objects
from replay_proxy.replay.compaction.resources import Resources
from replay_proxy.replay.compaction.retention import Retention
from replay_proxy.replay.compaction.settings import Settings
from replay_proxy.wire.mutability import is_data


class Rules:
    """Shows calls, in their order, to the rules that they concern."""

    def __init__(self, decisions: Decisions, now: datetime | None = None) -> None:
        self._messages = Messages(decisions, now)
        self._retention = Retention(decisions, now)
        self._objects = Objects(decisions)
        self._items = Items(decisions)
        self._settings = Settings(decisions)
        self._resources = Resources(decisions)

    def see(self, call: Call) -> None:
        """Take in a call."""
        if not call.witness:
            match call.service:
                case "sqs":
                    self._messages.see(call)
                case "s3":
                    self._objects.see(call)
                case "dynamodb":
                    self._items.see(call)
            if call.service != "s3" and not is_data(call.service, call.operation):
                self._objects.see_other(call)
            self._settings.see(call)
            self._retention.see(call)
        self._resources.see(call)

    def opaque(self, record: Record) -> None:
        """Take in a call that cannot be understood: it may have touched anything of its service."""
        self._resources.opaque(record)
        self._items.pin_all("")
        self._objects.pin()

    def finish(self) -> None:
        """All calls were shown."""
        self._messages.finish()
        self._retention.finish()
        self._resources.finish()

    @property
    def until(self) -> datetime | None:
        """When the first of what is left will be beyond its retention (once finished); None for never."""
        times = [each for each in (self._messages.until, self._retention.until) if each is not None]
        return min(times, default=None)

    def partial(self, dropped: Container[int]) -> frozenset[int]:
        """The witnesses whose answers showed something of the calls that are dropped."""
        return self._resources.partial(dropped)
