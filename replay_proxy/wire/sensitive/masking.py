"""Parameters and answers for people: what a model marks `sensitive`, or a name says is secret, is hidden.

The trait (`smithy.api#sensitive`) stands on a shape; whatever lies under such a shape is hidden as a whole. A body that
a model does not describe (an object's bytes, a document) is the user's payload and shown as what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from replay_proxy.wire.sensitive.secret_names import names_secret

HIDDEN = "*** hidden: sensitive ***"


def is_secret_by_name(name: str, shape: Shape | None) -> bool:
    """Return whether the name of a member says that it is secret, where no model does (STS's `SessionToken`).

    Enumerations, and tokens that make a request idempotent, are no secrets.
    """
    while isinstance(shape, ListShape):
        shape = shape.member
    if isinstance(shape, MapShape):
        shape = shape.value
    if shape is None or shape.type_name not in ("string", "blob") or shape.metadata.get("idempotencyToken"):
        return False
    return not shape.metadata.get("enum") and names_secret(name)


def masked(shape: Shape | None, value: Any) -> Any:
    """Return `value`, parsed by `shape`, with everything sensitive replaced by `HIDDEN`; a copy where something is."""
    if shape is None or value is None:
        return value
    if shape.metadata.get("sensitive"):
        return HIDDEN
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {
            name: HIDDEN
            if is_secret_by_name(name, shape.members.get(name))
            else masked(shape.members.get(name), member)
            for name, member in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [masked(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        hide = bool(shape.key.metadata.get("sensitive"))
        return {
            HIDDEN if hide else key: HIDDEN if names_secret(str(key)) else masked(shape.value, item)
            for key, item in value.items()
        }
    return value
