"""What an emulator takes a while to make ready: nobody finds it unready, and nobody else waits for it.

MiniStack keeps a new function `Pending` for half a second, in which it cannot be changed.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Emulator, Proxy
from tests.support.stories import until

pytestmark = pytest.mark.emulator

RETRIES = {"retries": {"max_attempts": 6, "mode": "standard"}}


def make(functions: Any, name: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("code.py", "def handle(event, context): return 1")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/worker",
        Handler="code.handle",
        Code={"ZipFile": out.getvalue()},
    )


def state(functions: Any, name: str) -> str:
    return str(functions.get_function_configuration(FunctionName=name)["State"])


def test_a_function_that_nothing_waits_for_is_active_for_the_first_who_asks(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    functions, queues = client("lambda", proxy.url, **RETRIES), client("sqs", proxy.url, **RETRIES)
    make(functions, "leaf")
    until(lambda: state(functions, "leaf") == "Active")
    url = queues.create_queue(QueueName="beside")["QueueUrl"]
    os.kill(proxy.status()["emulator"]["pid"], signal.SIGKILL)
    assert queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    # It passes first, and is not to wait for what is asked next, which was pending when it passed.
    assert state(functions, "leaf") == "Active"
    assert proxy.status()["last_restore"]["restored"] == 2
    functions.update_function_configuration(FunctionName="leaf", Timeout=30)
    until(lambda: proxy.status()["last_restore"]["settled"] is not None)
    told = proxy.status()["last_restore"]
    assert told["settled"] >= told["seconds"]


def test_the_verb_ends_when_everything_is_ready(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[[str], Emulator]
) -> None:
    proxy = start_proxy("--emulator", "ministack")
    functions = client("lambda", proxy.url)
    make(functions, "leaf")
    until(lambda: state(functions, "leaf") == "Active")
    proxy.stop()
    emulator = start_emulator("ministack")
    command = [sys.executable, "-m", "replay_proxy", "restore", "--upstream", emulator.url, "--json"]
    done = subprocess.run([*command, "--data-dir", str(proxy.data_dir)], capture_output=True, text=True, check=True)
    assert state(client("lambda", emulator.url), "leaf") == "Active"
    told = json.loads(done.stdout)
    assert told["restored"] == 1
    assert told["settled"] >= max(0.4, told["seconds"])
