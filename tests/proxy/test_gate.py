"""Who waits at an open gate, and for what."""

from __future__ import annotations

import asyncio

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.replay.execution.background_waits import BackgroundWaits, StartedWork
from replay_proxy.replay.waiters import waiter_after

FUNCTIONS = CallHead("lambda", "Invoke", "rest-json", region="us-east-1")
QUEUES = CallHead("sqs", "GetQueueAttributes", "json", region="us-east-1")
ANY = Request("POST", "/", Headers(()))


class Function:
    """One that is pending until somebody says otherwise. `BackgroundWaits` asks for it as it would ask an emulator."""

    def __init__(self) -> None:
        self.state = "Pending"

    async def ask(self, _question: Request) -> Answer:
        return Answer(200, Headers((("Content-Type", "application/json"),)), b'{"State": "%s"}' % self.state.encode())

    def begun(self, seconds: float = 60.0) -> StartedWork:
        head = CallHead("lambda", "CreateFunction", "rest-json", region="us-east-1")
        wait = waiter_after(head)
        assert wait is not None
        return StartedWork(wait, CallHead("lambda", wait.ask, "rest-json", region="us-east-1"), ANY, self.ask, seconds)


def open_gate(settling: BackgroundWaits) -> Gate:
    gate = Gate()
    gate.background_waits = settling
    gate.move(ProxyState.READY)
    return gate


async def test_who_needs_what_is_not_ready_waits_and_nobody_else() -> None:
    settling, function = BackgroundWaits(), Function()
    settling.add(function.begun())
    gate = open_gate(settling)
    assert gate.holds_services_back
    assert await gate.wait_for_services(QUEUES, ANY, 0)
    assert not await gate.wait_for_services(FUNCTIONS, ANY, 0.05)
    assert not await gate.wait_for_services(None, ANY, 0.05), "what is no AWS call may invoke a function"
    waiting = asyncio.create_task(gate.wait_for_services(FUNCTIONS, ANY, 30))
    function.state = "Active"
    await settling.finish()
    gate.background_waits = None
    gate.notify()
    assert await waiting
    assert not gate.holds_services_back


async def test_what_never_becomes_ready_is_left_to_itself() -> None:
    settling = BackgroundWaits()
    settling.add(Function().begun(seconds=0.1))
    await asyncio.wait_for(settling.finish(), 10)
    assert not settling.services


async def test_an_emulator_that_dies_meanwhile_holds_nobody_up() -> None:
    class Dead(Function):
        async def ask(self, _question: Request) -> Answer:
            raise ConnectionResetError("gone")

    settling = BackgroundWaits()
    settling.add(Dead().begun())
    await asyncio.wait_for(settling.finish(), 10)
    assert not settling.services
    settling.add(Function().begun())
    assert settling.services == {"lambda"}
    await settling.stop()
    assert not settling.services


def test_each_time_the_gate_is_shut_what_was_read_before_is_of_another_epoch() -> None:
    """Nothing that is read while it is shut counts; but a proxy that ends may look once more at a whole state."""
    gate = Gate()
    assert gate.observed_epoch is None
    gate.move(ProxyState.RESTORING)
    gate.move(ProxyState.READY)
    first = gate.observed_epoch
    gate.move(ProxyState.READY, "as before")
    assert gate.observed_epoch == first
    gate.move(ProxyState.RESTORING, "a reset")
    gate.move(ProxyState.RESTORING, "the recorded state is being restored")
    assert gate.observed_epoch is None and gate.before is ProxyState.READY
    gate.move(ProxyState.READY)
    assert gate.observed_epoch is not None and gate.observed_epoch != first
    gate.move(ProxyState.STOPPING)
    assert gate.observed_epoch is not None


def test_a_proxy_that_ends_in_the_middle_of_a_restore_does_not_look_once_more() -> None:
    gate = Gate()
    gate.move(ProxyState.READY)
    gate.move(ProxyState.RESTORING)
    gate.move(ProxyState.STOPPING)
    assert gate.observed_epoch is None
