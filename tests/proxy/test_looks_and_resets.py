"""A look at the emulator that a reset overtakes: what it read is of a state that is gone, and nothing of it is recorded."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import Look
from replay_proxy.observing.items import Items
from replay_proxy.proxy.observation.look import Looker
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.in_flight import ChangesInFlight
from replay_proxy.proxy.requests.proxy_state import ProxyState
from tests.observing.test_exposure import call
from tests.support.clients import client
from tests.support.processes import Proxy

TABLE = Container("dynamodb", "", "us-east-1", "rows")


class Emptied(Items):
    """A table that is read after it was emptied; `meanwhile` happens before the answer is there."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def look(self, _reader: Any, _caller: Caller, *, thorough: bool) -> Look:
        type(self).meanwhile()
        return Look(read="Scan") if thorough else Look(complete=False)


@pytest.mark.parametrize("happens", ["before", "while it is read", "while it is written", "never"])
async def test_a_look_that_a_reset_overtakes_records_nothing(happens: str) -> None:
    gate, recorded = Gate(), []
    gate.move(ProxyState.READY)
    begun = gate.contents_epoch

    def reset() -> None:
        gate.move(ProxyState.RESTORING, "the emulator is being reset")
        gate.move(ProxyState.READY)

    async def keep_body(body: bytes) -> bytes:
        if happens == "while it is written":
            reset()
            return bytes(body) + b" "
        return body

    async def nothing() -> None:
        if happens == "before":
            reset()

    async def durable() -> None:
        return None

    recorder = SimpleNamespace(
        keep_body=keep_body,
        observation=lambda head, *_what, **_more: recorded.append(head.operation),
        wait_until_durable=durable,
    )
    contents = Emptied(TABLE)
    contents.see(call("dynamodb", "CreateTable", TableName="rows", KeySchema=[{"AttributeName": "id"}]))
    contents.see(call("dynamodb", "PutItem", TableName="rows", Item={"id": {"S": "1"}}))
    Emptied.meanwhile = staticmethod(reset if happens == "while it is read" else lambda: None)
    looker = Looker(
        cast("Any", None),
        cast("Any", recorder),
        ChangesInFlight(),
        lambda: None,
        nothing,
        lambda *_what: None,
        lambda: gate.contents_epoch == begun,
        lambda: 0,
    )
    caller = Caller("localhost", "test")
    count, _again = await looker.look(TABLE, caller, contents, caused=True)
    assert (count, recorded) == ((1, ["DeleteItem"]) if happens == "never" else (0, []))


@pytest.mark.emulator
def test_looks_without_end_record_no_deletion_of_what_a_reset_removed(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--observe", "all")
    ssm, s3 = client("ssm", proxy.url), client("s3", proxy.url)
    for _ in range(4):
        for number in range(10):
            ssm.put_parameter(Name=f"/p/{number}", Value="v", Type="String")
        s3.create_bucket(Bucket="shared")
        for number in range(10):
            s3.put_object(Bucket="shared", Key=str(number), Body=b"1")
        ended = threading.Event()
        looks = threading.Thread(target=_look_until, args=(proxy, ended))
        looks.start()
        try:
            _post(proxy, "/_localstack/state/reset")
        finally:
            ended.set()
            looks.join()
        lines = [orjson.loads(line) for line in proxy.journal.read_bytes().splitlines()]
        last = max(at for at, each in enumerate(lines) if each.get("mark") == "reset")
        assert [each["operation"] for each in lines[last + 1 :] if each.get("kind") == "observation"] == []


def _look_until(proxy: Proxy, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            _post(proxy, "/_replay/observe")
        except urllib.error.HTTPError:
            continue


def _post(proxy: Proxy, path: str) -> None:
    urllib.request.urlopen(urllib.request.Request(proxy.url + path, method="POST"), timeout=60).read()
