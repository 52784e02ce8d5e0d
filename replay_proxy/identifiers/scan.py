"""Which bytes of a message name known identifiers, and what they become.

`look_over` is the fast answer for a whole text; `find` is the exact one for a piece of it, and `swapped` does without it
where the case is simple. All look at bytes only; which pieces may be touched at all (headers that authenticate,
payload) is decided by `rewrite`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from replay_proxy.identifiers import tokens
from replay_proxy.identifiers.aliases import AliasTable, Direction, Kind, Scope

_LONGEST_ARN_HEAD = 96  # bytes before a region, percent-encoded twice
_BEFORE_REGION = re.compile(rb"arn:aws[a-z-]*:[a-z0-9-]*:\Z")


class Hit(NamedTuple):
    """Bytes `start:end` of a message that name an identifier. `new` is empty for a collision (see `aliases`)."""

    start: int
    end: int
    old: str
    new: str


class Look(NamedTuple):
    """What a first look over a text found.

    known: the runs and addresses that the table has a say about. hidden: run characters are escaped themselves.
    runs: all runs, in order, where nothing else is known.
    """

    known: set[bytes]
    hidden: bool
    runs: list[bytes]


NOTHING = Look(set(), hidden=False, runs=[])


def look_over(data: bytes, table: AliasTable, *, to_client: bool) -> Look:
    """The first look over a text: mostly, nothing in it is known.

    The other direction counts too: towards clients for collisions, towards the emulator for chains of addresses.
    """
    if not data:
        return NOTHING
    way, back = _ways(table, to_client=to_client)
    text, hidden = tokens.bare(data)
    runs = tokens.runs_of_bare(text)
    known = way.sought.intersection(runs)
    if way.addresses or back.addresses:
        addresses = way.sought.intersection(tokens.address_parts_of_bare(text))
        if addresses:
            known, runs = known | addresses, []
    return Look(known, hidden, runs) if known else NOTHING


def known_in(data: bytes, table: AliasTable, *, to_client: bool) -> set[bytes]:
    """The runs and addresses of `data` that `table` has a say about."""
    return look_over(data, table, to_client=to_client).known


def swapped(data: bytes, look: Look, table: AliasTable, scope: Scope, *, to_client: bool) -> bytes | None:
    """`data` with its identifiers replaced, where nothing is payload and all is simple; the identical object without.

    look: what `look_over` found in `data`. Simple, as it mostly is: everything that is known is an identifier of this
    very scope, nothing of it is escaped, and no two identifiers share a character. None where it is not: then `find`
    tells what changes.
    """
    if look.hidden or not look.runs:
        return None
    way, back = _ways(table, to_client=to_client)
    swaps, find, run_character, length = way.swaps, data.find, tokens.RUN_CHARACTERS, len(data)
    pieces: list[bytes] = []
    done = 0
    # The runs stand in `data` in this order, so that each is found from the end of the one before.
    for token in filter(look.known.__contains__, look.runs):
        swap = swaps[token]
        if swap is None:
            return None
        old, new, its_scope = swap
        if (its_scope is not scope and its_scope != scope) or (
            old is not token and old != token and token in back.pairs
        ):
            return None
        start = find(old, done)
        while start >= 0:
            end = start + len(old)
            if (
                (not start or data[start - 1] not in run_character)
                and (end == length or data[end] not in run_character)
            ) or tokens.is_bounded(data, start, end):
                break
            start = find(old, start + 1)
        else:
            return None
        pieces += (data[done:start], new)
        done = end
    if not pieces:
        return data
    pieces.append(data[done:])
    return b"".join(pieces)


def find(
    data: bytes, table: AliasTable, scope: Scope, *, to_client: bool, look: Look | None = None
) -> tuple[list[Hit], list[Hit]]:
    """The identifiers in `data` that change, and (towards clients) those that collide, each in order of place.

    look: what `look_over` found in a text of which `data` is a part.
    """
    if look is None:
        look = look_over(data, table, to_client=to_client)
    known = look.known
    if not known:
        return [], []
    way, back = _ways(table, to_client=to_client)
    anchors = way.anchors
    view = tokens.Plain(data)
    if look.hidden or any(_is_escaped(token, anchors[token], data) for token in anchors.keys() & known):
        view = tokens.plain(data)
    text = view.text
    addresses = bool(way.addresses or back.addresses)
    found: list[tuple[int, int, bytes]] = []
    for token in known:
        if token in way.pairs or token in back.pairs:
            found += tokens.places(text, token, addresses=addresses)
        for whole in anchors.get(token, ()):
            found += tokens.places(text, whole, addresses=addresses)
    if not found:
        return [], []
    found.sort(key=_by_place)
    translate = table.to_client if to_client else table.to_emulator
    hits: list[Hit] = []
    collisions: list[Hit] = []
    done = 0
    for start, end, token in found:
        if start < done:
            continue
        sole = way.sole(token)
        if sole is not None and sole.scope == scope:  # as most are
            old, new = (sole.emulator, sole.client) if to_client else (sole.client, sole.emulator)
        elif _in_place(way, text, start, token):
            old = token.decode("latin-1")
            new = translate(old, scope)
        else:
            continue
        if new == old and not (to_client and table.collides(old, scope)):
            continue
        done = end
        place = (start, end) if view.is_original else (view.origin(start), view.origin(end))
        if new != old:
            hits.append(Hit(*place, old, new))
        else:
            collisions.append(Hit(*place, old, ""))
    return hits, collisions


def _by_place(found: tuple[int, int, bytes]) -> tuple[int, int]:
    """From left to right, and the longest first of what begins at one place."""
    return found[0], -found[1]


def _is_escaped(anchor: bytes, wholes: set[bytes], data: bytes) -> bool:
    """Whether `anchor` stands in `data` otherwise than in the one compound that it is the anchor of, spelt as it is."""
    return len(wholes) > 1 or data.count(anchor) != data.count(next(iter(wholes)))


def replaced(data: bytes, hits: Iterable[Hit], *, url: bool) -> bytes:
    """`data` with its hits replaced, spelt as their places demand; the identical object where there are none."""
    pieces: list[bytes] = []
    done = 0
    for hit in hits:
        pieces += [
            data[done : hit.start],
            tokens.respelt(hit.new.encode(), data[hit.start : hit.end], url=url),
        ]
        done = hit.end
    if not pieces:
        return data
    pieces.append(data[done:])
    return b"".join(pieces)


def translated(text: str, table: AliasTable, scope: Scope, *, to_client: bool) -> str:
    """One decoded value with all its identifiers replaced; the identical object where there are none."""
    data = text.encode("utf-8", "surrogatepass")
    hits, _ = find(data, table, scope, to_client=to_client)
    return replaced(data, hits, url=False).decode("utf-8", "surrogatepass") if hits else text


def _ways(table: AliasTable, *, to_client: bool) -> tuple[Direction, Direction]:
    if to_client:
        return table.to_client_index, table.to_emulator_index
    return table.to_emulator_index, table.to_client_index


def _in_place(way: Direction, text: bytes, start: int, token: bytes) -> bool:
    """Regions are translated in ARNs only: everywhere else the emulator takes them as the caller says them."""
    known = way.pairs.get(token)
    if known is None or known[0].kind is not Kind.REGION:
        return True
    return _BEFORE_REGION.search(tokens.plain(text[max(0, start - _LONGEST_ARN_HEAD) : start]).text) is not None
