"""Accounts and regions: places that calls and ARNs name, told by their role and never by what they look like."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.names.resource_names import arn_place


@dataclass(slots=True)
class Places:
    """The accounts and regions seen so far: those of calls, those at their positions in ARNs, and what members
    of accounts hold."""

    _seen: set[str] = field(default_factory=lambda: {""})

    def __contains__(self, text: str) -> bool:
        return text in self._seen

    def see_call(self, head: CallHead) -> None:
        """Take in where a call was made."""
        self._seen.update((head.account, head.region))

    def see_identifier(self, value: str) -> None:
        """Take in the place that an ARN names."""
        if value.startswith("arn:"):
            self._seen.update(arn_place(value))

    def see_account(self, value: str) -> None:
        """Take in the value of a member that holds an account."""
        self._seen.add(value)
