"""What the watcher of runs asks of its own accord, and when it asks again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.journaling.run_watcher import RunWatcher
from replay_proxy.supervision import Supervisor
from tests.identifiers.messages import wire_request

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
RUN = "arn:aws:states:us-east-1:123456789012:execution:m:r"


def answer(status: int, /, **shown: Any) -> Answer:
    return Answer(status, Headers([("Content-Type", "application/x-amz-json-1.0")]), orjson.dumps(shown))


@pytest.mark.parametrize(("status", "asked"), [(400, 1), (503, 2)])
async def test_a_list_of_all_is_asked_for_again_where_the_emulator_had_failed(status: int, asked: int) -> None:
    """A refusal says what the emulator does without the parameter; a failure says nothing of it."""
    lists, recorded, looks = 0, [], 0

    async def ask(_request: Request, head: CallHead) -> Answer:
        nonlocal lists, looks
        if head.operation == "ListExecutions":
            lists += 1
            return answer(status, __type="Refused") if lists == 1 else answer(200, executions=[{"executionArn": RUN}])
        looks += head.operation == "DescribeExecution"
        state = "RUNNING" if looks == 1 else "SUCCEEDED"
        return answer(200, executionArn=RUN, stateMachineArn=MACHINE, name="r", status=state, startDate=1.0, events=[])

    async def witness(head: CallHead, *_what: Any, **_more: Any) -> bool:
        recorded.append(head.operation)
        return True

    recorder = SimpleNamespace(is_wanted=lambda _head: True, last_seq=1, witness=witness)
    detector = SimpleNamespace(explain=lambda *_what: None)
    watcher = RunWatcher(cast("Any", recorder), cast("Any", detector), ask, Supervisor(), lambda: 1)
    request, head = wire_request("stepfunctions", "start_execution", stateMachineArn=MACHINE, name="r")
    watcher.note(head, request, lambda: answer(200, executionArn=RUN, startDate=1.0))
    async with asyncio.timeout(20):
        while looks < 2 or len(watcher):
            await asyncio.sleep(0.02)
        await watcher.stop()
    assert (lists, "ListExecutions" in recorded) == (asked, asked > 1)


async def test_what_a_run_was_before_a_reset_is_not_recorded_after_it() -> None:
    """It is looked at again instead, and not at all while the emulator is being emptied or restored."""
    epoch: int | None = 1
    recorded: list[str] = []
    asked = 0

    async def ask(_request: Request, _head: CallHead) -> Answer:
        nonlocal asked, epoch
        asked += 1
        epoch = 2 if asked == 1 else epoch
        return answer(200, executionArn=RUN, stateMachineArn=MACHINE, name="r", status="RUNNING", startDate=1.0)

    async def witness(head: CallHead, *_what: Any, counts: Any, **_more: Any) -> bool:
        recorded.append(head.operation)
        return bool(counts())

    recorder = SimpleNamespace(is_wanted=lambda _head: True, last_seq=1, witness=witness)
    detector = SimpleNamespace(explain=lambda *_what: None)
    watcher = RunWatcher(cast("Any", recorder), cast("Any", detector), ask, Supervisor(), lambda: epoch)
    request, head = wire_request("stepfunctions", "start_execution", stateMachineArn=MACHINE, name="r")
    watcher._noted.append((head, request, answer(200, executionArn=RUN, startDate=1.0)))
    watcher._take_noted()
    (run,) = watcher._watched.values()
    await watcher._look_at(run)
    assert (asked, recorded) == (1, [])
    epoch = None
    await watcher._look_at(run)
    assert (asked, recorded) == (1, [])
    epoch = 2
    await watcher._look_at(run)
    assert recorded[0] == "DescribeExecution"
