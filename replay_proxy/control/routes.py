"""Which requests are for the proxy itself.

Everything below `/_replay/`, and LocalStack's endpoints for health and state. LocalStack's old `GET /health` is ours only
where the request is unsigned: a signed one asks for a bucket called `health`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from urllib.parse import unquote

from replay_proxy.control.answers import carries, from_foreign_page, json_answer, problem
from replay_proxy.control.console.endpoints import Console
from replay_proxy.control.console.page import ASSETS, page, wants_page
from replay_proxy.control.health import health
from replay_proxy.control.init import init_stages, ready
from replay_proxy.control.methods import methods_of
from replay_proxy.control.observing import observe
from replay_proxy.control.pods.endpoint import LOCALSTACK, OWN, POD_ENDPOINTS, pods_answer
from replay_proxy.control.state import load_state, reset_state, save_state
from replay_proxy.emulators.reset_requests import ResetRequest, reset_request_of
from replay_proxy.exchange import Headers
from replay_proxy.identifiers.table.alias import without_secrets
from replay_proxy.proxy.http.streams import Handler, Incoming, Outgoing, close_stream
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.status import status_of
from replay_proxy.proxy.requests.fast_path import RESERVED_TARGETS

HEALTH_PATHS = frozenset({"/_localstack/health", "/_replay/health", "/health"})
_SIGNATURE_MARKS = ("X-Amz-Signature=", "X-Amz-Credential=", "AWSAccessKeyId=")

ENDPOINTS = {
    "GET /_replay/": "this list; for a browser (Accept: text/html) the console: state, calls and resources, live",
    "GET /_replay/status": "state, counts, which services are restored, last restore",
    "GET /_replay/aliases": "which emulator identifier stands for which client identifier",
    "GET /_replay/metrics": "counts and times for Prometheus, in its text format: requests, waits, restores, the journal",
    "GET /_replay/console/events": "what the console shows, as Server-Sent Events; the data that it asks for are beside it",
    "GET /_replay/health": "as /_localstack/health",
    "GET /_replay/ready": "200 once the state is restored and the scripts of ready.d have run, else 503",
    "GET /_localstack/init": "the stages of init scripts and the state of each script, in LocalStack's shape; those of an "
    "emulator that has this endpoint, too, stand before them, and a stage is completed when it is for both",
    "GET /_localstack/init/<stage>": "the same of one stage: boot, start, ready or shutdown",
    "GET /_localstack/health": "the emulator's health, with features.persistence; 503 until the state is restored",
    "POST /_replay/observe": "look now at what the emulator did by itself, and record it; all data, exposed or not",
    "POST /_replay/doctor": "is everything that was recorded there, and do its links hold? Nothing is changed; with ?repair=1: "
    "make the recorded calls again that mend what is wrong",
    "GET /_replay/doctor": "the latest diagnosis of everything: asked for, after a restore, or before a save; null before "
    "the first",
    "GET /_replay/doctor/repair": "how far the latest repair has come: `running`, how many calls are `planned`, and each "
    "that was `made`; null before the first",
    "POST /_replay/smoke": "carry out the smoke tests in the body (YAML or JSON, docs/doctor.md); nothing is recorded of them",
    "POST /_replay/observe/<service>": "the same for one service, or for several, separated by commas",
    "POST /_localstack/state/save": "make everything recorded so far durable; under MANUAL, a save point. With ?strict=1: not "
    "where something is under way or not as it was recorded, which else is told in `warnings`; ?check=0 does not look",
    "POST /_localstack/state/<service>/save": "the same for one service",
    "POST /_localstack/state/load": "restore what is not restored yet; one JSON line for each service as soon as it is back, "
    'or {"status": "ok"} where nothing is missing. With ?reset=1: empty the emulator, and restore everything anew; with '
    '?reset=own by its own reset, where it has one: quicker than to start it anew. With &begun=1 a line {"status": "begun"} '
    "comes first, as soon as requests wait for the state",
    "POST /_localstack/state/<service>/load": "restore one service, with what it needs; 404 for one that does not exist",
    "POST /_localstack/state/reset": "empty the emulator by its own reset, or by starting it anew where the proxy has "
    "started it; what was recorded before is not restored any more. The same for the emulator's own paths: "
    "/moto-api/reset, /_ministack/reset, /_floci/state/reset",
    "POST /_localstack/state/<service>/reset": "the same for one service; where the emulator cannot do that, it is emptied, and "
    "all others are restored",
    **POD_ENDPOINTS,
}
"""Every endpoint of the proxy, with its meaning; `GET /_replay/` shows them. (Not those by which the console loads itself.)"""


def front_of(proxy: Proxy) -> Handler:
    """Return the handler of a door: the proxy's own endpoints, and the engine for everything else."""
    engine = proxy.engine
    console = Console(proxy)

    async def handle(incoming: Incoming) -> Outgoing:
        target = incoming.target
        if target.startswith(RESERVED_TARGETS) and (answer := _own(proxy, console, incoming)) is not None:
            try:
                return await answer(proxy, incoming)
            finally:
                await close_stream(incoming.body)
        return await engine.handle(incoming)

    return handle


_Endpoint = Callable[[Proxy, Incoming], Awaitable[Outgoing]]


def _own(proxy: Proxy, console: Console, incoming: Incoming) -> _Endpoint | None:
    path = incoming.target.partition("?")[0]
    if proxy.requested_resets is not None and (what := reset_request_of(incoming.method, path)) is not None:
        return _guarded(_reset_by(what), with_token=what.is_for_any_emulator)
    reading = incoming.method in ("GET", "HEAD")
    if path in HEALTH_PATHS and reading:
        return _health if path != "/health" or not _signed(incoming) else None
    if path == "/_replay/ready" and reading:
        return _ready
    if (path == "/_localstack/init" or path.startswith("/_localstack/init/")) and reading:
        return _guarded(_init)
    if path.startswith("/_localstack/state/") and proxy.recording is not None:
        return _guarded(_state if incoming.method == "POST" else _missing)
    if path.startswith(OWN) or (
        (path == LOCALSTACK or path.startswith(f"{LOCALSTACK}/")) and proxy.recording is not None
    ):
        return _guarded(_pods)
    if not path.startswith("/_replay/"):
        return None
    if reading and path.startswith("/_replay/console/"):
        return _asset if path in ASSETS else _guarded(_data_of(console))
    if reading and path == "/_replay/" and wants_page(incoming.headers.get("accept")):
        return _page
    if reading:
        shown = {
            "/_replay/status": _status,
            "/_replay/aliases": _aliases,
            "/_replay/metrics": _metrics,
            "/_replay/doctor": _diagnosis,
            "/_replay/doctor/repair": _repair,
            "/_replay/": _index,
        }
        return _guarded(shown.get(path, _missing))
    if incoming.method == "POST" and path == "/_replay/doctor":
        return _guarded(_doctor)
    if incoming.method == "POST" and path == "/_replay/smoke":
        return _guarded(_smoke)
    if incoming.method == "POST" and (path == "/_replay/observe" or path.startswith("/_replay/observe/")):
        return _guarded(_observe)
    return _guarded(_missing)


def _signed(incoming: Incoming) -> bool:
    return "authorization" in incoming.headers or any(mark in incoming.target for mark in _SIGNATURE_MARKS)


_FOREIGN = (
    "requests from web pages of other origins are not taken",
    "open the console by an address or as localhost; with a control token any name will do",
)


def _guarded(endpoint: _Endpoint, *, with_token: bool = True) -> _Endpoint:
    async def guarded(proxy: Proxy, incoming: Incoming) -> Outgoing:
        token = proxy.settings.control_token
        carried = token is not None and token != "" and carries(incoming, token)
        if from_foreign_page(incoming, of_any_name=carried):
            return problem(403, *_FOREIGN)
        if with_token and token and not carried:
            return problem(401, "this endpoint wants the control token", "send it as `Authorization: Bearer TOKEN`")
        return await endpoint(proxy, incoming)

    return guarded


async def _health(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return await health(proxy)


async def _ready(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return ready(proxy)


async def _init(proxy: Proxy, incoming: Incoming) -> Outgoing:
    path = incoming.target.partition("?")[0]
    return await init_stages(proxy, unquote(path.removeprefix("/_localstack/init").strip("/")))


async def _status(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(status_of(proxy))


async def _aliases(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(without_secrets(proxy.engine.translator.aliases.listing()))


async def _metrics(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    await asyncio.to_thread(
        import_module, "prometheus_client"
    )  # only when asked, and beside the requests: it takes 40 ms
    from replay_proxy.control.metrics import metrics_answer

    return metrics_answer(proxy)


async def _observe(proxy: Proxy, incoming: Incoming) -> Outgoing:
    path = incoming.target.partition("?")[0]
    return await observe(proxy, unquote(path.removeprefix("/_replay/observe").strip("/")))


async def _smoke(proxy: Proxy, incoming: Incoming) -> Outgoing:
    from replay_proxy.control.doctor.endpoint import smoke

    return await smoke(proxy, incoming)


async def _diagnosis(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    from replay_proxy.control.doctor.endpoint import latest_diagnosis

    return latest_diagnosis(proxy)


async def _repair(proxy: Proxy, _incoming: Incoming) -> Outgoing:
    from replay_proxy.control.doctor.endpoint import latest_repair

    return latest_repair(proxy)


async def _doctor(proxy: Proxy, incoming: Incoming) -> Outgoing:
    from replay_proxy.control.doctor.endpoint import doctor

    return await doctor(proxy, incoming.target.partition("?")[2])


async def _index(_proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return json_answer(ENDPOINTS)


async def _page(_proxy: Proxy, _incoming: Incoming) -> Outgoing:
    return page()


async def _asset(_proxy: Proxy, incoming: Incoming) -> Outgoing:
    return ASSETS[incoming.target.partition("?")[0]]()


def _data_of(console: Console) -> _Endpoint:
    async def data(proxy: Proxy, incoming: Incoming) -> Outgoing:
        return await console.answer(incoming) or await _missing(proxy, incoming)

    return data


async def _pods(proxy: Proxy, incoming: Incoming) -> Outgoing:
    return await pods_answer(proxy, incoming) or await _missing(proxy, incoming)


async def _state(proxy: Proxy, incoming: Incoming) -> Outgoing:
    path, _mark, query = incoming.target.partition("?")
    match [unquote(part) for part in path.removeprefix("/_localstack/state/").split("/")]:
        case ["save"]:
            return await save_state(proxy, "", query)
        case [service, "save"] if service:
            return await save_state(proxy, service, query)
        case ["load"]:
            return await load_state(proxy, "", query)
        case [service, "load"] if service:
            return await load_state(proxy, service, query)
    return await _missing(proxy, incoming)


def _reset_by(what: ResetRequest) -> _Endpoint:
    async def reset(proxy: Proxy, incoming: Incoming) -> Outgoing:
        return await reset_state(proxy, what, incoming)

    return reset


async def _missing(_proxy: Proxy, incoming: Incoming) -> Outgoing:
    """Say that there is no such endpoint, or which methods it takes."""
    path = incoming.target.partition("?")[0]
    taken = methods_of(path, ENDPOINTS)
    if not taken or incoming.method in taken:
        return problem(404, f"no endpoint {incoming.method} {path}", "GET /_replay/ lists them")
    allowed = ", ".join(taken)
    answer = problem(
        405, f"{path} takes no {incoming.method}", f"it takes {allowed}; GET /_replay/ lists all endpoints"
    )
    return replace(answer, headers=Headers((*answer.headers, ("Allow", allowed))))
