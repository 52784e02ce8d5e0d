"""Loads that fail in the middle: the state is what it was before, and that is said."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.settings.pods import MERGE_STRATEGIES
from tests.journal.test_full_disk import small_disk  # noqa: F401 - a fixture
from tests.pods.test_pods import pod
from tests.support.clients import client
from tests.support.processes import Proxy, left_out, replay_proxy

CALLS = 150


def _with_large_pod(start_proxy: Callable[..., Proxy]) -> Proxy:
    """A proxy with a queue and a message, and a pod with so many calls that its load takes a while."""
    proxy = start_proxy()
    sqs, sns = client("sqs", proxy.url), client("sns", proxy.url)
    for number in range(CALLS):
        sns.create_topic(Name=f"topic-{number}")
    pod(proxy, "save", "large")
    subprocess.run(
        [*replay_proxy(), "reset", "--yes"], env={**os.environ, "AWS_ENDPOINT_URL": proxy.url}, check=True, timeout=60
    )
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="kept")
    return proxy


def _loading(proxy: Proxy, strategy: str) -> subprocess.Popen[str]:
    """Begin the load, and return once the merged state is being restored."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.url, "REPLAY_PODS_DIR": str(proxy.scratch / "pods")}
    command = [*replay_proxy(), "pod", "load", "large", "--merge", strategy, "--yes"]
    load = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        status = proxy.status()
        report = status["last_restore"] or {}
        if status["state"] == "restoring" and report.get("total", 0) >= CALLS and 0 < report["restored"] < CALLS:
            return load
        time.sleep(0.002)
    load.kill()
    pytest.fail("the load was never seen under way")


def _is_as_before(proxy: Proxy) -> None:
    sqs = client("sqs", proxy.url)
    (url,) = sqs.list_queues()["QueueUrls"]
    assert url.endswith("/kept")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "1"
    assert not client("sns", proxy.url).list_topics()["Topics"]


@pytest.mark.parametrize("strategy", MERGE_STRATEGIES)
@pytest.mark.skipif(bool(left_out(0.3)), reason=str(left_out(0.3)))
def test_an_emulator_that_dies_during_a_load_comes_back_as_before(
    start_proxy: Callable[..., Proxy], strategy: str
) -> None:
    """The load says so; once it has, the state is there."""
    proxy = _with_large_pod(start_proxy)
    load = _loading(proxy, strategy)
    os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
    _output, complaint = load.communicate(timeout=120)
    assert load.returncode == 6, complaint
    assert "the state is as it was before" in complaint
    _is_as_before(proxy)
    pod(proxy, "load", "large", "--merge", strategy, "--yes")
    assert bool(client("sqs", proxy.url).list_queues().get("QueueUrls")) == (strategy != "overwrite")
    assert len(client("sns", proxy.url).list_topics()["Topics"]) == 100  # a page


@pytest.mark.parametrize("strategy", MERGE_STRATEGIES)
@pytest.mark.skipif(bool(left_out(0.3)), reason=str(left_out(0.3)))
def test_a_proxy_that_is_killed_during_a_load_comes_back_as_before(
    start_proxy: Callable[..., Proxy], tmp_path: Path, strategy: str
) -> None:
    """What was on trial never counts."""
    proxy = _with_large_pod(start_proxy)
    load = _loading(proxy, strategy)
    proxy.kill_all()
    load.communicate(timeout=120)
    assert load.returncode == 6
    proxy.again()
    _is_as_before(proxy)
    assert not list(tmp_path.glob("recordings/pod-load-*"))


def test_what_counts_is_told_where_its_restore_fails_after_that(
    start_proxy: Callable[..., Proxy],
    small_disk: Path,  # noqa: F811 - the fixture
) -> None:
    """A full disk takes no aliases when the reset is recorded: it is not called undone, and asking again restores the rest."""
    proxy = start_proxy(data_dir=small_disk / "recordings")
    for name in ("one", "two"):
        client("sqs", proxy.url).create_queue(QueueName=name)
    client("sns", proxy.url).create_topic(Name="kept")
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.url}
    command = [*replay_proxy(), "reset", "--services", "sns", "--yes"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 6
    assert proxy.status()["state"] == "failed"
    assert "as it was before" not in done.stderr, done.stderr
    assert "the reset is recorded, but its restore did not come to its end: cannot save the aliases" in done.stderr
    assert "POST /_localstack/state/load" in done.stderr
    ballast.unlink()
    request = urllib.request.Request(f"{proxy.url}/_localstack/state/load", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    assert len(client("sqs", proxy.url).list_queues()["QueueUrls"]) == 2
    assert not client("sns", proxy.url).list_topics()["Topics"]
