"""Whether a name says that its value is secret: a name of a member, a variable or a header field, or a key of a map.

A name is read as a person reads it: in words, whatever joins them (`dbPassword`, `DB_PASSWORD`, `--db-password`), and by
its last word: the length of a password is none. The words are reviewed data, `data/secret_names.json`, which says
what each list means.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import orjson

_DATA = Path(__file__).parent / "data" / "secret_names.json"
_WORD = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\x00-\x7f]+")
NAME_MAX = 256
"""A longer text is no name."""


@lru_cache(maxsize=1)
def secret_words() -> dict[str, frozenset[str]]:
    """Return the word lists of the data file, by name."""
    lists = orjson.loads(_DATA.read_bytes())
    return {name: frozenset(words) for name, words in lists.items() if name != "about"}


@lru_cache(maxsize=16384)
def names_secret(name: str) -> bool:
    """Return whether `name`, in whatever style, names a secret."""
    if len(name) > NAME_MAX:
        return False
    lists = secret_words()
    if name.lower() in lists["fields"]:
        return True
    words = _words(name)
    at = _last_secret(words, lists)
    if at is None:
        return False
    start, end = at
    if start and words[start - 1] in lists["public"]:
        return False
    if words[start:end] == ("token",) and any(
        words[max(0, start - count) : start] == tuple(phrase.split())
        for phrase in lists["harmless_tokens"]
        for count in (len(phrase.split()),)
    ):
        return False
    return not _is_attribute(words[end:], lists)


def is_pair_key(name: str) -> bool:
    """Return whether `name` is that of the first half of a pair, which names the second (`ParameterKey`, `name`)."""
    words = _words(name)
    return bool(words) and words[-1] in secret_words()["keys"]


def is_pair_value(name: str) -> bool:
    """Return whether `name` is that of the second half of a pair (`ParameterValue`, `values`)."""
    words = _words(name)
    return bool(words) and words[-1] in secret_words()["values"]


@lru_cache(maxsize=4096)
def names_attribute(name: str) -> bool:
    """Return whether a member of something secret is no secret itself, by its name (`Credentials.Expiration`)."""
    return _is_attribute(_words(name), secret_words())


def _is_attribute(words: tuple[str, ...], lists: dict[str, frozenset[str]]) -> bool:
    kept = tuple(word for word in words if not word.isdigit())
    return any(" ".join(kept[-count:]) in lists["attributes"] for count in (1, 2) if len(kept) >= count)


def _last_secret(words: tuple[str, ...], lists: dict[str, frozenset[str]]) -> tuple[int, int] | None:
    """Return the start and the end of the last words that name a secret; None where none does."""
    for end in range(len(words), 0, -1):
        for count in (2, 1):
            if end >= count and " ".join(words[end - count : end]) in lists["secrets"]:
                return end - count, end
        glued = next((each for each in lists["glued"] if words[end - 1].endswith(each)), "")
        if glued and words[end - 1].removesuffix(glued) not in lists["harmless_tokens"]:
            return end - 1, end
    return None


@lru_cache(maxsize=16384)
def _words(name: str) -> tuple[str, ...]:
    return tuple(_singular(word.lower()) for word in _WORD.findall(name))


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as")) else word
