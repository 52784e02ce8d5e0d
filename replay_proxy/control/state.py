"""`POST /_localstack/state/save` and `/load`, as LocalStack's command line calls them.

The answer is one JSON line for each service, sent as soon as the service is done. What goes wrong before the first line is
an error of the endpoint; afterwards it is a line of its own, since the status has been sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from urllib.parse import parse_qs

import orjson

from replay_proxy.control.answers import failure_of, problem, status_of_error
from replay_proxy.control.doctor.before_save import check_before_save
from replay_proxy.control.doctor.examiner_process import deletion
from replay_proxy.emulators.reset_requests import ResetRequest
from replay_proxy.errors import UsageError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.replay.execution.reporting.report import ServiceSummary
from replay_proxy.values import parse_switch
from replay_proxy.wire.models.service_names import services_of

_LINES = Headers((("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")))


async def save_state(proxy: Proxy, service: str, query: str) -> Outgoing:
    """Make what was recorded durable (of one `service`, or of all where it is empty).

    query: `strict=1` refuses where something is under way or not as it was recorded, `check=0` does not look.
    """
    asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    return await _streamed(_saving(proxy, service, asked))


async def load_state(proxy: Proxy, service: str, query: str) -> Outgoing:
    """Restore what is not restored yet (one `service` with what it needs, or all); everything anew with `reset=1`.

    `reset=own`: the same, and the emulator empties itself where it can, although the proxy could start it anew.
    `begun=1`: where it is restored anew, the first line says so as soon as requests wait for the state.
    """
    assert proxy.requested_loads is not None
    asked = _switch_of(query, "reset")
    by_own_reset = asked == "own"
    try:
        reset = by_own_reset or parse_switch(asked)
    except UsageError as error:
        return problem(400, f"reset: {error.message}", "write 1, 0, or own for the emulator's own reset")
    try:
        tells_begin = parse_switch(_switch_of(query, "begun"))
    except UsageError as error:
        return problem(400, f"begun: {error.message}", "write 1 or 0")
    lines = proxy.requested_loads.load(service, reset=reset, by_own_reset=by_own_reset, tells_begin=tells_begin)
    return await _streamed(lines)


def _switch_of(query: str, name: str) -> str:
    """Return what a query says of a switch: "0" where it is not named, "1" where it has no value."""
    return (parse_qs(query, keep_blank_values=True).get(name) or ["0"])[-1] or "1"


async def reset_state(proxy: Proxy, what: ResetRequest, incoming: Incoming) -> Outgoing:
    """Have the emulator forget what the request says, and return its answer; or say why it has not."""
    assert proxy.requested_resets is not None

    try:
        return await proxy.requested_resets.reset(what, incoming, deletion(proxy))
    except Exception as error:
        return problem(status_of_error(error), *failure_of(error))


async def _saving(proxy: Proxy, service: str, asked: Mapping[str, str]) -> AsyncIterator[ServiceSummary]:
    assert proxy.recording is not None
    writer = proxy.recording.writer
    if writer is None:
        raise UsageError(
            "the recording is only read (--read-only)", hint="nothing is written, so there is nothing to save"
        )
    if service:
        services_of(service, frozenset(proxy.engine.policy.counters.recorded))
    warnings = await check_before_save(proxy, asked, [service] if service else ())
    if proxy.observer is not None:
        with suppress(OSError, TimeoutError):  # a save does not need the emulator
            await proxy.observer.observe([service] if service else ())
    await writer.save(service)
    for name in [service] if service else sorted(proxy.engine.policy.counters.recorded):
        about = [each.text for each in warnings if each.service in (name, "")]
        yield {"service": name, "status": "ok", **({"warnings": about} if about else {})}


async def _streamed(lines: AsyncIterator[ServiceSummary]) -> Outgoing:
    try:
        first = await anext(lines, None)
    except Exception as error:
        return problem(status_of_error(error), *failure_of(error))
    return Outgoing(200, "OK", _LINES, b"" if first is None else _chunks(first, lines))


async def _chunks(first: ServiceSummary, lines: AsyncIterator[ServiceSummary]) -> AsyncIterator[bytes]:
    yield orjson.dumps(first) + b"\n"
    try:
        async for line in lines:
            yield orjson.dumps(line) + b"\n"
    except Exception as error:
        message, hint = failure_of(error)
        yield orjson.dumps({"status": "error", "error": message, "hint": hint}) + b"\n"
