"""The names of known resources, and what a text refers to by them.

A name stands in a text where it is the whole text, or a part of it that other characters end. Whole names are looked up. A
name that consists of several *words* (`/app/db`, `a.b`) is found by one of them, its *anchor*, and compared then. So neither
length nor letters of a name matter, and a text costs one lookup a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from replay_proxy.footprint.names.resource_names import pieces

_WORD = re.compile(r"[\w-]+|[^\x00-\x7f\w\s]+")
Owner = TypeVar("Owner", str, int)


def words(text: str) -> list[str]:
    """Return the parts of a text that names consist of: letters, digits, `_` and `-` in any script; signs that are not ASCII."""
    return _WORD.findall(text)


class NameIndex(Generic[Owner]):
    """Names, each with those that own it: resources, or the calls that made them. Memory: the names."""

    def __init__(self) -> None:
        self._owners: dict[str, dict[Owner, None]] = {}
        self._anchors: dict[str, str] = {}
        self._by_anchor: dict[str, dict[str, None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._owners

    def add(self, name: str, owner: Owner) -> None:
        """Let `owner` be known by a name."""
        if not name:
            return
        owners = self._owners.get(name)
        if owners is None:
            owners = self._owners[name] = {}
            inside = words(name)
            if inside != [name] and inside:
                anchor = min(inside, key=lambda word: len(self._by_anchor.get(word, ())))
                self._anchors[name] = anchor
                self._by_anchor.setdefault(anchor, {})[name] = None
        owners[owner] = None

    def discard(self, name: str, owner: Owner) -> None:
        """Let `owner` no longer be known by a name."""
        owners = self._owners.get(name)
        if owners is None:
            return
        owners.pop(owner, None)
        if not owners:
            del self._owners[name]
            anchor = self._anchors.pop(name, None)
            if anchor is not None:
                del self._by_anchor[anchor][name]

    def owners(self, name: str) -> Iterable[Owner]:
        """Return who is known by exactly this name."""
        return self._owners.get(name, ())

    def names_in(self, text: str) -> Iterator[str]:
        """Return the known names that are a text, or stand in it."""
        if text in self._owners:
            yield text
        for word in _WORD.findall(text):
            if word != text and word in self._owners:
                yield word
            for name in self._by_anchor.get(word, ()):
                if name != text and name in text:
                    yield name

    def found_in(self, text: str) -> Iterator[tuple[str, str, Iterable[Owner]]]:
        """Return the known names in any text, each with the namespace of the ARN around it ("" for none), and its owners."""
        if text in self._owners:
            yield text, "", self._owners[text]
        for namespace, piece in pieces(text):
            for name in self.names_in(piece):
                yield name, namespace, self._owners[name]
