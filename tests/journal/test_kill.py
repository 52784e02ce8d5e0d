"""kill -9: at every single change of a file, and at random moments under load.

`REPLAY_KILLS=1000 pytest tests/journal/test_kill.py` runs more of the random ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from replay_proxy.journal.check import check
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal import samples
from tests.journal.disks import DyingFiles
from tests.journal.forks import Forks
from tests.journal.forks import forks as forks
from tests.journal.test_faults import Client, holds
from tests.support.processes import amount

KILLS = int(os.environ.get("REPLAY_KILLS", amount(12, 24)))
KILLS_A_RECORDING = 6
STRIDE = amount(2, 1)
"""Of how many steps one is killed at."""
SCRIPT = ["append", "blob", "append", "reopen", "together", "blob", "flush", "append"]


class TellingClient(Client):
    """Writes what it acknowledged to a file of its own, as a client in another process would know it."""

    def __init__(self, files: Files, strategy: str, log: Path) -> None:
        super().__init__(files, strategy)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def acknowledge(self, name: str) -> None:
        super().acknowledge(name)
        os.write(self.log, name.encode() + b"\n")


def work_until_killed(step: int, root: str, log: str, strategy: str) -> None:
    client = TellingClient(DyingFiles(Path(root), step), strategy, Path(log))

    async def run() -> None:
        await client.open()
        for action in SCRIPT:
            await client.do(action)
        await client.end()

    asyncio.run(run())


@pytest.mark.parametrize("strategy", ["ON_REQUEST", "SCHEDULED", "ON_SHUTDOWN"])
@pytest.mark.parametrize("begin", ["nothing", "torn", "legacy"])
def test_a_kill_at_every_step_loses_nothing_that_was_acknowledged(
    tmp_path: Path, forks: Forks, strategy: str, begin: str
) -> None:
    survived = 0
    for step in range(1, 400, STRIDE):
        root, log = tmp_path / str(step), tmp_path / f"{step}.log"
        root.mkdir()
        already = prepare(root, begin)
        killed = forks.killed(work_until_killed, step, str(root), str(log), strategy)
        acknowledged = log.read_text().split() if log.exists() else []
        asyncio.run(start_and_stop(root))
        holds(read(root), already + acknowledged)
        report = check(root)
        assert report.ok, report.findings
        if not killed:
            assert len(acknowledged) == 8
            survived = step
            break
    assert survived > 15


def prepare(root: Path, begin: str) -> list[str]:
    if begin == "torn":
        whole = samples.write_journal(root, [samples.create_queue("old"), samples.create_queue("torn")])
        (root / JOURNAL_NAME).write_bytes(whole[:-10])
        return ["old"]
    if begin == "legacy":
        call = {
            "a": "sqs",
            "m": "POST",
            "p": "/",
            "d": "eyJRdWV1ZU5hbWUiOiJvbGQifQ==",
            "h": {"X-Amz-Target": samples.TARGET},
        }
        (root / JOURNAL_NAME).write_text(json.dumps(call) + "\n")
        return ["old"]
    return []


async def start_and_stop(root: Path) -> None:
    await (await JournalWriter.open(root)).close()


WRITER = """
import asyncio, os, sys
from pathlib import Path
from tests.journal import samples
from tests.journal.test_faults import Client
from replay_proxy.journal.storage.files import Files

async def main():
    client = Client(Files(Path(sys.argv[1])), sys.argv[2])
    prefix = sys.argv[3]
    await client.open()
    os.write(1, b"ready\\n")
    number = 0
    async def load(worker):
        nonlocal number
        while True:
            number += 1
            name = f"q{prefix}-{number}"
            if worker == 0 and number % 3 == 0:
                await client.writer.blobs.put(os.urandom(20_000))
            await client.writer.append(samples.create_queue(name))
            os.write(1, name.encode() + b"\\n")
            await asyncio.sleep(0)
    await asyncio.gather(*(load(worker) for worker in range(8)))

asyncio.run(main())
"""


@pytest.mark.timeout(60 + 4 * KILLS)
def test_random_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Recordings, each killed and gone on with many times; after each kill, all that was acknowledged is there."""
    seed = int(os.environ.get("REPLAY_SEED", str(time.time_ns() % 1_000_000)))
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    total = torn = 0
    for kill in range(KILLS):
        root = tmp_path / f"r{kill // KILLS_A_RECORDING}"
        if not root.exists():
            total += len(acknowledged)
            acknowledged.clear()
        strategy = chance.choice(["ON_REQUEST", "SCHEDULED"])
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), strategy, str(kill)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.04))
        process.kill()
        # A last line without its line feed was not told to the end.
        told = process.stdout.read().decode().rpartition("\n")[0].split()
        process.wait()
        acknowledged.update(told)
        recording = read(root)
        torn += bool(recording.torn)
        found = {json.loads(record.request.body)["QueueName"] for record in recording}  # type: ignore[arg-type]
        assert acknowledged <= found, f"seed {seed}: {len(acknowledged - found)} lost at kill {kill}"
        assert (kill + 1) % KILLS_A_RECORDING or check(root).ok
    total += len(acknowledged)
    print(f"{KILLS} kills, {total} acknowledged calls, 0 lost, {torn} torn tails; seed {seed}")
    assert total > KILLS
