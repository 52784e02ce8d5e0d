"""Names that clients chose: no part of one is an identifier, though it be spelled like one.

A log group `/vpc/vpc-0a1b/flow`, a queue `vpc-0a1b.fifo`, a parameter `/net/vpc-0a1b/cidr` are called so because their client
said so. They are written as they are, in both directions, wherever the whole name stands: in members, in ARNs, in URLs. So
the emulator finds them by any beginning, and lists them in the order of their names. What an emulator named itself (a stack
its members) is no such name.

A name that has no other characters than a word is not looked for: no identifier matches inside a longer word (`tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from replay_proxy.identifiers.table.identifier_places import value_around
from replay_proxy.identifiers.table.tokens import WORD_CHARACTERS

_ARN_TYPE_BYTES_MAX = 160
_ARN_TYPE = re.compile(rb"arn:aws[a-z-]*:[a-z0-9-]*:[^:\s]*:[^:\s]*:[a-z-]+\Z")
_BEGINNING = re.compile(r"prefix$|^path$", re.IGNORECASE)


def is_whole_name(text: bytes, start: int) -> bool:
    """Return whether the name that begins at `start` of a text is not the end of a longer one.

    In an ARN a type stands before it, which a name that begins with a slash follows without any other character.
    """
    if not start or text[start - 1] in b"\"'":
        return True
    if text[start - 1] not in WORD_CHARACTERS:
        return text[start - 1] != 0x2E
    return _ARN_TYPE.search(text[max(0, start - _ARN_TYPE_BYTES_MAX) : start]) is not None


def begins_one(names: Iterable[bytes], text: bytes, start: int, end: int) -> bool:
    """Return whether the value of a member, in which `start:end` of a text is an identifier, is the beginning of a name.

    One that begins with the identifier may well be only that; there the member must say that it holds a beginning.
    """
    value, at, member = value_around(text, start, end)
    if at == start and not _BEGINNING.search(member):
        return False
    return any(name.startswith(value) for name in names)
