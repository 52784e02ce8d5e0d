"""What comes of a reset that a client asks for: the emulator forgets, and what was recorded before no longer counts.

`emulators.reset_requests` knows the requests. Each goes to the emulator as it came, while no other request is under way; so the
journal can say in its order where the reset was. The emulator is only touched by `emulator_recovery`, which carries it out as
one of its renewals. A reset that the emulator refuses changes nothing, and its client gets the refusal.

LocalStack's own request (`POST /_localstack/state/reset`) is answered for every emulator, as its requests to save and to load
are: by the reset of the emulator that is there, or, where the proxy has started that and it has none, by starting it anew.

| | a whole reset | a reset of one service |
|---|---|---|
| journal | `reset`: nothing before it is restored | `reset` with the service |
| identifiers | those of before mean nothing any more | as they were: other services may show them |
| a restore in parts that is open | nothing is left to restore | goes on, without that service |
| session mark | left anew, before the client has its answer | the same |

Where an emulator cannot forget one service alone, it is emptied, and the recorded state of all others restored. Where it cannot
forget at all, and is somebody else's, what is recorded is deleted, resource by resource, and the answer tells what is left
(`doctor.removal`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson

from replay_proxy import log
from replay_proxy.emulators.reset import HAS_NONE, reset_endpoint_of
from replay_proxy.emulators.reset_requests import ANY_EMULATOR, ResetRequest
from replay_proxy.errors import EmulatorError, ReplayProxyError, UsageError
from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.streams import Incoming, Outgoing, collect
from replay_proxy.proxy.lifecycle.backend import Backend, ExternalEmulator, reset_sender
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import (
    Renewal,
    RequestedLoads,
    UnchangedError,
)
from replay_proxy.proxy.lifecycle.restoring.trial import ServicesReset, Trial
from replay_proxy.proxy.lifecycle.restoring.trial_emptying import RESTART, Delete, TrialEmptying, log_left
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.translator import bytes_of, request_of
from replay_proxy.wire.models.service_names import UnknownServiceError, services_of

_log = log.get("proxy")

REQUEST_BYTES_MAX = 64 * 1024
"""Of the body of such a request, which says nothing."""


class RequestedResets:
    """Carries out the resets that clients ask for. recorder: None where the recording is only read."""

    def __init__(
        self,
        loads: RequestedLoads,
        load_strategy: LoadStrategy,
        backend: Backend,
        upstream: UpstreamClient,
        recorder: Recorder | None,
        writer: JournalWriter | None,
    ) -> None:
        self._loads = loads
        self._load_strategy = load_strategy
        self._backend = backend
        self._upstream = upstream
        self._recorder = recorder
        self._writer = writer

    async def reset(self, what: ResetRequest, incoming: Incoming, delete: Delete) -> Outgoing:
        """Have the emulator forget what a request asks it to, and return its answer.

        delete: for an emulator that cannot.

        Raises:
            StorageError: it could not be recorded; nothing was done. UsageError: the emulator cannot do that.
            NotNowError: the emulator is away, or the proxy is being stopped. EmulatorError: it was lost meanwhile.
        """
        if self._recorder is not None:
            self._recorder.check()
        body, _rest = await collect(incoming.body, REQUEST_BYTES_MAX) if incoming.body is not None else (b"", None)
        request = request_of(incoming, body)
        services = _services_meant(what.service)
        if what.service and what.is_for_any_emulator and not await self._resets_one_service(what):
            return await self._restore_the_others(services_of(what.service))
        answers: list[Answer] = []

        async def empty() -> None:
            try:
                answers.append(await self._answer(what, request))
            except OSError as error:
                if isinstance(self._backend, ExternalEmulator):
                    raise EmulatorError(f"the emulator did not reset: {error}", hint=RESTART) from error
                await (await self._backend.emptying(self._upstream))()  # one that has forgotten nothing is not believed
                answers.append(_done())
                return
            if what.succeeded(answers[-1]):
                return
            if not await self._can_only_delete(what, answers[-1].status):
                raise UnchangedError(f"the emulator did not reset: it answered {answers[-1].status}")
            refusal = answers.pop()
            answers.append(_done(await self._deleted(delete, services, refusal.status)))

        async def restore() -> None:
            await self._load_strategy.start_over(services)

        try:
            await self._loads.carry_out(Renewal("the emulator is being reset", restore, empty, brings_back=False))
        except UnchangedError:
            if not answers:
                raise
            if what.service and what.is_for_any_emulator and self._writer is not None:
                with suppress(UsageError):  # there is no way to empty it: its refusal says enough
                    return await self._restore_the_others(services_of(what.service))
        answer = answers[-1]
        return Outgoing(answer.status, answer.reason, answer.headers, bytes_of(answer))

    async def _can_only_delete(self, what: ResetRequest, status: int) -> bool:
        """Return whether nothing but deleting what is recorded empties the emulator: it is external, and has no reset."""
        if not what.is_for_any_emulator or self._writer is None or not isinstance(self._backend, ExternalEmulator):
            return False
        return status in HAS_NONE or await reset_endpoint_of(reset_sender(self._upstream)) is None

    async def _deleted(self, delete: Delete, services: Collection[str], status: int) -> Mapping[str, Any]:
        assert self._writer is not None
        _log.info("the emulator cannot be reset; what is recorded is being deleted", answered=status)
        try:
            await self._writer.promised()
            told = await delete(sorted(services))
        except ReplayProxyError as error:
            raise UnchangedError(
                f"the emulator cannot be reset, and what is recorded was not deleted: {error.message}", hint=error.hint
            ) from error
        log_left(told["left"])
        return told

    async def _resets_one_service(self, what: ResetRequest) -> bool:
        """Return whether the emulator may be able to reset one service by itself; of those that are known, LocalStack's may."""
        if self._writer is None:
            return True
        endpoint = await reset_endpoint_of(reset_sender(self._upstream))
        return endpoint is None or endpoint.reset.startswith(ANY_EMULATOR)

    async def _restore_the_others(self, services: Collection[str]) -> Outgoing:
        """Empty the emulator, and restore what was recorded but for these services. Raises as `reset`."""
        writer = self._writer
        assert writer is not None
        await Trial(
            self._loads,
            self._load_strategy,
            TrialEmptying(self._backend, self._upstream, self._load_strategy, None),
            ServicesReset(writer, services),
            doing="a service is being reset",
            undone="the service was not reset",
            done="the reset is recorded",
        ).carry_out()
        done = _done()
        return Outgoing(done.status, done.reason, done.headers, bytes_of(done))

    async def _answer(self, what: ResetRequest, request: Request) -> Answer:
        """Send the request, or what stands for it where this emulator has another one. Return the answer."""
        send = reset_sender(self._upstream)
        if not what.is_for_any_emulator:
            return await send(request)
        endpoint = await reset_endpoint_of(send)
        if (
            endpoint is None
            or endpoint.reset == what.path
            or (what.service and endpoint.reset.startswith("/_localstack/"))
        ):
            answer = await send(request)
            if what.succeeded(answer) or isinstance(self._backend, ExternalEmulator) or what.service:
                return answer
        else:
            answer = await send(Request("POST", endpoint.reset, request.headers, b""))
            if 200 <= answer.status < 300:
                return _done()
            if isinstance(self._backend, ExternalEmulator):
                return answer
        await (await self._backend.emptying(self._upstream))()
        return _done()


def _done(told: Mapping[str, Any] | None = None) -> Answer:
    headers = Headers((("Content-Type", "application/json"),))
    return Answer(200, headers, orjson.dumps({"status": "ok", **(told or {})}), HTTPStatus(200).phrase)


def _services_meant(name: str) -> Collection[str]:
    """Return the services that a client means; none where it means all. Raises UnknownServiceError."""
    if not name:
        return ()
    try:
        return services_of(name)
    except UnknownServiceError:
        return (name,)
