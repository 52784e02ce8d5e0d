"""Credentials that are over, by the clock of the restore.

A call that gives credentials is made again for two reasons: calls that were signed with them have to be, so that the emulator
puts what they make into the same account; and a client may still hold them. Once temporary credentials are over, no client
does. Then the call goes, unless one of the calls that were signed with them stays. It goes, too, where it gave no key at all.

The clock is a parameter. Without one, no credentials are over.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.mutability.judge import gives_credentials
from replay_proxy.wire.signing.issued_keys import issued_keys


@dataclass(slots=True)
class CredentialsRule:
    """The rule for calls that give credentials. Memory: the keys, and one number for each call that was signed with one."""

    decisions: SupersessionDecisions
    now: datetime | None = None
    _given_by: dict[str, int] = field(default_factory=dict)
    _ends_at: dict[int, float] = field(default_factory=dict)
    _uses: dict[int, Any] = field(default_factory=lambda: defaultdict(lambda: array("Q")))

    def see(self, call: Call) -> None:
        """Note a call; calls are shown in order."""
        self.see_use(call.seq, call.access_key)
        if call.witness or not gives_credentials(call.service, call.operation):
            return
        keys = issued_keys(call.result)
        for key in keys:
            self._given_by[key.access_key] = call.seq
        if not keys and call.operation.startswith("Get"):
            self.decisions.supersede(call.seq, "it gave no credentials")
        elif keys and all(key.ends_at is not None for key in keys):
            self._ends_at[call.seq] = max(key.ends_at or 0 for key in keys)

    def see_use(self, seq: int, access_key: str) -> None:
        """Note that a call was signed with a key."""
        giver = self._given_by.get(access_key)
        if giver is not None:
            self._uses[giver].append(seq)

    def finish(self) -> None:
        """Make the proposals, after all calls were shown."""
        if self.now is None:
            return
        for seq, ends_at in self._ends_at.items():
            if ends_at < self.now.timestamp():
                self.decisions.supersede_unless(
                    seq, "the credentials that it gave are over", 0, self._uses.get(seq, ())
                )
