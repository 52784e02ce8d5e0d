"""What an emulator makes by itself at its start: init scripts and seeds. When that is done, as data (`data/readiness.json`).

Recorded calls may need what a seed makes, and clients know it by identifiers of an earlier start. So a restore begins when the
seed is done. Each emulator that runs scripts has an endpoint that says so; for any other one a setting names a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.emulators.reset import Send
from replay_proxy.exchange import Answer, Headers, Request

_DATA = Path(__file__).parent / "data" / "readiness.json"


@lru_cache(maxsize=1)
def _endpoints() -> tuple[Mapping[str, str], ...]:
    return tuple(orjson.loads(_DATA.read_bytes())["endpoints"])


class Seeds:
    """Asks one emulator whether it has made what it makes by itself, and remembers which endpoint says so there.

    path: asked in place of the endpoints that are known; any success says that it has.
    """

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._endpoints = _endpoints()

    async def are_done(self, send: Send) -> bool:
        """Return whether it has; True where nothing says that it has not. Errors of `send` pass through."""
        if self._path:
            return 200 <= (await send(_request(self._path))).status < 300
        for endpoint in self._endpoints:
            answer = await send(_request(endpoint["path"]))
            told = _told(answer)
            if endpoint["known_by"] in told:
                self._endpoints = (endpoint,)
                return _says_ready(endpoint, answer.status, told)
        self._endpoints = ()
        return True


def _says_ready(endpoint: Mapping[str, str], status: int, told: Mapping[str, Any]) -> bool:
    if not endpoint["ready"]:
        return 200 <= status < 300
    stages = told[endpoint["known_by"]]
    if not isinstance(stages, dict):
        return True
    named = {str(stage).lower(): done for stage, done in stages.items()}
    return bool(named.get(endpoint["ready"], True))


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        content = orjson.loads(answer.body) if isinstance(answer.body, bytes) else None
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _request(path: str) -> Request:
    return Request("GET", path, Headers((("Host", "localhost"), ("Accept", "*/*"))))
