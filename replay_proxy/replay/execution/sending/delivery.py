"""Sending one replayed call, until it is known what became of it, or known that this cannot be known.

    not sent ──► sent again, within the bounds of `retry`
    answered ──► "not now": sent again. Any other answer, unless something failed on the way, is the result
    answer lost, or something failed on the way ──► in doubt (`doubt`): sent again only where that does no harm (`repeatable`)

Whoever makes a call that is in doubt and may not be sent again asks the emulator for what the call would have made
(`execution.lost_answer`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import tenacity

from replay_proxy.errors import MalformedMessage, UnsendableError
from replay_proxy.exchange import CallHead
from replay_proxy.replay.execution.sending.doubt import Doubt
from replay_proxy.replay.execution.sending.repeatable import AnswerMeaning, meaning_of
from replay_proxy.replay.execution.sending.retry import FIRST_WAIT_S, Pause, log_retry, retrying
from replay_proxy.replay.execution.sending.sender import ReplayedAnswer


class InDoubtError(Exception):
    """A request of a call may have been carried out, and the call may not be sent again; the text says what happened."""


class Delivery:
    """Sends one call.

    seq, head: of the call's record; of a batch, the first. once: sends it a single time, and reads the answer.
    seconds: for all attempts together.
    is_repeatable: whether the call may be sent again though it may have been carried out.
    """

    def __init__(
        self,
        seq: int,
        head: CallHead,
        once: Callable[[], Awaitable[ReplayedAnswer]],
        doubt: Doubt,
        pause: Pause,
        *,
        seconds: float,
        is_repeatable: Callable[[], bool],
    ) -> None:
        self._seq = seq
        self._head = head
        self._once = once
        self._doubt = doubt
        self._pause = pause
        self._seconds = seconds
        self._is_repeatable = is_repeatable
        self._last: ReplayedAnswer | Exception | None = None

    async def until_known(self) -> ReplayedAnswer:
        """Return the first answer that says what became of the call, or the last of those that do not.

        Raises:
            InDoubtError: the call may have been carried out, and may not be sent again.
            ConnectionError: no attempt got an answer. MalformedMessage: an answer cannot be read.
        """
        if self._doubt and not self._is_repeatable():
            raise InDoubtError(self._doubt.reason)
        if await self._send_once():
            return self._result()
        self._log_retry(0, FIRST_WAIT_S)
        await self._pause(FIRST_WAIT_S)
        try:
            async for attempt in retrying(self._seconds, self._log_retry):
                with attempt:
                    if not await self._send_once():
                        raise tenacity.TryAgain
        except tenacity.TryAgain:
            pass
        return self._result()

    def _result(self) -> ReplayedAnswer:
        assert self._last is not None
        if isinstance(self._last, Exception):
            raise self._last
        return self._last

    def _log_retry(self, retries: int, wait_s: float) -> None:
        log_retry(self._seq, self._head, retries + 2, self._failure(), wait_s)

    def _failure(self) -> str:
        """Return why the last attempt did not suffice."""
        if isinstance(self._last, ReplayedAnswer):
            return self._last.outcome.error_code  # its message may name what is secret
        return str(self._last) or type(self._last).__name__

    async def _send_once(self) -> bool:
        """Send the call; return whether no further attempt is worth it. Raises as `until_known`."""
        try:
            self._last = answered = await self._once()
        except UnsendableError:
            self._doubt.unsent()
            raise
        except MalformedMessage as error:
            self._doubt.garbled(error)
            raise
        except ConnectionError as error:
            self._doubt.failed(error)
            self._last = error
            worth_it = getattr(error, "may_help_to_repeat", True)
        else:
            self._doubt.answered(answered.outcome)
            worth_it = meaning_of(answered.outcome) in (AnswerMeaning.NOT_NOW, AnswerMeaning.BROKEN)
        if self._doubt and worth_it and not self._is_repeatable():
            raise InDoubtError(self._doubt.reason)
        return not worth_it
