"""What the name of an operation says: its verb and noun, and which operation takes off what another one added.

`Detach` undoes `Attach` (`relations` in `data/kinds.json`). Where a name says to what something is added, the two have different
prepositions: `AddUserToGroup` and `RemoveUserFromGroup`, `RegisterInstancesWithLoadBalancer` and
`DeregisterInstancesFromLoadBalancer`. Which of the names that are possible there is, the model of the service says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from replay_proxy.resources.kinds import relations
from replay_proxy.wire.models import models

_OPERATIONS: Final = 32768
_ADDED: Final = re.compile("(?:To|With)(?=[A-Z])")
_TAKEN_OFF: Final = re.compile("From(?=[A-Z])")


def noun_of(operation: str) -> tuple[str, str]:
    """Return verb and noun of an operation: `Attach` and `RolePolicy`, `AdminInitiate` and `Auth`."""
    for verb in ("BatchPut", "BatchDelete"):
        if operation.startswith(verb):
            return verb, operation.removeprefix(verb)
    before = len("Admin") if operation.startswith("Admin") else 0
    for at in range(before + 1, len(operation)):
        if operation[at].isupper():
            return operation[:at], operation[at:]
    return operation, ""


def has_operation(service: str, operation: str) -> bool:
    """Tell whether a service has an operation of this name."""
    try:
        models.operation_model(service, operation)
    except LookupError:
        return False
    return True


@lru_cache(maxsize=_OPERATIONS)
def noun_added(service: str, operation: str) -> str:
    """Return the noun of the operation that one undoes: `UserToGroup` of `RemoveUserFromGroup`. Of one that undoes none, its own.

    One may be undone in the singular or the plural: `RemoveFlowSource` and `AddFlowSources`.
    """
    verb, noun = noun_of(operation)
    forms = (noun, *_with_other(_TAKEN_OFF, noun, ("To", "With")), f"{noun}s", noun.removesuffix("s"))
    begun = ((begin, form) for begin in relations().get(verb, ()) for form in forms)
    return next((form for begin, form in begun if has_operation(service, f"{begin}{form}")), noun)


@lru_cache(maxsize=_OPERATIONS)
def undone_by(service: str, operation: str) -> tuple[str, ...]:
    """Return the operations that take off what one adds: `DetachRolePolicy` of `AttachRolePolicy`."""
    verb, noun = noun_of(operation)
    ends = (end for end, begins in relations().items() if verb in begins)
    names = (f"{end}{form}" for end in ends for form in (noun, *_with_other(_ADDED, noun, ("From",))))
    return tuple(name for name in dict.fromkeys(names) if has_operation(service, name))


def _with_other(preposition: re.Pattern[str], noun: str, others: tuple[str, ...]) -> Iterator[str]:
    """Return a noun with another preposition in the place of one that it has, for each place."""
    for found in preposition.finditer(noun):
        yield from (f"{noun[: found.start()]}{other}{noun[found.end() :]}" for other in others)
