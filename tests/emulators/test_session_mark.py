"""How long a place for the mark is looked for, in front of an upstream that answers and keeps nothing."""

from __future__ import annotations

import asyncio

import pytest

from replay_proxy.emulators.session_mark import MarkPhase, SessionMark, SessionMarks
from replay_proxy.exchange import Answer, Headers, Request


@pytest.mark.parametrize(
    "body", [b"{}", b"", b"<R/>", b'{"TableNames": [], "QueueUrl": "http://h/0/q", "UploadId": "u"}'], ids=repr
)
async def test_one_that_says_yes_to_everything_holds_up_no_start(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def send(_request: Request) -> Answer:
        return Answer(200, Headers([("Content-Type", "application/x-amz-json-1.1")]), body)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    marks = SessionMarks(send)
    assert not await marks.leave(SessionMark("0" * 32, MarkPhase.READY))
    assert sum(waited) == 0
