"""What a command says where a person, or SIGTERM, ends it while the proxy does what it was asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from replay_proxy.errors import ReplayProxyError
from replay_proxy.wording import counted

if TYPE_CHECKING:
    from replay_proxy.cli.control_client import ControlClient

_LIMIT_S: Final = 5.0
"""For the end of what the proxy has begun: it notices that nobody waits, and makes no further call."""
_INTERVAL_S: Final = 0.2
_UNKNOWN: Final = "the proxy does not answer; what it has done by then is not known"


def repair_so_far(client: ControlClient) -> str:
    """Return what a repair had done when it was ended, and what it had not."""
    try:
        until = time.monotonic() + _LIMIT_S
        while True:
            found: dict[str, Any] | None = client.get("/_replay/doctor/repair", _LIMIT_S)
            if found is None or not found["running"] or time.monotonic() > until:
                break
            time.sleep(_INTERVAL_S)
    except ReplayProxyError:
        return f"{_UNKNOWN}; `replay-proxy doctor` shows what is left"
    if found is None or not found["planned"]:
        return "nothing was changed: no call had been made yet"
    made, refused = found["made"], sum(bool(each["problem"]) for each in found["made"])
    said = f"{len(made)} of {counted(found['planned'], 'call')} made" + (
        f", {refused} of them refused" if refused else ""
    )
    left = found["planned"] - len(made)
    said += f"; {left} not made" if left else "; it was being checked again"
    return f"{said}; `replay-proxy doctor` shows what is left"


def observed_so_far(client: ControlClient, before: dict[str, Any] | None) -> str:
    """Return what a look at the emulator had recorded when it was ended. before: the counts of when it began."""
    again = "`replay-proxy observe` looks at all of it again"
    try:
        until, counts = time.monotonic() + _LIMIT_S, observation_counts(client)
        while time.monotonic() < until:
            time.sleep(_INTERVAL_S)
            last, counts = counts, observation_counts(client)
            if counts == last:
                break
    except ReplayProxyError:
        return f"{_UNKNOWN}; {again}"
    if before is None or counts is None:
        return f"it was not looked at everything; {again}"
    looks, found = (int(counts[each] - before[each]) for each in ("looks", "observations"))
    return f"{counted(looks, 'container')} looked at, {counted(found, 'difference')} recorded; the others not looked at; {again}"


def observation_counts(client: ControlClient) -> dict[str, Any] | None:
    """Return how much a proxy has looked at and found since it started; None where it observes nothing."""
    found: dict[str, Any] | None = client.get("/_replay/status", _LIMIT_S).get("observing")
    return found
