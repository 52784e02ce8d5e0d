"""Members whose values an emulator draws, and which are no identifiers: secrets, fingerprints, certificates.

A client keeps such a value, and sees it again in later answers. The role of the member tells it (`member_roles`). Some of
these are of no account later: what only the call shows that makes it, and what users put in themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.members.member_roles import Role, role_of
from replay_proxy.wire.codecs.answers import Outcome

_SHOWN_ONCE = re.compile(r".*(PrivateKey\w*|KeyMaterial|SecretAccessKey|SessionToken|Plaintext|CiphertextBlob)")
"""Members that the call which makes them shows, and no other; no request has them either."""
_PUT_IN = re.compile(r"SecretString|SecretBinary")
"""Members that hold what somebody put in; they are never translated."""
_DEPTH_MAX = 12


def is_drawn(service: str, operation: str, member: str, shape: Any) -> bool:
    """Return whether a member of an answer shows a drawn value that matters later."""
    return (
        role_of(service, operation, member, shape) is Role.SECRET
        and _SHOWN_ONCE.fullmatch(member) is None
        and _PUT_IN.fullmatch(member) is None
    )


def drawn_texts(head: CallHead, outcome: Outcome) -> set[str]:
    """Return the drawn values in an outcome, as far as they are texts; a text of several lines by its lines."""
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
    elif isinstance(value, str) and is_drawn(head.service, head.operation, member, shape):
        yield value
