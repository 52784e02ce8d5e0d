"""Parameters and answers for a person's eyes: what the models mark `sensitive`, or a name says is secret, is hidden.

The trait (`smithy.api#sensitive`) stands on a shape; whatever lies under such a shape is hidden as a whole. A body that
a model does not describe (an object's bytes, a document) is the user's payload and shown as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

HIDDEN = "*** hidden: sensitive ***"

_TOLD_BY_NAME = re.compile(
    r"(?:password|passphrase|secretaccesskey|secretstring|secretbinary|clientsecret|privatekey|sessiontoken|authtoken"
    r"|apikeyvalue|keymaterial)$",
    re.IGNORECASE,
)


def told_by_name(name: str, shape: Shape | None) -> bool:
    """Does the name of a member say that it is secret, where the model is silent? (STS's `SessionToken`.)"""
    return shape is not None and shape.type_name in ("string", "blob") and _TOLD_BY_NAME.search(name) is not None


def masked(shape: Shape | None, value: Any) -> Any:
    """`value`, parsed by `shape`, with everything sensitive replaced by `HIDDEN`; a copy where something is."""
    if shape is None or value is None:
        return value
    if shape.metadata.get("sensitive"):
        return HIDDEN
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {
            name: HIDDEN if told_by_name(name, shape.members.get(name)) else masked(shape.members.get(name), member)
            for name, member in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [masked(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        hide = bool(shape.key.metadata.get("sensitive"))
        return {HIDDEN if hide else key: masked(shape.value, item) for key, item in value.items()}
    return value
