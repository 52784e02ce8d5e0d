"""An emulator that counts gives ids again: today's id of one thing is what clients call another.

The first thing is deleted before the restart. It is not made again, so the second gets the first one's id, the third the
second one's, and the next that is made gets the id by which clients know the third.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def confused(proxy: Proxy) -> set[str]:
    """The emulator's ids of today that are the ids by which clients know other things."""
    with urllib.request.urlopen(proxy.url + "/_replay/aliases", timeout=20) as answer:
        pairs = json.load(answer)
    return {each["emulator"] for each in pairs} & {each["client"] for each in pairs}


def test_an_emulator_that_counts(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    datasync = client("datasync", proxy.url)
    places = [
        datasync.create_location_smb(ServerHostname=name, Subdirectory="d", User="u", Password="p", AgentArns=[AGENT])[
            "LocationArn"
        ]
        for name in ("from", "to")
    ]

    def make(name: str) -> str:
        answer = datasync.create_task(SourceLocationArn=places[0], DestinationLocationArn=places[1], Name=name)
        return str(answer["TaskArn"])

    def names() -> dict[str, str]:
        return {each["TaskArn"]: each["Name"] for each in datasync.list_tasks()["Tasks"]}

    made = [make(f"task {number}") for number in range(3)]
    datasync.delete_task(TaskArn=made[0])
    for generation in range(2):
        before = names()
        proxy.kill_all()
        proxy = proxy.again()
        assert proxy.status()["last_restore"]["problems"] == []
        assert confused(proxy)
        assert names() == before
        new = make(f"new {generation}")
        assert new not in made
        made.append(new)
        assert names() == {**before, new: f"new {generation}"}
        assert datasync.describe_task(TaskArn=made[2])["Name"] == "task 2"
    # One of them goes, by the name that its client knows.
    datasync.delete_task(TaskArn=made[1])
    assert made[1] not in names() and made[2] in names()


AGENT = "arn:aws:datasync:us-east-1:111222333444:agent/agent-0b0addbeef44baca3"
