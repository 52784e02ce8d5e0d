"""Which operations make something new, or add to a stream of facts, told by their verb; which services make others' things.

Two additions that name nothing cannot be in each other's way.
"""

from __future__ import annotations

from typing import Final

_MAKING: Final = ("Create", "Run", "Allocate", "Request", "Import", "Register", "Publish")
_BEGINNING: Final = (*_MAKING, "Start", "Purchase", "Copy")
_CHANGING: Final = ("Update", "Modify", "Set", "Enable", "Disable", "Change", "Reset", "Start", "Stop")
MAKING_OTHERS: Final = frozenset({"cloudformation", "cloudcontrol", "servicecatalog"})
"""Services whose calls make things of other services, and show them."""
_FACTS: Final = ("Generate", "PutEvents", "PutMetric", "Send")


def makes(operation: str) -> bool:
    """Tell whether an operation makes something that has a time of creation."""
    return operation.startswith(_MAKING)


def makes_or_begins(operation: str) -> bool:
    """Tell whether an operation makes something, or begins something such as a job."""
    return operation.startswith(_BEGINNING)


def adds(operation: str) -> bool:
    """Tell whether an operation makes or begins something, or adds a fact, such as an event."""
    return operation.startswith((*_BEGINNING, *_FACTS))


def changes(operation: str) -> bool:
    """Tell whether an operation changes something that is there, so that an unknown name in it is not that of a new thing."""
    return operation.startswith(_CHANGING)


def own_name_members(operation: str) -> tuple[str, ...]:
    """Return the members by which a creation of no known kind may name what it makes."""
    noun = operation.removeprefix("Create")
    return (f"{noun}Name", f"{noun[:1].lower()}{noun[1:]}Name", "Name", "name")
