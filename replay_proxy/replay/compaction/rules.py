"""All rules, and which of them a call is shown to."""

from __future__ import annotations

from replay_proxy.journal.records import Record
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.replay.compaction.decisions import Decisions
from replay_proxy.replay.compaction.messages import Messages


class Rules:
    """Shows calls, in their order, to the rules that they concern."""

    def __init__(self, decisions: Decisions) -> None:
        self._messages = Messages(decisions)

    def see(self, call: Call) -> None:
        """Take in a call."""
        if not call.witness and call.service == "sqs":
            self._messages.see(call)

    def opaque(self, record: Record) -> None:
        """Take in a call that cannot be understood: it may have touched anything of its service."""

    def finish(self) -> None:
        """All calls were shown."""
