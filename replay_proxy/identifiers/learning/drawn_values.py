"""Values that an emulator draws, and that are no identifiers: secrets, fingerprints, labels that no client chose, blocks of
IPv6 addresses.

A client keeps the secret of an app client, or the block of its network, as it was shown them. An emulator that makes the
thing again draws another value. Recorded and replayed answer of the call show both, in a member that the role or the value
itself tells: its name says that it is secret, or both values are IPv6 blocks of one size. The pair becomes an alias, of the
kind `SECRET` or `NETWORK`.

A text of several lines (a certificate) is paired line by line, since it may be a part of another text (a chain). A line that
stands for another one already, or for itself, cannot stand for two: certificates of one second share the lines that tell the
time, and may have been of two seconds before; those of one name share lines where they begin at the same place of one. It is
paired together with the lines before it, back to one that is its own certificate's.
Where there is none, the text is named as not restored. What no later call shows or takes, such as a private key, is not
learned. Nor are the secret and the token of an access key, whatever their members are called: of a temporary key a recording
holds zeros in their place, and the others are given out again by `replay.access_keys`.

Bytes (the seed of an authenticator device) are paired as the base64 in which messages spell them. Not those of KMS: what is made
with a key fits that key alone.

The print of content that the emulator has packed itself is drawn, too, since it packs at another time. It is paired where a read
shows it, and beside it that the content is as large as before (`drawn_prints.json` of `footprint.members`). The answer to a call
that brings content of its own teaches no such pair: that content has one print.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.members.drawn_members import beside_print, is_drawn, makes_with_keys
from replay_proxy.footprint.members.member_roles import Role
from replay_proxy.identifiers.learning.align import AlignedValue, walk
from replay_proxy.identifiers.learning.learn import known_from
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Origin
from replay_proxy.identifiers.table.networks import network_of
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.identifiers.table.scope import Scope, scope_of
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.mutability.judge import Effect, judge
from replay_proxy.wire.signing.issued_keys import issued_keys

_NEW_KEY_PAIR = (
    "its key pair is another one this time: what the emulator signed or encrypted with it still verifies and decrypts there, "
    "but what is done with the public key alone fits only what was made with the same pair"
)
_NEW_MAC_KEY = (
    "its key is another one this time: a MAC that the emulator made before still verifies there, but a MAC that it makes now "
    "is another one than it made of the same message before"
)
_NEW_AUTHORITY_KEY = (
    "its key pair is another one this time: its certificate and its signing request are shown as before, but what it issues now "
    "does not verify with them"
)
_NETWORK_MEMBER = re.compile(r".*ipv6.*|.*cidr.*", re.IGNORECASE)
_LINE_CHARACTERS_MAX = 2048
_LINES_MAX = 100
_PLAIN = re.compile(r'[^<>&"\\\x00-\x1f\x7f-\U0010ffff]*')
"""Texts that can stand in XML and in JSON as they are: nothing else is put into messages."""
_DEPTH_MAX = 12


def learn_drawn(
    head: CallHead, recorded: Outcome, replayed: Outcome, table: AliasTable, *, learned_from: Origin
) -> list[str]:
    """Add to `table` the pairs of drawn values that two outcomes of the call `head` show. A failed one teaches nothing.

    Returns the places of those that differ and cannot be paired.
    """
    if not recorded.ok or not replayed.ok or not _shows_drawn(head):
        return []
    scope = scope_of(head)
    known = known_from(table, scope)
    doubtful: list[AlignedValue] = []
    found = walk(head, output_shape(head), recorded.parsed, replayed.parsed, known)
    places = [place for place in found if isinstance(place, AlignedValue)]
    same = {place.path for place in places if place.recorded == place.replayed}
    given = {text for key in issued_keys(recorded.parsed) for text in (key.secret_key, key.session_token)}
    for place in (_spelled(head, place) for place in places):
        if place.path in same:
            continue
        if not isinstance(place.recorded, str) or not isinstance(place.replayed, str) or place.recorded in given:
            continue
        lines = _Lines(table, scope, Origin(learned_from.seq, learned_from.call, place.path))
        if _is_print_of_same(head, place, same):
            lines.add(place.recorded, place.replayed)
        elif not _learn_at(head, place, lines) or ("\n" in place.recorded and _is_drawn_secret(head, place)):
            doubtful.append(place)
    # Parts of a text may have pairs of their own, and lines those of another text.
    return [each.path for each in doubtful if translated(each.replayed, table, scope, to_client=True) != each.recorded]


def _spelled(head: CallHead, place: AlignedValue) -> AlignedValue:
    """Return a place with drawn bytes as messages spell them."""
    if not isinstance(place.recorded, bytes) or not isinstance(place.replayed, bytes) or makes_with_keys(head.service):
        return place
    recorded, replayed = (b64encode(each).decode() for each in (place.recorded, place.replayed))
    return replace(place, recorded=recorded, replayed=replayed)


def said_of_new_key(head: CallHead, recorded: Outcome) -> str:
    """Return what is to be said of a key that a call made, and that the emulator drew and keeps; empty for most calls.

    Neither a key pair nor a key for MACs can be given to an emulator. Of other keys nothing shows that they are others.
    """
    if (head.service, head.operation) == ("acm-pca", "CreateCertificateAuthority") and recorded.ok:
        return _NEW_AUTHORITY_KEY
    if (head.service, head.operation) != ("kms", "CreateKey") or not recorded.ok:
        return ""
    metadata = recorded.parsed.get("KeyMetadata", {})
    spec = metadata.get("KeySpec") or metadata.get("CustomerMasterKeySpec") or ""
    if metadata.get("Origin", "AWS_KMS") != "AWS_KMS" or not spec or spec.startswith("SYMMETRIC"):
        return ""
    return _NEW_MAC_KEY if spec.startswith("HMAC") else _NEW_KEY_PAIR


def _is_print_of_same(head: CallHead, place: AlignedValue, same: Collection[str]) -> bool:
    """Return whether a place shows two prints of what the emulator has packed twice. same: the paths of what did not change."""
    beside = beside_print(head.service, place.member)
    if not beside or judge(head.service, head.operation).effect is not Effect.READS:
        return False
    return place.path[: -len(place.member)] + beside in same


def _is_drawn_secret(head: CallHead, place: AlignedValue) -> bool:
    is_possible = place.role in (Role.SECRET, Role.LABEL)
    return is_possible and is_drawn(head.service, head.operation, place.member, None)


def _learn_at(head: CallHead, place: AlignedValue, lines: _Lines) -> bool:
    """Learn what is drawn at one place; tell whether all of it could be."""
    client, emulator = place.recorded, place.replayed
    blocks = network_of(client), network_of(emulator)
    if blocks[0] is not None and blocks[1] is not None:
        return blocks[0].prefixlen == blocks[1].prefixlen and lines.add(client, emulator, AliasKind.NETWORK)
    if not _is_drawn_secret(head, place):
        return True
    one, two = client.split("\n"), emulator.split("\n")
    if len(one) != len(two) or len(one) > _LINES_MAX or max(map(len, one + two)) > _LINE_CHARACTERS_MAX:
        return False
    if not all(_PLAIN.fullmatch(a) and _PLAIN.fullmatch(b) for a, b in zip(one, two, strict=True) if a != b):
        return False
    return lines.learn(one, two)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Adds the pairs of one text to a table, and tells of each whether it could be."""

    table: AliasTable
    scope: Scope
    origin: Origin

    def learn(self, one: list[str], two: list[str]) -> bool:
        both = [(at, a, b) for at, (a, b) in enumerate(zip(one, two, strict=True)) if a and b]
        several = len(one) > 1
        if several:
            for _, a, b in both:
                if a == b and not self._is_taken(a, b):
                    self.table.add(a, b, scope=self.scope)
        pairs = [(at, a, b) for at, a, b in both if a != b or (several and self._is_taken(a, b))]
        new = [(at, a, b) for at, a, b in pairs if not self.table.knows(a, b, self.scope)]
        taken = {at for at, a, b in new if several and self._is_taken(a, b)}
        own = [at for at, a, b in new if at not in taken and self.add(a, b)]
        complete = len(own) + len(taken) == len(new)
        for at in sorted(taken):
            beside = max((each for each in own if each < at), default=min(own, default=None))
            if beside is None:
                return False
            whole = slice(min(at, beside), max(at, beside) + 1)
            complete &= self.add("\n".join(one[whole]), "\n".join(two[whole]))
        return complete

    def _is_taken(self, client: str, emulator: str) -> bool:
        table, scope = self.table, self.scope
        if client != emulator and any(table.stands_for_itself(each, scope) for each in (client, emulator)):
            return True
        return table.to_client(emulator, scope) != emulator or table.to_emulator(client, scope) != client

    def add(self, client: str, emulator: str, kind: AliasKind = AliasKind.SECRET) -> bool:
        if self.table.knows(client, emulator, self.scope):
            return True
        if self.table.to_client(emulator, self.scope) not in (client, emulator):
            return False
        try:
            self.table.add(client, emulator, scope=self.scope, kind=kind, learned_from=self.origin)
        except ValueError:  # nothing that a scan could find
            return False
        return True


@lru_cache(maxsize=4096)
def _shows_drawn_in(service: str, operation: str, protocol: str) -> bool:
    return _has_drawn(service, operation, "", output_shape(CallHead(service, operation, protocol)), 0)


def _shows_drawn(head: CallHead) -> bool:
    """Return whether the answer to a call has a member that may show a drawn value. Worked out once for an operation."""
    return _shows_drawn_in(head.service, head.operation, head.protocol)


def _has_drawn(service: str, operation: str, member: str, shape: Any, depth: int) -> bool:
    if shape is None or depth > _DEPTH_MAX:
        return False
    if shape.type_name == "structure":
        return any(_has_drawn(service, operation, name, part, depth + 1) for name, part in shape.members.items())
    if shape.type_name == "list":
        return _has_drawn(service, operation, member, shape.member, depth + 1)
    if shape.type_name == "map":
        return _has_drawn(service, operation, member, shape.value, depth + 1)
    if shape.type_name not in ("string", "blob"):
        return False
    if _NETWORK_MEMBER.fullmatch(member) is not None or beside_print(service, member):
        return True
    return is_drawn(service, operation, member, shape)
