"""How much a text says: could it stand somewhere by chance, or as another thing's name?

This decides nothing about what a text *is*; that is told by the member in which it stands. It decides where an alias is
looked for. A word such as `vpc-0a1b2c3d4e5f` stands for one thing wherever it occurs, also in a template or a script. The
id `T3140`, the id `4401935`, the id `default` may be another thing's name, a size, or a word of prose elsewhere; an alias
of such a one is *bound* to the places of identifiers (`identifier_places`).
"""

from __future__ import annotations

import re
from functools import lru_cache

_LONG_CHARACTERS = 20
_PIECE_CHARACTERS_MIN = 6
_DIGITS_MIN = 8
_PIECE = re.compile(r"[A-Za-z0-9]+")
_WORD_AND_NUMBER = re.compile(r"[A-Za-z]{3,}\d{1,4}")
_BEGINS_WITH_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d{1,2}_[A-Za-z0-9]{6,}$")
_DASHED_ADDRESS = re.compile(r"(?:^|-)\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}$")


@lru_cache(maxsize=4096)
def is_distinctive(text: str) -> bool:
    """Return whether a text is so long, or so mixed of letters and digits, that it stands for one thing wherever it occurs."""
    if len(text) >= _LONG_CHARACTERS:
        return True
    if text.isdigit():
        return False
    if _BEGINS_WITH_REGION.match(text):  # an identifier that says its region (`us-east-1_abCdEfGhI`) is no word
        return True
    return _DASHED_ADDRESS.search(text) is not None or any(map(_is_mixed, _PIECE.findall(text)))


def _is_mixed(piece: str) -> bool:
    """Return whether letters and digits are mixed in a piece of a word, or digits many; `python3` is a word and a number."""
    if len(piece) < _PIECE_CHARACTERS_MIN or piece.isalpha():
        return False
    if piece.isdigit():
        return len(piece) >= _DIGITS_MIN
    return not _WORD_AND_NUMBER.fullmatch(piece)
