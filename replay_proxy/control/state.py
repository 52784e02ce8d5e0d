"""`POST /_localstack/state/save` and `/load`, as LocalStack's command line calls them.

The answer is one JSON line for each service, sent as soon as the service is done. What goes wrong before the first line is
an error of the endpoint; afterwards it is a line of its own, since the status has been sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from replay_proxy.control.answers import problem
from replay_proxy.errors import ReplayProxyError, UsageError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.lifecycle import Proxy
from replay_proxy.proxy.streams import Outgoing
from replay_proxy.replay.report import Line

_LINES = Headers((("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")))


async def save_state(proxy: Proxy, service: str) -> Outgoing:
    """Make what was recorded durable (of one `service`, or of all where it is empty)."""
    return await _streamed(_saving(proxy, service))


async def load_state(proxy: Proxy, service: str) -> Outgoing:
    """Restore the recording now (one `service` with what it needs, or all); with how many calls were restored."""
    assert proxy.loader is not None
    return await _streamed(proxy.loader.load(service))


async def _saving(proxy: Proxy, service: str) -> AsyncIterator[Line]:
    assert proxy.recording is not None
    writer = proxy.recording.writer
    if writer is None:
        raise UsageError(
            "the recording is only read (--read-only)", hint="nothing is written, so there is nothing to save"
        )
    await writer.save(service)
    for name in [service] if service else sorted(proxy.engine.decisions.counters.by_service):
        yield {"service": name, "status": "ok"}


async def _streamed(lines: AsyncIterator[Line]) -> Outgoing:
    try:
        first = await anext(lines, None)
    except (ReplayProxyError, OSError) as error:
        return problem(409 if isinstance(error, UsageError) else 500, *_told(error))
    return Outgoing(200, "OK", _LINES, b"" if first is None else _chunks(first, lines))


async def _chunks(first: Line, lines: AsyncIterator[Line]) -> AsyncIterator[bytes]:
    yield orjson.dumps(first) + b"\n"
    try:
        async for line in lines:
            yield orjson.dumps(line) + b"\n"
    except (ReplayProxyError, OSError) as error:
        message, hint = _told(error)
        yield orjson.dumps({"status": "error", "error": message, "hint": hint}) + b"\n"


def _told(error: ReplayProxyError | OSError) -> tuple[str, str]:
    return (error.message, error.hint) if isinstance(error, ReplayProxyError) else (str(error), "")
