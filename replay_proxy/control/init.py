"""`GET /_localstack/init` and `/_localstack/init/STAGE`, in LocalStack's shape, and `GET /_replay/ready`.

An emulator may have init scripts of its own, and the same endpoint (LocalStack, Floci). Then the answer has both: its scripts
stand first, since they run first, and a stage is completed when it is for both. So whoever waits for a stage waits for all.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from replay_proxy.control.answers import json_answer
from replay_proxy.exchange import Headers, Request
from replay_proxy.init_scripts.stages import Stage
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy

EMULATOR_TIMEOUT_S = 5.0
_TEXT = Headers((("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")))


async def init_stages(proxy: Proxy, name: str) -> Outgoing:
    """Return the stages and their scripts; of one stage where `name` is its name, in letters of any case."""
    if name and name.upper() not in Stage.__members__:
        return Outgoing(404, "Not Found", _TEXT, f"no such stage {name}".encode("utf-8", "replace"))
    content, emulator = proxy.init_scripts.as_json(), await _emulator_stages(proxy)
    completed = {stage: done and emulator["completed"].get(stage, True) for stage, done in content["completed"].items()}
    scripts = [*emulator["scripts"], *content["scripts"]]
    if not name:
        return json_answer({"completed": completed, "scripts": scripts})
    of_stage = [script for script in scripts if script["stage"] == name.upper()]
    return json_answer({"completed": completed[name.upper()], "scripts": of_stage})


def ready(proxy: Proxy) -> Outgoing:
    """Return 200 once requests pass and the scripts of `ready.d` have run, whatever became of them, else 503."""
    is_ready = proxy.gate.is_open and proxy.init_scripts.completed[Stage.READY]
    return json_answer({"ready": is_ready, "state": proxy.gate.state.value}, 200 if is_ready else 503)


async def _emulator_stages(proxy: Proxy) -> dict[str, Any]:
    """Return what the emulator says of its own init scripts; nothing where it does not answer, or says nothing of the kind."""
    request = Request("GET", "/_localstack/init", Headers((("Host", "localhost"), ("Accept", "application/json"))))
    try:
        async with asyncio.timeout(EMULATOR_TIMEOUT_S):
            answer = await proxy.upstream.exchange(request)
        content = orjson.loads(answer.body) if answer.status == 200 and isinstance(answer.body, bytes) else None
        if not isinstance(content, dict):
            return {"completed": {}, "scripts": []}
        return {
            "completed": {str(stage).upper(): bool(done) for stage, done in dict(content["completed"]).items()},
            "scripts": [
                {"stage": str(each["stage"]).upper(), "name": str(each["name"]), "state": str(each["state"]).upper()}
                for each in content.get("scripts", ())
            ],
        }
    except (OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        return {"completed": {}, "scripts": []}
