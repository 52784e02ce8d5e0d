"""What stands behind the proxy: an emulator that is our child, or one that somebody else runs.

Both are asked the same things: bring it up, and tell when it may have lost its memory. For a child its process tells; for
somebody else's, a broken line (`emulators.line`) or a request that found nobody.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.emulators.kinds import Launch, launch_of
from replay_proxy.emulators.line import line_broken
from replay_proxy.emulators.process import EmulatorProcess, free_port
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.errors import EmulatorError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.upstream import Upstream

_log = log.get("emulator")

DEFAULT_EMULATOR = "moto"
PROBE_SECONDS = 5.0


class Backend(Protocol):
    """The emulator behind the proxy.

    url: its base URL. name: for people. pid: of our child, None where it is not one.
    """

    url: str
    name: str

    @property
    def pid(self) -> int | None:
        """The process id of our child."""

    async def up(self, upstream: Upstream) -> None:
        """Start it where it is ours, and wait until it answers. Raises EmulatorError."""

    async def lost(self) -> str:
        """Wait until it may have lost its memory; why that is thought."""

    async def down(self) -> None:
        """Stop it where it is ours."""


async def reachable(upstream: Upstream) -> bool:
    """Does the emulator give any HTTP answer within `PROBE_SECONDS`?"""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            answer = await upstream.send("GET", "/_localstack/health", Headers((("Host", "localhost"),)))
            await answer.aclose()
    except (ConnectionError, TimeoutError):
        return False
    return True


class Child:
    """An emulator that the proxy starts, and starts again when it dies."""

    def __init__(self, launch: Launch, url: str, *, show_output: bool, ready_timeout: float, scratch: Path) -> None:
        self.url = url
        self.name = launch.name
        self._process = EmulatorProcess(launch, show_output=show_output)
        self._ready_timeout = ready_timeout
        self._scratch = scratch

    @property
    def pid(self) -> int | None:
        """The process id of our child."""
        return self._process.pid

    async def up(self, upstream: Upstream) -> None:
        """Start it and wait until it answers."""
        await self._process.start()

        def died() -> str | None:
            return None if self._process.pid is not None else self._process.last_output

        try:
            await wait_until_ready(lambda: reachable(upstream), self._ready_timeout, address=self.url, died=died)
        except EmulatorError:
            await self._process.stop()
            raise

    async def lost(self) -> str:
        """Wait for the end of the process."""
        status = await self._process.wait()
        await self._process.stop()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"{self.name} ended {how}"

    async def down(self) -> None:
        """Stop it."""
        await self._process.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Stranger:
    """An emulator that somebody else runs."""

    pid = None

    def __init__(self, url: str, *, ready_timeout: float) -> None:
        self.url = url
        self.name = "emulator"
        self._ready_timeout = ready_timeout
        self._unreachable = asyncio.Event()

    async def up(self, upstream: Upstream) -> None:
        """Wait until it answers."""
        await wait_until_ready(lambda: reachable(upstream), self._ready_timeout, address=self.url)
        self._unreachable.clear()

    def report_unreachable(self) -> None:
        """A request found nobody."""
        self._unreachable.set()

    async def lost(self) -> str:
        """Wait until a request found nobody, or the line broke."""
        unreachable = asyncio.create_task(self._unreachable.wait())
        line: asyncio.Task[bool] | None = None
        try:
            while not unreachable.done():
                line = asyncio.create_task(line_broken(self.url))
                await asyncio.wait({unreachable, line}, return_when=asyncio.FIRST_COMPLETED)
                if line.done() and line.result():
                    return "the connection to the emulator was closed"
            return "the emulator cannot be reached"
        finally:
            unreachable.cancel()
            if line is not None:
                line.cancel()

    async def down(self) -> None:
        """Nothing of it is ours."""


def backend_of(settings: Settings, command: Sequence[str]) -> Backend:
    """The backend that the settings ask for.

    Raises:
        EmulatorError: an emulator that is not installed.
    """
    if command:
        assert settings.upstream is not None
        scratch = Path(tempfile.mkdtemp(prefix="replay-proxy-"))
        launch = Launch(Path(command[0]).name, tuple(command), {})
        return Child(launch, settings.upstream, show_output=True, ready_timeout=settings.ready_timeout, scratch=scratch)
    if settings.upstream is not None:
        return Stranger(settings.upstream, ready_timeout=settings.ready_timeout)
    port = free_port()
    scratch = Path(tempfile.mkdtemp(prefix="replay-proxy-"))
    launch = launch_of(settings.emulator or DEFAULT_EMULATOR, port, scratch, settings.emulator_python)
    return Child(
        launch,
        f"http://127.0.0.1:{port}",
        show_output=False,
        ready_timeout=settings.ready_timeout,
        scratch=scratch,
    )
