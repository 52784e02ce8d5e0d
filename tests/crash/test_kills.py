"""SIGKILL at random moments under load: whatever a client was told is there afterwards.

Longer by hand, with figures:

    REPLAY_CRASH_KILLS=100 pytest -s tests/crash/test_kills.py      (REPLAY_CRASH_SEED=N for other moments)
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.journal.check import check
from tests.crash import workload
from tests.crash.ledger import Ledger, merged
from tests.support.interception import Interceptor, missing_interception
from tests.support.processes import Proxy, left_out

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

KILLS = int(os.environ.get("REPLAY_CRASH_KILLS", "4"))
SEED = int(os.environ.get("REPLAY_CRASH_SEED", "11"))
WAYS = ("both", "proxy", "emulator", "restoring")
"""What is killed; `restoring`: both, and the proxy once more while it restores."""
FIRST_WRITES = 10
"""How many are acknowledged before anything is killed, however slow the machine."""
PER_RECORDING = 8
"""Kills of one recording; then a new one is begun, so that a long run does not restore ever more."""


COMPACTING = ("--compact-min-size", "1k", "--compact-percentage", "1")
"""As soon as one compaction has ended, the next one begins."""


@pytest.mark.timeout(120 + 30 * KILLS)
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
def test_whatever_was_acknowledged_is_there_after_a_kill_at_any_moment(
    start_proxy: Callable[..., Proxy], tmp_path: Path, strategy: str
) -> None:
    # By default the strategy that is the default; the next test shows the other one.
    if strategy == "ON_REQUEST" and (why := left_out(0.4)):
        pytest.skip(f"kills under {strategy} {why}")
    crash_again_and_again(start_proxy, tmp_path, strategy, ())


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED"])
def test_nor_is_anything_lost_while_the_recording_is_compacted_all_the_time(
    start_proxy: Callable[..., Proxy], tmp_path: Path, strategy: str
) -> None:
    if strategy != "ON_REQUEST" and (reason := left_out(0.4)):
        pytest.skip(f"kills under compaction with {strategy} {reason}")
    crash_again_and_again(start_proxy, tmp_path, strategy, COMPACTING, max(2, KILLS // 2))


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception()))
def test_nor_is_anything_lost_of_clients_that_come_by_the_interception_door(tmp_path: Path) -> None:
    if reason := left_out(0.5):
        pytest.skip(f"kills under clients of the interception door {reason}")
    with ExitStack() as stack:

        def start(*options: str, **more: Any) -> Interceptor:
            proxy = Interceptor(tmp_path, *options, **more)
            stack.callback(proxy.end)
            return proxy

        crash_again_and_again(start, tmp_path, "SCHEDULED", ())


def crash_again_and_again(
    start_proxy: Callable[..., Proxy], tmp_path: Path, strategy: str, options: tuple[str, ...], kills: int = KILLS
) -> None:
    moments = random.Random(SEED)
    ledgers: list[Ledger] = []
    ways: dict[str, int] = {}
    done = 0
    while done < kills:
        turns = min(PER_RECORDING, kills - done)
        place = tmp_path / f"recording-{done}"
        proxy = start_proxy("--save-strategy", strategy, *options, data_dir=place)
        workload.prepare(proxy.url)
        ledgers.append(ledger := Ledger())
        for turn in range(turns):
            way = WAYS[(done + turn) % len(WAYS)]
            ways[way] = ways.get(way, 0) + 1
            proxy = crash(proxy, turn, ledger, way, moments, 6.0 if options else 1.0)
            found = workload.found(proxy.url)
            assert ledger.violations(found) == [], way
            assert workload.read_back(proxy.url, found, 8, turn) == []
            assert proxy.status()["last_restore"]["problems"] == []
        if options:
            assert "compacted the recording" in proxy.log
            assert check(place).ok
        proxy.stop()
        done += turns
    attempted, acknowledged = merged(ledgers)
    print(f"\n{strategy}: {done} kills {ways}, {attempted} writes, {acknowledged} acknowledged, none lost")
    assert acknowledged >= FIRST_WRITES * kills


def crash(proxy: Proxy, turn: int, ledger: Ledger, way: str, moments: random.Random, longest: float = 1.0) -> Proxy:
    """Write, at most `longest` seconds, kill in that way, and bring everything back; the proxy that runs then."""
    emulator = proxy.status()["emulator"]["pid"]
    stop = threading.Event()
    begun = ledger.acknowledged
    threads = workload.run(proxy.url, turn, ledger, stop, proxy.client if isinstance(proxy, Interceptor) else None)
    deadline = time.monotonic() + 30
    while ledger.acknowledged < begun + FIRST_WRITES:
        assert time.monotonic() < deadline, "nothing is acknowledged"
        time.sleep(0.01)
    time.sleep(moments.uniform(0.0, longest))
    if way == "emulator":
        os.kill(emulator, signal.SIGKILL)
    else:
        if way != "proxy":
            os.kill(emulator, signal.SIGKILL)
        proxy.kill()
    stop.set()
    if way == "restoring":  # once more while it comes back
        proxy = proxy.again(wait=False)
        time.sleep(moments.uniform(0.3, 2.5))
        with suppress(ProcessLookupError):
            proxy.kill()
    if way == "emulator":
        join(threads)
        deadline = time.monotonic() + 60
        while proxy.status()["emulator"]["pid"] in (None, emulator):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        proxy.wait_until("/_localstack/health", [200])
        return proxy
    proxy = proxy.again()
    join(threads)
    return proxy


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
