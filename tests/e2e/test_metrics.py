"""`GET /_replay/metrics`, read by the parser of Prometheus' own client library."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from tests.support.clients import client
from tests.support.processes import Proxy

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

pytestmark = pytest.mark.emulator


def scrape(proxy: Proxy) -> Samples:
    with urllib.request.urlopen(f"{proxy.url}/_replay/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.documentation.endswith("."), family
        assert family.type in ("counter", "gauge", "summary"), family
        assert family.name.startswith("replay_proxy_"), "what the library counts by itself is not ours"
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"replay_proxy_{name}", tuple(sorted(labels.items()))]


def test_calls_waits_restarts_and_restores_are_counted(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "moto")
    sqs, s3, sts = (client(name, proxy.url) for name in ("sqs", "s3", "sts"))
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    s3.create_bucket(Bucket="deleted")
    s3.delete_bucket(Bucket="deleted")
    sqs.list_queues()
    sts.get_caller_identity()
    with pytest.raises(ClientError):
        sqs.delete_queue(QueueUrl=url + "-other")
    for name in ("one", "two"):
        with urllib.request.urlopen(f"{proxy.url}/moto-api/data.json?{name}", timeout=20):
            pass
    before = scrape(proxy)
    assert value(before, "requests_total", service="sqs", kind="recorded") == 1
    assert value(before, "requests_total", service="s3", kind="recorded") == 2
    assert value(before, "requests_total", service="sqs", kind="read") == 1
    assert value(before, "requests_total", service="sts", kind="read") == 1
    assert value(before, "requests_total", service="sqs", kind="refused") == 1
    assert value(before, "requests_total", service="other", kind="unrecognised") == 2
    assert value(before, "journal_bytes") == proxy.journal.stat().st_size
    assert value(before, "journal_failed") == 0
    assert value(before, "restores_total", outcome="complete") == 0
    assert value(before, "gate_wait_seconds_count") == 0
    assert value(before, "emulator_restarts_total") == 0
    assert value(before, "state", state="ready") == 1
    assert value(before, "unrecorded_calls_total") == value(before, "omitted_requests_total") == 0

    os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
    waiting = [threading.Thread(target=sqs.list_queues) for _ in range(2)]
    for each in waiting:
        each.start()
    for each in waiting:
        each.join(30)
    after = scrape(proxy)
    assert value(after, "emulator_restarts_total") == 1
    assert value(after, "restores_total", outcome="complete") == 1
    assert value(after, "restores_total", outcome="failed") == 0
    assert value(after, "restore_calls_total", result="restored") == 1
    assert value(after, "restore_calls_total", result="superseded") == 2
    assert value(after, "last_restore_calls", result="restored") == 1
    assert 0 < value(after, "last_restore_seconds") == value(after, "restore_seconds_total") < 30
    assert value(after, "gate_wait_seconds_count") == 2
    assert 0 < value(after, "gate_wait_seconds_sum") < 60
    assert value(after, "gate_waiting_requests") == 0
    assert value(after, "requests_total", service="sqs", kind="read") == 3
    assert value(after, "observation_looks_total") >= 0


def test_without_a_recording_there_is_no_journal_and_no_restore(start_proxy: Callable[..., Proxy]) -> None:
    samples = scrape(start_proxy("--persistence", "0"))
    assert value(samples, "state", state="ready") == 1
    assert not any("journal" in name or "restore_" in name for name, _labels in samples)


def test_the_library_is_imported_only_when_somebody_asks() -> None:
    asked = "import sys, replay_proxy.control.routes, replay_proxy.cli.serve; print('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True).stdout == b"False\n"
