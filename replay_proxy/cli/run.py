"""Run a command against an emulator with a memory: start proxy and emulator, restore, run COMMAND, stop.

  replay-proxy run -- terraform apply -auto-approve     an embedded moto, with the recording in ./recordings
  replay-proxy run --emulator ministack -- pytest       another emulator
  replay-proxy run --data-dir state -- sh -c 'aws s3 mb s3://uploads && aws s3 ls'
  replay-proxy run --intercept -- ./old-tool            a command that knows no endpoint setting

COMMAND runs when the state is restored, with AWS_ENDPOINT_URL set to the proxy; with --intercept, with HTTPS_PROXY and
what else it needs to come by the interception door. The proxy listens on port 4566, or on a free
port where that one is taken. COMMAND keeps the terminal; nothing but its own output goes to standard output.
The exit code is COMMAND's, or 128 + N where signal N ended it; 126 and 127 as in a shell where it cannot be run or is not
found.
The proxy's own failures have the exit codes of `serve`, and COMMAND does not run then.
SIGTERM is passed on to COMMAND. What is typed at the terminal (Ctrl-C) reaches COMMAND by itself, and the proxy waits for
it to end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay_proxy.cli.serving import serve_until, serving_settings
from replay_proxy.config import Settings, add_options
from replay_proxy.errors import ReplayProxyError, UsageError
from replay_proxy.settings.interception import DEFAULT_PORT

if TYPE_CHECKING:
    from replay_proxy.client_environment import ClientEnvironment
    from replay_proxy.proxy.lifecycle.proxy import Proxy

CANNOT_RUN, NOT_FOUND, SIGNALLED = 126, 127, 128
END_TIMEOUT_S = 10.0
"""How long COMMAND may take to end where the proxy has failed under it."""


class _CommandError(ReplayProxyError):
    """COMMAND cannot be run."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `run`."""
    add_options(parser, "run")
    parser.add_argument("command", metavar="-- COMMAND ...", nargs="*", help="what is run once the state is restored")


def run(args: argparse.Namespace) -> int:
    """Run the command, and return its exit code."""
    if not args.command:
        raise UsageError(
            "run needs a command", hint="put it after the options: replay-proxy run [OPTIONS] -- COMMAND ARGUMENT ..."
        )
    if args.intercept == "" and not os.environ.get("REPLAY_INTERCEPT"):
        args.intercept = f"{DEFAULT_PORT}+"
    settings = serving_settings(args, {"listen": "127.0.0.1:4566+"})
    _check_command(args.command[0])
    from replay_proxy.cli.loop import run_loop

    command = _Command(args.command)
    run_loop(command.run(settings))
    return command.exit_code


def _clients_of(proxy: Proxy) -> ClientEnvironment:
    """Return what the environment of a command needs in order to reach the proxy."""
    from replay_proxy.client_environment import client_environment, client_url

    door = proxy.interception_door
    if door is None:
        return client_environment(client_url(*proxy.door.address), os.environ)
    from replay_proxy.proxy.intercept.clients import environment_for_door

    return environment_for_door(door.address, door.socks_address, os.environ, proxy.settings.ca_directory)


def _check_command(name: str) -> None:
    """Raise what a shell would say of a command, before an emulator is started for it."""
    if shutil.which(name) is not None:
        return
    if os.sep in name and Path(name).exists():
        raise _CommandError(f"{name!r} cannot be run", "is it executable? `ls -l` shows it", CANNOT_RUN)
    raise _CommandError(f"there is no command {name!r}", "check its spelling, and PATH", NOT_FOUND)


class _Command:
    """A command beside the proxy. exit_code: that of `run`, once it has ended."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._process: asyncio.subprocess.Process | None = None
        self.exit_code = 0

    async def run(self, settings: Settings) -> None:
        """Run the proxy, and in it the command.

        Raises:
            ReplayProxyError: the proxy failed. Where the command had ended with an exit code of its own, that one counts.
        """
        stopped = asyncio.Event()
        ready: asyncio.Future[Proxy] = asyncio.get_running_loop().create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled, number, stopped)
        serving = asyncio.create_task(serve_until(stopped, settings, [], ready.set_result))
        working = asyncio.create_task(self._run_when(ready, serving, stopped))
        try:
            await serving
        except ReplayProxyError as error:
            await self._end()
            await working
            if self.exit_code:
                error.exit_code = self.exit_code
            raise
        finally:
            await working

    async def _run_when(
        self, ready: asyncio.Future[Proxy], serving: asyncio.Task[None], stopped: asyncio.Event
    ) -> None:
        """Wait until the proxy is ready, run the command, and stop the proxy."""
        first: set[asyncio.Future[Any]] = {ready, serving}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        try:
            if ready.done() and not stopped.is_set():
                await self._work(ready.result(), stopped)
        finally:
            ready.cancel()
            stopped.set()

    async def _work(self, proxy: Proxy, stopped: asyncio.Event) -> None:
        from replay_proxy.client_environment import write_aws_command

        environment = (await asyncio.to_thread(_clients_of, proxy)).applied_to(os.environ)
        with tempfile.TemporaryDirectory(prefix="replay-proxy-") as folder:
            # Whatever its version is: to ask it takes a second, and on a busy machine too long.
            if "AWS_ENDPOINT_URL" in environment and (aws := shutil.which("aws", path=environment.get("PATH"))):
                write_aws_command(Path(folder), aws)
                environment["PATH"] = folder + os.pathsep + (environment.get("PATH") or os.defpath)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._words,
                    env=environment,
                    executable=shutil.which(self._words[0], path=environment.get("PATH")),
                )
            except OSError as error:
                print(f"error: {self._words[0]!r} cannot be run: {error.strerror}", file=sys.stderr)
                self.exit_code = CANNOT_RUN
                return
            if stopped.is_set():  # by a signal that came while the command was being started
                self._process.terminate()
            status = await self._process.wait()
        self.exit_code = SIGNALLED - status if status < 0 else status

    def _signalled(self, number: int, stopped: asyncio.Event) -> None:
        """Pass a signal on to the command; without one, stop."""
        if self._process is None:
            self.exit_code = SIGNALLED + number
            stopped.set()
        elif self._process.returncode is None and number == signal.SIGTERM:
            self._process.terminate()

    async def _end(self) -> None:
        """End a command whose proxy has failed."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_TIMEOUT_S)
        except TimeoutError:
            process.kill()
