"""Which message a receipt handle stands for.

A message is deleted by the receipt of the ReceiveMessage that delivered it, and a receipt is worth nothing after a restart.
So a recorded deletion carries a note with the ids of the messages that it deleted, by which a restore knows that they are
gone. ReceiveMessage itself is not recorded; its answers are kept here for a while, and parsed only when a deletion asks.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request, Unread
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.parameters import parse_parameters

REMEMBERED = 20_000
"""Receipts. Messages that are received and not deleted in the next so many are not resolved any more."""
UNREAD = 2_000
"""Answers that wait for somebody to ask."""

_DELETIONS = ("DeleteMessage", "DeleteMessageBatch")
NOTE = "messages"


class Receipts:
    """The receipts that clients were given lately.

    A receipt is known for the message's id also when the emulator has lost its memory since; to the emulator of today it
    means nothing (`replay_proxy.proxy.retaking`).
    """

    def __init__(self) -> None:
        self._messages: OrderedDict[str, str] = OrderedDict()
        self._unread: deque[tuple[CallHead, Request, Unread]] = deque(maxlen=UNREAD)
        self._stale: set[str] = set()
        self._latest: dict[str, str] = {}

    def received(self, head: CallHead, request: Request, _body: bytes, answer: Unread) -> None:
        """Take in an answer to ReceiveMessage, as the client saw it. Cheap."""
        self._unread.append((head, request, answer))

    def begin_life(self) -> None:
        """The emulator has lost its memory: the receipts so far mean nothing to it any more."""
        self._read()
        self._stale = set(self._messages)
        self._latest.clear()

    @property
    def any_stale(self) -> bool:
        """Are there receipts of an earlier life?"""
        return bool(self._stale)

    def stale(self, handles: Iterable[str]) -> dict[str, str]:
        """Those of `handles` that are of an earlier life, with the id of the message that they stand for."""
        self._read()
        return {handle: self._messages[handle] for handle in handles if handle in self._stale}

    def latest(self, message: str) -> str:
        """A receipt for this message from this life; empty where there is none."""
        return self._latest.get(message, "")

    def remember(self, message: str, handle: str) -> None:
        """A receipt of this life for a message."""
        self._messages[handle] = message
        self._messages.move_to_end(handle)
        self._latest[message] = handle

    def notes_for(self, head: CallHead, request: Request) -> Mapping[str, Any]:
        """The notes of a deletion: `messages`, receipt handle to message id; empty for other calls."""
        if head.service != "sqs" or head.operation not in _DELETIONS:
            return {}
        self._read()
        try:
            parameters = parse_parameters(head, request)
        except MalformedMessage:
            return {}
        handles = [entry.get("ReceiptHandle", "") for entry in parameters.get("Entries", [parameters])]
        found = {handle: self._messages[handle] for handle in handles if handle in self._messages}
        return {NOTE: found} if found else {}

    def _read(self) -> None:
        while self._unread:
            head, request, answer = self._unread.popleft()
            try:
                messages = parse_answer(head, answer(), request).parsed.get("Messages", [])
            except MalformedMessage:
                continue
            for message in messages:
                self._messages[message["ReceiptHandle"]] = message["MessageId"]
                self._messages.move_to_end(message["ReceiptHandle"])
                if self._stale:
                    self._latest[message["MessageId"]] = message["ReceiptHandle"]
        while len(self._messages) > REMEMBERED:
            handle, message = self._messages.popitem(last=False)
            self._stale.discard(handle)
            if self._latest.get(message) == handle:
                del self._latest[message]
