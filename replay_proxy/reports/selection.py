"""Which resources and calls are asked for: the filters of `inspect`, in one place for every view."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from replay_proxy.errors import UsageError
from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Resource


@dataclass(frozen=True)
class Selection:
    """What is asked for; what is empty asks for everything.

    services, types, operations: any of these, without regard to case. resource: a name, id, ARN or URL, or a part of one.
    since, until: the number of a record, or a time. failed: only calls that were refused.
    """

    services: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    resource: str = ""
    operations: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    failed: bool = False

    @property
    def asks_for_calls(self) -> bool:
        """Whether calls are asked for by what only calls have."""
        return bool(self.operations or self.since or self.until or self.failed)

    def resources(self, model: ResourceModel) -> list[Resource]:
        """Return the resources that are asked for; where calls are, those that these made or changed."""
        found = [each for each in model.resources.values() if self._is_kind(each)]
        if self.resource:
            found = _named(model, found, self.resource)
        if self.asks_for_calls:
            touched = {number for call in model.calls if self._is_call(call) for number in call.resources}
            found = [each for each in found if each.number in touched]
        return found

    def calls(self, model: ResourceModel) -> list[CallEntry]:
        """Return the calls that are asked for; where resources are, those that made or changed one of them."""
        found = [each for each in model.calls if self._is_call(each)]
        if self.types or self.resource:
            known = [*model.resources.values(), *model.gone.values()]
            wanted = [each for each in known if self._is_kind(each)]
            if self.resource:
                wanted = _named(model, wanted, self.resource)
            numbers = {each.number for each in wanted}
            found = [each for each in found if not numbers.isdisjoint(each.resources)]
        elif self.services:
            found = [each for each in found if _is_one_of(each.service, self.services)]
        return found

    def _is_kind(self, resource: Resource) -> bool:
        if self.services and not _is_one_of(resource.service, self.services):
            return False
        return not self.types or any(_is_type(resource.type, each) for each in self.types)

    def _is_call(self, call: CallEntry) -> bool:
        if self.failed and not call.failed:
            return False
        if self.operations and not any(_folded(call.operation) == _folded(each) for each in self.operations):
            return False
        if self.services and not self.resource and not _is_one_of(call.service, self.services):
            return False
        return not (self.since and _is_before(call, self.since)) and not (self.until and _is_after(call, self.until))


def _is_one_of(service: str, wanted: tuple[str, ...]) -> bool:
    return any(service.lower() == each.lower() for each in wanted)


def _is_type(kind: str, wanted: str) -> bool:
    """Is a type meant: by its whole name, or by its last part (`Queue`)?"""
    folded = wanted.lower()
    return kind.lower() == folded or re.split(r"::?\s*", kind.lower())[-1] == folded


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _named(model: ResourceModel, resources: list[Resource], text: str) -> list[Resource]:
    """Return the resources that a text names as a whole, else those of which it is a part."""
    whole = [each for each in resources if text in names_of(model, each) or own_name(text) in each.key.names[-1:]]
    if whole:
        return whole
    folded = text.lower()
    return [each for each in resources if any(folded in name.lower() for name in names_of(model, each))]


def names_of(model: ResourceModel, resource: Resource) -> set[str]:
    """Return everything that a person may call a resource."""
    ids = {model.id(resource), model.arn(resource), resource.label, resource.name, resource.key.names[-1]}
    return (ids | set(resource.identifiers.values())) - {""}


def _is_before(call: CallEntry, since: str) -> bool:
    return call.seq < int(since) if since.isdecimal() else call.time < since


def _is_after(call: CallEntry, until: str) -> bool:
    return call.seq > int(until) if until.isdecimal() else call.time > until


def parse_moment(text: str) -> str:
    """Return a moment as records have it: the number of a record, or a time in UTC. Raises UsageError."""
    if text.isdecimal():
        return str(int(text))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no moment",
            hint="give the number of a record (`42`) or a time (`2026-01-31T12:00:00Z`; without a zone, in UTC)",
        ) from None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
