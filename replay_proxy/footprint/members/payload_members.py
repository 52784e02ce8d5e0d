"""Which members of the service models are payload: users' data, in which nothing names a resource.

`data/payload.json` names them, every entry with its reason; blobs are payload by their type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

ALL = "all"
"""The mark of a member whose whole value is payload."""
QUOTED = "quoted"
"""The mark of a member in which only single-quoted literals are payload."""

NAME = "name"
"""The mark of a name that a client chose freely for a thing of its own, and in which no part is an identifier.

It is written as it is in both directions, as payload is; but later calls name the thing by it.
"""
OBJECT = "object"
"""The mark of an address of an object, of which the part behind the bucket is such a name."""

PayloadExtent = str


@dataclass(frozen=True, slots=True)
class PayloadCondition:
    """A mark that holds only where the field `sibling` has the value `value`."""

    sibling: str
    value: str
    mark: PayloadExtent


@dataclass(frozen=True, slots=True)
class PayloadRules:
    """What is payload in one service.

    shapes: marks by the name of a shape. members: marks by `SHAPE.MEMBER`, and by `SHAPE.MEMBER{KEY}` for one key of a map.
    references: blobs, as `SHAPE.MEMBER`, that the emulator resolves, and that are no payload. exceptions: members that are
    not what their shape says.
    """

    shapes: dict[str, PayloadExtent]
    members: dict[str, PayloadExtent | PayloadCondition]
    references: frozenset[str]
    exceptions: frozenset[str] = frozenset()

    def mark_of(self, shape: Any, member: str, part: Any) -> PayloadExtent | PayloadCondition | None:
        """Return how the member `member`, of the shape `part`, is marked as a whole in the structure `shape`."""
        if part.type_name == "blob":
            return ALL
        path = f"{shape.name}.{member}"
        return self.members.get(path) or (None if path in self.exceptions else self.shapes.get(part.name))


@lru_cache(maxsize=1)
def entries() -> list[dict[str, Any]]:
    """Return the entries of the data file."""
    document = orjson.loads((Path(__file__).parent / "data" / "payload.json").read_bytes())
    return list(document["entries"])


@lru_cache(maxsize=64)
def payload_rules(service: str) -> PayloadRules:
    """Return what is payload in a service; nothing but blobs where the file has no entry."""
    shapes: dict[str, PayloadExtent] = {}
    members: dict[str, PayloadExtent | PayloadCondition] = {}
    references: set[str] = set()
    exceptions: set[str] = set()
    for entry in entries():
        if entry["service"] != service:
            continue
        mark = entry.get("extent", ALL)
        shapes |= dict.fromkeys(entry.get("shapes", ()), mark)
        rule: PayloadExtent | PayloadCondition = mark
        for sibling, value in entry.get("when", {}).items():
            rule = PayloadCondition(sibling, value, mark)
        members |= dict.fromkeys(entry.get("members", ()), rule)
        references |= set(entry.get("references", ()))
        exceptions |= set(entry.get("except", ()))
    return PayloadRules(shapes, members, frozenset(references), frozenset(exceptions))
