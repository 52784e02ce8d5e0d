"""The child process that examines (`examiner_worker`), as the proxy sees it: it asks, until it has a document."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import orjson

from replay_proxy.client_environment import client_url
from replay_proxy.control.doctor.messages import LINE_BYTES_MAX, answer_of, read_question
from replay_proxy.errors import EmulatorError, ReplayProxyError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.lifecycle.repair import repeat_calls
from replay_proxy.proxy.lifecycle.repair_progress import RepairProgress
from replay_proxy.proxy.lifecycle.restoring.trial_emptying import Delete
from replay_proxy.proxy.observation.questions import Questions
from replay_proxy.wire.signing.sigv4 import Credential

TIMEOUT_S: Final = 600.0
REMOVAL_TIMEOUT_S: Final = 3600.0
"""One resource is deleted after the other."""
KEPT_RESOURCES_MAX: Final = 10_000
"""Of the latest diagnosis, which is kept for whoever asks: about 1 KB each."""


async def examine(
    proxy: Proxy,
    services: Collection[str] = (),
    *,
    repair: bool = False,
    before_save: bool = False,
    smoke: Mapping[str, Any] | None = None,
    remove: bool = False,
    until: int | None = None,
    endpoint: str = "",
) -> dict[str, Any]:
    """Return the document of a diagnosis (`reports.doctor_document`), or of a repair.

    One of everything is kept (`Proxy.diagnosis`). before_save: with what is under way. smoke: smoke tests to be carried out
    (`doctor.smoke.document`), instead of all else. remove: delete what is recorded, instead of all else (`doctor.removal`).
    until: what records up to this number made; all of it where it is None. endpoint: that commands are for; where the proxy says
    that it listens, if it is empty.

    Raises:
        EmulatorError: the emulator does not answer, or no process can be started. RecordingError, StorageError: the recording
        cannot be read.
    """
    progress = RepairProgress()
    if repair:
        proxy.repair = progress
    writer = None if proxy.recording is None else proxy.recording.writer
    options = {
        "services": sorted(services),
        "repair": repair,
        "before_save": before_save,
        "smoke": smoke,
        "remove": remove,
        "seen_right": proxy.seen_right,
        "until": until,
        "endpoint": endpoint or client_url(proxy.settings.listen.host, proxy.settings.listen.port),
        "with_pending": writer is not None and writer.has_pending,
    }
    command = [sys.executable, "-m", "replay_proxy.control.doctor.examiner_worker", str(proxy.settings.data_dir)]
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, start_new_session=True, limit=LINE_BYTES_MAX
        )
    except OSError as error:
        raise EmulatorError(f"no process can be started: {error}", hint="look at the limits of this user") from error
    try:
        async with asyncio.timeout(REMOVAL_TIMEOUT_S if remove else TIMEOUT_S), AsyncExitStack() as stack:
            if smoke is not None and proxy.observer is not None:
                await stack.enter_async_context(proxy.observer.at_rest())
            assert child.stdin is not None
            child.stdin.write(orjson.dumps(options, option=orjson.OPT_APPEND_NEWLINE))
            document = await _serve(proxy, child, progress)
            proxy.seen_right = document.pop("seen_right", proxy.seen_right)
            if smoke is None and not remove and not services:
                found = document.get("after", document)
                proxy.diagnosis = {**found, "tree": found["tree"][:KEPT_RESOURCES_MAX]}
            return document
    except TimeoutError as error:
        raise EmulatorError("the examination has taken too long", hint="examine single services: --services") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        progress.running = False


def deletion(proxy: Proxy) -> Delete:
    """Return what deletes everything that is recorded (`doctor.removal`)."""

    async def delete(services: Sequence[str] = (), *, until: int | None = None) -> Mapping[str, Any]:
        return await examine(proxy, services, remove=True, until=until)

    return delete


async def _serve(proxy: Proxy, child: Process, progress: RepairProgress) -> dict[str, Any]:
    """Answer what the child asks, until it has a document. progress: notes what a repair has made."""
    assert child.stdout is not None
    assert child.stdin is not None
    questions = Questions(proxy.engine.translator, proxy.upstream, proxy.settings.call_timeout)
    answering: set[asyncio.Task[None]] = set()

    async def ask(head: CallHead | None, request: Request, credential: Credential) -> Answer:
        if head is None:
            return await proxy.engine.translator.ask(request, None)
        return await questions.ask(head, request, credential)

    async def answer(asked: dict[str, Any]) -> None:
        told: dict[str, Any]
        try:
            if "ask" in asked:
                told = {"answer": answer_of(await ask(*read_question(asked["ask"])))}
            else:
                before = len(progress.made)
                await repeat_calls(proxy, asked["repeat"], progress.made)
                told = {"repeated": progress.made[before:]}
        except (OSError, TimeoutError, ReplayProxyError) as error:
            told = {"error": str(error) or type(error).__name__}
        with suppress(ConnectionError):
            assert child.stdin is not None
            child.stdin.write(orjson.dumps({"id": asked["id"], **told}, option=orjson.OPT_APPEND_NEWLINE))
            await child.stdin.drain()

    try:
        while line := await child.stdout.readline():
            message: dict[str, Any] = orjson.loads(line)
            if "document" in message:
                document: dict[str, Any] = message["document"]
                return document
            if "failed" in message:
                raise EmulatorError(message["failed"], hint=message["hint"])
            if "planned" in message:
                progress.planned += message["planned"]
                continue
            if "made" in message:
                progress.made += message["made"]
                continue
            task = asyncio.create_task(answer(message))
            answering.add(task)
            task.add_done_callback(answering.discard)
    finally:
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
    raise EmulatorError(
        f"the process that examines has ended with {await child.wait()}", hint="its error is in the log of the proxy"
    )
