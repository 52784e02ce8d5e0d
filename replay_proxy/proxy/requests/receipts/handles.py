"""Which message a receipt handle stands for.

A message is deleted by the receipt handle of the ReceiveMessage that delivered it, and a handle is worth nothing after a
restart. So a recorded deletion carries a note with the ids of the messages that it deleted, by which a restore knows that
they are gone. ReceiveMessage itself is not recorded. What its answers say of receipts is kept here for a while: a digest of
the handle, the queue and the message's id, nothing of the message itself. Answers are parsed when a deletion asks, when more
than `UNREAD_BYTES_MAX` of them wait, or some milliseconds later, to be written down (`held_file`): a consumer may hold a
message while the proxy is killed, too.

A receipt is *stale* when the emulator has lost its memory since it was given: it is of an earlier generation. While there
are stale receipts, requests that could name one take the full path, on which today's handle takes the place of the stale
one (`renewal`). So stale receipts are forgotten as soon as nobody can need them: a while after the message was deleted, with
its queue, and when no message can be held for so long any more.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, DeferredAnswer, Request
from replay_proxy.proxy.requests.held.held_file import DELAY_S, LOST, HeldFile
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters

REMEMBERED_BYTES_MAX = 16 << 20
"""Of all that is remembered of receipts. The oldest are forgotten first; nobody can tell their messages any more."""
UNREAD_BYTES_MAX = 1 << 20
"""Of the answers that wait to be parsed. (The last one may be larger by itself, and is parsed at once.)"""
UNREAD_MAX = 2_000
"""Answers that wait to be parsed."""
RECEIPT_BYTES = 640
"""What one receipt takes beside its texts, rounded up: a digest, a record, and places in three tables."""
HOLD_S_MAX = 12 * 3600.0
"""How long a message can be held: SQS's longest visibility timeout."""
RECEIPTS_FILE = "held_receipts.jsonl"
"""Where receipts are written down."""
REPEAT_S_MAX = 300.0
"""How long after a deletion an SDK that did not see the answer may repeat it."""

_DELETIONS = frozenset({"DeleteMessage", "DeleteMessageBatch"})
_EMPTYING = frozenset({"DeleteQueue", "PurgeQueue"})
NOTE = "messages"

_MEMBER = b"ReceiptHandle"
_HIDDEN = re.compile(rb"\\u00|%(?:25)*(?:4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa])")
"""An escape of a letter, which no client writes, and which could hide the name of a member."""


def may_name_receipts(data: bytes) -> bool:
    """Return whether these bytes of a request may name a receipt. Quick; may say True without need."""
    return _MEMBER in data or _HIDDEN.search(data) is not None


@dataclass(slots=True)
class _Receipt:
    """What is known of a receipt.

    message: its id. queue: account and name. expires_at: from when nobody needs the receipt, by the clock; None where that is
    not known. handle: kept only while there are stale receipts, whose place it may have to take.
    """

    message: str
    queue: str
    expires_at: float | None = None
    handle: str = ""

    @property
    def size(self) -> int:
        return RECEIPT_BYTES + len(self.message) + len(self.queue) + len(self.handle)


class ReceiptHandles:
    """The receipts that clients were given lately. clock: returns seconds that only grow.

    held_file: where they are written down; None where they are not. A stale receipt still tells the message's id, though to
    the emulator of today it means nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, held_file: HeldFile | None = None) -> None:
        self._clock = clock
        self._file = held_file
        self._delay: asyncio.TimerHandle | None = None
        self._receipts: OrderedDict[bytes, _Receipt] = OrderedDict()
        self._size = 0
        self._unread: deque[tuple[CallHead, Request, DeferredAnswer]] = deque()
        self._unread_size = 0
        self._stale: dict[bytes, None] = {}
        self._latest: dict[str, bytes] = {}
        self._next_expiry = 0.0
        for line in () if held_file is None else held_file.read():
            with suppress(ValueError):  # a digest that is none
                self._take(line)

    def _take(self, line: list[Any]) -> None:
        """Take up a line that an earlier proxy has written down. Raises `ValueError`."""
        now, written_by = self._clock(), time.time()
        match line:
            case ["receipt", str(key), str(message), str(queue), float(given_at)]:
                if written_by - given_at < HOLD_S_MAX:
                    self._keep(bytes.fromhex(key), _Receipt(message, queue))
            case ["deleted", str(key), float(deleted_at)] if bytes.fromhex(key) in self._receipts:
                left = deleted_at + REPEAT_S_MAX - written_by
                if left > 0:
                    self._receipts[bytes.fromhex(key)].expires_at = now + left
                else:
                    self._remove(bytes.fromhex(key))
            case ["lost"]:
                self._make_stale()

    @property
    def bytes_held(self) -> int:
        """How many bytes are remembered or wait to be parsed, at most."""
        return self._size + self._unread_size

    def note_received(self, head: CallHead, request: Request, body: bytes, answer: DeferredAnswer) -> None:
        """Note an answer to ReceiveMessage, as the client saw it. Cheap, unless it is large."""
        self._unread.append((head, request, answer))
        self._unread_size += len(body)
        if self._unread_size > UNREAD_BYTES_MAX or len(self._unread) > UNREAD_MAX:
            self._read()
        elif self._file is not None and self._delay is None and _MEMBER in body:
            self._delay = asyncio.get_running_loop().call_later(DELAY_S, self._write_down)

    def _write_down(self) -> None:
        self._delay = None
        self._read()
        if self._file is not None:
            self._file.flush()

    def begin_emulator_generation(self) -> None:
        """Make all receipts stale: the emulator has lost its memory, and they mean nothing to it any more."""
        self._read()
        if self._file is not None and self._receipts:
            self._file.add(*LOST)
        self._make_stale()

    def _make_stale(self) -> None:
        self._latest.clear()
        latest_expiry = self._clock() + HOLD_S_MAX
        for receipt in self._receipts.values():
            receipt.expires_at = latest_expiry if receipt.expires_at is None else min(receipt.expires_at, latest_expiry)
            self._size -= len(receipt.handle)
            receipt.handle = ""
        self._stale = dict.fromkeys(self._receipts)
        self._next_expiry = 0.0
        self._forget_expired()

    @property
    def any_stale(self) -> bool:
        """Whether there are stale receipts that somebody may need."""
        return bool(self._stale) and (self._clock() < self._next_expiry or self._forget_expired())

    def stale_among(self, handles: Iterable[str]) -> dict[str, str]:
        """Return those of `handles` that are stale, each with the id of its message."""
        self._read()
        found = {}
        for handle in handles:
            key = _key(handle)
            if key in self._stale:
                found[handle] = self._receipts[key].message
        return found

    def latest_handle(self, message: str) -> str:
        """Return a handle for this message that is not stale; empty where there is none."""
        key = self._latest.get(message)
        return "" if key is None else self._receipts[key].handle

    def remember(self, message: str, handle: str, queue: str = "") -> None:
        """Remember a handle that the emulator of today has given for a message. queue: its URL."""
        key = _key(handle)
        receipt = _Receipt(message, _queue_name(queue))
        if self._stale:
            receipt.handle = handle
        self._keep(key, receipt)
        if self._file is not None:
            self._file.add("receipt", key.hex(), message, receipt.queue, time.time())

    def _keep(self, key: bytes, receipt: _Receipt) -> None:
        self._remove(key)
        self._receipts[key] = receipt
        if receipt.handle:
            self._latest[receipt.message] = key
        self._size += receipt.size
        while self._size > REMEMBERED_BYTES_MAX:
            self._remove(next(iter(self._receipts)))

    def notes_for(self, head: CallHead, request: Request) -> Mapping[str, Any]:
        """Return the notes of a deletion: `messages`, from receipt handle to message id. Empty for other calls."""
        if head.service != "sqs" or head.operation not in _DELETIONS:
            return {}
        self._read()
        found = {
            handle: receipt.message
            for handle in _handles(_parameters(head, request))
            if (receipt := self._receipts.get(_key(handle))) is not None
        }
        return {NOTE: found} if found else {}

    def note_change(self, head: CallHead, request: Request, notes: Mapping[str, Any]) -> None:
        """Note a recorded change: the receipts of what it deleted are soon of no use. notes: what `notes_for` returned."""
        if head.service != "sqs":
            return
        if head.operation in _EMPTYING:
            if self._stale:
                self._expire_queue(_queue_name(_parameters(head, request).get("QueueUrl", "")))
            return
        deleted: Mapping[str, str] = notes.get(NOTE, {})
        if not deleted:
            return
        expires_at = self._clock() + REPEAT_S_MAX
        for handle in deleted:
            receipt = self._receipts.get(_key(handle))
            if receipt is not None:
                receipt.expires_at = expires_at
                if self._file is not None:
                    self._file.add("deleted", _key(handle).hex(), time.time())
        if self._stale:
            messages = frozenset(deleted.values())
            self._expire(lambda receipt: receipt.message in messages, expires_at)

    def _expire_queue(self, queue: str) -> None:
        self._read()
        self._expire(lambda receipt: receipt.queue == queue, self._clock())

    def _expire(self, concerns: Callable[[_Receipt], bool], expires_at: float) -> None:
        """Let the stale receipts that `concerns` is true of expire at `expires_at`."""
        for key in self._stale:
            receipt = self._receipts[key]
            if concerns(receipt):
                receipt.expires_at = expires_at if receipt.expires_at is None else min(receipt.expires_at, expires_at)
        self._next_expiry = 0.0

    def _forget_expired(self) -> bool:
        """Forget the stale receipts that have expired. Returns whether any are left."""
        now, soonest = self._clock(), float("inf")
        for key in list(self._stale):
            expires_at = self._receipts[key].expires_at
            if expires_at is not None and expires_at <= now:
                self._remove(key)
            elif expires_at is not None:
                soonest = min(soonest, expires_at)
        self._next_expiry = soonest
        if not self._stale:
            self._latest.clear()
        return bool(self._stale)

    def _read(self) -> None:
        while self._unread:
            head, request, answer = self._unread.popleft()
            try:
                messages = parse_answer(head, answer(), request).parsed.get("Messages", [])
                queue = _queue_name(_parameters(head, request).get("QueueUrl", ""))
                for message in messages:
                    self.remember(message["MessageId"], message["ReceiptHandle"], queue)
            except (MalformedMessage, KeyError, TypeError, AttributeError):
                continue  # of an emulator that answers something else
        self._unread_size = 0

    def _remove(self, key: bytes) -> None:
        receipt = self._receipts.pop(key, None)
        if receipt is None:
            return
        self._size -= receipt.size
        self._stale.pop(key, None)
        if self._latest.get(receipt.message) == key:
            del self._latest[receipt.message]


def _key(handle: str) -> bytes:
    """Return the digest that a handle is remembered by, of 16 bytes: two handles with the same are not to be expected."""
    return blake2b(handle.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _queue_name(url: str) -> str:
    """Return account and name of a queue, from the end of its URL."""
    return "/".join(url.rstrip("/").rsplit("/", 2)[-2:])


def _handles(parameters: Mapping[str, Any]) -> list[str]:
    entries = parameters.get("Entries", [parameters])
    handles = [entry.get("ReceiptHandle", "") for entry in entries if isinstance(entry, Mapping)]
    return [handle for handle in handles if isinstance(handle, str)]


def _parameters(head: CallHead, request: Request) -> Mapping[str, Any]:
    try:
        return parse_parameters(head, request)
    except MalformedMessage:
        return {}
