"""Which secrets can be read again: those that a read of the same service shows, by the models.

An emulator draws secrets anew. Whether that is a difference that a client can notice depends on whether it can ask for them
after they were made: a key pair's private key is shown once, a certificate whenever somebody asks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from replay_proxy.wire.models.models import UnknownModelError, service_model
from replay_proxy.wire.mutability.judge import Effect, judge

_DEPTH = 8


def can_be_read_again(service: str, member: str) -> bool:
    """Return whether some read of a service shows a member of this name."""
    return member in _shown_by_reads(service)


@lru_cache(maxsize=64)
def _shown_by_reads(service: str) -> frozenset[str]:
    try:
        model = service_model(service)
    except UnknownModelError:
        return frozenset()
    found: set[str] = set()
    seen: set[str] = set()
    for operation in model.operation_names:
        if judge(service, operation).effect is Effect.READS:
            _take(model.operation_model(operation).output_shape, found, seen, _DEPTH)
    return frozenset(found)


def _take(shape: Any, found: set[str], seen: set[str], depth: int) -> None:
    if shape is None or not depth or shape.name in seen:
        return
    if shape.type_name == "structure":
        seen.add(shape.name)
        for member, part in shape.members.items():
            found.add(member)
            _take(part, found, seen, depth - 1)
    elif shape.type_name == "list":
        _take(shape.member, found, seen, depth - 1)
    elif shape.type_name == "map":
        _take(shape.value, found, seen, depth - 1)
