"""The names that a client gives to what a call makes.

Such a name is the client's own, whatever stands in it. Which members hold it is told by the model: those that name the kind
which the call makes, else those that are called like the noun of the call (`AlarmName` of `PutMetricAlarm`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from replay_proxy.footprint.additions import makes
from replay_proxy.footprint.resource_kinds import made_by, own_members
from replay_proxy.wire.models.models import operation_model

_REPLACING = "Overwrite"
_OF_SERVICES = "/aws/"
"""So begin the log groups that a service makes by itself. What stands behind is another resource's name, not the client's."""


def given_names(service: str, operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return the names in parameters that the client gives to what the call makes; addresses and ARNs are none.

    A call that replaces what is there already (`Overwrite`) may name what the emulator has named.
    """
    members = _naming_members(service, operation)
    if not members or params.get(_REPLACING):
        return []
    names = [params[member] for member in members if isinstance(params.get(member), str)]
    return [name for name in names if not name.startswith(("arn:", _OF_SERVICES)) and "://" not in name]


def may_give_names(service: str, operation: str) -> bool:
    """Return whether a call has a member by which its client names what it makes."""
    return bool(_naming_members(service, operation))


@lru_cache(maxsize=4096)
def _naming_members(service: str, operation: str) -> tuple[str, ...]:
    if not (makes(operation) or operation.startswith("Put")):
        return ()
    try:
        shape = operation_model(service, operation).input_shape
    except LookupError:
        return ()
    if shape is None:
        return ()
    texts = [member for member, part in shape.members.items() if part.type_name == "string"]
    kinds = made_by(service, operation)
    if kinds:
        own = {member for kind in kinds for member in own_members(kind)}
        return tuple(member for member in texts if member in own)
    return tuple(member for member in texts if _is_called_like(member, operation))


def _is_called_like(member: str, operation: str) -> bool:
    """Return whether a member is the name of the noun of an operation: `AlarmName` of `PutMetricAlarm`, and `Name`."""
    stem = member.lower().removesuffix("name")
    return stem != member.lower() and operation.lower().endswith(stem)
