"""Which requests are for the proxy itself.

Everything below `/_replay/`, and LocalStack's endpoints for health and state. LocalStack's old `GET /health` is ours only
where the request is unsigned: a signed one asks for a bucket called `health`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from replay_proxy.control.answers import carries, from_foreign_page, json_answer, problem
from replay_proxy.control.health import health
from replay_proxy.control.state import load_state, save_state
from replay_proxy.proxy.express import RESERVED
from replay_proxy.proxy.lifecycle import Proxy
from replay_proxy.proxy.streams import Handler, Incoming, Outgoing, close_stream

HEALTH_PATHS = frozenset({"/_localstack/health", "/_replay/health", "/health"})
_SIGNATURE_MARKS = ("X-Amz-Signature=", "X-Amz-Credential=", "AWSAccessKeyId=")

ENDPOINTS = {
    "GET /_replay/status": "state, counts, which services are restored, last restore",
    "GET /_replay/aliases": "which emulator identifier stands for which client identifier",
    "GET /_replay/health": "as /_localstack/health",
    "GET /_localstack/health": "the emulator's health, with features.persistence; 503 until the state is restored",
    "POST /_localstack/state/save": "make everything recorded so far durable; under MANUAL, a save point",
    "POST /_localstack/state/<service>/save": "the same for one service",
    "POST /_localstack/state/load": "restore the recording now, or what is not restored yet; one JSON line for each service "
    "as soon as it is back",
    "POST /_localstack/state/<service>/load": "the same for one service, with what it needs",
}
"""Every endpoint of the proxy, with its meaning; `GET /_replay/` shows them."""


def front_of(proxy: Proxy) -> Handler:
    """The handler of a door: the proxy's own endpoints, and the engine for everything else."""
    engine = proxy.engine

    async def handle(incoming: Incoming) -> Outgoing:
        target = incoming.target
        if target.startswith(RESERVED) and (answer := _own(proxy, incoming)) is not None:
            try:
                return await answer(proxy, incoming)
            finally:
                await close_stream(incoming.body)
        return await engine.handle(incoming)

    return handle


_Endpoint = Callable[[Proxy, Incoming], Awaitable[Outgoing]]


def _own(proxy: Proxy, incoming: Incoming) -> _Endpoint | None:
    path = incoming.target.partition("?")[0]
    reading = incoming.method in ("GET", "HEAD")
    if path in HEALTH_PATHS and reading:
        return _health if path != "/health" or not _signed(incoming) else None
    if path.startswith("/_localstack/state/") and incoming.method == "POST" and proxy.recording is not None:
        return _guarded(_state)
    if not path.startswith("/_replay/"):
        return None
    if reading:
        shown = {"/_replay/status": _status, "/_replay/aliases": _aliases, "/_replay/": _index}
        return _guarded(shown.get(path, _missing))
    return _guarded(_missing)


def _signed(incoming: Incoming) -> bool:
    return "authorization" in incoming.headers or any(mark in incoming.target for mark in _SIGNATURE_MARKS)


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    async def guarded(proxy: Proxy, incoming: Incoming) -> Outgoing:
        if from_foreign_page(incoming):
            return problem(403, "requests from web pages of other origins are not taken")
        token = proxy.settings.control_token
        if token and not carries(incoming, token):
            return problem(401, "this endpoint wants the control token", "send it as `Authorization: Bearer TOKEN`")
        return await endpoint(proxy, incoming)

    return guarded


async def _health(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return await health(proxy)


async def _status(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(proxy.status())


async def _aliases(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(proxy.engine.carrier.aliases.listing())


async def _index(_proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(ENDPOINTS)


async def _state(proxy: Proxy, incoming: Incoming) -> Outgoing:
    match incoming.target.partition("?")[0].removeprefix("/_localstack/state/").split("/"):
        case ["save"]:
            return await save_state(proxy, "")
        case [service, "save"]:
            return await save_state(proxy, service)
        case ["load"]:
            return await load_state(proxy, "")
        case [service, "load"]:
            return await load_state(proxy, service)
    return await _missing(proxy, incoming)


async def _missing(_proxy: Proxy, incoming: Incoming) -> Outgoing:
    path = incoming.target.partition("?")[0]
    return problem(404, f"no endpoint {incoming.method} {path}", "GET /_replay/ lists them")
