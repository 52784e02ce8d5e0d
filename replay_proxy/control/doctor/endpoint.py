"""`POST /_replay/doctor`: is everything back, and is it wired? With `?repair=1`: mend it, and look again."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from replay_proxy.control.answers import json_answer, problem
from replay_proxy.control.doctor.examiner_process import examine
from replay_proxy.doctor.smoke.document import BYTES_MAX as BODY_BYTES_MAX
from replay_proxy.doctor.smoke.document import parse_smoke_tests
from replay_proxy.errors import ReplayProxyError, UsageError
from replay_proxy.proxy.http.streams import Incoming, Outgoing, collect
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.wire.models.service_names import services_in


async def smoke(proxy: Proxy, incoming: Incoming) -> Outgoing:
    """Carry out the smoke tests in the body (JSON, as the YAML file says them). Nothing is recorded of them."""
    body = b"" if incoming.body is None else (await collect(incoming.body, BODY_BYTES_MAX))[0]
    if not proxy.gate.is_open:
        return _not_now(proxy)
    try:
        document = await asyncio.to_thread(parse_smoke_tests, body, "the request")
        return json_answer(await examine(proxy, smoke=document))
    except UsageError as error:
        return problem(400, error.message, error.hint)
    except ReplayProxyError as error:
        return problem(503, error.message, error.hint)


def _not_now(proxy: Proxy) -> Outgoing:
    reason = proxy.gate.reason or f"the proxy is {proxy.gate.state.value}"
    return problem(503, f"nothing can be examined now: {reason}", "ask again when /_replay/status says `ready`")


def latest_diagnosis(proxy: Proxy) -> Outgoing:
    """Return the latest diagnosis of everything (asked for, after a restore, or before a save); null before the first."""
    return json_answer(proxy.diagnosis)


def latest_repair(proxy: Proxy) -> Outgoing:
    """Return how far the latest repair has come; null before the first."""
    return json_answer(None if proxy.repair is None else proxy.repair.as_json())


async def doctor(proxy: Proxy, query: str) -> Outgoing:
    """Examine what is recorded, and mend it where `query` says `repair=1`. services=LIST: only resources of these.

    before_save=1: with what is under way, and would not be in a state that is saved now. endpoint=URL: the address of the proxy
    that the commands are to name.
    """
    asked = parse_qs(query, keep_blank_values=True)
    if proxy.recording is None:
        return problem(409, "nothing is recorded: there is nothing to examine", "start the proxy without PERSISTENCE=0")
    if not proxy.gate.is_open:
        return _not_now(proxy)
    before_save = asked.get("before_save", ["0"])[-1] in ("1", "true")
    repair = asked.get("repair", ["0"])[-1] in ("1", "true")
    if repair and proxy.settings.read_only:
        return problem(409, "a proxy that only reads makes no calls again", "start it without READ_ONLY")
    try:
        services = services_in(asked.get("services", ()), proxy.engine.policy.counters.recorded)
    except UsageError as error:
        return problem(400, error.message, error.hint)
    try:
        if proxy.recording.writer is not None:
            await proxy.recording.writer.promised()
        endpoint = asked.get("endpoint", [""])[-1]
        return json_answer(await examine(proxy, services, repair=repair, before_save=before_save, endpoint=endpoint))
    except ReplayProxyError as error:
        return problem(503, error.message, error.hint)
