"""Putting the triggers to rest that a stack makes by itself, until the data is restored that would set them off.

A trigger that a call made is made again after its data (`ordering.dependency_graph`). A stack makes its triggers together with
what they watch. So what a stack has made is asked for as soon as it is there, its triggers are put to rest, and armed again when
all data is back: by calls that keep their identifiers, with what the emulator had shown of them. Which types of resources are
triggers, and by which calls, says `ordering.stack_triggers`.

Before another stack is made or changed they are armed, so that it meets everything as it was at first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from replay_proxy import log
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.table.alias_table import Scope
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.echoes import Echoes
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.replay.ordering.stack_triggers import ANY, StackTrigger, Step, triggers_of
from replay_proxy.replay.resting_trigger import RestingTrigger
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import protocol_of
from replay_proxy.wire.signing.sigv4 import Credential

_log = log.get("restore")
_STACK: Final = "AWS::CloudFormation::Stack"
_STACKS_MAX: Final = 500
"""Stacks that are asked for what they made, after one call: stacks hold stacks."""
_NOT_FOUND: Final = 404
_FAILURES: Final = (OSError, TimeoutError, MalformedMessage, LookupError)


class _GoneError(LookupError):
    """The emulator says that what a call is about is not there."""


class RestingTriggers:
    """The triggers of stacks in one restore; those at rest are in `target.known.resting`. Identifiers are the emulator's.

    clock: one that only grows, in seconds.
    """

    def __init__(
        self,
        target: RestoreTarget,
        sender: EmulatorSender,
        echoes: Echoes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._sender = sender
        self._echoes = echoes
        self._aliases = target.known.aliases
        self._positions = target.known.start_positions
        self._host = target.endpoints.upstream
        self._resting = target.known.resting
        self._outlived: list[RestingTrigger] = []
        self.seen: dict[str, int] = {}
        """By service, the number of the first record of a stack some of whose triggers were at rest."""
        self._begun = clock()
        self._written: dict[str, float] = {}
        """By service, when the latest call was made."""

    def has(self, service: str) -> bool:
        """Return whether a trigger of this service is at rest."""
        return any(each.service == service for each in self._resting)

    def note_made(self, services: Iterable[str]) -> None:
        """Note that calls of these services were just made: what one has written comes to the triggers that watch it."""
        self._written.update(dict.fromkeys(services, self._clock()))

    async def put_to_rest(self, record: Record, pending: Collection[str]) -> None:
        """Put to rest what a call on a stack, just made again, has made and data of the services `pending` would set off.

        What cannot be read or put to rest stays as it is, and is logged.
        """
        if not pending or record.head is None:
            return
        try:
            members = await self._members(record, record.head)
        except _FAILURES as error:
            _log.debug("what a stack has made cannot be asked for", seq=record.seq, reason=_reason(error))
            return
        for resource_type, physical_id in members:
            for kind in triggers_of(resource_type):
                try:
                    await self._rest(kind, physical_id, record, pending)
                except _FAILURES as error:
                    _log.debug("a trigger was not put to rest", trigger=physical_id, reason=_reason(error))

    async def arm_for_change(self, report: RestoreReport) -> None:
        """Arm, for a call that makes or changes a stack, what would look to it as if it had been switched off."""
        await self._arm([each for each in self._resting if not each.is_known_by_sight], report)
        self._outlived += [each for each in self._resting if each not in self._outlived]

    async def arm(self, report: RestoreReport, later: Collection[str] = ()) -> None:
        """Arm what is at rest as it was. later: services whose data will come in a later part: what that sets off waits.

        What cannot be armed is a finding of the report; but for what is gone since its stack was changed or deleted.
        """
        await self._arm([each for each in self._resting if each.sources.isdisjoint(later)], report)

    def unsettled_s(self, trigger: RestingTrigger) -> float:
        """Return for how many seconds a trigger may still come upon what was written while it was at rest."""
        latest = max((self._written.get(each, self._begun) for each in trigger.sources), default=self._begun)
        return max(0.0, latest + trigger.settles_s - self._clock()) if trigger.settles_s else 0.0

    async def _arm(self, chosen: list[RestingTrigger], report: RestoreReport) -> None:
        await asyncio.sleep(max((self.unsettled_s(each) for each in chosen), default=0.0))
        for each in chosen:
            head = CallHead(each.service, "", protocol_of(each.service), each.account, each.region, each.access_key)
            try:
                for operation, parameters in each.arm:
                    await self._call(replace(head, operation=operation), parameters)
            except _GoneError as error:
                if each not in self._outlived:
                    self._not_armed(each, error, report)
            except _FAILURES as error:
                self._not_armed(each, error, report)
            self._resting.remove(each)

    @staticmethod
    def _not_armed(each: RestingTrigger, error: Exception, report: RestoreReport) -> None:
        message = f"{each.service} {each.name}, which the stack has made, was not armed again: {_reason(error)}"
        report.find(each.seq, "cloudformation", "CreateStack", message, loss=True)

    async def _rest(self, kind: StackTrigger, physical_id: str, record: Record, pending: Collection[str]) -> None:
        assert record.head is not None
        head = replace(
            record.head,
            service=kind.service,
            protocol=protocol_of(kind.service),
            access_key=record.credential.access_key,
        )
        async for known, shown in self._shown(head, {"id": physical_id}, kind.reads):
            sources = kind.sources(known)
            if not kind.is_armed(known, shown) or (ANY not in sources and sources.isdisjoint(pending)):
                continue
            if kind.reads_stream and not self._positions.at_end:
                continue
            arm = tuple((step.operation, step.filled(known)) for step in kind.arm)
            by_sight = kind.unmistakable is not None
            resting = RestingTrigger(
                kind.service,
                physical_id,
                arm,
                sources,
                kind.settles_s,
                by_sight,
                record.seq,
                head.account,
                head.region,
                head.access_key,
            )
            self._resting[:] = [each for each in self._resting if not each.is_same(resting)]
            self._resting.append(resting)
            self.seen.setdefault(kind.service, record.seq)
            for step in kind.rest:
                await self._call(replace(head, operation=step.operation), step.filled(known))
            for operation, parameters in arm:  # that is what the stack itself has done
                self._echoes.expect(replace(head, operation=operation), parameters, record.credential)

    async def _shown(
        self, head: CallHead, known: Mapping[str, Any], reads: tuple[Step, ...]
    ) -> AsyncIterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield what reads show, one by one: all that is known then, and what was shown last."""
        answer = await self._call(replace(head, operation=reads[0].operation), reads[0].filled(known))
        for shown in reads[0].shown(answer):
            both = {**known, **shown, "": shown}
            if not reads[1:]:
                yield both, shown
                continue
            async for each in self._shown(head, both, reads[1:]):
                yield each

    async def _members(self, record: Record, own: CallHead) -> list[tuple[str, str]]:
        """Return what the call of a record has made, with what nested stacks have: types and physical ids."""
        asked = parse_parameters(own, record.request)
        if own.service == "cloudcontrol":
            made = parse_answer(own, record.answer, record.request).parsed.get("ProgressEvent", {})
            identifier = self._aliases.to_emulator(str(made.get("Identifier") or ""), Scope(own.account, own.region))
            return [(str(made.get("TypeName")), identifier)] if identifier else []
        head = replace(own, service="cloudformation", protocol=protocol_of("cloudformation"))
        head = replace(head, operation="DescribeStackResources", access_key=record.credential.access_key)
        names, found = [await self._stack_name(head, asked)], list[tuple[str, str]]()
        for name in names:
            if not name or len(names) > _STACKS_MAX:
                break
            for each in (await self._call(head, {"StackName": name})).get("StackResources") or ():
                resource = str(each.get("ResourceType")), str(each.get("PhysicalResourceId") or "")
                if resource[0] == _STACK and resource[1] not in names:
                    names.append(resource[1])
                elif resource[1]:
                    found.append(resource)
        return found

    async def _stack_name(self, head: CallHead, asked: Mapping[str, Any]) -> str:
        """Return how the stack of a call is named, where it names one; empty otherwise."""
        name = str(asked.get("StackName") or "")
        if not name and asked.get("ChangeSetName"):
            change_set = self._aliases.to_emulator(asked["ChangeSetName"], Scope(head.account, head.region))
            shown = await self._call(replace(head, operation="DescribeChangeSet"), {"ChangeSetName": change_set})
            name = str(shown.get("StackName") or "")
        return name.split("/")[1] if name.startswith("arn:") and "/" in name else name

    async def _call(self, head: CallHead, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a call shows. Raises LookupError where it is refused, and as the sender does."""
        request = _with_nulls(build_request(head, parameters, self._host), parameters)
        asked = self._positions.asked(request, head)
        credential = Credential(head.access_key, head.region, head.service, "header")
        answer = await self._sender.send(self._sender.signed(asked, credential))
        outcome = parse_answer(head, answer, asked)
        if not outcome.ok:
            refused = _GoneError if outcome.status == _NOT_FOUND else LookupError
            raise refused(f"{head.operation}: {outcome.error_code} {outcome.error_message}")
        if asked is not request:
            self._positions.learn(request, head, answer)
        self._echoes.expect(head, parameters, credential)
        return outcome.parsed


def _with_nulls(request: Request, parameters: Mapping[str, Any]) -> Request:
    """Return a request whose JSON body says `null` for the parameters that are to have no value, which serializers leave out."""
    empty = {name: None for name, value in parameters.items() if value is None}
    if not empty:
        return request
    assert isinstance(request.body, bytes)
    body = orjson.dumps({**orjson.loads(request.body or b"{}"), **empty})
    return replace(request, body=body, headers=request.headers.replaced("Content-Length", str(len(body))))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
