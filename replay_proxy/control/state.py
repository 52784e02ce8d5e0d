"""`POST /_localstack/state/save` and `/load`, as LocalStack's command line calls them: one JSON line per service."""

from __future__ import annotations

from collections import Counter

import orjson

from replay_proxy.control.answers import problem
from replay_proxy.errors import ReplayProxyError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.lifecycle import Proxy
from replay_proxy.proxy.streams import Outgoing

_LINES = Headers((("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")))


def _lines(entries: list[dict[str, object]]) -> Outgoing:
    return Outgoing(200, "OK", _LINES, b"".join(orjson.dumps(entry) + b"\n" for entry in entries))


async def save_state(proxy: Proxy, service: str) -> Outgoing:
    """Make what was recorded durable (of one `service`, or of all where it is empty)."""
    assert proxy.recording is not None
    writer = proxy.recording.writer
    if writer is None:
        return problem(
            409, "the recording is only read (--read-only)", "nothing is written, so there is nothing to save"
        )
    try:
        await writer.save(service)
    except ReplayProxyError as error:
        return problem(500, error.message, error.hint)
    saved = [service] if service else sorted(proxy.engine.counters.by_service)
    return _lines([{"service": name, "status": "ok"} for name in saved])


async def load_state(proxy: Proxy) -> Outgoing:
    """Restore the recording now; a line per service, with how many of its calls were restored."""
    try:
        report = await proxy.restore()
    except ReplayProxyError as error:
        return problem(500, error.message, error.hint)
    assert report is not None
    troubled = Counter(each.service for each in report.problems)
    return _lines(
        [
            {
                "service": name,
                "status": "error" if troubled[name] else "ok",
                "restored": count - troubled[name],
                "calls": count,
            }
            for name, count in sorted(report.by_service.items())
        ]
    )
