"""Which bytes of a message name known identifiers, and what they become.

`prescan` says fast, for a whole text, whether anything in it is known. `find` gives the exact replacements for a piece of
the text; `replace_simple` does the same without `find` in the simple case, which is the common one. All look at bytes
only. Which pieces may be changed at all (not headers that authenticate, not payload) is decided by `rewrite`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.answer_identifiers import identifier_values
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.account_places import AccountPlace, account_place
from replay_proxy.identifiers.table.alias import Alias, AliasIndex, AliasKind
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.chosen_names import begins_one, is_whole_name
from replay_proxy.identifiers.table.identifier_places import (
    arn_namespace,
    is_identifier_place,
    is_number_place,
    is_of_any,
)
from replay_proxy.identifiers.table.scope import Scope
from replay_proxy.wire.codecs.answers import Outcome

_ARN_HEAD_BYTES_MAX = 96  # bytes before a region, percent-encoded twice
_BEFORE_REGION = re.compile(rb"arn:aws[a-z-]*:[a-z0-9-]*:\Z")


class Replacement(NamedTuple):
    """What becomes of the bytes `start:end` of a message, which name an identifier.

    old, new: the identifier, unescaped, and its replacement; `new` is empty for a collision (see `alias_table`).
    is_certain: whether that text stands for this one thing wherever it occurs, also in what users wrote. account: what says
    that it is an account; None for anything else.
    """

    start: int
    end: int
    old: str
    new: str
    is_certain: bool = False
    account: AccountPlace | None = None


class Prescan(NamedTuple):
    """What a prescan found in a text.

    known: the words and addresses that the table knows. escaped: characters of words are escaped themselves.
    words: all words, in order; empty where addresses are known, too.
    """

    known: set[bytes]
    escaped: bool
    words: list[bytes]


NOTHING_KNOWN = Prescan(set(), escaped=False, words=[])


def prescan(data: bytes, table: AliasTable, *, to_client: bool) -> Prescan:
    """Find the words and addresses of a text that the table knows. In most texts there are none.

    Identifiers of the other direction count, too: towards clients for collisions, towards the emulator for chains of
    addresses.
    """
    if not data:
        return NOTHING_KNOWN
    way, back = _ways(table, to_client=to_client)
    text, escaped = tokens.bare_text(data)
    words = tokens.words_of_bare(text)
    known = way.search_tokens.intersection(words)
    if way.addresses or back.addresses:
        addresses = way.search_tokens.intersection(tokens.address_parts_of_bare(text))
        if addresses:
            known, words = known | addresses, []
    return Prescan(known, escaped, words) if known else NOTHING_KNOWN


def known_in(data: bytes, table: AliasTable, *, to_client: bool) -> set[bytes]:
    """Return the words and addresses of `data` that `table` knows, of either side."""
    return prescan(data, table, to_client=to_client).known


def replace_simple(data: bytes, scanned: Prescan, table: AliasTable, scope: Scope, *, to_client: bool) -> bytes | None:
    """Return `data`, of which nothing is payload, with its identifiers replaced; None where that is not simple.

    scanned: what `prescan` found in `data`. It is simple where everything known is an identifier of this very scope, none
    is escaped, and no two share a character; otherwise `find` tells what changes. Returns the identical object where
    nothing does.
    """
    if scanned.escaped or not scanned.words:
        return None
    way, back = _ways(table, to_client=to_client)
    substitutions, find, word_character, length = way.substitutions, data.find, tokens.WORD_CHARACTERS, len(data)
    pieces: list[bytes] = []
    done = 0
    # The words stand in `data` in this order, so that each is found from the end of the one before.
    for token in filter(scanned.known.__contains__, scanned.words):
        substitution = substitutions[token]
        if substitution is None:
            return None
        old, new, its_scope = substitution
        if (its_scope is not scope and its_scope != scope) or (
            old is not token and old != token and token in back.pairs
        ):
            return None
        start = find(old, done)
        while start >= 0:
            end = start + len(old)
            if (
                (not start or data[start - 1] not in word_character)
                and (end == length or data[end] not in word_character)
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
    data: bytes,
    table: AliasTable,
    scope: Scope,
    *,
    to_client: bool,
    scanned: Prescan | None = None,
    service: str = "",
    is_identifier: bool | None = None,
) -> tuple[list[Replacement], list[Replacement]]:
    """Return the replacements in `data`, and (towards clients) the collisions, each in order of place.

    scanned: what `prescan` found in a text of which `data` is a part; None to scan `data`. service: that of the message.
    is_identifier: whether `data` is the value of a member that names something; None for text in which that is to be seen.
    """
    if scanned is None:
        scanned = prescan(data, table, to_client=to_client)
    known = scanned.known
    if not known:
        return [], []
    way, back = _ways(table, to_client=to_client)
    compounds = way.compounds
    view = tokens.Unescaped(data)
    if (
        scanned.escaped
        or any(_is_escaped(token, compounds[token], data) for token in compounds.keys() & known)
        or (tokens.has_escapes(data) and any(token in way.networks or b":" in token for token in known))
    ):
        view = tokens.unescaped(data)
    text = view.text
    addresses = bool(way.addresses or back.addresses)
    found: list[tuple[int, int, bytes]] = []
    inside: dict[tuple[int, int], str] = {}
    for token in known:
        if token in way.networks:
            for start, end, new in way.networks.found_in(text, token):
                inside[start, end] = new
                found.append((start, end, text[start:end]))
        if token in way.pairs or token in back.pairs:
            found += tokens.occurrences(text, token, addresses=addresses)
        for whole in compounds.get(token, ()):
            found += tokens.occurrences(text, whole, addresses=addresses)
            if b" " in whole:  # as forms write it
                places = tokens.occurrences(text, whole.replace(b" ", b"+"), addresses=False)
                found += [(start, end, whole) for start, end, _ in places]
    if not found:
        return [], []
    found.sort(key=_by_place)
    translate = table.to_client if to_client else table.to_emulator
    replacements: list[Replacement] = []
    collisions: list[Replacement] = []
    done = 0
    for start, end, token in found:
        if start < done:
            continue
        if token in way.names:
            if is_whole_name(text, start):
                done = end
            continue
        is_bound = token in way.bound or token in back.bound
        if is_bound:
            alias = (way.pairs.get(token) or back.pairs[token])[-1]
            if not _is_its_place(alias, text, start, end, service, is_identifier=is_identifier):
                continue
        elif token.isdigit() and is_number_place(text, start):
            continue
        sole = way.sole(token)
        if (start, end) in inside:
            old, new = token.decode("latin-1"), inside[start, end]
        elif sole is not None and sole.scope == scope:  # as most are
            old, new = (sole.emulator, sole.client) if to_client else (sole.client, sole.emulator)
        elif _in_place(way, text, start, token):
            old = token.decode("latin-1")
            new = translate(old, scope)
        else:
            continue
        if way.names and not to_client and begins_one(way.names, text, start, end):
            continue
        if new == old and not (to_client and table.collides(old, scope)):
            continue
        account = account_place(text, start, end, service) if new != old and _is_account(way, token) else None
        if account is AccountPlace.NONE or (account is AccountPlace.BARE and is_identifier is False):
            continue
        done = end
        place = (start, end) if view.is_original else (view.original_offset(start), view.original_offset(end))
        if new != old:
            is_certain = not is_bound and (not token.isdigit() or account is AccountPlace.ADDRESS)
            replacements.append(Replacement(*place, old, new, is_certain, account))
        else:
            collisions.append(Replacement(*place, old, ""))
    return replacements, collisions


def _is_its_place(alias: Alias, text: bytes, start: int, end: int, service: str, *, is_identifier: bool | None) -> bool:
    """Return whether a bound alias is to be replaced at `start:end` of a text; see `find`."""
    if alias.kind is AliasKind.HOST:
        return text[end : end + 1] == b"."
    owners = alias.learned_from.services
    if is_identifier is None:
        return is_identifier_place(text, start, owners, service)
    service_of_arn = arn_namespace(text, start)
    if service_of_arn:
        return is_of_any(service_of_arn, owners)
    return is_identifier


def _is_account(way: AliasIndex, token: bytes) -> bool:
    known = way.pairs.get(token)
    return known is not None and known[-1].kind is AliasKind.ACCOUNT


def _by_place(found: tuple[int, int, bytes]) -> tuple[int, int]:
    """Return a sort key: from left to right, the longest first of what begins at one place."""
    return found[0], -found[1]


def _is_escaped(index_word: bytes, wholes: set[bytes], data: bytes) -> bool:
    """Return whether `index_word` stands in `data` anywhere else than in its one compound, written without escapes."""
    return len(wholes) > 1 or data.count(index_word) != data.count(next(iter(wholes)))


def replaced(data: bytes, replacements: Iterable[Replacement], *, url: bool) -> bytes:
    """Return `data` with the replacements made, each escaped as its place demands; the identical object for none."""
    pieces: list[bytes] = []
    done = 0
    for replacement in replacements:
        pieces += [
            data[done : replacement.start],
            tokens.escaped_like(replacement.new.encode(), data[replacement.start : replacement.end], url=url),
        ]
        done = replacement.end
    if not pieces:
        return data
    pieces.append(data[done:])
    return b"".join(pieces)


def translated(text: str, table: AliasTable, scope: Scope, *, to_client: bool, is_identifier: bool = True) -> str:
    """Return one decoded value with all its identifiers replaced; the identical object where there are none.

    is_identifier: whether its member names something.
    """
    data = text.encode("utf-8", "surrogatepass")
    replacements, _ = find(data, table, scope, to_client=to_client, is_identifier=is_identifier)
    return replaced(data, replacements, url=False).decode("utf-8", "surrogatepass") if replacements else text


def identifiers_in(head: CallHead, outcome: Outcome, chosen: Collection[bytes] = ()) -> set[str]:
    """Return the identifiers in an outcome: the values of members that are identifiers, and the tokens in them.

    chosen: names that clients chose; what stands in them is none.
    """
    found: set[str] = set()
    for text in identifier_values(head, outcome):
        data = text.encode("ascii", "replace")
        for name in chosen:
            data = data.replace(name, b" ")
        found.update(word.decode() for word in tokens.words(data) + tokens.address_parts(data))
        found.add(text)
    return found


def _ways(table: AliasTable, *, to_client: bool) -> tuple[AliasIndex, AliasIndex]:
    if to_client:
        return table.to_client_index, table.to_emulator_index
    return table.to_emulator_index, table.to_client_index


def _in_place(way: AliasIndex, text: bytes, start: int, token: bytes) -> bool:
    """Return whether `token` is to be translated here: regions only in ARNs, everything else everywhere.

    Elsewhere the emulator takes regions as the caller writes them.
    """
    known = way.pairs.get(token)
    if known is None or known[0].kind is not AliasKind.REGION:
        return True
    return _BEFORE_REGION.search(tokens.unescaped(text[max(0, start - _ARN_HEAD_BYTES_MAX) : start]).text) is not None
