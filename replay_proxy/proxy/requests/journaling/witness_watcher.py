"""Looks at reads, beside the requests, and records those that are witnesses (`replay.witness_detector` decides).

Three steps keep this off the way of a request:

1. What a client was answered is *noted*, which costs next to nothing.
2. While the emulator works on the next request, what was noted is put into a bounded *queue*.
3. One task takes exchanges from the queue and looks at them, with pauses while requests come and the queue is short.

An answer of more than `BODY_BYTES_MAX` waits in a file (a spool of the recording's blobs), and is read from there in a thread,
a little at a time. If its read is a witness, the file becomes the blob of its record.

A read that is repeated replaces its predecessor in the queue. When the queue is full, by number or by bytes, the oldest are
not looked at. Nor is a call whose last answer was the same, as when a client asks again and again whether something is
ready. A change that was not looked at explains nothing, so a later read may be recorded although nothing needs it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeVar

from replay_proxy import log
from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, DeferredAnswer, Request
from replay_proxy.journal.storage.blobs import Spool
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.replay.witness_detector import BODY_BYTES_MAX, Chunks, Verdict, WitnessDetector
from replay_proxy.supervision import Supervisor

_log = log.get("witness")

QUEUE_MAX = 512
"""Exchanges in the queue."""
QUEUE_BYTES_MAX = 8 << 20
"""Of all exchanges in the queue. The bodies of those that are noted and not there yet may take half as much beside it."""
LARGE_MAX, LARGE_BYTES_MAX = 64, 256 << 20
"""Large answers that wait, and their bytes on disk."""
LARGE_CHUNK_BYTES = 16 * 1024
"""Of a large answer, read at a time; about a millisecond of work."""
QUEUE_DELAY_S = 0.005
"""After which what was noted is put into the queue, where no other request comes before."""
PAUSE_S = 0.004
"""Between two exchanges that are looked at while requests come, so that it takes a small part of the time."""
QUEUE_CALM_MAX = QUEUE_MAX // 4
"""With more in the queue than that there is no pause, so that a long run of reads is looked at before the queue is full."""
WITNESSES = "looking for witnesses"
"""The name of this work, in what the log says of an error."""
ANSWERS_REMEMBERED_MAX = 1024
"""Calls whose last answer is remembered, by a hash."""

_Key = tuple[CallHead, str, Body]
_T = TypeVar("_T")


class _Item(NamedTuple):
    """An exchange in the queue.

    after: the number of the last record when it took place. spool: has the answer's body; None where the answer has it.
    """

    head: CallHead
    request: Request
    answer: Answer
    after: int
    change: bool
    spool: Spool | None = None

    @property
    def size(self) -> int:
        """Of what it holds in memory, in bytes."""
        fields = (*self.request.headers.pairs, *self.answer.headers.pairs)
        return _size(self.request, self.answer.body) + sum(len(name) + len(value) for name, value in fields)

    def drop(self) -> None:
        """Give up what it has on disk."""
        if self.spool is not None:
            self.spool.abort()

    def chunks(self) -> Iterator[bytes]:
        """Read the body of a large answer. Blocking."""
        assert self.spool is not None
        return paced(self.spool.read(LARGE_CHUNK_BYTES))


def paced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `chunks`, with pauses in which others use the processor. Blocking."""
    for chunk in chunks:
        yield chunk
        time.sleep(PAUSE_S / 2)


class WitnessWatcher:
    """Looks at what was noted, in one task. `note_change` and `note_read` are cheap, and never fail."""

    def __init__(self, recorder: Recorder, supervisor: Supervisor) -> None:
        self._recorder = recorder
        self._supervisor = supervisor
        self.witness_detector = WitnessDetector()
        self._noted: deque[tuple[CallHead, Request, Body, DeferredAnswer, int, bool]] = deque()
        self._noted_bytes = 0
        self._delay: asyncio.TimerHandle | None = None
        self._queue: OrderedDict[_Key | int, _Item] = OrderedDict()
        self._queue_bytes = self._large_bytes = self._large_count = 0
        self._filled = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()
        self._change_count = 0
        self._is_busy = False
        """Whether something was noted since the last look."""
        self._last_answers: dict[int, int] = {}
        self._epoch = 0
        """Grows with each reset: what was shown before means nothing after it."""
        self._looking = asyncio.Lock()
        self._judged: _Item | None = None
        """The exchange that was judged last; its file is of no further use."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = self._supervisor.start(WITNESSES, self._look())

    def pause(self) -> None:
        """Look at nothing until `resume`: what the recording explains is not known yet."""
        self._running.clear()

    def resume(self) -> None:
        """Look at exchanges again, also at answers that were the same before."""
        self._last_answers.clear()
        self._running.set()

    async def rest(self) -> None:
        """Look at nothing until `resume`, and wait until what is being looked at is recorded."""
        self.pause()
        async with self._looking:
            pass

    def forget(self) -> None:
        """Record nothing that was noted so far, what is being looked at included: the emulator was reset since."""
        self._epoch += 1
        self._noted.clear()
        self._noted_bytes = 0
        while self._queue:
            self._take_oldest().drop()
        self._last_answers.clear()

    async def stop(self) -> None:
        """End the task, and look at what is still in the queue."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._delay is not None:
            self._delay.cancel()
            self._delay_is_over()
        while self._queue and self._running.is_set():
            await self._look_at(self._take_oldest())

    def note_change(self, head: CallHead, request: Request, answer: Answer) -> None:
        """Note a change that was recorded: it explains what it shows."""
        if _is_too_large(request.body):  # nothing looks into it
            request = Request(request.method, request.target, request.headers)
        if _is_too_large(answer.body):
            self._note_large(head, request, answer, 0, change=True)
        else:
            self._note(head, request, answer.body, lambda: answer, 0, change=True)

    def note_read(self, head: CallHead, request: Request, body: bytes, answer: DeferredAnswer) -> None:
        """Note a successful read, as its client saw it. body: of the answer."""
        if _is_too_large(request.body):
            return
        if _is_too_large(body):
            self._note_large(head, request, answer(), self._recorder.last_seq, change=False)
        else:
            self._note(head, request, body, answer, self._recorder.last_seq, change=False)

    def _note_large(self, head: CallHead, request: Request, answer: Answer, after: int, *, change: bool) -> None:
        """Note an exchange with a large answer: its body goes to a file."""
        body = answer.body
        bare = replace(answer, body=b"")
        try:
            if isinstance(body, bytes):
                self._queue_one(head, request, body, lambda: bare, after, change, large=True)
            elif change:  # what the client sent is explained all the same
                self._note(head, request, b"", lambda: bare, 0, change=True)
        except Exception as error:  # the request of somebody else must not fail by it
            self._supervisor.trouble(WITNESSES, error)

    def _note(
        self, head: CallHead, request: Request, body: Body, answer: DeferredAnswer, after: int, *, change: bool
    ) -> None:
        self._is_busy = True
        self._noted.append((head, request, body, answer, after, change))
        self._noted_bytes += _size(request, body)
        if self._noted_bytes > QUEUE_BYTES_MAX // 2:
            self.queue_noted()
        elif self._delay is None:
            self._delay = asyncio.get_running_loop().call_later(QUEUE_DELAY_S, self._delay_is_over)

    def _delay_is_over(self) -> None:
        self._delay = None
        self.queue_noted()

    def queue_noted(self) -> None:
        """Put what was noted into the queue. To be called when the emulator is at work anyway."""
        while self._noted:
            noted = self._noted.popleft()
            try:
                self._queue_one(*noted)
            except Exception as error:  # the request of somebody else must not fail by it
                self._supervisor.trouble(WITNESSES, error)
        self._noted_bytes = 0

    def _queue_one(
        self,
        head: CallHead,
        request: Request,
        body: Body,
        answer: DeferredAnswer,
        after: int,
        change: bool,
        *,
        large: bool = False,
    ) -> None:
        if not change and not self._recorder.is_wanted(head, witness=True):
            return
        key = (head, request.target, request.body)
        if self._is_known(head, key, body):
            return
        spool = self._spooled(body) if large else None
        if change:
            self._change_count += 1
            self._put(self._change_count, _Item(head, request, answer(), 0, True, spool))
        elif spool is not None or not large:
            self._put(key, _Item(head, request, answer(), after, False, spool))

    def _spooled(self, body: Body) -> Spool | None:
        """Write the body of an answer to a file; None where that is not possible, and it is not looked at."""
        assert isinstance(body, bytes)
        try:
            return self._recorder.spool_answer(body)
        except StorageError as error:
            self._last_answers.clear()
            _log.warning("a large answer could not be looked at", reason=error.message)
            return None

    def _is_known(self, head: CallHead, key: _Key, body: Body) -> bool:
        """Return whether this call had the same answer the last time.

        Only where everything that it shows is in its body, or that is large: to look at it each time would take long.
        """
        if head.protocol.startswith("rest") and not _is_too_large(body):
            return False
        known, now = hash(key), hash(body)
        if self._last_answers.get(known) == now:
            return True
        if len(self._last_answers) >= ANSWERS_REMEMBERED_MAX:
            self._last_answers.clear()
        self._last_answers[known] = now
        return False

    def _put(self, key: _Key | int, item: _Item) -> None:
        earlier = self._queue.pop(key, None)
        if earlier is not None:
            self._uncount(earlier)
            earlier.drop()
        self._queue[key] = item
        self._queue_bytes += item.size
        if item.spool is not None:
            self._large_count += 1
            self._large_bytes += item.spool.size
        while self._is_too_full:
            self._take_oldest().drop()
            self._last_answers.clear()
        self._filled.set()

    @property
    def _is_too_full(self) -> bool:
        in_memory = len(self._queue) > QUEUE_MAX or self._queue_bytes > QUEUE_BYTES_MAX
        return in_memory or self._large_count > LARGE_MAX or self._large_bytes > LARGE_BYTES_MAX

    def _take_oldest(self) -> _Item:
        """Remove and return the exchange that has waited longest."""
        _, item = self._queue.popitem(last=False)
        self._uncount(item)
        return item

    def _uncount(self, item: _Item) -> None:
        self._queue_bytes -= item.size
        if item.spool is not None:
            self._large_count -= 1
            self._large_bytes -= item.spool.size

    @property
    def bytes_held(self) -> int:
        """How many bytes wait to be looked at."""
        return self._noted_bytes + self._queue_bytes

    async def _look(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._running.wait()
                await self._look_at(self._take_oldest())
                is_busy, self._is_busy = self._is_busy, False
                # Without requests there is nobody to wait for, and a kill loses what was not looked at.
                await asyncio.sleep(PAUSE_S if is_busy and len(self._queue) <= QUEUE_CALM_MAX else 0)

    async def _look_at(self, item: _Item) -> None:
        """Look at one exchange. Never raises, since an exchange that cannot be looked at must not end the task."""
        try:
            async with self._looking:
                await self._judge(item)
        except asyncio.CancelledError:  # at the end of all; what is in the queue then is looked at once more
            if self._judged is not item:
                self._change_count += 1
                self._put(self._change_count, item)
            raise
        except Exception as error:
            self._last_answers.clear()
            self._supervisor.trouble(WITNESSES, error)
        item.drop()

    async def _judge(self, item: _Item) -> None:
        head, request, answer, detector = item.head, item.request, item.answer, self.witness_detector
        epoch = self._epoch
        if item.change:
            await self._explain(item, item.chunks)
            return
        if item.spool is None:
            verdict = detector.is_witness(head, request, answer)
        else:
            verdict = await self._in_thread(lambda: detector.is_large_witness(head, request, answer, item.chunks))
        self._judged = item
        if verdict is Verdict.NOTHING_NEW:
            return
        try:
            if item.spool is not None:
                answer = replace(answer, body=await item.spool.commit())
            if not await self._recorder.witness(
                head, request, answer, after=item.after, counts=lambda: self._epoch == epoch
            ):
                return
        except StorageError as error:
            self._last_answers.clear()
            _log.warning("a witness could not be recorded", reason=error.message)
            return
        if verdict is Verdict.WITNESS:
            body = answer.body
            await self._explain(item, lambda: paced(self._recorder.stored(body, LARGE_CHUNK_BYTES)))
        else:
            detector.note_dependent(head, request)

    async def _explain(self, item: _Item, chunks: Chunks) -> None:
        """Note what an exchange shows. chunks: read the body of a large answer."""
        head, request, answer, detector = item.head, item.request, item.answer, self.witness_detector
        if item.spool is None:
            detector.explain(head, request, answer)
        else:
            await self._in_thread(lambda: detector.explain_large(head, request, answer, chunks))

    @staticmethod
    async def _in_thread(work: Callable[[], _T]) -> _T:
        """Do blocking work in a thread, to its end also where the task is cancelled: it uses the file of an exchange."""
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            with suppress(Exception):
                await task
            raise


def _is_too_large(body: Body) -> bool:
    return not isinstance(body, bytes) or len(body) > BODY_BYTES_MAX


def _size(request: Request, body: Body) -> int:
    """Return the size of an exchange in bytes: its target and bodies. body: of the answer."""
    return sum(len(each) for each in (request.target, request.body, body) if not isinstance(each, BlobRef))
