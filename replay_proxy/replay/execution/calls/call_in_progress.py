"""One recorded call while it is made again: its messages, and what is known about it so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.background_waits import StartedWork
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.sending.doubt import Doubt
from replay_proxy.replay.execution.sending.repeatable import (
    Repeatability,
    repeatability,
    repeated_is_refused,
    says_gone,
    says_there,
)
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters

OnAnswer = Callable[[StartedWork | None], bool]
"""Called when a call has its answer, with the work that it has started; returns whether that work is to be waited for."""


def wait_for_all(_started: StartedWork | None) -> bool:
    """Wait for whatever a call has started."""
    return True


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts among the values of parameters or of an answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


@dataclass(slots=True)
class CallInProgress:
    """A recorded call while it is made again.

    on_answer: called when it has its answer. doubt: whether it may have been carried out without an answer that says so.
    original, answer: the recorded messages, with their bodies in memory; None before these are read. request: as it is sent
    to the emulator, unsigned; None before it is built. is_absent: when the emulator was asked, nothing of the name that the
    call gives was there.
    """

    record: Record
    head: CallHead
    report: RestoreReport
    on_answer: OnAnswer = wait_for_all
    doubt: Doubt = field(default_factory=Doubt)
    original: Request | None = None
    answer: Answer | None = None
    request: Request | None = None
    is_absent: bool = False
    _repeatability: Repeatability | None = None

    @property
    def operation(self) -> tuple[str, str]:
        """Service and operation."""
        return self.head.service, self.head.operation

    @property
    def recorded(self) -> Outcome:
        """The recorded outcome. Raises MalformedMessage where the recorded answer cannot be read."""
        assert self.answer is not None
        return parse_answer(self.head, self.answer, self.original)

    @property
    def parameters(self) -> dict[str, Any]:
        """The recorded parameters. Raises MalformedMessage where the recorded request cannot be read."""
        assert self.original is not None
        return parse_parameters(self.head, self.original)

    @property
    def repeatability(self) -> Repeatability:
        """Whether it may be sent again where it may have been carried out; not where it cannot be read."""
        if self._repeatability is None:
            try:
                original = self.original or self.record.request
                found = repeatability(self.head, original, self.parameters, self.recorded)
                if not found.allowed and not self.recorded.parsed and repeated_is_refused(self.head):
                    found = Repeatability(True, "a second one of that name is refused", refused_if_there=True)
            except MalformedMessage:
                found = Repeatability(allowed=False)
            self._repeatability = found
        return self._repeatability

    @property
    def may_be_repeated(self) -> bool:
        """Whether it may be sent again where it may have been carried out."""
        return self.repeatability.allowed

    @property
    def shows_only_what_was_sent(self) -> bool:
        """Whether the recorded answer shows nothing that could be another thing this time; not where it cannot be read."""
        try:
            sent = [text for text in _texts(self.parameters) if text]
            return all(any(each in text for each in sent) for text in _texts(self.recorded.parsed))
        except MalformedMessage:
            return False

    def allow_repeating(self, reason: str) -> None:
        """Note that it may be sent again after all, because of `reason`."""
        self._repeatability = Repeatability(True, reason, refused_if_there=True)

    def forbid_repeating(self) -> None:
        """Note that it may not be sent again any more."""
        self._repeatability = Repeatability(allowed=False)

    def is_done_by_refusal(self, outcome: Outcome) -> bool:
        """Return whether a refusal of the repeated call says that the first request had been carried out."""
        may = self.repeatability
        return (may.removes and says_gone(outcome)) or (may.refused_if_there and says_there(outcome))
