"""The texts in an answer, and whether they name a resource.

An answer that lists a thousand things is looked through for each of them. So its texts are taken out once, and those of its
elements are found by the words in them: what it costs grows with the answer, not with its square.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from replay_proxy.resources.linking.documents import document

_DEPTH: Final = 32
_BYTES_MAX: Final = 1 << 16
_BETWEEN: Final = "\0"
_NOT_THERE: Final = re.compile(r"(?i)notfound|unprocessed|^failures$|^errors$")
"""Members of answers that list what could not be shown."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_WORD_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def texts_in(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """Return every text in an answer, keys of maps included; of JSON documents in texts, the texts in them as well."""
    if depth == 0:
        return
    if isinstance(value, str):
        inside = document(value) or (document(unquote(value)) if "%" in value else None)
        if inside is not None:
            yield from texts_in(inside, depth - 1)
        else:
            yield value
    elif isinstance(value, Mapping):
        for member, below in value.items():
            yield str(member)
            yield from texts_in(below, depth - 1)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from texts_in(below, depth - 1)
    elif isinstance(value, bytes | bytearray):
        yield bytes(value[:_BYTES_MAX]).decode("utf-8", "replace")
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


class Texts:
    """All texts in an answer, or in a part of one."""

    def __init__(self, *values: Any) -> None:
        self._all = frozenset(text for value in values for text in texts_in(value))

    def __bool__(self) -> bool:
        return bool(self._all)

    @cached_property
    def _joined(self) -> str:
        return _BETWEEN.join(self._all)

    @cached_property
    def folded(self) -> frozenset[str]:
        """The texts in lower case."""
        return frozenset(text.lower() for text in self._all)

    @cached_property
    def words(self) -> frozenset[str]:
        """The parts of the texts of which names are put together."""
        return frozenset(_WORD.findall(self._joined))

    def mention(self, names: Collection[str]) -> bool:
        """Return whether one of the texts is one of the names, or has it as a whole part, as an ARN and an address have."""
        return any(name in self._all or self._has_as_part(name) for name in names if name)

    def _has_as_part(self, name: str) -> bool:
        return _BETWEEN not in name and _stands_in(name, self._joined)  # else it could be found across two texts


class Listing:
    """An answer, and the structures in its lists: each may describe a resource."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        # What was asked for and is not there is named, too.
        self._answer = {member: value for member, value in answer.items() if not _NOT_THERE.search(member)}

    @cached_property
    def texts(self) -> Texts:
        """All that the answer says."""
        return Texts(self._answer)

    @cached_property
    def _elements(self) -> list[tuple[Mapping[str, Any], Texts]]:
        lists = [value for value in self._answer.values() if isinstance(value, list)]
        # The statements of a policy stand in a text.
        texts = (document(value) for value in self._answer.values() if isinstance(value, str))
        lists += [
            below for each in texts if isinstance(each, dict) for below in each.values() if isinstance(below, list)
        ]
        return [(each, Texts(each)) for value in lists for each in value if isinstance(each, Mapping)]

    @cached_property
    def _by_word(self) -> Mapping[str, set[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for number, (_, texts) in enumerate(self._elements):
            for word in texts.words:
                found[word].add(number)
        return found

    def element(self, names: Collection[str]) -> Mapping[str, Any] | None:
        """Return the one structure that mentions one of the names; None where there is none, or several."""
        described = list(self._mentioning(names))
        return described[0] if len(described) == 1 else None

    def describes(self, names: Collection[str]) -> bool:
        """Return whether any structure mentions one of the names: not where names alone are listed."""
        return any(True for _ in self._mentioning(names))

    def _mentioning(self, names: Collection[str]) -> Iterator[Mapping[str, Any]]:
        possible = sorted({number for name in names if name for number in self._with_words_of(name)})
        found = (self._elements[number] for number in possible)
        return (each for each, texts in found if texts.mention(names))

    def _with_words_of(self, name: str) -> Iterable[int]:
        """Return the elements that have every word of a name; all, where it is made of other characters."""
        holders = [self._by_word.get(word, set()) for word in _WORD.findall(name)]
        return set.intersection(*holders) if holders else range(len(self._elements))


def _stands_in(name: str, text: str) -> bool:
    """Does a text have a name as a whole part: with no further character of a word before it, nor after it?"""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before, after = text[at - 1 : at] if at else "", text[end : end + 1]
        if before not in _WORD_CHARACTERS and after not in _WORD_CHARACTERS:
            return True
        at = text.find(name, at + 1)
    return False
