"""Takes away what was recorded, resource by resource, for emulators that cannot forget everything at once.

Each resource that a recorded call made is deleted by the operation that ends its kind, the latest first: what refers to others
was made after them. What is refused then has something in it, or is in use. It is emptied, what recorded calls attached to it is
taken off, and all that is left is tried again, for as long as a round brings anything. At the end each resource is asked for, as
the doctor asks: what is still shown is told, with the reason. What a resource made by itself (a stack) goes with it; what no
recorded call made is the emulator's own, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jmespath
import orjson

from replay_proxy.doctor.answers import Refusal, refusal_of
from replay_proxy.doctor.asking import Answered, Ask, Asker, CallFacts
from replay_proxy.doctor.diagnosis import State
from replay_proxy.doctor.examination import Examination
from replay_proxy.doctor.readings import Names, parameters_naming
from replay_proxy.doctor.updates import plain
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.properties.operation_names import undone_by
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model, service_model

ROUNDS_MAX: Final = 8
_PAGES_MAX: Final = 10_000
_DATA: Final = Path(__file__).parent / "data" / "removals.json"
_VERBS: Final = ("Delete", "Terminate", "Deregister", "Release", "Remove", "Destroy", "Unsubscribe", "Detach")


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that is still there. reason: the refusal, or why nothing could be tried."""

    resource: Resource
    reason: str


@dataclass(frozen=True, slots=True)
class _Deletion:
    operation: str
    parameters: Mapping[str, Any]
    leaves: str = ""


class Removal:
    """One removal. ask: sends calls in clients' identifiers, none of which is recorded. facts: of recorded calls.

    services: only resources of these; empty for all.
    """

    def __init__(self, model: ResourceModel, ask: Ask, facts: CallFacts, services: Iterable[str] = ()) -> None:
        self._model = model
        self._ask = ask
        self._facts = facts
        self._asker = Asker(ask, facts, 1)
        self._services = frozenset(services)

    async def run(self) -> tuple[int, list[Left]]:
        """Delete everything, and return how many resources are gone, and what is left.

        Raises:
            OSError, TimeoutError: the emulator does not answer.
        """
        wanted = [each for each in self._model.resources.values() if self._is_ours(each)]
        remaining = sorted(wanted, key=lambda each: -each.number)
        reasons: dict[int, str] = {}
        for attempt in range(ROUNDS_MAX):
            before = len(remaining)
            refused: list[Resource] = []
            for resource in remaining:
                reason = await self._delete(resource)
                if reason:
                    reasons[resource.number] = reason
                    refused.append(resource)
                    await self._make_free(resource)
            remaining = refused
            if not remaining or (attempt and len(remaining) == before):
                break
        left = {each.number: Left(each, reasons[each.number]) for each in remaining}
        for each in await self._still_shown(wanted):
            left.setdefault(each.number, Left(each, self._leaves(each)))
        return len(wanted) - len(left), [left[number] for number in sorted(left)]

    def _is_ours(self, resource: Resource) -> bool:
        if self._services and resource.service not in self._services:
            return False
        return bool(resource.made_by) and resource.maker not in self._model.resources

    async def _still_shown(self, wanted: Iterable[Resource]) -> list[Resource]:
        numbers = {each.number for each in wanted}
        checks = await Examination(self._model, self._ask, self._facts, services=self._services).checks()
        return [each.resource for each in checks if each.state is State.THERE and each.resource.number in numbers]

    def _leaves(self, resource: Resource) -> str:
        deletion = _deletion_of(Names(self._model, resource))
        return (deletion.leaves if deletion is not None else "") or "its deletion was accepted, and it is still shown"

    async def _delete(self, resource: Resource) -> str:
        """Delete a resource. Return why that was refused; empty where it is gone."""
        deletion = _deletion_of(Names(self._model, resource))
        if deletion is None:
            gone = any(parent not in self._model.resources for parent in resource.parents)
            return "" if gone else "no operation is known that deletes it"
        answered = await self._asker.send(resource, deletion.operation, deletion.parameters)
        return "" if _is_done(answered) else answered.said or f"{deletion.operation} was refused"

    async def _make_free(self, resource: Resource) -> None:
        """Empty what a deletion refused to take away, and take off what recorded calls attached to it."""
        for entry in _table()["contents"]:
            if entry["kind"] == _kind_of(resource):
                await self._empty(resource, entry)
        for seq in reversed(resource.changed_by):
            call = self._asker.recorded_call(seq)
            if call is None:
                continue
            for operation, parameters in _undoing(resource.service, call.operation, call.parameters, call.answer):
                await self._asker.send(resource, operation, parameters)

    async def _empty(self, resource: Resource, entry: Mapping[str, Any]) -> None:
        names = Names(self._model, resource)
        listing = parameters_naming(resource.service, entry["list"], names)
        for _page in range(_PAGES_MAX if listing is not None else 0):
            assert listing is not None
            answered = await self._asker.send(resource, entry["list"], listing)
            if answered.outcome is None or not answered.outcome.ok:
                return
            found = jmespath.search(entry["each"], answered.outcome.parsed) or []
            done = 0
            for each in found:
                given = {member: value for member, value in each.items() if value is not None}
                done += _is_done(await self._asker.send(resource, entry["delete"], {**listing, **given}))
            if not done:
                return


def _is_done(answered: Answered) -> bool:
    """Return whether what was to be deleted is gone, by this call or before it."""
    outcome = answered.outcome
    return outcome is not None and (outcome.ok or refusal_of(answered.head, outcome) is Refusal.ABSENT)


def _kind_of(resource: Resource) -> str:
    return f"{resource.service}:{resource.key.noun}"


def _deletion_of(names: Names) -> _Deletion | None:
    """Return the call that deletes a resource; None where none is known, or what it needs is not."""
    resource = names.resource
    entry = next((each for each in _table()["operations"] if each["kind"] == _kind_of(resource)), None)
    if entry is not None:
        return _reviewed(entry, names)
    for operation in _candidates(resource.service, resource.key.noun, names.kind.ended_by if names.kind else ()):
        fixed = _switches().get(f"{resource.service}:{operation}", {})
        parameters = parameters_naming(resource.service, operation, names, fixed)
        if parameters:
            return _Deletion(operation, parameters)
    return None


def _reviewed(entry: Mapping[str, Any], names: Names) -> _Deletion | None:
    resource, operation = names.resource, entry["operation"]
    if "parameters" not in entry:
        parameters = parameters_naming(resource.service, operation, names, entry.get("fixed", {}))
    else:
        try:
            known = {"names": list(resource.key.names), "attributes": plain(resource.attributes)}
        except ValueError:  # an attribute is not kept as a whole
            return None
        parameters = jmespath.search(entry["parameters"], known)
    return _Deletion(operation, parameters, entry.get("leaves", "")) if parameters else None


def _candidates(service: str, noun: str, ended_by: tuple[str, ...]) -> tuple[str, ...]:
    operations = service_model(service).operation_names
    named = [f"{verb}{each}" for verb in _VERBS for each in (noun, f"{noun}s")]
    return tuple(dict.fromkeys(each for each in (*ended_by, *named) if each in operations))


def _undoing(
    service: str, operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that take off what a call attached: `DetachRolePolicy` of what `AttachRolePolicy` did."""
    for entry in _table()["undone"]:
        if entry["call"] == f"{service}:{operation}":
            found = jmespath.search(entry["parameters"], parameters)
            return [(entry["by"], {member: value for member, value in found.items() if value is not None})]
    calls: list[tuple[str, dict[str, Any]]] = []
    for name in undone_by(service, operation):
        filled = _taken_over(service, name, {**answer, **parameters})
        if filled is not None:
            calls.append((name, filled))
    return calls


def _taken_over(service: str, operation: str, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of an operation that another call or its answer had; None where a required one is missing."""
    if operation not in service_model(service).operation_names:
        return None
    shape = operation_model(service, operation).input_shape
    if shape is None or not set(shape.required_members) <= known.keys():
        return None
    return {member: known[member] for member in shape.members if member in known}


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=1)
def _switches() -> Mapping[str, Mapping[str, Any]]:
    return {each["operation"]: each["fixed"] for each in _table()["switches"]}
