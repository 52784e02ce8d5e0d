"""Parameters and answers for a person's eyes: what the models mark `sensitive` is hidden.

The trait (`smithy.api#sensitive`) stands on a shape; whatever lies under such a shape is hidden as a whole. A body that
a model does not describe (an object's bytes, a document) is the user's payload and shown as what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

HIDDEN = "*** hidden: sensitive ***"


def masked(shape: Shape | None, value: Any) -> Any:
    """`value`, parsed by `shape`, with everything sensitive replaced by `HIDDEN`; a copy where something is."""
    if shape is None or value is None:
        return value
    if shape.metadata.get("sensitive"):
        return HIDDEN
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {name: masked(shape.members.get(name), member) for name, member in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [masked(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        hide = bool(shape.key.metadata.get("sensitive"))
        return {HIDDEN if hide else key: masked(shape.value, item) for key, item in value.items()}
    return value
