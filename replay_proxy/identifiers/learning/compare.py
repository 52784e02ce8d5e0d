"""Whether two outcomes of a call are equivalent once identifiers are the clients', and where they differ.

It decides whether a call of a restore counts as restored, and measures what diverged. Both outcomes are walked together
(`align`); a replayed string is first translated to client ids. Points in time, request ids and measured numbers never count as
differences, but what a client sent has to be shown as it was sent. A missing member equals one that is empty, false or zero.
What else means the same though it is not equal is in `comparison_rules`. Some differences are only *noted*, because both sides
cannot be the same, or need not be yet: secrets, key material, labels, states on the way (`creating` for `available`, where
the models know both words), what is told of a state that has moved, and members that only the replayed outcome has. Every
other difference is a *divergence*.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from replay_proxy.exchange import BlobRef, CallHead, Request
from replay_proxy.footprint.members.account_members import holds_account
from replay_proxy.footprint.members.answer_identifiers import output_shape
from replay_proxy.footprint.members.member_roles import Role
from replay_proxy.identifiers.learning.align import MISSING, AlignedValue, AmbiguousAlignment, KnownIdentifiers, walk
from replay_proxy.identifiers.learning.comparison_rules import (
    Agreement,
    agreement,
    holds_address,
    is_history,
    same_address,
    same_but_for_times,
    same_documents,
)
from replay_proxy.identifiers.learning.identifier_pairs import behind_own_authorities, without_authority
from replay_proxy.identifiers.learning.learn import known_from
from replay_proxy.identifiers.learning.list_elements import Owned, names_of, owned_by_other
from replay_proxy.identifiers.learning.sent_texts import SentTexts
from replay_proxy.identifiers.learning.shown_accounts import account_pairs
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.wire.codecs.answers import Outcome

_SHOWN_CHARACTERS_MAX = 200
_NOTHING = "nothing"
_WORD_OF_SENTENCE = re.compile(r"[^\s'\"(),;]*[^\s'\"(),;.:]")


class Severity(StrEnum):
    """What a difference means."""

    NOTE = "note"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two outcomes differ. `expected` is recorded, `actual` replayed, in client ids, as text.

    role: of the member. misplaced: it shows the same thing in another account, or credentials that are somebody else's: what was
    in one account is in another. owned: whose an element is that is missing, where it belongs to another account. added: the
    words of each name of an element that the recorded list has not.
    """

    path: str
    expected: str
    actual: str
    severity: Severity = Severity.DIVERGED
    role: Role = field(default=Role.TEXT, compare=False)
    misplaced: bool = field(default=False, compare=False)
    owned: Owned | None = field(default=None, compare=False)
    added: frozenset[frozenset[bytes]] = field(default=frozenset(), compare=False)

    @property
    def is_loss(self) -> bool:
        """Whether an element of a list is missing: something that was there is not."""
        return self.severity is Severity.DIVERGED and self.path.endswith("]") and self.actual == _NOTHING

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two outcomes are equivalent (nothing diverged), and every difference, notes included."""

    equivalent: bool
    differences: tuple[Difference, ...] = ()


def compare_outcomes(
    head: CallHead, recorded: Outcome, replayed: Outcome, table: AliasTable, request: Request | None = None
) -> Comparison:
    """Compare the replayed outcome of the call `head` with the recorded one. request: the recorded one, where it is known."""
    found = tuple(differences(head, recorded, replayed, table, request))
    return Comparison(all(each.severity is Severity.NOTE for each in found), found)


def differences(
    head: CallHead, recorded: Outcome, replayed: Outcome, table: AliasTable, request: Request | None = None
) -> list[Difference]:
    """Return where two outcomes of the call `head` differ after aliasing, in the order of the recorded one."""
    if recorded.ok != replayed.ok:
        return [Difference("outcome", _brief(recorded), _brief(replayed))]
    if not recorded.ok:
        if recorded.error_code == replayed.error_code and recorded.status // 100 == replayed.status // 100:
            return []
        return [Difference("error", _brief(recorded), _brief(replayed))]
    known = known_from(table, scope_of(head))
    sent = SentTexts(head, request)
    host = request.headers.get("host") if request is not None else ""
    found: list[Difference] = []
    states: list[tuple[int, str, Agreement]] = []
    for place in walk(head, output_shape(head), recorded.parsed, replayed.parsed, known):
        if isinstance(place, AmbiguousAlignment):
            continue
        severity = Severity.DIVERGED if _is_not_as_sent(place, known, sent) else _severity(head, place, known, host)
        if severity is Severity.DIVERGED and _is_more_of_what_was_sent(place, sent):
            severity = Severity.NOTE
        if severity is None:
            continue
        if place.role is Role.STATE:
            states.append((len(found), _thing(place.path), _agreement(head, place)))
        named = _is_named(head, place)
        actual = known.to_client(place.replayed, named) if isinstance(place.replayed, str) else place.replayed
        misplaced = severity is Severity.DIVERGED and _is_in_other_account(place, actual)
        found.append(Difference(place.path, shown(place.recorded), shown(actual), severity, place.role, misplaced))
        if found[-1].is_loss and (owned := owned_by_other(head, place.member, place.recorded)) is not None:
            found[-1] = replace(found[-1], owned=owned)
        elif place.recorded is MISSING and place.path.endswith("[+]"):
            found[-1] = replace(found[-1], added=names_of(head, place.member, place.replayed, known.to_client))
    moved = {thing for _, thing, agrees in states if agrees is Agreement.MOVED}
    for index, thing, agrees in states:
        if agrees is Agreement.TOLD and thing in moved:
            found[index] = replace(found[index], severity=Severity.NOTE)
    return found


def _is_in_other_account(place: AlignedValue, actual: Any) -> bool:
    """Return whether a place shows the same thing in another account. actual: the replayed value in client ids."""
    if not isinstance(place.recorded, str) or not isinstance(actual, str):
        return False
    return any(one != two for one, two in account_pairs(place.member, place.recorded, actual))


def _agreement(head: CallHead, place: AlignedValue) -> Agreement:
    return agreement(head.service, *("" if each is MISSING else each for each in (place.recorded, place.replayed)))


def _thing(path: str) -> str:
    """Return the path of the innermost element of a list in which a place is: of what it tells something."""
    return path[: path.rfind("]") + 1]


def _is_not_as_sent(place: AlignedValue, known: KnownIdentifiers, sent: SentTexts) -> bool:
    """Return whether a member showed what the client had sent, and shows something else now.

    An emulator may draw a label or a token anew, and name its own host in addresses; what a client said is neither.
    """
    recorded, replayed = place.recorded, place.replayed
    if not isinstance(recorded, str) or not isinstance(replayed, str) or recorded == replayed:
        return False
    loose = place.role in (Role.LABEL, Role.VOLATILE) or holds_address(place.member)
    if not loose or recorded not in sent or (_is_time(recorded) and _is_time(replayed)):
        return False
    return known.to_client(replayed, True) != recorded


def _is_more_of_what_was_sent(place: AlignedValue, sent: SentTexts) -> bool:
    """Return whether a list has one more element, which the client had sent: a tag that was not shown then, and is now."""
    return place.recorded is MISSING and place.path.endswith("]") and sent.has_element(place.replayed)


def _severity(head: CallHead, place: AlignedValue, known: KnownIdentifiers, host: str) -> Severity | None:
    """Return what the difference at one place means; None where there is none."""
    if place.role is Role.VOLATILE or _same(head, place, known, host):
        return None
    if _is_time(place.recorded) and _is_time(place.replayed):
        return None
    if place.role in (Role.SECRET, Role.LABEL):
        return Severity.NOTE
    if place.role is Role.STATE and _agreement(head, place) is Agreement.MOVED:
        return Severity.NOTE
    is_entry = place.path.endswith("]")
    if place.recorded is MISSING and not is_entry:
        return Severity.NOTE  # the emulator gives more than it gave then, which contradicts nothing
    if is_history(head.operation) and is_entry and MISSING in (place.recorded, place.replayed):
        return Severity.NOTE
    return Severity.DIVERGED


def _same(head: CallHead, place: AlignedValue, known: KnownIdentifiers, host: str) -> bool:
    recorded, replayed = place.recorded, place.replayed
    if recorded is MISSING or replayed is MISSING:
        return _is_empty(recorded) and _is_empty(replayed)
    if isinstance(recorded, str) and isinstance(replayed, str):
        actual = known.to_client(replayed, _is_named(head, place))
        if recorded == actual or without_authority(recorded) == without_authority(actual):
            return True
        if (paths := behind_own_authorities(recorded, actual, host)) is not None:
            return paths[0] == paths[1]
        if holds_address(place.member):
            return same_address(recorded, actual)
        if place.role is Role.STATE:
            actual = _sentence_to_client(actual, known)
        return place.role in (Role.TEXT, Role.STATE) and (recorded == actual or same_but_for_times(recorded, actual))
    if isinstance(recorded, BlobRef) or isinstance(replayed, BlobRef):
        return isinstance(recorded, BlobRef) and isinstance(replayed, BlobRef) and recorded == replayed
    if isinstance(recorded, bytes) and isinstance(replayed, bytes) and recorded != replayed:
        return same_documents(head, recorded, replayed)
    return bool(recorded == replayed)


def _is_named(head: CallHead, place: AlignedValue) -> bool:
    """Return whether the value at a place names something: a resource, or an account."""
    return place.role is Role.IDENTIFIER or holds_account(head.service, place.member)


def _sentence_to_client(text: str, known: KnownIdentifiers) -> str:
    """Return a sentence about a state with the identifiers that stand in it as clients know them, whatever they are made of."""
    return _WORD_OF_SENTENCE.sub(lambda word: known.to_client(word[0], True), text)


def _is_time(value: Any) -> bool:
    if isinstance(value, datetime.datetime):
        return True
    return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value) is not None


def _is_empty(value: Any) -> bool:
    return value is MISSING or not value


def _brief(outcome: Outcome) -> str:
    return f"status {outcome.status}" + (f" ({outcome.error_code})" if outcome.error_code else "")


def shown(value: Any) -> str:
    """Return a value as a difference shows it: a long one cut off."""
    text = _NOTHING if value is MISSING else value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[: _SHOWN_CHARACTERS_MAX - 1] + "…"
