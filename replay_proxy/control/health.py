"""`/_localstack/health`, and LocalStack's older `/health`: what scripts and container checks wait for.

The emulator's own answer, where it has one, with the proxy's word on persistence. The status is 503 until the recorded state is
back, so that `curl --fail` and container health checks wait for the restore.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import orjson

from replay_proxy.control.answers import json_answer
from replay_proxy.exchange import Headers, Request
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.status import degraded

EMULATOR_TIMEOUT_S = 5.0


async def health(proxy: Proxy) -> Outgoing:
    """Return the emulator's health, as far as it answers now, with `features.persistence`."""
    content = await _emulator_health(proxy)
    features = content.get("features")
    persistence = "initialized" if proxy.recording is not None else "disabled"
    content["features"] = {**(features if isinstance(features, dict) else {}), "persistence": persistence}
    content["replay_proxy"] = {
        "state": proxy.gate.state.value,
        "reason": proxy.gate.reason,
        "degraded": sorted(degraded(proxy)),
        "version": version("replay-proxy"),
    }
    return json_answer(content, 200 if proxy.gate.is_open else 503)


async def _emulator_health(proxy: Proxy) -> dict[str, Any]:
    request = Request("GET", "/_localstack/health", Headers((("Host", "localhost"), ("Accept", "application/json"))))
    try:
        async with asyncio.timeout(EMULATOR_TIMEOUT_S):
            answer = await proxy.upstream.exchange(request)
        content = orjson.loads(answer.body) if answer.status == 200 and isinstance(answer.body, bytes) else None
    except (ConnectionError, TimeoutError, orjson.JSONDecodeError):
        content = None
    return content if isinstance(content, dict) else {"services": {}}
