"""Notes which calls may have changed data that no call shows, for the observer (`observation.observer`); cheap, and never fails.

Of infrastructure every call is noted, since it may link things. Of data only what the observer says: nearly all recordings have
services in which nothing acts by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.wire.mutability.judge import is_data

NOTED_BYTES_MAX = 4 << 20
"""Of the bodies that are noted."""
NOTED_MAX = 20_000
"""Calls that are noted. When there are more, or more bytes, all are forgotten, and the recording is read anew."""
_KINDS_MAX = 4096
_WITHOUT_EFFECT = frozenset({"ReceiveMessage", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"})
_NO_NOTES: Mapping[str, Any] = {}


class NotedCall(NamedTuple):
    """A call as its client made it. answer: as its client saw it; None where it was not recorded."""

    head: CallHead
    request: Request
    answer: Answer | None
    notes: Mapping[str, Any]


class EffectNotes:
    """services: those whose calls on data are to be noted. on_noted: called when there is something to look at.

    has_unknown: requests were made of which nothing is known. overflowed: so much was noted that it was forgotten.
    """

    def __init__(self) -> None:
        self.services: frozenset[str] = frozenset()
        self.on_noted: Callable[[], None] = _nothing
        self.has_unknown = self.overflowed = False
        self._noted: deque[NotedCall] = deque()
        self._bytes = 0
        self._data: dict[tuple[str, str], bool] = {}

    def note_change(self, head: CallHead, request: Request, answer: Answer, notes: Mapping[str, Any]) -> None:
        """Note a change that was recorded with these notes."""
        key = (head.service, head.operation)
        data = self._data.get(key)
        if data is None:
            if len(self._data) > _KINDS_MAX:
                self._data.clear()
            data = self._data[key] = is_data(*key)
        if data and head.service not in self.services:
            return
        if head.service == "s3" and data and request.method == "PUT":
            # The bytes of an object tell nothing that its answer does not.
            request = Request(request.method, request.target, request.headers)
        self._add(NotedCall(head, request, answer, notes))

    def note_passed(self, head: CallHead, request: Request) -> None:
        """Note a call that is not recorded and is no read: it may have an effect."""
        # A call that was noted and is not taken in yet may be the one that linked something.
        if (self.services or self._noted) and head.operation not in _WITHOUT_EFFECT:
            self._add(NotedCall(head, request, None, _NO_NOTES))

    def note_unknown(self) -> None:
        """Note a request that is no known call, such as one to an API of a user's own."""
        if (self.services or self._noted) and not self.has_unknown:
            self.has_unknown = True
            self.on_noted()

    def take(self) -> NotedCall | None:
        """Return the oldest call that was noted; None where there is none."""
        if not self._noted:
            self._bytes = 0
            return None
        noted = self._noted.popleft()
        self._bytes -= 0 if isinstance(noted.request.body, BlobRef) else len(noted.request.body)
        return noted

    def _add(self, noted: NotedCall) -> None:
        self._noted.append(noted)
        self._bytes += 0 if isinstance(noted.request.body, BlobRef) else len(noted.request.body)
        if self._bytes > NOTED_BYTES_MAX or len(self._noted) > NOTED_MAX:
            self.clear()
            self.overflowed = True
        self.on_noted()

    def clear(self) -> None:
        """Forget what was noted: the recording is about to be read."""
        self._noted.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._noted)


def _nothing() -> None:
    """Nobody is to be told."""
