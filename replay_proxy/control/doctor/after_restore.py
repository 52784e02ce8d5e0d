"""After each restore, in short: how many links hold, and which smoke tests do not pass.

Some time later, so that it keeps nobody waiting, and by a child process.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from replay_proxy import log
from replay_proxy.control.doctor.examiner_process import examine
from replay_proxy.doctor.smoke.document import read_smoke_tests
from replay_proxy.errors import ReplayProxyError
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.wording import counted

_log = log.get("doctor")

DELAY_S: Final = 10.0
"""After a restore: clients come first, and a proxy that was started for one command is gone by then."""
_LOOK_INTERVAL_S: Final = 1.0


async def check_after_restores(proxy: Proxy) -> None:
    """Examine after every restore of the proxy, and log what was found. Ends when it is cancelled."""
    examined: object = None
    while True:
        await asyncio.sleep(_LOOK_INTERVAL_S)
        report = None if proxy.load_strategy is None else proxy.load_strategy.report
        if report is None or report is examined or not report.finished or not proxy.gate.is_open:
            continue
        await asyncio.sleep(DELAY_S)
        if not proxy.gate.is_open or proxy.load_strategy is None or proxy.load_strategy.report is not report:
            continue
        examined = report
        if not report.total:
            continue
        try:
            if proxy.settings.check_wiring:
                _tell(await examine(proxy))
            if proxy.settings.smoke is not None:
                document = await asyncio.to_thread(read_smoke_tests, proxy.settings.smoke)
                _tell_smoke((await examine(proxy, smoke=document))["smoke"])
        except ReplayProxyError as error:
            _log.warning("whether everything is wired could not be found out", reason=error.message)


def _tell(document: dict[str, Any]) -> None:
    links, resources = document["links"], document["resources"]
    said = f"wired {links['held']} of {counted(links['checked'], 'link')}"
    there = f"{resources['there']} of {resources['checked']}"
    if document["sound"]:
        _log.info(said, there=there)
        return
    first = document["findings"][0]
    about = f"{first['type']} {first['name']}: {first['cause']}"
    _log.warning(f"{said}; see replay-proxy doctor", there=there, findings=len(document["findings"]), first=about)


def _tell_smoke(results: list[dict[str, Any]]) -> None:
    failed = [each for each in results if each["failure"]]
    for each in failed:
        _log.warning(f"smoke test did not pass: {each['name']}", reason=each["failure"])
    passed = f"{len(results) - len(failed)} of {counted(len(results), 'smoke test')} passed"
    _log.info(passed)
