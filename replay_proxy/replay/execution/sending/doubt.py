"""Whether a call may have been carried out though no answer says so, while it is being sent.

    SETTLED ──sent──► UNDER_WAY ──answer of success, or of refusal──► SETTLED
                                ──not sent after all────────────────► SETTLED
                                ──answer lost or unreadable─────────► LOST
    LOST    ──sent──► LOST      ──answer of success─────────────────► SETTLED
                                ──anything else─────────────────────► LOST

A refusal settles a call that was sent once. It does not settle one that was sent before and whose answer was lost then: the
first request may have been carried out all the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from replay_proxy.errors import MalformedMessage, may_have_been_carried_out
from replay_proxy.replay.execution.sending.repeatable import AnswerMeaning, meaning_of
from replay_proxy.wire.codecs.answers import Outcome

CUT_OFF: Final = "the way to the emulator broke while it was under way"
"""The reason of a call that was under way when the restore was given up."""


class DoubtState(StrEnum):
    """What is known of a call.

    SETTLED: it was not sent, or its last answer says what became of it. UNDER_WAY: a request of it is sent, and not answered.
    LOST: an earlier request of it may have been carried out, and no answer says so.
    """

    SETTLED = "settled"
    UNDER_WAY = "under way"
    LOST = "lost"


class Doubt:
    """What is known of one call while it is sent.

    reason: why it may have been carried out; empty unless the state is LOST. A call of an earlier restore that was left in
    doubt begins with its reason.
    """

    def __init__(self, reason: str = "") -> None:
        self.state = DoubtState.LOST if reason else DoubtState.SETTLED
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Doubt: {self.state}{self.reason and f', {self.reason}'}>"

    def __bool__(self) -> bool:
        """Return whether the call may have been carried out without an answer that says so."""
        return self.state is not DoubtState.SETTLED

    def sent(self) -> None:
        """Note that a request is handed over."""
        if self.state is DoubtState.SETTLED:
            self.state = DoubtState.UNDER_WAY

    def unsent(self) -> None:
        """Note that the request could not be sent."""
        if self.state is DoubtState.UNDER_WAY:
            self.state = DoubtState.SETTLED

    def failed(self, error: Exception) -> None:
        """Note that the request got no answer, because of `error`."""
        if may_have_been_carried_out(error):
            self._lose(str(error) or type(error).__name__)
        else:
            self.unsent()

    def timed_out(self, reason: str) -> None:
        """Note that the time for the call is over; the reason of an answer that was lost before stands."""
        if self.state is DoubtState.UNDER_WAY:
            self._lose(reason)

    def garbled(self, error: MalformedMessage) -> None:
        """Note that the request got an answer that cannot be read."""
        self._lose(f"its answer cannot be read: {error.message}")

    def answered(self, outcome: Outcome) -> None:
        """Note that the request got an answer."""
        if outcome.ok:
            self.state, self.reason = DoubtState.SETTLED, ""
        elif meaning_of(outcome) in (AnswerMeaning.BROKEN, AnswerMeaning.UNKNOWN):
            # The message may repeat what was sent, secrets included, and the reason is shown in logs and reports.
            self._lose(f"{outcome.error_code} (status {outcome.status})")
        else:
            self.unsent()

    def _lose(self, reason: str) -> None:
        self.state, self.reason = DoubtState.LOST, reason
