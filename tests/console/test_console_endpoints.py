"""The console's endpoints as a program sees them: who gets the page, what the stream tells, what ends with it."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.control.console.page import wants_page
from replay_proxy.control.console.viewers import VIEWERS_MAX
from tests.e2e.test_control import get
from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Stream:
    """An open stream of events."""

    def __init__(self, proxy: Proxy, **fields: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        self._connection.request("GET", "/_replay/console/events", headers=fields)
        self.answer = self._connection.getresponse()
        self.seen: list[tuple[str, Any]] = []

    def next(self) -> tuple[str, Any]:
        name = self.answer.readline().decode().removeprefix("event: ").strip()
        data = self.answer.readline().decode()
        if not name.startswith(":"):
            assert self.answer.readline() == b"\n"
            self.seen.append((name, json.loads(data.removeprefix("data: "))))
        return self.seen[-1]

    def until(self, name: str, accept: Callable[[Any], bool] = lambda _data: True) -> Any:
        while True:
            found, data = self.next()
            if found == name and accept(data):
                return data

    def close(self) -> None:
        self._connection.close()


@contextmanager
def stream(proxy: Proxy, **fields: str) -> Iterator[Stream]:
    with closing(Stream(proxy, **fields)) as opened:
        yield opened


def readers(proxy: Proxy) -> list[str]:
    """The processes that read this proxy's recording for the console."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    folder = str(Path(proxy.data_dir).resolve())
    return [line for line in listed.splitlines() if "model_worker" in line and folder in line]


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML ; charset=x", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("text/htmlx", False),
    ],
)
def test_browsers_get_the_page_and_programs_the_list(accept: str, *, page: bool) -> None:
    assert wants_page(accept) is page


def test_a_stream_tells_what_passes_and_what_the_recording_adds_up_to(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    status, body = get(proxy.url + "/_replay/", Accept=BROWSER)
    assert (status, body[:15]) == (200, b"<!DOCTYPE html>")
    assert "GET /_replay/status" in json.loads(get(proxy.url + "/_replay/")[1])
    assert get(proxy.url + "/_replay/console/page.js")[0] == get(proxy.url + "/_replay/console/page.css")[0] == 200
    assert get(proxy.url + "/_replay/console/nothing")[0] == get(proxy.url + "/_replay/console/rows/x")[0] == 404
    assert readers(proxy) == [], "nobody looks yet"
    sqs = client("sqs", proxy.url)
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    with stream(proxy) as opened, stream(proxy) as idle:
        assert opened.until("hello")["recording"] is True
        assert opened.until("state")["state"] == "ready"
        opened.until("renewed")
        overview = json.loads(get(proxy.url + "/_replay/console/overview")[1])
        assert (overview["summary"]["resources"], overview["summary"]["calls"]) == (1, 1)
        (row,) = json.loads(get(proxy.url + "/_replay/console/rows/0")[1])
        assert row[3:5] == ["sqs", "CreateQueue"]
        (orders,) = json.loads(get(proxy.url + "/_replay/console/resources/0")[1])
        assert (orders["type"], orders["name"]) == ("AWS::SQS::Queue", "orders")
        assert len(readers(proxy)) == 1

        sqs.list_queues()
        sqs.send_message(QueueUrl=url, MessageBody="one")
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            sqs.get_queue_attributes(QueueUrl=url + "-none")
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            sqs.set_queue_attributes(QueueUrl=url + "-none", Attributes={"DelaySeconds": "1"})
        passed: list[Any] = []
        while len(passed) < 4:
            passed += opened.until("passing")["entries"]
        assert [(each["what"], each["fate"], each["error"], each["seq"]) for each in passed] == [
            ("ListQueues", "read", "", 0),
            ("SendMessage", "recorded", "", 2),
            ("GetQueueAttributes", "read", "AWS.SimpleQueueService.NonExistentQueue", 0),
            ("SetQueueAttributes", "refused", "AWS.SimpleQueueService.NonExistentQueue", 0),
        ]
        seen = [data for name, data in opened.seen if name == "changed"]
        changed = seen[0] if seen else opened.until("changed")
        assert [each[4] for each in changed["rows"]] == ["SendMessage"]
        assert [each["data"]["count"] for each in changed["resources"]] == [1]
        (call,) = json.loads(get(proxy.url + "/_replay/console/call/2")[1])
        assert call["request"]["parameters"]["MessageBody"] == "one"

        # One that took nothing all the while has missed nothing that is still kept.
        passed = []
        while len(passed) < 4:
            passed += idle.until("passing")["entries"]
        assert [each["what"] for each in passed][-1] == "SetQueueAttributes"

        # Without a viewer's leave, the proxy ends at once, and so does what it started.
        begun = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - begun < 10
    assert readers(proxy) == []
    assert "Traceback" not in proxy.log


def test_the_page_is_for_everybody_and_data_are_for_those_who_may_have_them(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--control-token", "opensesame", "--persistence", "0")
    paths = ["events", "restore", "overview/0", "rows/0", "resources/0", "calls/0", "call/1"]
    for path in paths:
        where = f"{proxy.url}/_replay/console/{path}"
        assert get(where)[0] == 401
        assert get(where, **{"X-Replay-Token": "opensesame", "Sec-Fetch-Site": "cross-site"})[0] == 403
    page = {"Accept": BROWSER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert get(proxy.url + "/_replay/", **page)[0] == 200, "a link to the console may stand anywhere: it holds no data"
    assert get(proxy.url + "/_replay/")[0] == 401
    token = {"X-Replay-Token": "opensesame"}
    assert get(proxy.url + "/_replay/console/restore", **token) == (200, b"null")
    assert get(proxy.url + "/_replay/console/overview", **token)[0] == 503, "nothing is recorded"
    own_name = {"Host": "ci-runner.example:4566", "Sec-Fetch-Site": "same-origin"}
    assert get(proxy.url + "/_replay/console/restore", **own_name)[0] == 403
    assert get(proxy.url + "/_replay/console/restore", **own_name, **token)[0] == 200

    streams = [Stream(proxy, **token) for _ in range(VIEWERS_MAX)]
    try:
        for each in streams:
            assert each.until("hello")["recording"] is False
        assert get(proxy.url + "/_replay/console/events", **token)[0] == 503
        streams.pop().close()
        deadline = time.monotonic() + 15
        status = 503
        while status == 503 and time.monotonic() < deadline:
            with stream(proxy, **token) as opened:
                status = opened.answer.status
        assert status == 200
    finally:
        for each in streams:
            each.close()
