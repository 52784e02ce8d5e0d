"""Which members of a call are secret, and finding their values.

Secret is what AWS's models mark `sensitive` (`smithy.api#sensitive`), and text whose member's name says so where the
models are silent. The mark also stands on things that are personal or long, and without which a call means something
else: names, ids, the code of a function, the definition of a state machine. Those are listed in `_KEPT` and are no
secrets here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from replay_proxy.wire.masking import HIDDEN, told_by_name

SHORTEST = 4
"""Characters. Shorter values are not looked for in other texts: they are in every text."""

_KEPT = re.compile(
    r"(?:name|id|ids|arn|type|status|message|messages|description|definition|context|zipfile|phonenumber|email"
    r"|emailaddress|scope|scopes|templatebody)$",
    re.IGNORECASE,
)
# API keys of API Gateway: the member is called `value`, and the model does not mark it.
_TOLD_BY_PLACE = frozenset({("ApiKey", "value"), ("CreateApiKeyRequest", "value")})


def is_secret(parent: Shape | None, name: str, shape: Shape) -> bool:
    """Is the member `name` of `parent`, as a whole, secret?"""
    if _KEPT.search(name):
        return False
    if shape.metadata.get("sensitive"):
        return True
    return told_by_name(name, shape) or (parent is not None and (parent.name, name) in _TOLD_BY_PLACE)


@lru_cache(maxsize=4096)
def may_hold_secrets(shape: Shape | None) -> bool:
    """Could a message of this shape have a secret member?"""
    return _holds(shape, frozenset())


def _holds(shape: Shape | None, above: frozenset[str]) -> bool:
    if shape is None or shape.name in above:
        return False
    above |= {shape.name}
    if isinstance(shape, StructureShape):
        return any(is_secret(shape, name, each) or _holds(each, above) for name, each in shape.members.items())
    if isinstance(shape, ListShape):
        return bool(shape.member.metadata.get("sensitive")) or _holds(shape.member, above)
    if isinstance(shape, MapShape):
        return bool(shape.value.metadata.get("sensitive")) or _holds(shape.value, above)
    return False


def secrets_in(
    operation: OperationModel, value: Mapping[str, Any], *, answer: bool
) -> Iterator[tuple[str, str | bytes]]:
    """Path and value of every secret text in parsed parameters, or in a parsed answer."""
    shape = operation.output_shape if answer else operation.input_shape
    if shape is not None:
        yield from _find(shape, value, "", secret=False)


def _find(shape: Shape | None, value: Any, path: str, *, secret: bool) -> Iterator[tuple[str, str | bytes]]:
    if isinstance(value, str | bytes):
        if secret and value:
            yield path, value
    elif isinstance(value, Mapping):
        members = shape.members if isinstance(shape, StructureShape) else {}
        for name, inner in value.items():
            below = f"{path}.{name}" if path else str(name)
            if isinstance(shape, MapShape):
                marked = secret or bool(shape.value.metadata.get("sensitive"))
                yield from _find(shape.value, inner, f"{path}.*", secret=marked)
            elif name in members:
                marked = is_secret(shape, name, members[name]) or (secret and not _KEPT.search(name))
                yield from _find(members[name], inner, below, secret=marked)
            else:
                yield from _find(None, inner, below, secret=secret)
    elif isinstance(value, list):
        member = shape.member if isinstance(shape, ListShape) else None
        marked = secret or (member is not None and bool(member.metadata.get("sensitive")))
        for inner in value:
            yield from _find(member, inner, path, secret=marked)


def hidden_in(text: str, values: Iterable[str | bytes]) -> str:
    """`text`, a message for people, with every one of `values` hidden."""
    texts = {each if isinstance(each, str) else each.decode("utf-8", "replace") for each in values}
    for each in sorted(texts, key=len, reverse=True):
        if len(each) >= SHORTEST:
            text = text.replace(each, HIDDEN).replace(repr(each)[1:-1], HIDDEN)
    return text
