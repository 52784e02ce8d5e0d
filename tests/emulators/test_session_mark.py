"""How long a place for the mark is looked for, in front of an upstream that answers and keeps nothing."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from replay_proxy.emulators.mark_places import NAME
from replay_proxy.emulators.session_mark import MarkPhase, SessionMark, SessionMarks
from replay_proxy.errors import AnswerError, AnswerTimeoutError
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


async def test_a_connection_that_breaks_once_at_a_step_ends_no_restore() -> None:
    met: set[bytes] = set()
    kept: dict[str, str] = {}

    async def send(request: Request) -> Answer:
        assert isinstance(request.body, bytes)
        target = request.headers.get("x-amz-target") or ""
        asked = orjson.loads(request.body)
        answer: dict[str, object] = {"QueueUrl": f"http://h/9/{NAME}"}
        if target.endswith("TagQueue"):
            kept.update(asked["Tags"])
        elif target.endswith("ListQueueTags"):
            answer = {"Tags": kept}
        if request.body not in met:  # it was carried out, and nobody knows
            met.add(request.body)
            raise AnswerError("the connection broke")
        return Answer(200, Headers([("Content-Type", "application/x-amz-json-1.0")]), orjson.dumps(answer))

    mark = SessionMark("0" * 32, MarkPhase.READY)
    assert await SessionMarks(send).leave(mark)
    met.clear()
    assert await SessionMarks(send).read() == mark


async def test_a_step_that_is_not_answered_in_time_is_not_waited_for_again() -> None:
    sent = 0

    async def send(_request: Request) -> Answer:
        nonlocal sent
        sent += 1
        raise AnswerTimeoutError("not answered within 30 s")

    with pytest.raises(AnswerTimeoutError):
        await SessionMarks(send).read()
    assert sent == 1
