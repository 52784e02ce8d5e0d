"""Members whose values an emulator draws, and which are no identifiers: secrets, fingerprints, certificates.

A client keeps such a value, and sees it again in later answers. The role of the member tells it (`member_roles`). Some of
these are of no account later: what only the call shows that makes it. What users put in is a secret, too, and is none of the
emulator's, unless it was asked to generate it: whether somebody put it in is told by what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.members.member_roles import Role, is_drawn_label, is_label_to_name, role_of
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.models.models import operation_model

_SHOWN_ONCE = re.compile(r".*(PrivateKey\w*|KeyMaterial|SecretAccessKey|SessionToken|Plaintext|CiphertextBlob)")
"""Members that the call which makes them shows, and no other; no request has them either."""
_PUT_IN = re.compile(r"SecretString|SecretBinary")
"""Members that hold what somebody put in; they are never translated."""
_DEPTH_MAX = 12


def put_in(parsed: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the values in a request or an answer of the members that hold what somebody has put in, at the top or in lists."""
    for member, value in parsed.items():
        if isinstance(value, str | bytes) and value and _PUT_IN.fullmatch(member):
            yield value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, dict):
                    yield from put_in(each)


@lru_cache(maxsize=4096)
def takes_put_in(service: str, operation: str) -> bool:
    """Return whether a request has members that put something in, as `put_in` finds them."""
    return _has_put_in(service, operation, "input_shape")


@lru_cache(maxsize=4096)
def shows_put_in(service: str, operation: str) -> bool:
    """Return whether an answer has members that show what somebody has put in, as `put_in` finds them."""
    return _has_put_in(service, operation, "output_shape")


def _has_put_in(service: str, operation: str, message: str) -> bool:
    try:
        shape: Any = getattr(operation_model(service, operation), message)
    except LookupError:
        return False
    return shape is not None and _has_put_in_within(shape, _DEPTH_MAX)


def _has_put_in_within(shape: Any, depth: int) -> bool:
    lists = (part.member for part in shape.members.values() if part.type_name == "list" and depth)
    return any(map(_PUT_IN.fullmatch, shape.members)) or any(
        _has_put_in_within(each, depth - 1) for each in lists if each.type_name == "structure"
    )


@cache
def _prints() -> Mapping[tuple[str, str], str]:
    entries = orjson.loads((Path(__file__).parent / "data" / "drawn_prints.json").read_bytes())["prints"]
    return {(entry["service"], entry["member"]): entry["beside"] for entry in entries}


def beside_print(service: str, member: str) -> str:
    """Return the member beside a print of packed content that is the same where the content is; empty for other members."""
    return _prints().get((service, member), "")


def is_drawn(service: str, operation: str, member: str, shape: Any) -> bool:
    """Return whether a member of an answer shows a drawn value that matters later.

    shape: of the member; None where it is not known.
    """
    if shape is not None and shape.type_name == "blob" and makes_with_keys(service):
        return False
    role = role_of(service, operation, member, shape)
    if role is Role.LABEL:
        return is_drawn_label(service, operation, member)
    return role is Role.SECRET and _SHOWN_ONCE.fullmatch(member) is None and _PUT_IN.fullmatch(member) is None


def makes_with_keys(service: str) -> bool:
    """Return whether the bytes in a service's answers are made with a key, or are one half of it: they fit that key alone."""
    return service == "kms"


def drawn_texts(head: CallHead, outcome: Outcome) -> set[str]:
    """Return the drawn values in an outcome, as far as they are texts; a text of several lines by its lines.

    A token that a later call has to name (the revision of a function) is one, whatever its member is beside that.
    """
    shape = output_shape(head)
    return {line for text in _texts(head, "", shape, outcome.parsed, 0) for line in text.split("\n")}


def _texts(head: CallHead, member: str, shape: Any, value: Any, depth: int) -> Iterator[str]:
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        inner = shape.value if shape is not None and shape.type_name == "map" else None
        for key, each in value.items():
            yield from _texts(head, key, parts.get(key, inner), each, depth + 1)
    elif isinstance(value, list):
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        for each in value:
            yield from _texts(head, member, inner, each, depth + 1)
    elif isinstance(value, str) and (
        beside_print(head.service, member)
        or is_drawn(head.service, head.operation, member, shape)
        or is_label_to_name(head.service, head.operation, member, shape)
    ):
        yield value
