"""A story that is told through the proxy, with an end and a new beginning in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.support.clients import client
from tests.support.processes import Proxy, localstack_python

QUIET = 0.3
"""Seconds without a new record after which the witnesses are taken to be written: they are recorded off the latency path."""


class Story:
    """A proxy with a supervised emulator, and clients that go through it.

    emulator: its name.
    """

    def __init__(self, start: Callable[..., Proxy], emulator: str, *options: str) -> None:
        self.emulator = emulator
        self._start = start
        self._options = ["--emulator", emulator, *options]
        if emulator == "localstack":
            self._options += ["--emulator-python", str(localstack_python())]
        self.proxy = start(*self._options)
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = "us-east-1") -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = client(service, self.proxy.url, region=region)
        return self._clients[service, region]

    def restart(self) -> dict[str, Any]:
        """SIGKILL for proxy and emulator, and both again; the account of the restore, which has no problems."""
        self._settle()
        self.proxy.kill_all()
        self.proxy = self._start(*self._options, port=self.proxy.port)
        report: dict[str, Any] = self.proxy.status()["last_restore"]
        assert report["problems"] == [], report
        return report

    def survives(self, read: Callable[[], Any]) -> Any:
        """What `read` shows is the same after a restart; it is returned."""
        before = read()
        self.restart()
        after = read()
        assert after == before, f"before: {before}\nafter: {after}"
        return before

    def _settle(self) -> None:
        journal = self.proxy.journal
        deadline = time.monotonic() + 10
        while journal.exists() and time.time() - journal.stat().st_mtime < QUIET and time.monotonic() < deadline:
            time.sleep(0.05)


def until(found: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `found` gives, as soon as it gives anything."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return value
