"""Lists in answers whose elements belong to those of a list in the request by their position.

Kinesis answers each record of `PutRecords` with a shard and a number, and says of which record only by its place. The
models show such lists: the request requires one list of structures, the answer has one whose elements tell an error or
what was made, and share no member with those of the request by which they could be told apart. A list of failures alone
is shorter, and is none of these.
"""

from __future__ import annotations

import re
from functools import lru_cache

from replay_proxy.wire.models import models

_ERROR = re.compile(r"error(?:code|message)?", re.IGNORECASE)
_FAILURES = re.compile(r"error|fail|unprocessed|unsuccessful", re.IGNORECASE)


@lru_cache(maxsize=4096)
def lists_by_position(service: str, operation: str) -> frozenset[str]:
    """Return the members at the top of the answer that are such lists; none where no model describes the operation."""
    try:
        model = models.operation_model(service, operation)
    except LookupError:
        return frozenset()
    asked, given = model.input_shape, model.output_shape
    if asked is None or given is None:
        return frozenset()
    wanted = [
        shape.member
        for name, shape in asked.members.items()
        if name in asked.required_members and shape.type_name == "list" and shape.member.type_name == "structure"
    ]
    if len(wanted) != 1:
        return frozenset()
    (entry,) = wanted
    return frozenset(
        name
        for name, shape in given.members.items()
        if shape.type_name == "list"
        and shape.member.type_name == "structure"
        and not _FAILURES.search(name)
        and any(map(_ERROR.fullmatch, shape.member.members))
        and not set(shape.member.members) & set(entry.members)
    )
