"""Calls that were made again, for tests of the times that clients see.

All are made again in one second, and tell whole seconds: the words alone say which call a time is of.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.times.rewrite import Times
from replay_proxy.identifiers.rewriting.times.table_records import writes_of
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.original_times import note_times

AGAIN = 1_795_000_001
FIRST = 1_700_000_000
APART = 100
"""Seconds between two calls at first."""
PLACE = "{}:us-east-1:000000000000"
FORM = "application/x-www-form-urlencoded"


class Restored:
    """Calls that were made again, each `APART` seconds after the one before at first.

    account: by whose keys calls are signed.
    """

    account = "000000000000"

    def __init__(self, service: str, protocol: str) -> None:
        self._service, self._protocol = service, protocol
        self._times = Times()
        self._made = 0

    def _head(self, operation: str, *, signed: bool = True, region: str = "us-east-1") -> CallHead:
        where = {"account": self.account, "region": region} if signed else {}
        return CallHead(self._service, operation, self._protocol, **where)

    def call(
        self, operation: str, params: Any, answer: Any, target: str = "/", *, signed: bool = True, after: float = 0.0
    ) -> int:
        """Return when it was called at first, in seconds since the epoch. after: by how much later it is made again."""
        at = FIRST + APART * self._made
        self._made += 1
        head = self._head(operation, signed=signed)
        time = datetime.fromtimestamp(at - 0.001, UTC).isoformat()
        sent, given = _request(params, target), _answer(answer)
        record = Record(self._made, time, 1.0, RecordKind.MUTATION, head, sent, given)
        note_times(self._times, record, head, sent, given, AGAIN + after + 0.1, AGAIN + after + 0.2)
        return at

    def writes(self, table: str) -> list[tuple[str, bool, int]]:
        """Return what is known of the writes to a table: key, whether it was written or deleted, and when at first."""
        moments = self._times.moments_of(self._head("PutItem"), writes_of(table))
        return [(each.within[0], each.creates, round(each.original)) for each in moments]

    def read(self, operation: str, params: Any, answer: Any, target: str = "/", *, region: str = "us-east-1") -> Any:
        """Return what a client is shown."""
        head = self._head(operation, region=region)
        found = self._times.answer_to_client(_answer(answer), head, _request(params, target)).body
        assert isinstance(found, bytes)
        return found.decode() if isinstance(answer, bytes) else orjson.loads(found)


def _request(params: Any, target: str) -> Request:
    if isinstance(params, bytes):
        body, headers = params, [("Host", "h")]
    elif isinstance(params, dict) and "Action" in params:
        body, headers = urlencode(params).encode(), [("Host", "h"), ("Content-Type", FORM)]
    else:
        body, headers = orjson.dumps(params) if params else b"", [("Host", "h")]
    return Request("POST" if body else "GET", target, Headers(headers), body)


def _answer(document: Any) -> Answer:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    kind = "text/xml" if isinstance(document, bytes) else "application/json"
    return Answer(200, Headers([("Content-Length", str(len(body))), ("Content-Type", kind)]), body)


def iso_time(seconds: float) -> str:
    """Return a time in whole seconds as services write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
