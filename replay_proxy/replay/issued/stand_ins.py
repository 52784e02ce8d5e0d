"""The values of today for values that were given out before, and requests that present them.

A value is looked for among those that are known already, and then in the recording. The call that gave it out is made again
then, in the place of the client: its answer has the value that stands in for the old one from now on. What the answer gives
besides is known from then on, too: a log-in gives three tokens.

A request that makes a value again may itself present an old one (a token that was got by another token), which is resolved
first. Where a key must not be used, the client is told what the emulator says of it. Where a token cannot be made again, it
stays, and the emulator refuses it. So it does with a token whose time is over, and with one that was revoked. In a restore the
moment of the recorded call counts: its token was good then.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from replay_proxy import log
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.rewriting.user_pools.web_tokens import claims_of
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.issued.issuing_calls import (
    digest,
    document_of,
    issued_values,
    presented,
    request_again,
    takes_issued,
    values_again,
)
from replay_proxy.replay.issued.passwords import with_latest_password
from replay_proxy.replay.issued.revocations import is_revoked, owner_of, root_of
from replay_proxy.wire.mutability.judge import Effect, judge_call
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.signing.sigv4 import Credential

_log = log.get("issued")

VALUES_BYTES_MAX = 16 << 20
"""Of all values that are known, the latest; the others are made again when they are presented."""
_ENTRY_BYTES = 300
_DEPTH_MAX = 8

Ask = Callable[[Request, CallHead, Credential], Awaitable[Answer]]
"""Sends a request in client ids, signed for this credential. Returns the emulator's own answer, untranslated."""


Derive = Callable[[Request, CallHead, Collection[str]], Request]
"""Derives anew what a request carries of hashes for one of these users (`ClientSecrets.with_hashes`)."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """Where a value can be made again: the recording, a function that sends, and one that derives.

    before: the number of the recorded call that a restore makes again, which presents the value: what became of the value
    later counts for nothing then. None where a client presents it, today.
    """

    lookup: IssuedLookup
    ask: Ask
    derive: Derive
    before: int | None = None


class _Known(NamedTuple):
    """A value of the emulator, by the digest of what clients know it by; `None` for one that clients know as it is.

    user: for whom a token is; empty where that is not known.
    """

    value: str | None
    user: str = ""


class KeyRefusedError(Exception):
    """The emulator refuses the use of a key, now, as it would refuse it to the client: the key is disabled, or on its way out.

    answer: its own.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


class StandIns:
    """The values of one session of an emulator. Bounded."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._for_restore: set[str] = set()
        self._bytes = 0

    def keep(self, value: str, of_today: str, user: str = "") -> None:
        """Note that `of_today` is what the emulator takes where a client presents `value`. user: for whom a token is."""
        self._put(digest(value), _Known(None if value == of_today else of_today, user))

    def keep_own(self, value: str, user: str = "") -> None:
        """Note that the emulator of today gave out `value` itself, unless another value is known to stand in for it."""
        key = digest(value)
        known = self._known.get(key)
        self._put(key, _Known(None, user) if known is None else _Known(known.value, known.user or user))

    def learn(self, head: CallHead, recorded: Answer, given: Answer) -> None:
        """Note what the recorded and the emulator's own answer to one call give out."""
        if given.status // 100 != 2:
            return
        today = issued_values(head, given)
        for path, value in issued_values(head, recorded).items():
            if path in today:
                self.keep(value, today[path])

    def _put(self, key: str, known: _Known) -> None:
        self._drop(key)
        self._known[key] = known
        self._bytes += _size(known)
        while self._bytes > VALUES_BYTES_MAX:
            self._drop(next(iter(self._known)))

    def _drop(self, key: str) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= _size(known)

    @property
    def any(self) -> bool:
        """Whether anything is known."""
        return bool(self._known)

    async def in_request(self, request: Request, head: CallHead, emulator: Emulator, depth: int = 0) -> Request:
        """Return `request` with the values of today in the place of old ones; the identical object where it presents none.

        Raises KeyRefusedError, and as `Ask`.
        """
        if not takes_issued(head.service):
            return request
        presentation = presented(head, request)
        users = [user for value in presentation.values() if (user := await self._user(value, emulator))]
        derived = emulator.derive(request, head, users) if users else request
        if derived is not request:
            return await self.in_request(derived, head, emulator, depth + 1) if depth < _DEPTH_MAX else derived
        changed = False
        for place, key in presentation.places:
            value = place[key]
            today = await self.of_today(value, emulator, depth)
            if today is not None:
                place[key] = today
                changed = True
        return presentation.request(request) if changed else request

    async def _user(self, value: str, emulator: Emulator) -> str:
        """Return for whom a token is; empty where that is not known, or `value` is none."""
        key = digest(value)
        known = self._known.get(key)
        if known is None and emulator.lookup.may_know and (record := await emulator.lookup.find(key)) is not None:
            return owner_of(await root_of(record, emulator.lookup))[1]
        return "" if known is None else known.user

    async def of_today(self, value: str, emulator: Emulator, depth: int = 0) -> str | None:
        """Return the value that stands in for `value`; None where it is good as it is, or nothing can. Raises as `Ask`."""
        if emulator.before is None and is_over(value):
            return None
        key = digest(value)
        if emulator.before is None and key in self._for_restore:
            await self._look_at_end(key, value, emulator.lookup)
        known = self._known.get(key)
        if known is None and emulator.lookup.may_know and depth < _DEPTH_MAX:
            record = await emulator.lookup.find(key)
            if record is not None:
                await self._make_again(record, value, emulator, depth)
                known = self._known.get(key)
        if known is None:
            return None
        self._known.move_to_end(key)
        return known.value

    async def _make_again(self, record: Record, value: str, emulator: Emulator, depth: int) -> None:
        """Make again what the call of `record` gave out. Where that fails, nothing is known of it afterwards."""
        head = record.head or recognise(record.request)
        if head is None or record.flaw or judge_call(head, record.request).effect is Effect.MUTATES:
            return  # one that changes something is made by a restore, and by nobody else
        if await is_revoked(record, head, value, emulator.lookup, emulator.before):
            return
        other, request = request_again(head, record)
        request = await self.in_request(request, other, emulator, depth + 1)
        answer = await emulator.ask(request, other, record.credential)
        if answer.status == 400 and (
            later := await with_latest_password(record, head, request, emulator.lookup, emulator.before)
        ):
            answer = await emulator.ask(later, other, record.credential)
        document = document_of(answer)
        if other.service == "kms" and 400 <= answer.status < 500:
            raise KeyRefusedError(answer)
        if answer.status != 200 or document is None:
            _log.warning(
                "a value that was given out before cannot be made again; the emulator will refuse it",
                call=f"{head.service}:{head.operation}",
                seq=record.seq,
                status=answer.status,
            )
            return
        user = owner_of(await root_of(record, emulator.lookup))[1]
        for old, new in values_again(head, record, answer):
            self.keep(old, new, user)
            if emulator.before is not None:
                self._for_restore.add(digest(old))

    async def _look_at_end(self, key: str, value: str, lookup: IssuedLookup) -> None:
        """Forget what was made for a recorded call alone: a client presents the value, and a later call had revoked it."""
        self._for_restore.discard(key)
        record = await lookup.find(key)
        head = None if record is None else record.head or recognise(record.request)
        if record is not None and head is not None and await is_revoked(record, head, value, lookup):
            self._drop(key)


def is_over(value: str) -> bool:
    """Return whether a value is a JSON Web Token whose time is over."""
    expires = claims_of(value).get("exp")
    return isinstance(expires, int | float) and expires < time.time()


def _size(known: _Known) -> int:
    return _ENTRY_BYTES + len(known.value or "")
