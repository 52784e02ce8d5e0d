"""Recordings to restore: made once by driving a real proxy in front of a real emulator, and kept in `.cache/bench`.

A recording is made again when what makes it changes (the history, what records it, the versions of emulator and boto3).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import history, old_algorithm, processes
from bench.census import census
from bench.processes import ROOT

CACHE = ROOT / ".cache" / "bench"
ALIVE_INFRASTRUCTURE = 0.25


@dataclass(frozen=True)
class Made:
    """A recording that was made, in our format and in the legacy one.

    calls, infrastructure: how many calls it is made of. state: what there was at its end (`census`).
    seconds: that recording it took.
    """

    directory: Path
    emulator: str
    calls: int
    infrastructure: int
    seconds: float
    state: dict[str, str]

    @property
    def data_dir(self) -> Path:
        """Our recording. To be copied before it is used: a restore leaves a session in it."""
        return self.directory / "recording"

    @property
    def legacy(self) -> Path:
        """The same history as LocalStack wrote it down."""
        return self.directory / "legacy.json"

    def copy(self, target: Path) -> Path:
        """The recording as it is after a restart of everything."""
        shutil.copytree(self.data_dir, target)
        (target / "session.json").unlink(missing_ok=True)
        return target


def worst(emulator: str, size: float = 1.0) -> Made:
    """The worst history that was reported, or a smaller one of the same mixture, recorded in front of `emulator`."""
    calls = round(history.CALLS * size)

    def make(call: history.Counted) -> int:
        made = history.build(call, size)
        infrastructure = call.total
        history.traffic(call, made, calls - infrastructure, size)
        return infrastructure

    return _cached(emulator, f"worst-{calls}", make)


def all_alive(emulator: str, calls: int) -> Made:
    """A small infrastructure and `calls` calls of data, all of which are alive."""

    def make(call: history.Counted) -> int:
        made = history.build(call, ALIVE_INFRASTRUCTURE)
        infrastructure = call.total
        history.alive(call, made, calls)
        return infrastructure

    return _cached(emulator, f"alive-{calls}", make)


def named(emulator: str, name: str, make: Make) -> Made:
    """The history that `make` makes, kept under `name`."""
    return _cached(emulator, name, make)


Make = Callable[[history.Counted], int]
"""Makes a history; how many calls of infrastructure it began with."""


def _cached(emulator: str, name: str, make: Make) -> Made:
    directory = CACHE / f"{emulator}-{name}-{_print(emulator)}"
    told = directory / "made.json"
    if not told.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in CACHE.glob(f"{emulator}-{name}-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            made = _record(emulator, make, Path(scratch))
            directory.mkdir()
            (Path(scratch) / "recording").rename(directory / "recording")
            (Path(scratch) / "legacy.json").rename(directory / "legacy.json")
        told.write_text(json.dumps(made))
    return Made(directory=directory, **json.loads(told.read_text()))


def _record(emulator: str, make: Make, scratch: Path) -> dict[str, Any]:
    with processes.emulator(emulator, scratch) as behind:
        # The whole history is to be restored, and not what a compaction in the background left of it.
        options = ("--save-strategy", "ON_SHUTDOWN", "--compact-percentage", "0")
        front = processes.proxy(behind.url, scratch / "recording", *options, log=scratch / "log")
        with front:
            begun = time.perf_counter()
            legacy = old_algorithm.Recorder(scratch / "legacy.json")
            call = history.Counted(history.Clients(front.url, legacy.client))
            infrastructure = make(call)
            seconds = time.perf_counter() - begun
            legacy.close()
        state = census(history.Clients(behind.url))
    figures = {"calls": call.total, "infrastructure": infrastructure, "seconds": round(seconds, 1)}
    return {"emulator": emulator, "state": state, **figures}


def _print(emulator: str) -> str:
    """What the recording depends on, as a short text."""
    here = Path(__file__).parent
    parts = [
        (here / name).read_bytes()
        for name in ("recordings.py", "history.py", "ordering.py", "old_algorithm.py", "census.py")
    ]
    parts += [importlib.metadata.version(name).encode() for name in (emulator, "boto3")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
