"""The child process that examines: `python -m replay_proxy.control.doctor.examiner_worker DIR`.

The first line of its standard input are its options, as JSON: `{"services": ["sqs"], "repair": true, "before_save": false,
"smoke": null, "remove": false, "until": null, "endpoint": "http://127.0.0.1:4566", "seen_right": {}, "with_pending": false}`.
What is said after that is in `messages`. It has a low priority, and ends with its parent.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.control.doctor.messages import LINE_BYTES_MAX, question_of, read_answer
from replay_proxy.control.doctor.recorded_facts import RecordedFacts
from replay_proxy.control.doctor.smoke_results import smoke_results
from replay_proxy.doctor.asking import Asker
from replay_proxy.doctor.diagnosis import Diagnosis, Update
from replay_proxy.doctor.examination import Examination
from replay_proxy.doctor.removal import Removal
from replay_proxy.errors import EmulatorError, ReplayProxyError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.priority import give_way
from replay_proxy.reports.doctor_document import doctor_document
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.wire.signing.sigv4 import Credential

ROUNDS: Final = 3
"""Of a repair. What is made anew may get another identifier, which what refers to it has to be given in the next round."""


class Parent:
    """The proxy that started this process."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.StreamReader | None = None

    async def options(self) -> dict[str, Any]:
        """Return what is to be done: the first thing that the proxy says."""
        self._reader = reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        found: dict[str, Any] = orjson.loads(await reader.readline())
        return found

    async def listen(self) -> None:
        """Take the answers of the proxy, until it ends."""
        assert self._reader is not None
        while line := await self._reader.readline():
            told = orjson.loads(line)
            waiting = self._waiting.pop(told["id"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(told)
        os._exit(1)  # the proxy has ended: nobody wants to know

    async def ask(self, head: CallHead | None, request: Request, credential: Credential) -> Answer:
        """Have the proxy send a request, which is not recorded. Raises EmulatorError where there is no answer."""
        told = await self._say({"ask": question_of(head, request, credential)})
        return read_answer(told["answer"])

    async def repeat(self, seqs: list[int]) -> list[dict[str, Any]]:
        """Have the proxy make recorded calls again; return what became of each. Raises EmulatorError."""
        found: list[dict[str, Any]] = (await self._say({"repeat": seqs}))["repeated"]
        return found

    async def _say(self, message: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        tell({"id": number, **message})
        told = await answer
        if "error" in told:
            raise EmulatorError(f"the emulator does not answer: {told['error']}", hint="is it running?")
        return told


def tell(message: dict[str, Any]) -> None:
    """Write a line to the proxy."""
    sys.stdout.buffer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.buffer.flush()


async def work(data_dir: Path) -> dict[str, Any]:
    """Return the document that the proxy has asked for. Raises ReplayProxyError."""
    parent = Parent()
    options = await parent.options()
    listening = asyncio.create_task(parent.listen())
    try:
        if options["smoke"] is not None:
            return {"smoke": await smoke_results(parent.ask, options["smoke"])}
        if options.get("remove"):
            return await remove(parent, data_dir, options["services"], options.get("until"))
        return await examine(parent, data_dir, options)
    finally:
        listening.cancel()


async def remove(parent: Parent, data_dir: Path, services: list[str], until: int | None) -> dict[str, Any]:
    """Delete what calls made that were recorded up to a number. Return how many resources are gone, and what is left.

    Raises ReplayProxyError.
    """
    facts = await asyncio.to_thread(RecordedFacts, data_dir)
    model = await asyncio.to_thread(facts.model_of_emulator, until)
    gone, left = await Removal(model, parent.ask, facts.facts, services).run()
    return {
        "deleted": gone,
        "left": [{"resource": model.id(each.resource), "reason": each.reason} for each in left],
    }


async def examine(parent: Parent, data_dir: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a diagnosis; of a repair, with `before`, `repeated` and `after`. Raises ReplayProxyError."""
    facts = await asyncio.to_thread(RecordedFacts, data_dir, with_pending=bool(options.get("with_pending")))
    model = await asyncio.to_thread(facts.model)

    seen_right = options.get("seen_right") or {}

    async def diagnosis() -> Diagnosis:
        nonlocal seen_right
        services, before_save = options.get("services", ()), bool(options.get("before_save"))
        examination = Examination(
            model, parent.ask, facts.facts, services=services, before_save=before_save, seen_right=seen_right
        )
        found = await examination.run()
        seen_right = found.seen_right
        return found

    def document(found: Diagnosis) -> dict[str, Any]:
        return doctor_document(model, found, facts.command, options["endpoint"])

    first = after = await diagnosis()
    if not options.get("repair"):
        return {**document(first), "seen_right": seen_right}
    repeated: list[dict[str, Any]] = []
    for _round in range(ROUNDS):
        before = after
        asker = Asker(parent.ask, facts.facts, 1)
        seqs = sorted({seq for finding in before.findings for seq in finding.repair})
        single = [each for finding in before.findings for each in (finding.before, finding.update) if each is not None]
        tell({"planned": len(seqs) + len(single)})
        repeated += await _updates(model, {each.resource: each.before for each in before.findings}.items(), asker)
        repeated += await parent.repeat(seqs) if seqs else []
        repeated += await _updates(model, [(each.resource, each.update) for each in before.findings], asker)
        after = await diagnosis()
        if after.is_sound or after.findings == before.findings:
            break
    found = {"before": document(first), "repeated": repeated, "after": document(after)}
    return {**found, "seen_right": seen_right}


async def _updates(
    model: ResourceModel, updates: Iterable[tuple[int, Update | None]], asker: Asker
) -> list[dict[str, Any]]:
    """Make calls that no recorded one is, each about the resource of that number. Return what became of each."""
    done = []
    for number, update in updates:
        if update is None:
            continue
        resource = model.resources[number]
        answered = await asker.send(resource, update.operation, update.parameters)
        failed = answered.outcome is None or not answered.outcome.ok
        call = f"{resource.service}:{update.operation}"
        done.append({"seq": 0, "call": call, "problem": answered.said if failed else ""})
        tell({"made": done[-1:]})
    return done


def main(data_dir: str) -> int:
    """Work for the proxy that started this process; the exit code."""
    give_way()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            tell({"document": asyncio.run(work(Path(data_dir)))})
        except ReplayProxyError as error:
            tell({"failed": error.message, "hint": error.hint})
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
