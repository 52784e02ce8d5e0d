"""`POST /_replay/observe`: look now at what the emulator did by itself, and record it."""

from __future__ import annotations

from replay_proxy.control.answers import json_answer, problem
from replay_proxy.errors import ReplayProxyError
from replay_proxy.observing.watched import data_services
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy


async def observe(proxy: Proxy, names: str) -> Outgoing:
    """Look at the data of some services (`names`, separated by commas; of all where it is empty), exposed or not."""
    if proxy.observer is None:
        return problem(409, "nothing is observed", "--observe exposed and PERSISTENCE=1 switch it on")
    known = data_services()
    services = [name for name in names.split(",") if name]
    unknown = sorted(set(services) - known)
    if unknown:
        return problem(
            404, f"data of {', '.join(unknown)} is not observed", f"of these it is: {', '.join(sorted(known))}"
        )
    if not proxy.gate.is_open:
        return problem(503, f"the proxy is {proxy.gate.state.value}: {proxy.gate.reason}", "try again when it is ready")
    try:
        found = await proxy.observer.observe(services, everything=True)
    except ReplayProxyError as error:
        return problem(503, error.message, error.hint)
    except (OSError, TimeoutError) as error:
        return problem(503, f"the emulator does not answer: {error}", "is it running?")
    return json_answer({"found": found, **proxy.observer.as_json()})
