"""Commands that a person ends before their end: they say in a line what was done and what was not, and exit with 130."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from replay_proxy.wording import counted
from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.processes import Emulator, Proxy, replay_proxy

pytestmark = pytest.mark.emulator

QUEUES = 80


def make_queues(proxy: Proxy) -> None:
    sqs = client("sqs", proxy.url)
    for number in range(QUEUES):
        sqs.create_queue(QueueName=f"q{number}")


def queues_in(url: str) -> int:
    return len(client("sqs", url).list_queues(MaxResults=1000).get("QueueUrls", []))


def ended(words: list[str], when: Callable[[], bool]) -> tuple[int, str]:
    """Send Ctrl-C to a command as soon as something is so; its exit code, and what it says."""
    process = subprocess.Popen([*replay_proxy(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not when() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    return process.returncode, err


def test_a_repair_says_how_many_calls_it_has_made(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--check-wiring", "0")
    make_queues(proxy)
    emulator = proxy.status()["emulator"]["url"]
    there = client("sqs", emulator)
    for url in there.list_queues(MaxResults=1000)["QueueUrls"]:
        there.delete_queue(QueueUrl=url)
    code, err = ended(["doctor", "--repair", "--yes", "--endpoint", proxy.url], lambda: queues_in(emulator) > 0)
    assert code == 130
    made = queues_in(emulator)
    assert 0 < made < QUEUES
    assert f"interrupted: {made} of {QUEUES} calls made; {QUEUES - made} not made; `replay-proxy doctor`" in err
    assert len(examined(proxy)["findings"]) == QUEUES - made


def test_a_restore_says_how_many_calls_it_has_made(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator]
) -> None:
    proxy = start_proxy()
    make_queues(proxy)
    proxy.stop()
    emulator = start_emulator("moto")
    words = ["restore", "--upstream", emulator.url, "--data-dir", str(proxy.data_dir)]
    code, err = ended(words, lambda: queues_in(emulator.url) > 10)
    assert code == 130
    made, line = queues_in(emulator.url), err.splitlines()[-1]
    said = int(line.split()[1])
    assert line == (
        f"interrupted: {said} of {QUEUES} recorded calls made again, {QUEUES - said} not; restart the emulator before it is "
        "restored again: it may hold a part of the recording"
    )
    assert 0 < said <= made < QUEUES


def test_a_look_says_what_it_has_recorded(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--check-wiring", "0")
    make_queues(proxy)
    there = client("sqs", proxy.status()["emulator"]["url"])
    for url in there.list_queues(MaxResults=1000)["QueueUrls"]:
        there.send_message(QueueUrl=url, MessageBody="from elsewhere")
    before = proxy.status()["observing"]["looks"]
    code, err = ended(["observe", "--endpoint", proxy.url], lambda: proxy.status()["observing"]["looks"] > before)
    assert code == 130
    counts = proxy.status()["observing"]
    looks, found = counts["looks"] - before, len(proxy.records("observation"))
    assert 0 < looks < QUEUES
    said = f"{counted(looks, 'container')} looked at, {counted(found, 'difference')} recorded; the others not looked at"
    assert f"interrupted: {said}" in err
