"""Who waits at an open gate, and for what."""

from __future__ import annotations

import asyncio

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.replay.settling import Begun, Settling
from replay_proxy.replay.waits import wait_after

FUNCTIONS = CallHead("lambda", "Invoke", "rest-json", region="us-east-1")
QUEUES = CallHead("sqs", "GetQueueAttributes", "json", region="us-east-1")
ANY = Request("POST", "/", Headers(()))


class Function:
    """One that is pending until somebody says otherwise. `Settling` asks for it as it would ask an emulator."""

    def __init__(self) -> None:
        self.state = "Pending"

    async def ask(self, _question: Request) -> Answer:
        return Answer(200, Headers((("Content-Type", "application/json"),)), b'{"State": "%s"}' % self.state.encode())

    def begun(self, seconds: float = 60.0) -> Begun:
        head = CallHead("lambda", "CreateFunction", "rest-json", region="us-east-1")
        wait = wait_after(head)
        assert wait is not None
        return Begun(wait, CallHead("lambda", wait.ask, "rest-json", region="us-east-1"), ANY, self.ask, seconds)


def open_gate(settling: Settling) -> Gate:
    gate = Gate()
    gate.settling = settling
    gate.move(State.READY)
    return gate


async def test_who_needs_what_is_not_ready_waits_and_nobody_else() -> None:
    settling, function = Settling(), Function()
    settling.add(function.begun())
    gate = open_gate(settling)
    assert gate.holds_some
    assert await gate.admission(QUEUES, ANY, 0)
    assert not await gate.admission(FUNCTIONS, ANY, 0.05)
    assert not await gate.admission(None, ANY, 0.05), "what is no AWS call may invoke a function"
    waiting = asyncio.create_task(gate.admission(FUNCTIONS, ANY, 30))
    function.state = "Active"
    await settling.over()
    gate.settling = None
    gate.stir()
    assert await waiting
    assert not gate.holds_some


async def test_what_never_becomes_ready_is_left_to_itself() -> None:
    settling = Settling()
    settling.add(Function().begun(seconds=0.1))
    await asyncio.wait_for(settling.over(), 10)
    assert not settling.services


async def test_an_emulator_that_dies_meanwhile_holds_nobody_up() -> None:
    class Dead(Function):
        async def ask(self, _question: Request) -> Answer:
            raise ConnectionResetError("gone")

    settling = Settling()
    settling.add(Dead().begun())
    await asyncio.wait_for(settling.over(), 10)
    assert not settling.services
    settling.add(Function().begun())
    assert settling.services == {"lambda"}
    await settling.stop()
    assert not settling.services
