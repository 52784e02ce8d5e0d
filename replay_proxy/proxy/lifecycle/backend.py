"""The emulator behind the proxy: managed (a child process), or external (somebody else runs it).

Both do the same things: bring it up, and tell when it may have lost its memory. A managed emulator's process tells that; of
an external one, a broken connection (`emulators.liveness`) or a request that could not be delivered.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.emulators.environment import FOR_COMMANDS, left_out
from replay_proxy.emulators.kinds import Launch, launch_of
from replay_proxy.emulators.liveness import wait_until_disconnected
from replay_proxy.emulators.process import EmulatorProcess, free_port
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.emulators.reset import ResetEndpoint, Send, empty, reset_endpoint_of
from replay_proxy.emulators.seeds import Seeds
from replay_proxy.errors import EmulatorError, UsageError
from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.wording import duration

_log = log.get("emulator")

DEFAULT_EMULATOR = "moto"
PROBE_TIMEOUT_S = 5.0
RESET_TIMEOUT_S = 60.0
SEED_POLL_INTERVAL_S = 0.1

Emptying = Callable[[], Awaitable[None]]
"""Makes the emulator forget everything. Raises EmulatorError, OSError or TimeoutError where it did not."""


class Backend(Protocol):
    """The emulator behind the proxy.

    url: its base URL. name: for people. may_keep_state: it may come back, or be found, with its state.
    """

    url: str
    name: str
    may_keep_state: bool

    @property
    def pid(self) -> int | None:
        """The process id of a managed emulator; None where it does not run, or is external."""

    async def up(self, upstream: UpstreamClient) -> None:
        """Start it where it is managed, and wait until it answers. Raises EmulatorError."""

    async def lost(self) -> str:
        """Wait until it may have lost its memory. Return why that is thought."""

    async def emptying(self, upstream: UpstreamClient, *, by_own_reset: bool = False) -> Emptying:
        """Return what makes it forget everything; nothing is done yet.

        by_own_reset: by its own reset, where one is known, also where the proxy could start it anew.
        It must not be carried out while `lost` is awaited.

        Raises:
            UsageError: there is no way that is known. OSError, TimeoutError: it does not answer.
        """

    async def down(self) -> None:
        """Stop it where it is managed."""


async def reachable(upstream: UpstreamClient) -> bool:
    """Return whether the emulator gives any HTTP answer within `PROBE_TIMEOUT_S`."""
    try:
        return await probe(upstream)
    except (ConnectionError, TimeoutError):
        return False


async def probe(upstream: UpstreamClient) -> bool:
    """Return True where the emulator gives any HTTP answer within `PROBE_TIMEOUT_S`. Raises ConnectionError, TimeoutError."""
    async with asyncio.timeout(PROBE_TIMEOUT_S):
        answer = await upstream.send("GET", "/_localstack/health", Headers((("Host", "localhost"),)))
        await answer.aclose()
    return True


def reset_sender(upstream: UpstreamClient) -> Send:
    """Return what sends the requests of a reset to the emulator, each with a bound to its time."""

    async def send(request: Request) -> Answer:
        limit_s = RESET_TIMEOUT_S if request.method == "POST" else PROBE_TIMEOUT_S
        try:
            async with asyncio.timeout(limit_s):
                return await upstream.exchange(request)
        except TimeoutError as error:
            what = f"{request.method} {request.target}"
            raise TimeoutError(f"the emulator gave no answer to {what} in {duration(limit_s)}") from error

    return send


async def wait_until_seeded(
    upstream: UpstreamClient, seeds: Seeds, timeout_s: float, died: Callable[[], str | None] = lambda: None
) -> None:
    """Wait until the emulator has made what it makes by itself, at most so long; a warning says where it has not.

    seeds: asks it. died: tells, as text, that the emulator has ended.
    """
    send = reset_sender(upstream)
    deadline, waits = time.monotonic() + timeout_s, False
    while died() is None:
        with suppress(OSError):
            if await seeds.are_done(send):
                return
        if time.monotonic() > deadline:
            _log.warning(
                "the emulator has not finished what it makes by itself at its start; going on without",
                waited=duration(timeout_s),
                hint="--ready-timeout waits longer; --ready-path names another path that tells",
            )
            return
        if not waits:
            _log.info("waiting until the emulator has run its own init scripts")
            waits = True
        await asyncio.sleep(SEED_POLL_INTERVAL_S)


def _start_anew(upstream: UpstreamClient, endpoint: ResetEndpoint, seeds: Seeds, timeout_s: float) -> Emptying:
    """Return what empties the emulator by its reset endpoint, and waits for what it makes by itself."""

    async def start_anew() -> None:
        await empty(reset_sender(upstream), endpoint)
        await wait_until_seeded(upstream, seeds, timeout_s)

    return start_anew


class ManagedEmulator:
    """An emulator that the proxy starts, and starts again when it dies.

    scratch: a directory of its own, which is made when it starts, empty each time, and removed with it.
    """

    def __init__(
        self,
        launch: Launch,
        url: str,
        *,
        show_output: bool,
        ready_timeout: float,
        ready_path: str,
        scratch: Path | None,
    ) -> None:
        self.url = url
        self.name = launch.name
        # What a user's own command starts may keep its state in files or volumes of its own.
        self.may_keep_state = scratch is None
        self._process = EmulatorProcess(launch, show_output=show_output, scratch=scratch)
        self._unlogged = dict(left_out(os.environ, launch.withheld))
        self._ready_timeout = ready_timeout
        self._ready_path = ready_path
        self._seeds = Seeds(ready_path)
        self._reset_endpoint: ResetEndpoint | None = None
        self._scratch = scratch

    @property
    def pid(self) -> int | None:
        """The process id of a managed emulator; None where it does not run, or is external."""
        return self._process.pid

    async def up(self, upstream: UpstreamClient) -> None:
        """Start it and wait until it answers."""
        self._log_what_is_left_out()
        if self._scratch is not None:
            # What an earlier life has left there must not come back beside what is restored.
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
            self._make_scratch(self._scratch)
        await self._process.start()
        self._seeds, self._reset_endpoint = Seeds(self._ready_path), None

        def died() -> str | None:
            return None if self._process.pid is not None else self._process.last_output

        try:
            await wait_until_ready(lambda: probe(upstream), self._ready_timeout, address=self.url, died=died)
            await wait_until_seeded(upstream, self._seeds, self._ready_timeout, died)
        except EmulatorError:
            await self._process.stop()
            raise

    def _make_scratch(self, scratch: Path) -> None:
        try:
            scratch.mkdir(mode=0o700)
        except OSError as error:
            raise EmulatorError(
                f"the directory for {self.name}'s own files cannot be made: {scratch}: {error.strerror or error}",
                hint="TMPDIR names another place for it",
            ) from error

    def _log_what_is_left_out(self) -> None:
        for name, why in self._unlogged.items():
            _log.info(f"{self.name} does not get {name} from the environment", reason=why)
        self._unlogged = {}

    async def lost(self) -> str:
        """Wait for the end of the process. Return how it ended."""
        status = await self._process.wait()
        await self._process.stop()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"{self.name} ended {how}"

    async def emptying(self, upstream: UpstreamClient, *, by_own_reset: bool = False) -> Emptying:
        """Return what starts it anew, or empties it where that is wanted, or where it may keep its state over a start."""
        if by_own_reset or self.may_keep_state:
            # It is the same program for as long as it lives, so it is not asked again what it is.
            try:
                self._reset_endpoint = self._reset_endpoint or await reset_endpoint_of(reset_sender(upstream))
            except OSError:
                if self.may_keep_state:
                    raise
                _log.info(f"{self.name} does not say in time how it is emptied; it is started anew")
            if self._reset_endpoint is not None:
                return _start_anew(upstream, self._reset_endpoint, self._seeds, self._ready_timeout)

        async def restart() -> None:
            await self._process.stop()
            await self.up(upstream)

        return restart

    async def down(self) -> None:
        """Stop it."""
        await self._process.stop()
        if self._scratch is not None:
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)


class ExternalEmulator:
    """An emulator that somebody else runs."""

    pid = None
    may_keep_state = True

    def __init__(self, url: str, *, ready_timeout: float, ready_path: str = "") -> None:
        self.url = url
        self.name = "emulator"
        self._ready_timeout = ready_timeout
        self._ready_path = ready_path
        self._unreachable = asyncio.Event()

    async def up(self, upstream: UpstreamClient) -> None:
        """Wait until it answers."""
        await wait_until_ready(lambda: probe(upstream), self._ready_timeout, address=self.url)
        await wait_until_seeded(upstream, Seeds(self._ready_path), self._ready_timeout)
        self._unreachable.clear()

    def report_unreachable(self) -> None:
        """Note that a request found nobody."""
        self._unreachable.set()

    async def lost(self) -> str:
        """Wait until a request found nobody, or the connection broke. Return which."""
        unreachable = asyncio.create_task(self._unreachable.wait())
        connection: asyncio.Task[bool] | None = None
        try:
            while not unreachable.done():
                connection = asyncio.create_task(wait_until_disconnected(self.url))
                await asyncio.wait({unreachable, connection}, return_when=asyncio.FIRST_COMPLETED)
                if connection.done() and connection.result():
                    return "the connection to the emulator was closed"
            return "the emulator cannot be reached"
        finally:
            unreachable.cancel()
            if connection is not None:
                connection.cancel()

    async def emptying(self, upstream: UpstreamClient, *, by_own_reset: bool = False) -> Emptying:
        """Return what calls the reset endpoint of the emulator. Raises UsageError where none is known."""

        send = reset_sender(upstream)
        endpoint = await reset_endpoint_of(send)
        if endpoint is None:
            raise UsageError(
                f"the emulator at {self.url} has no way that is known to empty it; nothing was done",
                hint="restart the emulator: the recorded state is restored then",
            )
        return _start_anew(upstream, endpoint, Seeds(self._ready_path), self._ready_timeout)

    async def down(self) -> None:
        """Do nothing: it is left running."""


def backend_of(settings: Settings, command: Sequence[str]) -> Backend:
    """Return the backend that the settings ask for.

    Raises:
        EmulatorError: an emulator that is not installed.
    """
    if command:
        assert settings.upstream is not None
        launch = Launch(Path(command[0]).name, tuple(command), withheld=FOR_COMMANDS)
        return ManagedEmulator(
            launch,
            settings.upstream,
            show_output=True,
            ready_timeout=settings.ready_timeout,
            ready_path=settings.ready_path,
            scratch=None,
        )
    if settings.upstream is not None:
        return ExternalEmulator(settings.upstream, ready_timeout=settings.ready_timeout, ready_path=settings.ready_path)
    port = free_port()
    scratch = Path(tempfile.gettempdir()) / f"replay-proxy-{secrets.token_hex(8)}"
    launch = launch_of(settings.emulator or DEFAULT_EMULATOR, port, scratch, settings.emulator_python)
    return ManagedEmulator(
        launch,
        f"http://127.0.0.1:{port}",
        show_output=False,
        ready_timeout=settings.ready_timeout,
        ready_path=settings.ready_path,
        scratch=scratch,
    )
