"""The viewers of a proxy, and what runs only while there is one.

Each viewer has a stream of Server-Sent Events, and takes from what is kept for all: requests that pass (`Traffic`), events of
the recording (`ModelProcess`), the state of the proxy. A viewer whose connection takes nothing waits in its own stream, and
goes on from what is kept then.

| event | what it says |
|---|---|
| `hello` | the stream has begun. `process`: another one means that the proxy was started anew |
| `state` | the proxy, whenever anything about it is another than before |
| `passing` | requests that passed, and how many were skipped |
| `changed` | calls and resources that came or changed |
| `renewed` | what was known of the recording is not true any more, and has to be loaded anew |
| `progress`, `trouble` | how far the recording was read; why it cannot be shown |
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Final

import orjson

from replay_proxy.control.console.model_process import Answered, ModelProcess, ModelProcessError
from replay_proxy.control.console.proxy_view import proxy_view
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.traffic import Traffic
from replay_proxy.reports.page.preview import page_json

VIEWERS_MAX: Final = 16
INTERVAL_S: Final = 0.25
_STATE_INTERVAL_S: Final = 1.0
_SILENCE_S_MAX: Final = 10.0
"""After which something is sent, so that a connection that has ended is noticed."""
_PASSING_MAX: Final = 500
"""Requests that one event tells of."""
LINGER_S: Final = 10.0
"""How long the process that knows the recording outlives the last viewer and the last question."""
LEAVING: Final = "ending the process of the console"


class Viewers:
    """The viewers of one proxy. count: those whose streams are open."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._process = uuid.uuid4().hex
        self._model: ModelProcess | None = None
        if proxy.recording is not None:
            self._model = ModelProcess(proxy.recording.data_dir, proxy.supervisor)
        self._traffic: Traffic | None = None
        self._used_s = 0.0
        self._leaving: asyncio.Task[None] | None = None
        self.count = 0

    @property
    def are_too_many(self) -> bool:
        """Whether no further viewer is taken."""
        return self.count >= VIEWERS_MAX

    async def ask(self, what: str, at: int) -> Answered:
        """Return what the recording answers to a question (see `model_worker`). Raises ModelProcessError."""
        if self._model is None:
            raise ModelProcessError("nothing is recorded here", hint="PERSISTENCE=1 switches it on")
        self._use()
        return await self._model.ask(what, at)

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the events for one viewer, until the proxy stops or the viewer leaves."""
        policy = self._proxy.engine.policy
        self.count += 1
        if self._traffic is None:
            self._traffic = policy.traffic = Traffic()
        try:
            self._use()
            async for each in self._stream(self._traffic):
                yield each
        finally:
            self.count -= 1
            if not self.count:
                self._traffic = policy.traffic = None
            self._use()

    async def _stream(self, traffic: Traffic) -> AsyncIterator[bytes]:
        proxy, model = self._proxy, self._model
        yield _event("hello", orjson.dumps({"process": self._process, "recording": model is not None}))
        if model is not None:
            try:
                await model.start()
            except ModelProcessError as error:
                yield _event("trouble", orjson.dumps({"reason": error.message}))
        passed, told, said = traffic.count, 0 if model is None else model.told, time.monotonic()
        state, trouble, progress, next_state_s = b"", b"", b"", 0.0
        while proxy.gate.state is not ProxyState.STOPPING:
            pieces: list[bytes] = []
            if time.monotonic() >= next_state_s:
                next_state_s = time.monotonic() + _STATE_INTERVAL_S
                shown = page_json(proxy_view(proxy)).encode()
                if shown != state:
                    state = shown
                    pieces.append(_event("state", state))
            if traffic.count > passed:
                pieces.append(_passing(traffic, passed))
                passed = traffic.count
            if model is not None:
                pieces += _model_events(model, told)
                told = model.told
                if model.progress != progress:
                    progress = model.progress
                    pieces.append(_event("progress", progress or b"{}"))
                if model.trouble != trouble:
                    trouble = model.trouble
                    pieces.append(_event("trouble", trouble or b'{"reason":""}'))
            if pieces:
                said = time.monotonic()
                yield b"".join(pieces)
            elif time.monotonic() - said > _SILENCE_S_MAX:
                said = time.monotonic()
                yield b": nothing new\n\n"
            await asyncio.sleep(INTERVAL_S)

    @property
    def _is_used(self) -> bool:
        return self.count > 0 or time.monotonic() - self._used_s < LINGER_S

    def _use(self) -> None:
        """Note that the recording is looked at, and see to it that its process ends some time after the last look."""
        self._used_s = time.monotonic()
        if self._model is not None and (self._leaving is None or self._leaving.done()):
            self._leaving = self._proxy.supervisor.start(LEAVING, self._leave(self._model))

    async def _leave(self, model: ModelProcess) -> None:
        gate = self._proxy.gate
        while gate.state is not ProxyState.STOPPING and self._is_used:  # noqa: ASYNC110  it is time that is waited for
            await asyncio.sleep(INTERVAL_S)
        with suppress(ProcessLookupError):
            await model.stop()


def _model_events(model: ModelProcess, position: int) -> Iterator[bytes]:
    events = model.since(position)
    if events is None:
        yield _event("renewed", b"{}")
        return
    for each in events:
        yield _event(each.name, each.body)


def _passing(traffic: Traffic, position: int) -> bytes:
    entries, skipped = traffic.since(position, _PASSING_MAX)
    return _event("passing", page_json({"skipped": skipped, "entries": list(map(asdict, entries))}).encode())


def _event(name: str, body: bytes) -> bytes:
    """Return an event. The body is JSON; line feeds between its documents are left out, since they would end it."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), body.replace(b"\n", b""))
