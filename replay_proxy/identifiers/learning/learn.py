"""Learning aliases from a recorded and a replayed outcome of the same call.

Both are walked together (`align`). Every string that differs and is an identifier is a pair, and so are the pieces of
ARNs and URLs (`identifier_pairs`). The role of a member (`footprint.members.member_roles`) says what is never learned: points
in time, request ids, page tokens, secrets, digests of content, progress.

Aliases from one list may tell apart the elements of another. So elements that look alike are left for the next walk, as
long as walks give new aliases. Only after that they are paired by position, and reported. An ARN
that begins with a name is left likewise, until it is known what that is called today.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.given_accounts import tells_made_account
from replay_proxy.footprint.members.answer_identifiers import answer_texts, output_shape
from replay_proxy.footprint.members.member_roles import Role, is_next_token
from replay_proxy.footprint.names.places import Places
from replay_proxy.footprint.names.resource_names import arn_service
from replay_proxy.identifiers.learning import identifier_pairs
from replay_proxy.identifiers.learning.align import MISSING, AlignedValue, AmbiguousAlignment, KnownIdentifiers, walk
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.alias_table import Alias, AliasKind, AliasTable, Origin, Scope
from replay_proxy.identifiers.table.distinctive import is_distinctive
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.identifiers.table.scope import ANYWHERE
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.mutability.judge import Effect, judge

_WALKS_MAX = 5
_TIMES_DEPTH = 6
Times = tuple[frozenset[str], frozenset[str]]
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one member that a report should say. harmless: whichever way it is taken, nothing is wrong.

    accounts: of clients and of the emulator, where the latter calls one otherwise than it did before, or than the client did.
    """

    path: str
    message: str
    harmless: bool = False
    accounts: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class LearnReport:
    """What was learned from a pair of outcomes.

    aliases: the new ones. ambiguous: pairs that contradict older ones, and elements that only their position paired.
    unmatched: elements and members that one side does not have.
    """

    aliases: tuple[Alias, ...] = ()
    ambiguous: tuple[Note, ...] = ()
    unmatched: tuple[Note, ...] = ()


def learn(
    head: CallHead,
    request: Request,
    recorded: Outcome,
    replayed: Outcome,
    table: AliasTable,
    *,
    learned_from: Origin | str = "",
) -> LearnReport:
    """Add to `table` the aliases that the two outcomes of the call `head` show, and report them.

    request: the recorded one. Names that the client chose itself are no aliases, however they look.
    learned_from: where the call is in the journal; a string is `SEQ SERVICE:OPERATION`.
    From a failed outcome nothing is learned.
    """
    if not recorded.ok or not replayed.ok:
        return LearnReport()
    accounts = _Accounts(head, (recorded, replayed), table)
    times = times_shown(recorded.parsed), times_shown(replayed.parsed)
    learner = _CallLearner(head, request, table, _origin(learned_from), accounts, times)
    shape = output_shape(head)
    use_position = False
    for walks_left in range(_WALKS_MAX - 1, -1, -1):
        before = len(learner.learned)
        learner.begin_walk()
        known = known_from(table, learner.scope)
        for found in walk(head, shape, recorded.parsed, replayed.parsed, known, use_position=use_position):
            learner.add_place(found)
        gave_new = len(learner.learned) > before
        if (use_position or not learner.ambiguities) and not (gave_new and learner.has_open_arns):
            break
        # While walks give new aliases, the next may find fewer ambiguities. After that, position has to decide.
        use_position = use_position or not gave_new or walks_left == 1
    return LearnReport(
        tuple(learner.learned.values()),
        tuple(learner.contradictions.values()) + tuple(learner.ambiguities.values()),
        tuple(learner.unmatched),
    )


def times_shown(answer: Any, depth: int = _TIMES_DEPTH) -> frozenset[str]:
    """Return the points in time in a parsed answer, in whole seconds since 1970."""
    if isinstance(answer, datetime.datetime):
        return frozenset((str(int(answer.timestamp())),))
    below = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return frozenset().union(*(times_shown(each, depth - 1) for each in below)) if depth else frozenset()


def known_from(table: AliasTable, scope: Scope) -> KnownIdentifiers:
    """Return what `table` knows of identifiers, for a walk in `scope`."""
    memo: dict[tuple[str, bool], str] = {}
    size = len(table)

    def to_client(text: str, is_identifier: bool) -> str:
        nonlocal size
        if len(table) != size:
            memo.clear()
            size = len(table)
        known = memo.get((text, is_identifier))
        if known is None:
            known = translated(text, table, scope, to_client=True, is_identifier=is_identifier)
            memo[text, is_identifier] = known
        return known

    def contradicts(recorded: str, raw: str) -> bool:
        emulator = table.to_emulator(recorded, scope)
        if emulator != recorded:
            return emulator != raw
        return table.stands_for_itself(recorded, scope) and raw != recorded

    return KnownIdentifiers(to_client, contradicts)


class _Accounts:
    """The accounts that the two outcomes of a call show, by the role of the members and the positions in ARNs."""

    def __init__(self, head: CallHead, outcomes: tuple[Outcome, Outcome], table: AliasTable) -> None:
        self._head = head
        self._outcomes = outcomes
        self._table = table
        self._shown: Places | None = None

    def __contains__(self, text: str) -> bool:
        if not _ACCOUNT.fullmatch(text):
            return False
        token = text.encode()
        for index in (self._table.to_emulator_index, self._table.to_client_index):
            if any(alias.kind is AliasKind.ACCOUNT for alias in index.pairs.get(token, ())):
                return True
        if self._shown is None:
            self._shown = Places()
            self._shown.see_call(self._head)
            for outcome in self._outcomes:
                found = answer_texts(self._head, outcome)
                for value in found.accounts:
                    self._shown.see_account(value)
                for value in (*found.identifiers, *found.listed):
                    self._shown.see_identifier(value)
        return text in self._shown


class _CallLearner:
    """Learns from one call: is given each place of a walk, and collects aliases and notes."""

    def __init__(
        self,
        head: CallHead,
        request: Request,
        table: AliasTable,
        origin: Origin,
        accounts: _Accounts,
        times: Times,
    ) -> None:
        self.head = head
        self.scope = scope = Scope(head.account, head.region)
        owns = judge(head.service, head.operation).effect is Effect.MUTATES or head.service == "sts"
        self.caller = identifier_pairs.Caller(
            head.account,
            head.region,
            owns,
            tells_made_account(head),
            times,
            # Without `self`: a cycle would keep the words of each request until the garbage collector comes.
            lambda client, emulator: table.knows(client, emulator, scope),
            request.headers.get("host"),
        )
        self.table = table
        self.origin = origin
        self.accounts = accounts
        self.learned: dict[tuple[str, str], Alias] = {}
        self.contradictions: dict[tuple[str, str], Note] = {}
        self.ambiguities: dict[str, Note] = {}
        self.unmatched: list[Note] = []
        self.has_open_arns = False
        """Whether this walk met ARNs that begin with different names, of which a later one may know more."""
        body = request.body if isinstance(request.body, bytes) else b""
        text = request.target.encode("latin-1", "replace") + b"\n" + body
        self.sent = set(tokens.words(text))
        self.request_text = tokens.unescaped(text).text

    def begin_walk(self) -> None:
        self.unmatched.clear()
        self.ambiguities.clear()
        self.has_open_arns = False

    def add_place(self, found: AlignedValue | AmbiguousAlignment) -> None:
        if isinstance(found, AmbiguousAlignment):
            message = f"{found.elements} elements that nothing but their position tells apart"
            self.ambiguities.setdefault(found.path, Note(found.path, message, found.interchangeable))
            return
        if found.role not in (Role.IDENTIFIER, Role.LABEL, Role.TEXT):
            return
        if found.recorded is MISSING or found.replayed is MISSING:
            side = "recorded" if found.replayed is MISSING else "replayed"
            value = found.recorded if found.replayed is MISSING else found.replayed
            if found.role is Role.IDENTIFIER and isinstance(value, str) and value:
                self.unmatched.append(Note(found.path, f"only {side}: {value!r}"[:300]))
            return
        if not isinstance(found.recorded, str) or not isinstance(found.replayed, str):
            return
        trusted = found.role is Role.IDENTIFIER
        if found.recorded == found.replayed:
            if trusted:
                self._same(found.recorded)
            return
        learned = identifier_pairs.pairs(
            found.recorded, found.replayed, trusted=trusted, caller=self.caller, is_account=found.is_account
        )
        if trusted and not learned and identifier_pairs.begins_with_other(found.recorded, found.replayed):
            self.has_open_arns = True
        for pair in learned or ():
            was_sent = self._was_sent(pair)
            if (trusted and is_distinctive(pair.client)) or not was_sent:
                self._add(pair, found)
                if (pair.client, pair.emulator) in self.learned and self._is_clients_own(
                    pair, found, was_sent=was_sent
                ):
                    message = f"{pair.client} was named by the client, and is {pair.emulator} now"
                    note = Note(found.path, message, accounts=_accounts(pair))
                    self.contradictions.setdefault((found.path, message), note)

    def _is_clients_own(self, pair: identifier_pairs.Pair, place: AlignedValue, *, was_sent: bool) -> bool:
        """Return whether the request said what the emulator now calls otherwise: the whole value, or the account.

        The emulator does not draw that anew. The pair is learned all the same, since another emulator may not take what the
        client says; but it is to be told.
        """
        if pair.kind is AliasKind.ACCOUNT:
            return bool(self.caller.account) and pair.client == self.caller.account
        return was_sent and self.caller.owns and pair.client == place.recorded

    def _was_sent(self, pair: identifier_pairs.Pair) -> bool:
        """Return whether the client named it in its request: a name that it chose, which emulators may spell differently."""
        if pair.kind in (AliasKind.ACCOUNT, AliasKind.REGION, AliasKind.ADDRESS):
            return False
        client = pair.client.encode()
        return client in self.sent or (not tokens.is_word(client) and client in self.request_text)

    def _same(self, text: str) -> None:
        """Remember words that are the same on both sides, where another scope has an alias for them."""
        for word in tokens.WORD.findall(text.encode("ascii", "ignore")):
            if word in self.table.to_emulator_index.pairs or word in self.table.to_client_index.pairs:
                token = word.decode()
                if self.table.to_emulator(token, self.scope) == token == self.table.to_client(token, self.scope):
                    continue
                if not self.table.has_pair(token, self.scope):
                    self.table.add(token, token, scope=self.scope)

    def _add(self, pair: identifier_pairs.Pair, place: AlignedValue) -> None:
        scope = self.scope
        if pair.kind is AliasKind.ACCOUNT:
            is_made = self.caller.made_account and pair.client != self.scope.account
            scope = ANYWHERE if is_made else Scope(self.scope.account, "")
        elif pair.kind is AliasKind.REGION:
            scope = Scope(self.scope.account, pair.client)
        elif pair.client in self.accounts or pair.emulator in self.accounts:
            return  # of an account and anything else nothing is learned
        if self.table.knows(pair.client, pair.emulator, scope, pair.kind):
            return
        origin = Origin(self.origin.seq, self.origin.call, place.path, arn_service(str(place.recorded)))
        alias = Alias(pair.client, pair.emulator, scope, pair.kind, origin)
        rivals = self.table.contradicted_by(pair.client, pair.emulator, scope)
        # Of a chain of tokens the last one counts, also where one side hands out the same one again.
        is_next = is_next_token(self.head.service, self.head.operation, place.member)
        if not is_next and any(
            pair.kind is AliasKind.ACCOUNT or old.learned_from.call != origin.call for old in rivals
        ):
            # Only the call that makes such things can make one anew. What another call shows is more likely a placeholder
            # of the emulator's, or an identifier that is shown in two forms.
            for old in rivals:
                self._contradict(place.path, alias, old, kept=True)
            return
        try:
            self.table.add(pair.client, pair.emulator, scope=scope, kind=pair.kind, learned_from=origin)
        except ValueError:
            return
        if not self.table.knows(pair.client, pair.emulator, scope, pair.kind):
            return  # an account that has kept its name, or is another one's pair
        self.learned[pair.client, pair.emulator] = alias
        for old in rivals:
            self.learned.pop((old.client, old.emulator), None)
            if not is_next:
                self._contradict(place.path, alias, old, kept=False)

    def _contradict(self, path: str, new: Alias, old: Alias, *, kept: bool) -> None:
        origin = old.learned_from
        since = f"{origin.call or 'an earlier call'} (call {origin.seq}, {origin.member})"
        known = f"{old.client} is {old.emulator} since {since}"
        fate = "kept" if kept else "replaced, because the same operation made it anew"
        message = f"{new.client} would be {new.emulator}, but {known}: {fate}"
        self.contradictions.setdefault((path, message), Note(path, message, accounts=_accounts(new)))


def _accounts(pair: Alias | identifier_pairs.Pair) -> tuple[str, str] | None:
    return (pair.client, pair.emulator) if pair.kind is AliasKind.ACCOUNT else None


def _origin(learned_from: Origin | str) -> Origin:
    if isinstance(learned_from, Origin):
        return learned_from
    seq, _, call = learned_from.partition(" ")
    return Origin(int(seq), call) if seq.isdigit() else Origin(0, learned_from)
