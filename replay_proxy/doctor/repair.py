"""Which calls mend a finding.

What is missing is made by the calls that made it, and then set by those that changed it; what is a part of it comes after it. A
lost link, or a changed attribute, is set by the calls that set it; where a creation sets all there is (`PutRule`), by it and what
changed it afterwards. The calls are made again as a restore makes them: so the
identifiers that clients hold stay valid, also those that the emulator draws anew. They are in the recording already, and the next
restore has them.

What a creation had set cannot be set by making it again. Then an operation that changes such a resource sets it (`updates`).
"""

from __future__ import annotations

from typing import Final

from replay_proxy.doctor.answers import table
from replay_proxy.doctor.diagnosis import Problem
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.kinds import switched_by
from replay_proxy.resources.properties.operation_names import noun_added
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model

_DEPTH: Final = 16


class Repairs:
    """The calls that mend the findings on a model. What all of them need of it is worked out once."""

    def __init__(self, model: ResourceModel) -> None:
        self._operations = {entry.seq: entry.operation for entry in model.calls}
        self._parts: dict[int, list[Resource]] = {}
        for resource in model.resources.values():
            for parent in resource.parents:
                self._parts.setdefault(parent, []).append(resource)

    def of(self, resource: Resource, problem: Problem, member: str) -> tuple[int, ...]:
        """Return the numbers of the calls, in order; empty where no recorded call can mend it."""
        if problem is Problem.MISSING:
            return () if is_numbered(resource) else tuple(sorted(self._all_calls(resource, 0)))
        if problem in (Problem.LINK_LOST, Problem.CHANGED, Problem.SWITCHED_OFF):
            return self._setters_of(resource, member)
        return ()

    def _all_calls(self, resource: Resource, depth: int) -> set[int]:
        """Return the calls that made, changed and filled a resource, and what is a part of it."""
        if not resource.made_by or depth > _DEPTH:
            return set()
        own = {resource.made_by, *resource.changed_by, *resource.data_calls}
        return own.union(*(self._all_calls(part, depth + 1) for part in self._parts.get(resource.number, ())))

    def _setters_of(self, resource: Resource, member: str) -> tuple[int, ...]:
        """Return the calls that set a member: those of the noun that holds it, else all changes that take it."""
        top, service = member.partition(".")[0], resource.service
        changes = {seq: self._operations.get(seq, "") for seq in resource.changed_by}
        if any(top in switched_by(service, operation) for operation in changes.values()):
            setting = (
                seq
                for seq, operation in changes.items()
                if top in switched_by(service, operation) or top in members_of(service, operation)
            )
            return (max(setting),)
        noun = next((noun for noun, members in resource.set_by.items() if top in members), "")
        nouns = {seq: noun_added(service, operation) for seq, operation in changes.items()}
        wanted = noun or next(
            (n for n in nouns.values() if top in (n, f"{n}s", n.removesuffix("s"), f"{n}Enabled")), ""
        )
        maker = self._operations.get(resource.made_by, "")
        if not wanted and top in members_of(service, maker) and _sets_all(resource, maker):
            return (resource.made_by, *resource.changed_by)
        if wanted:
            return tuple(seq for seq in changes if nouns[seq] == wanted)
        return tuple(seq for seq, operation in changes.items() if top in members_of(service, operation))


def is_numbered(resource: Resource) -> bool:
    """Is a resource told by a number that the emulator counted? Made again, it would have the next one."""
    return resource.key.noun.endswith("Version") and resource.key.names[-1].isdecimal()


def _sets_all(resource: Resource, operation: str) -> bool:
    """Does a creation set all of what is there already (`PutRule`)? A call with one member alone would take the others away."""
    kind = f"{resource.service}:{resource.key.noun}"
    reviewed = any((entry["kind"], entry["operation"]) == (kind, operation) for entry in table()["updates"])
    return operation.startswith("Put") and not reviewed


def members_of(service: str, operation: str) -> frozenset[str]:
    """Return the members of an operation's parameters; empty for an unknown one."""
    try:
        shape = operation_model(service, operation).input_shape
    except LookupError:
        return frozenset()
    return frozenset(shape.members) if shape is not None else frozenset()
