"""The secret members of a call, and their values.

Secret is what AWS's models mark `sensitive` (`smithy.api#sensitive`), and text whose member's name says so where the
models are silent. The mark also stands on things that are personal or long, and without which a call means something
else: names, ids, the code of a function, the definition of a state machine. Those are listed in `_KEPT` and are no
secrets here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from replay_proxy.wire.sensitive.masking import HIDDEN, is_secret_by_name
from replay_proxy.wire.sensitive.secret_names import is_pair_key, is_pair_value, names_secret
from replay_proxy.wire.sensitive.spellings import BYTES_MIN, Vocabulary

_STAND_IN = "hidden-because-sensitive"
TEXT_CHARACTERS_MIN = 4
"""Shorter values are not looked for in other texts: they stand in every text."""

_KEPT = re.compile(
    r"(?:name|id|ids|arn|type|status|message|messages|description|definition|context|zipfile|phonenumber|email"
    r"|emailaddress|scope|scopes|templatebody)$",
    re.IGNORECASE,
)
# API keys of API Gateway: the member is called `value`, and the model does not mark it.
_SECRET_BY_PLACE = frozenset({("ApiKey", "value"), ("CreateApiKeyRequest", "value")})


def is_secret(parent: Shape | None, name: str, shape: Shape) -> bool:
    """Return whether the member `name` of `parent` is secret as a whole."""
    if _KEPT.search(name):
        return False
    if shape.metadata.get("sensitive"):
        return True
    return is_secret_by_name(name, shape) or (parent is not None and (parent.name, name) in _SECRET_BY_PLACE)


_known: WeakKeyDictionary[Shape, bool] = WeakKeyDictionary()


def may_hold_secrets(shape: Shape | None) -> bool:
    """Return whether a message of this shape can have a secret member."""
    if shape is None:
        return False
    known = _known.get(shape)
    if known is None:
        known = _known[shape] = _holds(shape, frozenset())
    return known


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
    """Yield path and value of every secret text in parsed parameters, or in a parsed answer."""
    for path, text, secret in texts_in(operation, value, answer=answer):
        if secret and text:
            yield path, text


def texts_in(
    operation: OperationModel, value: Mapping[str, Any], *, answer: bool
) -> Iterator[tuple[str, str | bytes, bool]]:
    """Yield path and value of every text in parsed parameters, or in a parsed answer, and whether it is secret.

    What stands under a key of a map has a path that ends with `*`: the key is the user's.
    """
    shape = operation.output_shape if answer else operation.input_shape
    if shape is not None:
        yield from _find(shape, value, "", secret=False)


def _find(shape: Shape | None, value: Any, path: str, *, secret: bool) -> Iterator[tuple[str, str | bytes, bool]]:
    if isinstance(value, str | bytes):
        yield path, value, secret
    elif isinstance(value, Mapping):
        members = shape.members if isinstance(shape, StructureShape) else {}
        pair = _names_a_secret_pair(value)
        for name, inner in value.items():
            below = f"{path}.{name}" if path else str(name)
            if isinstance(shape, MapShape):
                marked = secret or bool(shape.value.metadata.get("sensitive")) or names_secret(str(name))
                yield from _find(shape.value, inner, f"{path}.*", secret=marked)
            elif name in members:
                marked = is_secret(shape, name, members[name]) or (secret and not _KEPT.search(name))
                marked = marked or (pair and is_pair_value(name))
                yield from _find(members[name], inner, below, secret=marked)
            else:
                yield from _find(None, inner, below, secret=secret)
    elif isinstance(value, list):
        member = shape.member if isinstance(shape, ListShape) else None
        marked = secret or (member is not None and bool(member.metadata.get("sensitive")))
        for inner in value:
            yield from _find(member, inner, path, secret=marked)


def _names_a_secret_pair(value: Mapping[str, Any]) -> bool:
    """Return whether this is a pair whose first half names a secret (`{"name": "DB_PASSWORD", "value": …}`)."""
    return any(is_pair_key(str(name)) and isinstance(text, str) and names_secret(text) for name, text in value.items())


def model_names(operation: OperationModel) -> frozenset[str]:
    """Return the names, in lower case, of what the model of an operation describes and does not call secret anywhere."""
    return _model_names(operation.service_model.service_name, operation.name, operation)


_names_cached: dict[tuple[str, str], frozenset[str]] = {}
_NAMES_CACHED_MAX = 4096


def _model_names(service: str, name: str, operation: OperationModel) -> frozenset[str]:
    found = _names_cached.get((service, name))
    if found is None:
        harmless: set[str] = set()
        secret: set[str] = set()
        seen: set[str] = set()
        for shape in (operation.input_shape, operation.output_shape):
            _sort_names(shape, harmless, secret, seen)
        found = frozenset(harmless - secret)
        if len(_names_cached) < _NAMES_CACHED_MAX:
            _names_cached[service, name] = found
    return found


def _sort_names(shape: Shape | None, harmless: set[str], secret: set[str], seen: set[str]) -> None:
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            names = {name.lower(), str(member.serialization.get("name", name)).lower()}
            (secret if is_secret(shape, name, member) else harmless).update(names)
            _sort_names(member, harmless, secret, seen)
    elif isinstance(shape, ListShape):
        _sort_names(shape.member, harmless, secret, seen)
    elif isinstance(shape, MapShape):
        _sort_names(shape.value, harmless, secret, seen)


def with_values_hidden(text: str, values: Iterable[str | bytes]) -> str:
    """Return `text`, a message for people, with each of `values` hidden, in whatever encoding it stands there."""
    texts = {each if isinstance(each, str) else each.decode("utf-8", "replace") for each in values}
    vocabulary = Vocabulary()
    for each in sorted(texts, key=len, reverse=True):
        spelled = each.encode("utf-8", "replace")
        if len(spelled) >= BYTES_MIN:
            vocabulary.add(spelled, _STAND_IN)
        if len(each) >= TEXT_CHARACTERS_MIN:
            text = text.replace(each, HIDDEN).replace(repr(each)[1:-1], HIDDEN)
    return (
        vocabulary.replaced(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace").replace(_STAND_IN, HIDDEN)
    )
