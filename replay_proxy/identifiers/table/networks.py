"""Blocks of IPv6 addresses: one alias stands for the block and for everything inside it.

A client that was given `2600:1f18:8:4500::/56` makes subnets in it (`2600:1f18:8:4501::/64`) and names single addresses.
An emulator that draws another block the next time knows all of these by other addresses: those at the same place in its
own block. Of blocks inside each other the smallest decides, so a single address may have a pair of its own.

An address is found by its first group, a word that no notation changes but for the case of its letters: the first groups
of global and local blocks (2000::/3, fc00::/7) have four digits. Blocks of other first groups are not translated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import IPv6Address, IPv6Network
from itertools import dropwhile
from typing import NamedTuple

_TEXT = re.compile(rb"(?<![\w:.-])[0-9A-Fa-f]{4}:[0-9A-Fa-f:]{0,34}(/\d{1,3})?(?![\w:])")
_EXPLODED_CHARACTERS = 39


class _Block(NamedTuple):
    """A block, as this side and as the other side write it."""

    source: IPv6Network
    target: IPv6Network
    target_text: str


def network_of(text: str) -> IPv6Network | None:
    """Return the IPv6 block or address that a text is; None for any other text."""
    if ":" not in text:
        return None
    try:
        return IPv6Network(text)
    except ValueError:
        return None


def search_words(block: str) -> set[bytes]:
    """Return the words by which a prescan finds what is inside of `block`. Raises ValueError where there is none."""
    group = block.partition(":")[0]
    if network_of(block) is None or len(group) != 4:
        raise ValueError(f"no IPv6 block with a first group of four digits: {block!r}")
    return {group.lower().encode(), group.upper().encode()}


class Networks:
    """The blocks of one direction, each with the block of the other side."""

    def __init__(self) -> None:
        self._by_group: dict[bytes, dict[str, _Block]] = {}

    def add(self, source: str, target: str) -> None:
        """Add a pair of blocks of one size. Raises ValueError where they are none."""
        block = _Block(IPv6Network(source), IPv6Network(target), target)
        if block.source.prefixlen != block.target.prefixlen:
            raise ValueError(f"blocks of two sizes: {source!r}, {target!r}")
        self._by_group.setdefault(_group(source), {})[source] = block

    def remove(self, source: str) -> None:
        """Remove the pair of `source`."""
        group = self._by_group[_group(source)]
        del group[source]
        if not group:
            del self._by_group[_group(source)]

    def __contains__(self, word: bytes) -> bool:
        return word.lower() in self._by_group

    def found_in(self, text: bytes, word: bytes) -> Iterator[tuple[int, int, str]]:
        """Yield what lies inside of known blocks: start, end, and the text in its place.

        text: unescaped. word: a first group, as it stands in `text`.
        """
        blocks = self._by_group[word.lower()].values()
        start = text.find(word)
        while start >= 0:
            match = _TEXT.match(text, start)
            if match is not None:
                new = _translated(match.group().decode("ascii"), blocks)
                if new:
                    yield match.start(), match.end(), new
            start = text.find(word, start + 1)


def _group(block: str) -> bytes:
    return block.partition(":")[0].lower().encode()


def _translated(text: str, blocks: Collection[_Block]) -> str:
    """Return an address or a block as the other side writes it; empty where no block of `blocks` has it inside."""
    inner = network_of(text)
    host, slash, length = text.partition("/")
    if inner is None:
        try:
            inner = IPv6Network(f"{IPv6Address(host)}/128")
        except ValueError:
            return ""
    best = max(
        (block for block in blocks if inner.subnet_of(block.source)),
        key=lambda block: block.source.prefixlen,
        default=None,
    )
    if best is None:
        return ""
    if inner == best.source and slash:
        return best.target_text
    offset = int(inner.network_address) - int(best.source.network_address)
    address = IPv6Address(int(best.target.network_address) + offset)
    written = address.exploded if len(host) == _EXPLODED_CHARACTERS else _spelled_like(best, str(address))
    return written + slash + length


def _spelled_like(block: _Block, address: str) -> str:
    """Return an address of the other side with the groups that its block writes out as that side writes them.

    A group that the block writes with leading zeros (`0e51`, `0900`) has as many digits inside of it, too, and `::` stands
    for none of the groups that the block writes out.
    """
    theirs = block.target_text.partition("/")[0].partition("::")[0].split(":")
    groups = address.split(":")
    if not all(groups[: len(theirs)]):
        every = [f"{int(group, 16):x}" for group in IPv6Address(address).exploded.split(":")]
        rest = every[len(theirs) :]
        if rest[:1] == ["0"]:
            rest = ["", *(list(dropwhile(lambda group: group == "0", rest)) or [""])]
        groups = every[: len(theirs)] + rest
    for place, own in enumerate(theirs):
        if own.startswith("0"):
            groups[place] = groups[place].zfill(len(own))
    return ":".join(groups)
