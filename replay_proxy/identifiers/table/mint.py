"""Fresh identifiers of the shape of given ones.

When the emulator gives a new resource an identifier under which clients know another resource, clients are shown a
fresh one instead. It has the look of the given one (`vpc-` stays, hex stays hex, a UUID keeps its hyphens, an IP
address its network), because clients and SDKs check patterns. It is a function of the given one and of what is used
already, so that a repetition gives the same.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable, Iterator

from replay_proxy.identifiers.table.tokens import is_address

_PIECE = re.compile(r"[A-Za-z0-9]+")
# After so many attempts there is no room left: then pieces without a digit vary, too, and at last it is made longer.
_ATTEMPTS_AT_DIGITS, _ATTEMPTS_AT_LENGTH, _ATTEMPTS_MAX = 100, 500, 1000
_ALPHABETS = (
    string.digits,
    string.digits + "abcdef",
    string.digits + "ABCDEF",
    string.digits + string.ascii_lowercase,
    string.digits + string.ascii_uppercase,
    string.digits + string.ascii_letters,
)


def fresh(taken: str, is_used: Callable[[str], bool]) -> str:
    """Return an identifier that looks like `taken` and for which `is_used` is false.

    Raises:
        ValueError: every identifier of that look is used.
    """
    for attempt in range(_ATTEMPTS_MAX):
        candidate = _address(taken, attempt) if is_address(taken.encode()) else _variant(taken, attempt)
        if candidate != taken and not is_used(candidate):
            return candidate
    raise ValueError(f"no free identifier of the shape of {taken!r}")


def _variant(taken: str, attempt: int) -> str:
    pieces = list(_PIECE.finditer(taken))
    with_digits = [piece for piece in pieces if any(c.isdigit() for c in piece.group())]
    chosen = with_digits if with_digits and attempt < _ATTEMPTS_AT_DIGITS else pieces
    out: list[str] = []
    done = 0
    for piece in chosen:
        noise = _noise(f"{taken}/{attempt}/{piece.start()}")
        alphabet = _alphabet("".join(each.group() for each in chosen))
        # The first character stays: a leading letter is often demanded, a leading zero often forbidden.
        out += taken[done : piece.start() + 1]
        out += [alphabet[next(noise) % len(alphabet)] if c in alphabet else c for c in piece.group()[1:]]
        done = piece.end()
    out.append(taken[done:])
    if attempt >= _ATTEMPTS_AT_LENGTH:
        out.append(f"{attempt:x}")
    return "".join(out)


def _alphabet(text: str) -> str:
    return next((a for a in _ALPHABETS if set(text) <= set(a)), _ALPHABETS[-1])


def _address(taken: str, attempt: int) -> str:
    noise = _noise(f"{taken}/{attempt}")
    if ":" in taken:
        head, _, _ = taken.rpartition(":")
        return f"{head.rpartition(':')[0]}:{next(noise):02x}:{next(noise):02x}"
    network, _, _ = taken.rpartition(".")
    return f"{network}.{4 + next(noise) % 250}"


def _noise(seed: str) -> Iterator[int]:
    counter = 0
    while True:
        yield from hashlib.sha256(f"{seed}/{counter}".encode()).digest()
        counter += 1
