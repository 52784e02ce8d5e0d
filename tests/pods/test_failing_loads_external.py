"""Loads that fail in front of an emulator of somebody else, which lives on: it holds what it held, as its API shows."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.pods.test_loads_without_reset import _made, _there
from tests.pods.test_pods import pod
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out, replay_proxy
from tests.support.relay import Fault, Relay

pytestmark = [pytest.mark.emulator, pytest.mark.skipif(bool(left_out(0.5)), reason=str(left_out(0.5)))]
TOPICS = 40
PATIENT = {"retries": {"max_attempts": 8, "mode": "standard"}}


class Lab:
    """A proxy before a moto with a relay between them, a pod of many topics, and a state that knows none of them."""

    def __init__(self, proxy: Proxy, relay: Relay, emulator: Emulator, strategy: str) -> None:
        self.proxy, self.relay, self.emulator, self.strategy = proxy, relay, emulator, strategy
        sns = client("sns", proxy.url)
        for number in range(TOPICS):
            sns.create_topic(Name=f"topic-{number}")
        pod(proxy, "save", "large")
        subprocess.run([*replay_proxy(), "reset", "--yes"], env=self._environment, check=True, timeout=60)
        _made(proxy.url, "kept")
        self.before = self.state()

    @property
    def _environment(self) -> dict[str, str]:
        pods = str(self.proxy.scratch / "pods")
        return {**os.environ, "AWS_ENDPOINT_URL": self.proxy.url, "REPLAY_PODS_DIR": pods}

    def state(self) -> dict[str, Any]:
        """What the API shows."""
        client("sns", self.proxy.url, **PATIENT).list_topics()  # waits for a proxy that waits for its emulator
        topics = [each["TopicArn"] for each in client("sns", self.proxy.url).list_topics()["Topics"]]
        return {**_there(self.proxy.url), "topics": topics}

    def load(self) -> subprocess.Popen[str]:
        """Begin to load the pod."""
        command = [*replay_proxy(), "pod", "load", "large", "--merge", self.strategy, "--yes", "--json"]
        return subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def fails(self, load: subprocess.Popen[str], *said: str) -> None:
        """It ends with an error that says so, and the state is what it was."""
        _output, complaint = load.communicate(timeout=180)
        self.relay.fault = lambda _text: Fault.NONE
        assert load.returncode == 6, complaint
        assert all(text in complaint for text in said), complaint
        assert self.state() == self.before

    def when_half_is_there(self, do: Callable[[], None], load: Callable[[], subprocess.Popen[str]]) -> Any:
        """Do something when half of the topics are made; their requests are held back until it is done. Return the load."""
        seen, reached, done = [0], threading.Event(), threading.Event()

        def fault(text: str) -> Fault:
            if "CreateTopic" in text:
                seen[0] += 1
                if seen[0] > TOPICS // 2:
                    reached.set()
                    done.wait(60)
            return Fault.NONE

        self.relay.fault = fault
        process = load()
        assert reached.wait(120)
        do()
        self.relay.fault = lambda _text: Fault.NONE
        done.set()
        return process


@pytest.mark.parametrize("strategy", ["service-merge", "overwrite", "account-region-merge"])
def test_a_load_that_fails_leaves_what_was_there(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], strategy: str
) -> None:
    """Calls without an answer, a connection that breaks, a full disk, an emulator that hangs, and a proxy that is killed."""
    emulator = start_emulator("moto")
    relay = Relay(emulator.port)
    proxy = start_proxy("--upstream", relay.url)
    lab = Lab(proxy, relay, emulator, strategy)

    relay.fault = lambda text: Fault.UNSENT if "topic-7" in text else Fault.NONE
    lab.fails(lab.load(), "got no answer", "the state is as it was before")

    def cut() -> None:
        relay.cut()
        time.sleep(0.5)
        relay.mend()

    lab.fails(lab.when_half_is_there(cut, lab.load), "the pod was not loaded")

    before = resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE)
    room = proxy.journal.stat().st_size + 10_000
    resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        lab.fails(lab.load(), "the pod was not loaded", "the state is as it was before")
    finally:
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, before)

    os.kill(emulator.process.pid, signal.SIGSTOP)
    try:
        load = lab.load()
        _output, complaint = load.communicate(timeout=120)
    finally:
        os.kill(emulator.process.pid, signal.SIGCONT)
    assert load.returncode == 6
    assert "nothing was done: the emulator gave no answer" in complaint, complaint
    assert lab.state() == lab.before

    killed = lab.when_half_is_there(proxy.kill, lab.load)
    killed.communicate(timeout=60)
    proxy.again()
    assert lab.state() == lab.before, "after a restart of the proxy"
    loaded = pod(proxy, "load", "large", "--merge", strategy, "--yes")
    assert loaded["restore"]["problems"] == []
    there = lab.state()
    assert len(there["topics"]) == TOPICS + (strategy == "service-merge")
