"""Requests by which clients make an emulator forget what it holds, as data (`data/resets.json`).

Test-suites send them between two tests. What was recorded before such a request no longer counts, so the proxy has to know
one, and to know from the answer whether the emulator did as it was told: to another emulator the same request is an object
for S3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from replay_proxy.exchange import Answer

_DATA = Path(__file__).parent / "data" / "resets.json"
_SERVICE = "{service}"
ANY_EMULATOR = "/_localstack/state/"
"""Below this path lie the requests that LocalStack's tools send, whatever emulator answers them."""


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """What a request asks an emulator to forget.

    emulator: whose endpoint it is. path: as it was sent, without the query. service: as the client spelled it; empty for all.
    answer: members of the JSON object with which that emulator says that it was done; none where any success says so.
    """

    emulator: str
    path: str
    service: str
    answer: Mapping[str, Any]

    @property
    def is_for_any_emulator(self) -> bool:
        """Whether it is one of LocalStack's requests, which its tools send to whatever they find."""
        return self.path.startswith(ANY_EMULATOR)

    def succeeded(self, answer: Answer) -> bool:
        """Return whether the emulator says that it has forgotten what it was to forget."""
        if not 200 <= answer.status < 300:
            return False
        if not self.answer:
            return True
        try:
            told = orjson.loads(answer.body) if isinstance(answer.body, bytes) else None
        except orjson.JSONDecodeError:
            return False
        return isinstance(told, dict) and self.answer.items() <= told.items()


@lru_cache(maxsize=1)
def _endpoints() -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    document = orjson.loads(_DATA.read_bytes())
    return tuple((each["emulator"], each["path"], each["answer"]) for each in document["resets"])


def reset_request_of(method: str, target: str) -> ResetRequest | None:
    """Return what a request asks an emulator to forget; None for nearly all requests, which ask nothing like that."""
    path = target.partition("?")[0]
    if method != "POST" or not path.endswith(("/reset", "/nuke")):
        return None
    for emulator, pattern, answer in _endpoints():
        before, marker, after = pattern.partition(_SERVICE)
        if not marker:
            if path == pattern:
                return ResetRequest(emulator, path, "", answer)
            continue
        service = path[len(before) : len(path) - len(after)]
        if path.startswith(before) and path.endswith(after) and service and "/" not in service:
            return ResetRequest(emulator, path, unquote(service), answer)
    return None
