"""Looks at runs (executions, jobs, tasks) that clients have started, and records what they were: a restore does not repeat them.

A run is read soon after it was started, and again until it has ended, ever more seldom: one small read each time. Whenever its
status is another one, the read is recorded, and at the end also what else is to be known of it (its history, its results). Of
a run that does not end (moto's executions do not) that is recorded when a client asks for it: it is what the client has seen.
Nothing of this is in the way of requests. What nobody has seen when the emulator dies is not known; then the recording has the
run as it was last seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.replay.runs.families import Family, filled, role_of, values_at
from replay_proxy.replay.runs.list_defaults import questions
from replay_proxy.replay.runs.recorded_runs import NOTE, json_of, listed_in, params_of
from replay_proxy.replay.witness_detector import WitnessDetector
from replay_proxy.supervision import Supervisor
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.signing.credentials import in_the_name_of

_log = log.get("runs")

FIRST_LOOK_S, INTERVAL_S_MAX = 0.05, 30.0
"""After its start a run is looked at so soon; later every so many seconds at most."""
INTERVAL_SHARE = 0.2
"""The time to the next look, as a share of the time since the start: what is short is seen to end soon after it has."""
WATCHED_MAX = 5_000
"""Runs that are watched at a time; the oldest are let go first."""
PAGES_MAX = 20
"""Of one read, of 1,000 entries or so each."""
REST_SHARE = 3
"""After a look, so many times as long as the emulator worked on it passes before the next, so that requests come first."""
LAST_LOOKS_S = 2.0
"""For the looks at the end of the proxy."""
RUNS = "watching runs"
"""The name of this work, in what the log says of an error."""

Ask = Callable[[Request, CallHead], Awaitable[Answer]]
"""Sends a request in clients' identifiers, signed as `like` it, and returns the answer in them. Raises `UpstreamError`."""


@dataclass(slots=True)
class _Watched:
    """A run that has not been seen to end.

    like, params: the request that started it. asked_for: the further reads that a client has made since the last look.
    recorded: a hash of what they showed when that was recorded, by operation and what they were about.
    """

    family: Family
    id: str
    head: CallHead
    like: Request
    params: Mapping[str, Any]
    begun_at: float
    due_at: float
    status: str = ""
    asked_for: set[str] = field(default_factory=set)
    recorded: dict[tuple[str, str], bytes] = field(default_factory=dict)


class RunWatcher:
    """Watches the runs that were started since the emulator began. `note_start` and `note_read` are cheap, and never fail."""

    def __init__(
        self,
        recorder: Recorder,
        witness_detector: WitnessDetector,
        ask: Ask,
        supervisor: Supervisor,
        epoch: Callable[[], int | None],
    ) -> None:
        """witness_detector: told of what is recorded, so that the same read by a client is not recorded once more.

        epoch: of what the emulator holds; None while that is being emptied or restored, and nothing is looked at.
        """
        self._recorder = recorder
        self._witness_detector = witness_detector
        self._ask = ask
        self._epoch = epoch
        self._supervisor = supervisor
        self._noted: list[tuple[CallHead, Request, Answer]] = []
        self._watched: OrderedDict[tuple[CallHead, str], _Watched] = OrderedDict()
        self._defaults_seen: set[tuple[str, str, str]] = set()
        self._asked_s = 0.0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def note(self, head: CallHead, request: Request, answer: Callable[[], Answer]) -> None:
        """Note a call that succeeded: the start of a run is watched from now on; after a read of one it is looked at soon."""
        role = role_of(head.service, head.operation)
        if role is None:
            return
        if role[1] == "start":
            if self._recorder.is_wanted(head):
                self._noted.append((head, request, answer()))
                self._wake()
        elif role[1] in ("read", "steer") and self._watched:
            now = time.monotonic()
            named = self._read_further(role[0], head, request)
            for each in self._watched.values():
                if each.family is role[0]:
                    each.due_at = min(each.due_at, now)
                    if each.id == named and each.head == replace(head, operation=each.head.operation):
                        each.asked_for.add(head.operation)
            self._wake()

    @staticmethod
    def _read_further(family: Family, head: CallHead, request: Request) -> str:
        """Return the run of which a client has read more than what it is; empty where it has not."""
        by = next((detail["by"] for detail in family.details if detail["operation"] == head.operation), "")
        return str((params_of(head, request) or {}).get(by, "")) if by else ""

    def _wake(self) -> None:
        self._woken.set()
        if self._task is None:
            self._task = self._supervisor.start(RUNS, self._watch())

    def forget(self) -> None:
        """Watch nothing any more: the emulator has lost its memory, and its runs with it."""
        self._noted.clear()
        self._watched.clear()
        self._defaults_seen.clear()

    async def stop(self) -> None:
        """End the watching, after a last look at what has not ended."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._take_noted()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(LAST_LOOKS_S):
                for each in list(self._watched.values()):
                    await self._look_at(each)

    async def _watch(self) -> None:
        while True:
            self._take_noted()
            now = time.monotonic()
            due = [each for each in self._watched.values() if each.due_at <= now]
            for each in due:
                before = self._asked_s
                await self._look_safely(each)
                await asyncio.sleep((self._asked_s - before) * REST_SHARE)
            if not due:
                await self._rest(min((each.due_at for each in self._watched.values()), default=None))

    async def _rest(self, until: float | None) -> None:
        self._woken.clear()
        if self._noted:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.01, until - time.monotonic())):
                await self._woken.wait()
                await asyncio.sleep(0.01)

    def _take_noted(self) -> None:
        noted, self._noted = self._noted, []
        for head, request, answer in noted:
            role, params, shown = role_of(head.service, head.operation), params_of(head, request), json_of(answer)
            if role is None or params is None or shown is None:
                continue
            now = time.monotonic()
            for name in role[0].started(head.operation, params, shown):
                self._watched[head, name] = _Watched(role[0], name, head, request, params, now, now + FIRST_LOOK_S)
        while len(self._watched) > WATCHED_MAX:
            self._watched.popitem(last=False)

    async def _look_safely(self, each: _Watched) -> None:
        """Look at a run. Never raises: a run that cannot be looked at must not end the watching."""
        try:
            await self._look_at(each)
            self._supervisor.well(RUNS)
        except (OSError, TimeoutError):
            pass  # the emulator is away; if it has forgotten, so shall we
        except Exception as error:
            self._supervisor.trouble(RUNS, error)
        now = time.monotonic()
        each.due_at = now + min(INTERVAL_S_MAX, max(FIRST_LOOK_S, (now - each.begun_at) * INTERVAL_SHARE))

    async def _look_at(self, each: _Watched) -> None:
        """Read a run, and record it where its status is another one. Raises `OSError` and `TimeoutError`."""
        epoch = self._epoch()
        if epoch is None:
            return
        describe = each.family.describe
        found = await self._read(each, describe["operation"], filled(describe["ask"], each.id, each.params))
        if self._epoch() != epoch:
            return
        if found is None:
            self._watched.pop((each.head, each.id), None)  # the emulator cannot tell, or has forgotten it
            return
        head, request, answer, shown = found
        view = next(iter(values_at(shown, describe["view"])), None)
        if not isinstance(view, dict):
            self._watched.pop((each.head, each.id), None)
            return
        status = each.family.status_of(view)
        ended = status in each.family.ended
        asked_for, each.asked_for = each.asked_for, set()
        for detail in each.family.details:
            if (ended and status != each.status) or detail["operation"] in asked_for:
                await self._record_detail(each, detail, view, epoch)
        if status == each.status or not await self._record(each, head, request, answer, epoch):
            return
        if ended:
            self._watched.pop((each.head, each.id), None)
        each.status = status
        await self._ask_for_defaults(each, view, epoch)

    async def _record_detail(
        self, each: _Watched, detail: Mapping[str, Any], view: Mapping[str, Any], epoch: int
    ) -> None:
        about = values_at(view, f"{detail['each']}[]") if "each" in detail else ("",)
        for text in about:
            asked = filled(detail["ask"], each.id, each.params, str(text))
            pages = []
            for _page in range(PAGES_MAX):
                found = await self._read(each, detail["operation"], asked)
                if found is None:
                    break
                pages.append(found[:3])
                token = found[3].get(detail.get("token", ""))
                if not token:
                    break
                asked = {**asked, detail["token"]: token}
            shown = hashlib.sha256(b"".join(page.body for _, _, page in pages if isinstance(page.body, bytes))).digest()
            if each.recorded.get((detail["operation"], str(text))) != shown:
                each.recorded[detail["operation"], str(text)] = shown
                for page in pages:
                    await self._record(each, *page, epoch)

    async def _ask_for_defaults(self, each: _Watched, view: Mapping[str, Any], epoch: int) -> None:
        """Record the lists that show a run though they are not asked for it; each is asked once."""
        for operation, parameter, asked in questions(each.family, view):
            key = each.family.service, operation, parameter
            if key in self._defaults_seen:
                continue
            head, request, answer, shown = await self._send(each, operation, asked)
            if shown is None:
                if answer.status < 500:  # else it may answer the next time
                    self._defaults_seen.add(key)  # it refuses to list without that parameter
                continue
            read = each.family.lists[operation]
            if each.id in listed_in(read, shown):
                await self._record(each, head, request, answer, epoch)
            elif shown.get(read.get("token", "")):
                continue  # it may be on a further page
            self._defaults_seen.add(key)

    async def _read(
        self, each: _Watched, operation: str, asked: Mapping[str, Any]
    ) -> tuple[CallHead, Request, Answer, dict[str, Any]] | None:
        """Make a read. Return it with its answer; None where it is refused."""
        head, request, answer, shown = await self._send(each, operation, asked)
        return None if shown is None else (head, request, answer, shown)

    async def _send(
        self, each: _Watched, operation: str, asked: Mapping[str, Any]
    ) -> tuple[CallHead, Request, Answer, dict[str, Any] | None]:
        """Make a read. Return it with its answer, also as what that shows; None in the place of this where it is refused."""
        head = replace(each.head, operation=operation)
        request = in_the_name_of(each.like, build_request(head, asked, each.like.headers.get("host")))
        begun = time.monotonic()
        try:
            answer = await self._ask(request, head)
        finally:
            self._asked_s += time.monotonic() - begun
        with suppress(MalformedMessage):
            if parse_answer(head, answer, request).ok:
                return head, request, answer, json_of(answer)
        return head, request, answer, None

    async def _record(self, each: _Watched, head: CallHead, request: Request, answer: Answer, epoch: int) -> bool:
        """Record a read of a run, unless the emulator holds something else by now. Return whether it holds what it showed."""
        if self._epoch() != epoch:
            return False
        self._witness_detector.explain(head, request, answer)
        try:
            return await self._recorder.witness(
                head,
                request,
                answer,
                after=self._recorder.last_seq,
                counts=lambda: self._epoch() == epoch,
                notes={NOTE: each.id},
            )
        except StorageError as error:
            _log.warning("what a run was could not be recorded", run=each.id, reason=error.message)
            return True
