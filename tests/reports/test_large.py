"""50,000 calls are looked at within 10 seconds of processor time and 300 MiB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.resources.recordings import Tape, function, queue, queue_url, table
from tests.support.processes import left_out, replay_proxy

CALLS = 50_000
SECONDS, MIB = 10, 300
PAGE_BYTES = 25 << 20
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""
"""Runs a command from a small process: what this one holds would count as the command's own."""


def data(tape: Tape, number: int) -> None:
    """A stack of 100 resources, and then data."""
    if number < 100:
        queue(tape, f"queue-{number}")
    elif number % 2:
        item = {"id": {"S": f"item-{number}"}, "text": {"S": "some text " * 20}}
        tape.call("dynamodb", "PutItem", {"TableName": "items", "Item": item})
    else:
        params = {"QueueUrl": queue_url(f"queue-{number % 100}"), "MessageBody": "some text " * 20}
        tape.call("sqs", "SendMessage", params, {"MessageId": f"message-{number}"})


def infrastructure(tape: Tape, number: int) -> None:
    """Functions and queues that refer to each other, each changed once."""
    if number % 4 == 0:
        queue(tape, f"queue-{number}")
    elif number % 4 == 1:
        function(tape, f"worker-{number}", Environment={"Variables": {"QUEUE_URL": queue_url(f"queue-{number - 1}")}})
    elif number % 4 == 2:
        params = {"QueueUrl": queue_url(f"queue-{number - 2}"), "Attributes": {"DelaySeconds": "3"}}
        tape.call("sqs", "SetQueueAttributes", params)
    else:
        params = {"FunctionName": f"worker-{number - 2}", "MemorySize": 512}
        tape.call("lambda", "UpdateFunctionConfiguration", params, protocol="rest-json")


@pytest.mark.timeout(900)
@pytest.mark.skipif(left_out(2) is not None, reason=str(left_out(2)))
@pytest.mark.parametrize("call", [data, infrastructure])
def test_it_stays_within_its_bounds(tmp_path: Path, call: Callable[[Tape, int], None]) -> None:
    tape = Tape()
    table(tape, "items")
    for number in range(CALLS - 1):
        call(tape, number)
    folder = tape.write(tmp_path / "large")
    del tape
    for options in (["--json"], ["--plain"], ["--calls"], ["--resource", "queue-0"]):
        command = [sys.executable, "-c", MEASURE, *replay_proxy(), "inspect", str(folder), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        seconds, mib = map(float, done.stderr.split())
        print(call.__name__, options, f"{seconds:.1f} s, {mib:.0f} MiB")
        assert "queue-0" in done.stdout
        assert seconds < SECONDS
        assert mib < MIB
    page = tmp_path / "page.html"
    command = [sys.executable, "-c", MEASURE, *replay_proxy(), "report", str(folder), "-o", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    seconds, mib = map(float, done.stderr.split()[-2:])
    print(call.__name__, "report", f"{seconds:.1f} s, {mib:.0f} MiB, {page.stat().st_size / 2**20:.1f} MiB on disk")
    assert seconds < SECONDS
    assert mib < MIB
    assert page.stat().st_size < PAGE_BYTES
