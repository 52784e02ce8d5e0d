"""Somebody else's emulator that holds a part of the recording: a restore goes on from there, and makes nothing twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.emulators.process import free_port
from tests.e2e.test_load_strategies import PATIENT, Recorded, all_is_there, is_whole, post, recorded, wait_until
from tests.support.clients import client
from tests.support.processes import Emulator, Process, Proxy, http_status, left_out, replay_proxy

__all__ = ["recorded"]

pytestmark = pytest.mark.emulator

ALL = ["ec2", "iam", "lambda", "s3", "sqs", "ssm"]


class Cable(Process):
    """A way to an emulator that can be cut and mended."""

    def __init__(self, scratch: Path, target: int, port: int | None = None) -> None:
        self.scratch = scratch
        self.target = target
        self.port = port or free_port()
        root = str(Path(__file__).parents[2])
        command = [sys.executable, "-m", "bench.relay", str(self.port), str(target)]
        super().__init__(command, {"PYTHONPATH": root}, scratch / "cable.log", f"http://127.0.0.1:{self.port}")
        self._wait("/_localstack/health", None)

    def mend(self) -> None:
        self.__init__(self.scratch, self.target, self.port)  # type: ignore[misc] # the same way once more


def load(proxy: Proxy, service: str = "") -> list[str]:
    """The services that are back after it."""
    lines = [line for _time, line in post(proxy, f"/_localstack/state/{service}/load".replace("//", "/"))]
    assert all(line["status"] == "ok" for line in lines), lines
    return sorted(str(line["service"]) for line in lines)


def live(proxy: Proxy) -> None:
    """What a client does meanwhile, which must not be done again."""
    client("sqs", proxy.url, **PATIENT).create_queue(QueueName="new")
    sent = client("sqs", proxy.url).get_queue_url(QueueName="new")["QueueUrl"]
    client("sqs", proxy.url).send_message(QueueUrl=sent, MessageBody="once")
    client("ec2", proxy.url).create_vpc(CidrBlock="10.77.0.0/16")


def is_as_it_should_be(proxy: Proxy, made: dict[str, str]) -> None:
    sqs, ec2 = client("sqs", proxy.url, **PATIENT), client("ec2", proxy.url, **PATIENT)
    url = sqs.get_queue_url(QueueName="new")["QueueUrl"]
    assert [each["Body"] for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]] == ["once"]
    sqs.delete_queue(QueueUrl=url)
    blocks = [each["CidrBlock"] for each in ec2.describe_vpcs()["Vpcs"]]
    assert sorted(block for block in blocks if block != "172.31.0.0/16") == ["10.77.0.0/16", "10.9.0.0/16"]
    all_is_there(proxy.url, made)


@pytest.fixture
def emulator(start_emulator: Callable[..., Emulator]) -> Emulator:
    return start_emulator("moto")


def test_nothing_was_loaded_when_the_proxy_was_killed(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded
) -> None:
    proxy = recorded.go_on(start_proxy, "--upstream", emulator.url, "--load-strategy", "MANUAL")
    live(proxy)
    proxy.kill()
    proxy.again()
    assert "holds a part of the recorded state" in proxy.log
    assert proxy.status()["restoring"]["waiting"] == ALL
    assert load(proxy) == ALL
    wait_until(lambda: is_whole(proxy))
    assert proxy.status()["last_restore"]["problems"] == []
    is_as_it_should_be(proxy, recorded.made)
    proxy.kill()
    proxy.again()
    assert "nothing to restore" in proxy.log


def test_some_was_loaded_when_the_proxy_was_killed(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded
) -> None:
    proxy = recorded.go_on(start_proxy, "--upstream", emulator.url, "--load-strategy", "MANUAL")
    assert load(proxy, "lambda") == ["lambda"]  # brings its queue and its role along
    live(proxy)
    proxy.kill()
    proxy.again()
    assert proxy.status()["restoring"]["restored"] == ["lambda"]
    mapping = client("lambda", proxy.url).get_event_source_mapping(UUID=recorded.made["mapping"])
    assert mapping["EventSourceArn"].endswith(":jobs")
    assert load(proxy) == ALL
    wait_until(lambda: is_whole(proxy))
    assert proxy.status()["last_restore"]["problems"] == []
    is_as_it_should_be(proxy, recorded.made)


def test_another_strategy_goes_on_from_there(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded
) -> None:
    if reason := left_out(0.1):
        pytest.skip(f"going on with another strategy {reason}")
    proxy = recorded.go_on(start_proxy, "--upstream", emulator.url, "--load-strategy", "MANUAL")
    load(proxy, "ssm")
    live(proxy)
    proxy.kill()
    proxy = start_proxy("--upstream", emulator.url, port=proxy.port, data_dir=proxy.data_dir)
    is_as_it_should_be(proxy, recorded.made)
    wait_until(lambda: is_whole(proxy))
    assert proxy.status()["last_restore"]["problems"] == []


def test_a_restore_on_request_is_interrupted_between_two_parts(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded
) -> None:
    proxy = recorded.go_on(start_proxy, "--upstream", emulator.url, "--load-strategy", "ON_REQUEST")
    assert client("ssm", proxy.url, **PATIENT).get_parameter(Name="/a")["Parameter"]["Value"] == "1"
    proxy.kill()
    proxy.again()
    assert "holds a part of the recorded state" in proxy.log or "nothing to restore" in proxy.log
    live(proxy)
    is_as_it_should_be(proxy, recorded.made)
    wait_until(lambda: is_whole(proxy))
    assert (proxy.status()["last_restore"] or {}).get("problems", []) == []


@pytest.mark.parametrize("strategy", ["MANUAL", "ON_REQUEST"])
def test_the_emulator_was_out_of_reach_for_a_while(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded, tmp_path: Path, strategy: str
) -> None:
    if strategy != "MANUAL" and (reason := left_out(0.1)):
        pytest.skip(f"the same with {strategy} {reason}")
    cable = Cable(tmp_path, emulator.port)
    try:
        proxy = recorded.go_on(start_proxy, "--upstream", cable.url, "--load-strategy", strategy)
        load(proxy, "ssm")
        if strategy == "MANUAL":
            live(proxy)
        cable.end()
        wait_until(lambda: proxy.status()["state"] == "lost")
        cable.mend()
        wait_until(lambda: proxy.status()["state"] == "ready")
        assert "is back, with its state" in proxy.log
        if strategy == "MANUAL":
            assert load(proxy) == ALL
        else:
            live(proxy)
        wait_until(lambda: is_whole(proxy))
        is_as_it_should_be(proxy, recorded.made)
    finally:
        cable.end()


def test_the_emulator_was_out_of_reach_while_everything_was_restored(
    start_proxy: Callable[..., Proxy], emulator: Emulator, tmp_path: Path
) -> None:
    cable = Cable(tmp_path, emulator.port)
    try:
        proxy = start_proxy("--upstream", cable.url)
        sqs = client("sqs", proxy.url, **PATIENT)
        names = [f"q{number:03}" for number in range(300)]
        for name in names:
            sqs.create_queue(QueueName=name)
        proxy.kill()
        emulator.restart()
        proxy.again(wait=False)
        wait_until(lambda: http_status(proxy.url + "/_replay/status") == 200)
        wait_until(lambda: (proxy.status()["last_restore"] or {}).get("restored", 0) > 20)
        cable.end()
        wait_until(lambda: proxy.status()["state"] == "lost")
        before = proxy.status()["last_restore"]
        assert not before["finished"], "the cut came too late"
        cable.mend()
        there = sqs.list_queues(MaxResults=1000)["QueueUrls"]
        assert sorted(url.rpartition("/")[2] for url in there) == names
        wait_until(lambda: is_whole(proxy))
        rest = proxy.status()["last_restore"]
        assert rest["problems"] == []
        assert rest["restored"] <= len(names) - before["restored"], "what was there was not made again"
    finally:
        cable.end()


def test_the_verb_does_not_go_on_with_parts(
    start_proxy: Callable[..., Proxy], emulator: Emulator, recorded: Recorded
) -> None:
    proxy = recorded.go_on(start_proxy, "--upstream", emulator.url, "--load-strategy", "MANUAL")
    load(proxy, "ssm")
    proxy.stop()
    command = [*replay_proxy(), "restore", "--upstream", emulator.url, "--data-dir", str(proxy.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode not in (0, 3)
    assert "holds a part of this recording" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_proxy_that_died_in_front_of_a_living_emulator_is_counted(
    start_proxy: Callable[..., Proxy], emulator: Emulator
) -> None:
    proxy = start_proxy("--upstream", emulator.url)
    client("sqs", proxy.url).create_queue(QueueName="jobs")
    assert proxy.status()["gaps"] == 0
    for deaths in (1, 2):
        proxy.kill()
        proxy.again()
        assert proxy.status()["gaps"] == deaths
    assert "died while the emulator lived on" in proxy.log
    assert proxy.stop() == 0
    proxy.again()
    assert proxy.status()["gaps"] == 2, "what it may hold is still there; an end in order adds nothing"
    emulator.restart()
    proxy.wait_for_log("is lost")
    proxy.wait_until("/_localstack/health", [200])
    assert proxy.status()["gaps"] == 0, "an emulator that has forgotten holds what is recorded, and no more"


def test_what_was_under_way_when_the_proxy_died_is_there_until_the_emulator_is_restarted(
    start_proxy: Callable[..., Proxy], emulator: Emulator
) -> None:
    """As docs/durability.md says it. The proxy is killed between the emulator's answer and its record."""
    proxy = start_proxy("--upstream", emulator.url)
    sqs = client("sqs", proxy.url, **PATIENT)
    sqs.create_queue(QueueName="kept")
    client("sqs", emulator.url).create_queue(QueueName="under-way")  # carried out, and nobody has recorded it
    proxy.kill()
    proxy.again()
    assert len(sqs.list_queues()["QueueUrls"]) == 2
    proxy.kill()
    emulator.restart()
    proxy.again()
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert proxy.status()["gaps"] == 0
