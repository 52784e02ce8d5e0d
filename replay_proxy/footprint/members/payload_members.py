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

REPORTED = "reported"
"""The mark of what ran inside of the emulator and tells in an answer: what a function returns, what it has logged.

It is payload, but for identifiers that no client was ever shown: those of the emulator of today, which it was given in
references (an environment variable, a definition). They become those of clients.
"""
ENCODED = "encoded"
"""The same in base64, in a header field."""

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
        path = f"{shape.name}.{member}"
        if part.type_name == "blob":
            if path in self.exceptions:
                return None
            return REPORTED if self.members.get(path) == REPORTED else ALL
        return self.members.get(path) or (None if path in self.exceptions else self.shapes.get(part.name))


@lru_cache(maxsize=1)
def entries() -> list[dict[str, Any]]:
    """Return the entries of the data file."""
    document = orjson.loads((Path(__file__).parent / "data" / "payload.json").read_bytes())
    return list(document["entries"])


@lru_cache(maxsize=1)
def services_with_encoded_fields() -> frozenset[str]:
    """Return the services whose answers have header fields that are marked as encoded."""
    return frozenset(entry["service"] for entry in entries() if entry.get("in_answers") == ENCODED)


@lru_cache(maxsize=128)
def payload_rules(service: str, *, answer: bool = False) -> PayloadRules:
    """Return what is payload in a service; nothing but blobs where the file has no entry.

    answer: as answers show it, where some of it is marked as reported.
    """
    shapes: dict[str, PayloadExtent] = {}
    members: dict[str, PayloadExtent | PayloadCondition] = {}
    references: set[str] = set()
    exceptions: set[str] = set()
    for entry in entries():
        if entry["service"] != service:
            continue
        mark = entry.get("extent", ALL)
        if "in_answers" in entry:
            if not answer and entry["in_answers"] == ENCODED:
                continue
            mark = entry["in_answers"] if answer else mark
        shapes |= dict.fromkeys(entry.get("shapes", ()), mark)
        rule: PayloadExtent | PayloadCondition = mark
        for sibling, value in entry.get("when", {}).items():
            rule = PayloadCondition(sibling, value, mark)
        members |= dict.fromkeys(entry.get("members", ()), rule)
        references |= set(entry.get("references", ()))
        exceptions |= set(entry.get("except", ()))
    return PayloadRules(shapes, members, frozenset(references), frozenset(exceptions))
