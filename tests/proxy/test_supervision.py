"""Errors that nobody expects, in everything that runs in the background: told, shown, and never a client that waits for ever."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from replay_proxy.errors import RecordingError
from replay_proxy.journal.check import check
from replay_proxy.supervision import Supervisor, describe_error, place_of, watch_loop
from tests.e2e.test_loads import damage, load
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, http_status, left_out, replay_proxy

FAULTY = [sys.executable, "-m", "tests.support.faulty_proxy"]
PATIENT = {"retries": {"max_attempts": 6, "mode": "standard"}, "read_timeout": 120}


class TestTheSupervisor:
    async def test_an_error_is_logged_with_its_place_and_given_to_whoever_must_act(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given: list[Exception] = []

        async def work() -> None:
            await asyncio.sleep(0)
            damaged()

        supervisor = Supervisor()
        await supervisor.start("the work", work(), given.append)
        assert [type(each) for each in given] == [LookupError]
        assert supervisor.troubles == {"the work": f"LookupError: not there ({place_of(given[0])})"}
        assert "in damaged" in supervisor.troubles["the work"]
        output = capsys.readouterr()
        assert "the work failed" in output.out + output.err
        supervisor.well("the work")
        assert supervisor.troubles == {}

    async def test_cancelling_is_no_error(self) -> None:
        supervisor = Supervisor()
        task = supervisor.start("the work", asyncio.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert supervisor.troubles == {}

    async def test_what_was_made_for_people_is_told_as_it_is(self) -> None:
        assert describe_error(RecordingError("line 3 is damaged", hint="repair it")) == "line 3 is damaged"

    async def test_an_error_in_a_callback_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        loop = asyncio.get_running_loop()
        watch_loop(loop)
        loop.call_soon(damaged)
        await asyncio.sleep(0.01)
        output = capsys.readouterr()
        assert "LookupError: not there" in output.out + output.err


def damaged() -> None:
    raise LookupError("not there")


class Fault:
    """A fault that can be switched on and off."""

    def __init__(self, scratch: Path) -> None:
        self._switch = scratch / "fault"

    def on(self) -> None:
        self._switch.touch()

    def off(self) -> None:
        self._switch.unlink()

    def start(self, start_proxy: Callable[..., Proxy], faults: str, *options: str, **more: Any) -> Proxy:
        environment = {
            "FAULTS": faults,
            "FAULT_SWITCH": str(self._switch),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return start_proxy(*options, program=FAULTY, environment=environment, **more)


@pytest.fixture
def fault(tmp_path: Path) -> Fault:
    return Fault(tmp_path)


def health(proxy: Proxy) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(proxy.url + "/_localstack/health", timeout=10) as answer:
            return answer.status, dict(json.load(answer)["replay_proxy"])
    except urllib.error.HTTPError as error:
        return error.code, dict(json.load(error)["replay_proxy"])


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refused_at_once(proxy: Proxy, reason: str) -> None:
    """A client gets its 503 with the reason, in its protocol, and not after the minutes that it may wait for a restore."""
    with pytest.raises(ClientError) as caught:
        client("sqs", proxy.url, retries={"max_attempts": 0}).list_queues()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert reason in caught.value.response["Error"]["Message"]


def make(proxy: Proxy) -> None:
    client("sqs", proxy.url).create_queue(QueueName="jobs")
    client("ec2", proxy.url).create_vpc(CidrBlock="10.9.0.0/16")


def is_there_once(proxy: Proxy) -> None:
    assert len(client("sqs", proxy.url, **PATIENT).list_queues()["QueueUrls"]) == 1
    vpcs = client("ec2", proxy.url, **PATIENT).describe_vpcs()["Vpcs"]
    assert [each["CidrBlock"] for each in vpcs if each["CidrBlock"].startswith("10.")] == ["10.9.0.0/16"]


@pytest.mark.emulator
class TestRestores:
    RUN = "replay_proxy.replay.execution.executor:Executor.run"

    def test_a_load_that_fails_releases_the_gate_and_a_later_one_goes_on(
        self, start_proxy: Callable[..., Proxy], fault: Fault
    ) -> None:
        proxy = fault.start(start_proxy, self.RUN)
        make(proxy)
        fault.on()
        status, [answer] = load(proxy, "load?reset=1")
        assert status == 500
        assert "RuntimeError: a fault in run (" in answer["error"]
        assert proxy.status()["state"] == "failed"
        assert "a fault in run" in proxy.status()["reason"]
        assert health(proxy) == (503, {**health(proxy)[1], "state": "failed", "degraded": ["the restore"]})
        refused_at_once(proxy, "a fault in run")
        assert "the restore failed" in proxy.log and "never retrieved" not in proxy.log
        assert load(proxy)[0] == 500, "it is tried again"
        fault.off()
        assert load(proxy)[0] == 200
        assert health(proxy)[0] == 200
        assert proxy.status()["degraded"] == {}
        is_there_once(proxy)

    def test_nor_does_one_in_parts_end_unseen(
        self, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], fault: Fault
    ) -> None:
        emulator = start_emulator("moto")
        proxy = fault.start(start_proxy, self.RUN, "--upstream", emulator.url, "--load-strategy", "ON_REQUEST")
        make(proxy)
        proxy.kill()
        emulator.restart()
        fault.on()
        proxy.again(wait=False)
        proxy.wait_for_log("the restore failed")
        refused_at_once(proxy, "a fault in run")
        fault.off()
        assert load(proxy)[0] == 200
        is_there_once(proxy)

    def test_a_part_that_is_asked_for_and_fails(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(start_proxy, self.RUN, "--load-strategy", "MANUAL")
        make(proxy)
        proxy.kill_all()
        proxy.again()
        fault.on()
        status, [answer] = load(proxy, "sqs/load")
        assert status == 500
        assert "a fault in run" in answer["error"]
        refused_at_once(proxy, "a fault in run")
        fault.off()
        assert load(proxy, "sqs/load")[0] == 200
        assert load(proxy)[0] == 200
        is_there_once(proxy)

    def test_a_restore_after_a_loss(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(start_proxy, self.RUN)
        make(proxy)
        fault.on()
        os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
        until(lambda: proxy.status()["state"] == "failed")
        refused_at_once(proxy, "a fault in run")
        fault.off()
        assert load(proxy)[0] == 200
        is_there_once(proxy)

    def test_a_damaged_recording_after_a_loss(self, start_proxy: Callable[..., Proxy]) -> None:
        proxy = start_proxy()
        make(proxy)
        whole = proxy.journal.read_bytes()
        damage(proxy)
        os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
        until(lambda: proxy.status()["state"] == "failed")
        refused_at_once(proxy, "line 2")
        with proxy.journal.open("r+b") as file:
            file.write(whole)
        assert load(proxy)[0] == 200
        is_there_once(proxy)

    def test_at_the_start(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        fault.on()
        proxy = fault.start(start_proxy, self.RUN, wait=False)
        assert proxy.process.wait(60) == 1
        assert "error: the proxy could not begin: RuntimeError: a fault in run" in proxy.log
        assert "hint:" in proxy.log and "Traceback" not in proxy.log

    def test_what_settles(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(start_proxy, "replay_proxy.replay.execution.background_waits:BackgroundWaits.finish")
        make(proxy)
        fault.on()
        assert load(proxy, "load?reset=1")[0] == 200
        is_there_once(proxy)
        assert "what settles failed" in proxy.log


@pytest.mark.emulator
class TestTheOthers:
    def test_witnesses(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(start_proxy, "replay_proxy.replay.witness_detector:WitnessDetector.is_witness")
        fault.on()
        client("ec2", proxy.url).describe_vpcs()
        until(lambda: "looking for witnesses" in proxy.status()["degraded"])
        assert "a fault in is_witness" in proxy.status()["degraded"]["looking for witnesses"]
        assert health(proxy) == (200, {**health(proxy)[1], "state": "ready", "degraded": ["looking for witnesses"]})
        fault.off()
        client("ec2", proxy.url).describe_vpcs(MaxResults=100)
        until(lambda: bool(proxy.records("witness")))

    def test_syncing(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(
            start_proxy, "replay_proxy.journal.storage.files:Files.sync", "--save-strategy", "ON_REQUEST"
        )
        sqs = client("sqs", proxy.url, retries={"max_attempts": 0}, read_timeout=20)
        sqs.create_queue(QueueName="kept")
        fault.on()
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                sqs.create_queue(QueueName="not-kept")
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert "a fault in sync" in proxy.status()["recording_failure"]["reason"]
        assert "recording" in proxy.status()["degraded"]
        assert len(sqs.list_queues()["QueueUrls"]) == 2, "reads go on"

    def test_compacting(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        options = ("--compact-min-size", "1k", "--compact-percentage", "1")
        proxy = fault.start(
            start_proxy, "replay_proxy.proxy.lifecycle.background_compaction:BackgroundCompaction._staged", *options
        )
        fault.on()
        sqs = client("sqs", proxy.url)
        for number in range(5):
            sqs.create_queue(QueueName=f"q{number}")
        until(lambda: "compacting the recording" in proxy.status()["degraded"])
        assert "a fault in _staged" in proxy.log
        sqs.create_queue(QueueName="one-more")
        assert check(proxy.data_dir).ok

    def test_whoever_looks_after_the_emulator(self, start_proxy: Callable[..., Proxy], fault: Fault) -> None:
        proxy = fault.start(start_proxy, "replay_proxy.proxy.lifecycle.backend:ManagedEmulator.lost")
        make(proxy)
        fault.on()
        os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
        until(lambda: "watching the emulator" in proxy.status()["degraded"])
        assert "a fault in lost" in proxy.log
        until(lambda: proxy.status()["state"] == "ready", 30)
        is_there_once(proxy)
        fault.off()
        until(lambda: proxy.status()["degraded"] == {})
        os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
        proxy.wait_for_log("the emulator is lost", 30)
        until(lambda: proxy.status()["state"] == "ready")
        is_there_once(proxy)


STEPS = (
    "replay_proxy.proxy.http.server.reverse_door:ReverseDoor.stop",
    "replay_proxy.proxy.requests.in_flight:ChangesInFlight.wait_for_none",
    "replay_proxy.proxy.lifecycle.restoring.load_strategy:LoadStrategy.stop",
    "replay_proxy.proxy.lifecycle.restoring.requested_load:RequestedLoads.stop",
    "replay_proxy.proxy.requests.journaling.witness_watcher:WitnessWatcher.stop",
    "replay_proxy.proxy.lifecycle.background_compaction:BackgroundCompaction.stop",
    "replay_proxy.proxy.lifecycle.proxy:Proxy._save_aliases",
    "replay_proxy.proxy.lifecycle.shutdown:update_plan_cache",
    "replay_proxy.proxy.http.client.upstream:UpstreamClient.close",
)


@pytest.mark.emulator
@pytest.mark.parametrize("step", STEPS)
def test_the_end_closes_the_recording_and_the_emulator_whatever_raises(
    start_proxy: Callable[..., Proxy], fault: Fault, step: str
) -> None:
    if STEPS.index(step) % 3 and (reason := left_out(0.1)):
        pytest.skip(f"a fault in {step}, one of {len(STEPS)} steps: {reason}")
    proxy = fault.start(start_proxy, step)
    make(proxy)
    emulator = proxy.status()["emulator"]
    fault.on()
    assert proxy.stop() == 0
    assert f"a fault in {step.rpartition(':')[2].rpartition('.')[2]}" in proxy.log
    assert "Traceback" not in proxy.log and "never retrieved" not in proxy.log
    until(lambda: http_status(emulator["url"]) is None, 10)
    with pytest.raises(ProcessLookupError):
        os.kill(emulator["pid"], 0)
    done = subprocess.run(
        [*replay_proxy(), "check", "--data-dir", str(proxy.data_dir)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    proxy.program = replay_proxy()
    proxy.again()
    is_there_once(proxy)


@pytest.mark.emulator
def test_a_last_sync_that_fails_is_told_by_the_exit_code(start_proxy: Callable[..., Proxy], fault: Fault) -> None:
    proxy = fault.start(start_proxy, "replay_proxy.journal.storage.files:Files.sync")
    make(proxy)
    emulator = proxy.status()["emulator"]
    fault.on()
    assert proxy.stop() == 5
    assert "a fault in sync" in proxy.log and "Traceback" not in proxy.log
    with pytest.raises(ProcessLookupError):
        os.kill(emulator["pid"], 0)
