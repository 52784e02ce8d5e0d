"""The endpoints of pods: our own, by which the command line saves and loads; and those of LocalStack's published document.

Our own carry the version with them, as the file that `pod save FILE` writes: the store is that of whoever asks.

- `POST /_replay/pods/save` answers with that file, and says in `X-Replay-Report` what is in it (JSON).
- `POST /_replay/pods/load` takes it, and answers with events, a line of JSON each; the last is the completion.

LocalStack's (`/_localstack/pods…`) use the store of the proxy. Saves and loads answer with events, too: whatever goes wrong is
told by the completion, since the clients of that document look there.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs, unquote

from replay_proxy.control.answers import failure_of, json_answer, problem, status_of_error
from replay_proxy.control.pods import loading, looking, saving
from replay_proxy.control.pods.remotes import REMOTE_ENDPOINTS, in_remote, listed, remotes_answer
from replay_proxy.control.pods.request import PodRequest
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy

OWN: Final = "/_replay/pods/"
LOCALSTACK: Final = "/_localstack/pods"

POD_ENDPOINTS: Final = {
    "POST /_replay/pods/save": "the state as a pod file; ?name=, ?message=, ?author=, ?services=, ?redact=1, ?parent=, "
    "?strict=1, ?check=0",
    "POST /_replay/pods/load": "load the pod file in the body: one JSON line for each service, then the completion; ?merge=, "
    "?dry_run=1",
    "GET /_localstack/pods": "the pods in the store of the proxy",
    "POST /_localstack/pods": "load the pod file in the body, or in the field `pod` of a form; ?merge=",
    "GET /_localstack/pods/<name>": "what the latest version of a pod holds",
    "POST /_localstack/pods/<name>": "save the state as the next version of a pod; ?strict=1, ?check=0",
    "PUT /_localstack/pods/<name>": "load a pod; ?version=, ?merge=",
    "DELETE /_localstack/pods/<name>": "remove a pod with all its versions",
    "GET /_localstack/pods/<name>/versions": "the versions of a pod",
    "GET /_localstack/pods/state": "the state as a pod file; ?pod_name=, ?services=, ?strict=1, ?check=0",
    "GET /_localstack/pods/state/metamodel": "the resources of the state, by service",
    "GET /_localstack/pods/environment": "which program this is, in the members that clients know",
    **REMOTE_ENDPOINTS,
}
"""The endpoints of this module, with their meanings."""


async def pods_answer(proxy: Proxy, incoming: Incoming) -> Outgoing | None:
    """Answer a request below `OWN` or `LOCALSTACK`; None where there is no such endpoint."""
    path, _mark, query = incoming.target.partition("?")
    asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    try:
        if proxy.requested_pods is None:
            return problem(
                409, "nothing is recorded here, so there is nothing to save or load", "start with PERSISTENCE=1"
            )
        request = PodRequest(proxy, proxy.requested_pods, incoming, asked)
        if path.startswith(OWN):
            return await _own(request, path.removeprefix(OWN))
        parts = [unquote(part) for part in path.removeprefix(LOCALSTACK).strip("/").split("/") if part]
        if parts[:1] in (["remotes"], ["state"], ["environment"]):
            return await _named_by_word(request, parts)
        return await _of_pods(request, parts)
    except Exception as error:
        return problem(status_of_error(error), *failure_of(error))


async def _own(request: PodRequest, what: str) -> Outgoing | None:
    match request.incoming.method, what:
        case "POST", "save":
            return await saving.saved_file(request, request.asked.get("name") or "state")
        case "POST", "load":
            return await loading.load_body(request)
    return None


async def _named_by_word(request: PodRequest, parts: list[str]) -> Outgoing | None:
    """Answer a request about remotes, the state, or the program: these words name no pods."""
    method, store = request.incoming.method, request.store
    match method, parts:
        case "GET", ["state"]:
            return await saving.saved_file(request, request.asked.get("pod_name") or "state")
        case "GET", ["state", "metamodel"]:
            return json_answer(await looking.metamodel(request))
        case "GET", ["environment"]:
            return json_answer(looking.environment())
        case _, ["remotes", *rest]:
            told = await request.told()
            content = await asyncio.to_thread(remotes_answer, store, method, rest, told)
            return None if content is None else json_answer(content)
    return None


async def _of_pods(request: PodRequest, parts: list[str]) -> Outgoing | None:
    """Answer a request about pods, or one of them."""
    store = request.store
    match request.incoming.method, parts:
        case "GET", []:
            there = await asyncio.to_thread(in_remote, store, await request.told(), listed)
            return json_answer(await asyncio.to_thread(looking.listed_pods, store) if there is None else there)
        case "POST", []:
            return await loading.load_body(request)
        case "GET", [name, "versions"]:
            return json_answer(await asyncio.to_thread(looking.versions, store, name, await request.told()))
        case "GET", [name]:
            return json_answer(await asyncio.to_thread(looking.shown, request, name))
        case "POST", [name]:
            return await saving.save(request, name)
        case "PUT", [name]:
            return await loading.load(request, name)
        case "DELETE", [name]:
            await asyncio.to_thread(looking.remove, store, name, await request.told())
            return json_answer({"status": "ok"})
    return None
