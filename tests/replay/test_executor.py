"""Carrying out a restore: how many calls are under way, and what is done while they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.replay.execution.reporting.report import Result
from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator

OBJECTS = 12


class Watched(Endpoints):
    """Notes when an answer is looked at."""

    def __init__(self, url: str, events: list[str]) -> None:
        super().__init__(url)
        self._events = events

    def observe(self, head: CallHead, answer: Answer) -> None:
        """An answer."""
        self._events.append("looked")
        super().observe(head, answer)


def recorded(lab: Lab) -> None:
    """A bucket, and objects in it, of which none waits for another one."""
    lab.begin()
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="holds")
    for number in range(OBJECTS):
        s3.put_object(Bucket="holds", Key=f"of/{number}", Body=b"x")
    lab.empty()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_kept_and_the_next_call_is_sent_before_an_answer_is_looked_at(
    lab: Lab, concurrency: int
) -> None:
    recorded(lab)
    events: list[str] = []
    under_way = 0

    async def send(request: Request) -> Answer:
        nonlocal under_way
        under_way += 1
        assert under_way <= concurrency
        events.append("sent")
        answer = await lab.send(request)
        under_way -= 1
        return answer

    target = replace(lab.target(), send=send, endpoints=Watched(lab.emulator.url, events))
    report = lab.restore(lab.records, target=target, concurrency=concurrency)
    assert report.counts[Result.RESTORED] == 1 + OBJECTS
    # When answer number n is looked at, so many more have been sent; but for the bucket's, and the last ones.
    looked = [place for place, event in enumerate(events) if event == "looked"]
    ahead = [events[:place].count("sent") - nth for nth, place in enumerate(looked, start=1)]
    assert min(ahead[1:-concurrency]) >= max(1, concurrency - 1)


def test_the_time_of_a_call_does_not_begin_before_it_is_sent(lab: Lab) -> None:
    """An emulator that is silent for once costs the call that it leaves without an answer, and not those made ready meanwhile."""
    recorded(lab)
    sent = 0

    async def send(request: Request) -> Answer:
        nonlocal sent
        sent += 1
        if sent == 2:  # the first object
            await asyncio.sleep(60)
        return await lab.send(request)

    target = replace(lab.target(), send=send, call_timeout=0.3)
    report = lab.restore(lab.records, target=target, concurrency=1)
    assert (report.counts[Result.FAILED], report.counts[Result.RESTORED]) == (1, OBJECTS)
