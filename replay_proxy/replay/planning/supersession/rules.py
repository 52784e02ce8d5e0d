"""All rules of supersession, and which of them a call is shown to."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime

from replay_proxy.footprint.data_parts import writes_parts_alone
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.planning.supersession.credentials import CredentialsRule
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.planning.supersession.items import ItemsRule
from replay_proxy.replay.planning.supersession.messages import MessagesRule
from replay_proxy.replay.planning.supersession.objects import ObjectsRule
from replay_proxy.replay.planning.supersession.resources import ResourcesRule
from replay_proxy.replay.planning.supersession.retention import RetentionRule
from replay_proxy.replay.planning.supersession.runs import RunsRule
from replay_proxy.replay.planning.supersession.settings import SettingsRule
from replay_proxy.replay.recorded_call import Call
from replay_proxy.replay.runs.families import services_with_runs


class Rules:
    """Shows calls, in their order, to the rules that they concern.

    Once finished: answered: the calls that are not made again because the proxy answers from them, each with the reason.
    lacking: the witnesses that listed some of these.
    """

    def __init__(self, decisions: SupersessionDecisions, now: datetime | None = None) -> None:
        self._messages = MessagesRule(decisions, now)
        self._retention = RetentionRule(decisions, now)
        self._objects = ObjectsRule(decisions)
        self._items = ItemsRule(decisions)
        self._settings = SettingsRule(decisions)
        self._resources = ResourcesRule(decisions)
        self._credentials = CredentialsRule(decisions, now)
        self._runs = RunsRule(decisions)
        self.answered: Mapping[int, str] = {}
        self.lacking: frozenset[int] = frozenset()

    def see(self, call: Call) -> None:
        """Show a call to the rules that it concerns."""
        if not call.witness:
            match call.service:
                case "sqs":
                    self._messages.see(call)
                case "s3":
                    self._objects.see(call)
                case "dynamodb":
                    self._items.see(call)
            if call.service != "s3" and not writes_parts_alone(call.service, call.operation, call.params):
                self._objects.see_other(call)
            self._settings.see(call)
            self._retention.see(call)
        self._resources.see(call)
        self._credentials.see(call)
        if call.service in services_with_runs():
            self.see_run(call)

    def see_run(self, call: Call) -> None:
        """Show a call to the rule for runs alone, which holds also where nothing is superseded."""
        self._runs.see(call)

    def see_opaque(self, record: Record) -> None:
        """Show a call that cannot be understood: it may have touched anything of its service."""
        self._resources.see_opaque(record)
        self._credentials.see_use(record.seq, record.credential.access_key)
        self._items.pin_all("")
        self._objects.pin()

    def finish(self) -> None:
        """Let the rules conclude, after all calls were shown."""
        self._messages.finish()
        self._retention.finish()
        self._resources.finish()
        self._credentials.finish()
        self.answered, self.lacking = self._runs.finish()

    @property
    def valid_until(self) -> datetime | None:
        """When the first of the remaining data will be beyond its retention (once finished); None for never."""
        times = [each for each in (self._messages.valid_until, self._retention.valid_until) if each is not None]
        return min(times, default=None)

    def partial(self, superseded: Container[int]) -> frozenset[int]:
        """Return the witnesses whose answers showed something of the calls that are superseded."""
        return self._resources.partial(superseded)
