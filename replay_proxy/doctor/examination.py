"""Asks the emulator for all resources of a model, some at a time, and puts the diagnosis together.

Only reads are sent. What follows from the answers is concluded by `conclusions`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from replay_proxy.doctor.answers import Refusal, end_in, refusal_of, status_in
from replay_proxy.doctor.asking import Ask, Asker, CallFacts
from replay_proxy.doctor.conclusions import Conclusions
from replay_proxy.doctor.diagnosis import Check, Diagnosis, Pending, State
from replay_proxy.doctor.links import Description
from replay_proxy.doctor.pending import pending_of
from replay_proxy.doctor.readings import Names, members_answered, readings_after, readings_of
from replay_proxy.doctor.repair import members_of
from replay_proxy.doctor.seen_right import SeenRight
from replay_proxy.doctor.stack_members import absent_members
from replay_proxy.doctor.tags import answered_tags, lost_tags, shown_tags, tags_reading
from replay_proxy.doctor.texts import Texts
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.operation_names import noun_of
from replay_proxy.resources.resource import Resource, leaves

CONCURRENCY: Final = 8
"""Reads that are under way at a time."""
_SETTERS_MAX: Final = 24
_STACK: Final = "AWS::CloudFormation::Stack"


class Examination:
    """One examination. facts: of recorded calls. services: only resources of these; empty for all.

    before_save: find out what is under way, too. seen_right: what earlier diagnoses of this emulator saw (`SeenRight.as_json`).
    """

    def __init__(
        self,
        model: ResourceModel,
        ask: Ask,
        facts: CallFacts,
        *,
        services: Iterable[str] = (),
        before_save: bool = False,
        concurrency: int = CONCURRENCY,
        seen_right: Mapping[str, list[Any]] | None = None,
    ) -> None:
        self._model = model
        self._asker = Asker(ask, facts, concurrency)
        self._services = frozenset(services)
        self._operations = {entry.seq: entry.operation for entry in model.calls}
        self._before_save = before_save
        self._descriptions: dict[int, Description] = {}
        self._seen_right = seen_right

    async def run(self) -> Diagnosis:
        """Ask, and return what was found.

        Raises:
            OSError, TimeoutError: the emulator does not answer.
        """
        begun = time.monotonic()
        checks = await self.checks()
        diagnosis = Diagnosis(checks)
        seen = SeenRight(self._model, self._seen_right)
        conclusions = Conclusions(self._model, self._descriptions, self._asker.recorded_call, diagnosis, seen)
        await asyncio.to_thread(conclusions.draw)
        diagnosis.seen_right = seen.as_json()
        for check in checks:
            if check.resource.type == _STACK and check.state is State.THERE:
                for member, answer in await absent_members(self._model, self._asker, check.resource):
                    conclusions.stack_lacks(check.resource, member, answer)
        if self._before_save:
            there = [check for check in checks if check.resource.number in self._descriptions]
            for found in await asyncio.gather(*map(self._pending, there)):
                diagnosis.pending += found
        diagnosis.findings.sort(key=lambda each: each.resource)
        diagnosis.reads = self._asker.reads
        diagnosis.seconds = time.monotonic() - begun
        return diagnosis

    async def checks(self) -> list[Check]:
        """Ask for each resource, and return what came of it; of links nothing is concluded. Raises as `run`."""
        resources = self._model.resources.values()
        wanted = [each for each in resources if not self._services or each.service in self._services]
        return list(await asyncio.gather(*(self._check(resource) for resource in wanted)))

    async def _pending(self, check: Check) -> list[Pending]:
        return await pending_of(self._model, self._asker, check, self._descriptions[check.resource.number])

    async def _check(self, resource: Resource) -> Check:
        names = Names(self._model, resource)
        check = Check(resource, State.UNKNOWN, answer="no read shows such a resource")
        for reading in readings_of(names):
            answered = await self._asker.read(resource, reading)
            check.reading, check.answer = reading.operation, answered.said
            outcome = answered.outcome
            if outcome is None:
                continue
            if outcome.ok:
                texts = answered.listing.texts
                if reading.search and not texts.mention(names.all):
                    check.state, check.answer = State.ABSENT, f"{reading.operation} does not list it"
                    break
                described = answered.listing.element(names.all) if reading.search else outcome.parsed
                end = end_in(f"{resource.service}:{resource.key.noun}", described or {})
                if end:
                    check.state, check.answer = State.ABSENT, f"{reading.operation} says that it is {end}"
                    check.remains = described or {}
                    break
                check.state, check.answer = State.THERE, ""
                if described is not None:
                    check.status = _status_of(resource, described)
                    texts = Texts(described) if reading.search else texts
                description = Description(texts, described or {})
                description.members = members_answered(reading.service, reading.operation)
                description.is_listed_by_name = reading.search and not answered.listing.describes(names.all)
                self._descriptions[resource.number] = description
                await self._read_parts(resource, names, description)
                await self._read_tags(resource, names, description)
                break
            if refusal_of(answered.head, outcome) is Refusal.ABSENT:
                check.state = State.ABSENT
                break
        if check.state is State.ABSENT and not resource.made_by and not self._is_told(resource):
            check.state = State.UNKNOWN  # a call named it, and nothing says that it ever was there under this name
        return check

    def _is_told(self, resource: Resource) -> bool:
        """Does what made a resource by itself show what it is called?

        A stack shows the physical id of a member, which for many types is no name that a read takes. What a stack lacks is found
        from the stack (`absent_members`).
        """
        return bool(resource.maker) and self._model.resources[resource.maker].type != _STACK

    async def _read_tags(self, resource: Resource, names: Names, description: Description) -> None:
        """Find the tags of a resource that was given some: in its description, else by the read of just these."""
        if not resource.tags:
            return
        description.tags = shown_tags(description.shown)
        # A description may show the tags of the creation alone, and the other read those of later calls alone.
        is_complete = description.tags is not None and not any(lost_tags(resource.tags, description.tags))
        reading = None if is_complete else tags_reading(names)
        if reading is None:
            return
        answered = await self._asker.read(resource, reading)
        outcome = answered.outcome
        if outcome is not None and outcome.ok:
            tags = answered_tags(reading, outcome.parsed)
            if tags is not None:
                description.tags, description.tags_beside = tags, description.tags or {}
        elif outcome is not None and "Tag" in outcome.error_code:
            description.tags, description.has_no_tags = {}, True  # NoSuchTagSet

    async def _read_parts(self, resource: Resource, names: Names, description: Description) -> None:
        """Read what was set of a resource by calls of their own."""
        operations = [self._operations[seq] for seq in reversed(resource.changed_by) if seq in self._operations]
        for setter in list(dict.fromkeys(operations))[:_SETTERS_MAX]:
            description.setters.append(setter)
            for reading in readings_after(names, setter):
                answered = await self._asker.read(resource, reading)
                outcome = answered.outcome
                if outcome is None:
                    continue
                is_absent = not outcome.ok and refusal_of(answered.head, outcome) is Refusal.ABSENT
                if outcome.ok or is_absent:
                    description.set_apart |= _attributes_set_by(resource, setter)
                if outcome.ok:
                    description.dedicated[reading.key] = answered.listing.texts
                    description.parts.append(outcome.parsed)
                elif is_absent:
                    description.dedicated[reading.key] = Texts()


def _attributes_set_by(resource: Resource, setter: str) -> set[str]:
    """Return the attributes, in lower case, that an operation can set."""
    members = members_of(resource.service, setter)
    if "patchOperations" in members:
        return {member.lower() for member in resource.attributes}
    named = {"Attributes"} if "AttributeName" in members else set()
    return {member.lower() for member in (*members, *named, noun_of(setter)[1])}


def _status_of(resource: Resource, described: Mapping[str, Any]) -> str:
    """Return the state in which nothing can be used; not one that somebody asked for, such as that of an inactive access key."""
    status = status_in(described)
    return "" if any(value == status for _path, value in leaves(resource.attributes)) else status
