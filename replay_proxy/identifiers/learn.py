"""Learning aliases from a recorded and a replayed outcome of the same call.

Both are walked together (`align`). Every string that differs and is an identifier is a pair, and so are the pieces of
ARNs and URLs (`forms`). What a member is (`members`) says what is never learned: points in time, names of exchanges,
pages, secrets, what follows from content, how far something has come.

What one list teaches may tell apart the elements of another, so elements that look alike are left for a next walk as
long as walks teach anything new; only then they are put together by position, and reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers import forms, tokens
from replay_proxy.identifiers.aliases import Alias, AliasTable, Kind, Origin, Scope
from replay_proxy.identifiers.align import MISSING, Doubt, Known, Leaf, walk
from replay_proxy.identifiers.members import Role, role_of
from replay_proxy.identifiers.scan import translated
from replay_proxy.wire.answers import Outcome
from replay_proxy.wire.models import protocol_model

_MOST_WALKS = 5


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one member that a report should say."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class LearnReport:
    """What a pair of outcomes taught.

    ambiguous: pairs that contradict older ones, and elements that only their position put together.
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
    """Add to `table` what the recorded and the replayed outcome of the call `head` teach, and report it.

    request: the recorded one. Names that the client chose itself are no aliases, however they look.
    learned_from: where the call is in the journal; a string is `SEQ SERVICE:OPERATION`.
    A failed outcome teaches nothing.
    """
    if not recorded.ok or not replayed.ok:
        return LearnReport()
    lesson = _Lesson(head, request, table, _origin(learned_from))
    shape = output_shape(head)
    guess = False
    for walks_left in range(_MOST_WALKS - 1, -1, -1):
        before = len(lesson.learned)
        lesson.begin_walk()
        for found in walk(head, shape, recorded.parsed, replayed.parsed, known_from(table, lesson.scope), guess=guess):
            lesson.take(found)
        if guess or not lesson.doubts:
            break
        # As long as a walk teaches anything the next may have fewer doubts; then position has to decide.
        guess = len(lesson.learned) == before or walks_left == 1
    return LearnReport(
        tuple(lesson.learned.values()),
        tuple(lesson.contradictions.values()) + tuple(lesson.doubts.values()),
        tuple(lesson.unmatched),
    )


def identifiers_in(head: CallHead, outcome: Outcome) -> set[str]:
    """The tokens in those members of an outcome that are identifiers."""
    found: set[str] = set()
    for text in identifier_values(head, outcome):
        data = text.encode("ascii", "replace")
        found.update(run.decode() for run in tokens.runs(data) + tokens.address_parts(data))
        found.add(text)
    return found


def identifier_values(head: CallHead, outcome: Outcome) -> Iterator[str]:
    """The values of those members of an outcome that are identifiers."""
    return _identifier_values(head, "", output_shape(head), outcome.parsed, 0)


def output_shape(head: CallHead) -> Any:
    """The shape of what the call returns; None where no model describes it."""
    try:
        return protocol_model(head.service, head.operation, head.protocol).output_shape
    except LookupError:
        return None


def known_from(table: AliasTable, scope: Scope) -> Known:
    """What `table` knows, for a walk."""
    memo: dict[str, str] = {}
    size = len(table)

    def to_client(text: str) -> str:
        nonlocal size
        if len(table) != size:
            memo.clear()
            size = len(table)
        known = memo.get(text)
        if known is None:
            known = memo[text] = translated(text, table, scope, to_client=True)
        return known

    def contradicts(recorded: str, raw: str) -> bool:
        emulator = table.to_emulator(recorded, scope)
        if emulator != recorded:
            return emulator != raw
        return table.stands_for_itself(recorded, scope) and raw != recorded

    return Known(to_client, contradicts)


class _Lesson:
    """What one call teaches, while it is walked."""

    def __init__(self, head: CallHead, request: Request, table: AliasTable, origin: Origin) -> None:
        self.scope = Scope(head.account, head.region)
        self.table = table
        self.origin = origin
        self.learned: dict[tuple[str, str], Alias] = {}
        self.contradictions: dict[tuple[str, str], Note] = {}
        self.doubts: dict[str, Note] = {}
        self.unmatched: list[Note] = []
        body = request.body if isinstance(request.body, bytes) else b""
        self.sent = set(tokens.runs(request.target.encode("latin-1", "replace") + b"\n" + body))

    def begin_walk(self) -> None:
        self.unmatched.clear()
        self.doubts.clear()

    def take(self, found: Leaf | Doubt) -> None:
        if isinstance(found, Doubt):
            message = f"{found.elements} elements that nothing but their position tells apart"
            self.doubts.setdefault(found.path, Note(found.path, message))
            return
        if found.role not in (Role.IDENTIFIER, Role.LABEL, Role.TEXT):
            return
        if found.recorded is MISSING or found.replayed is MISSING:
            side = "recorded" if found.replayed is MISSING else "replayed"
            value = found.recorded if found.replayed is MISSING else found.replayed
            if found.role is Role.IDENTIFIER and value:
                self.unmatched.append(Note(found.path, f"only {side}: {value!r}"[:300]))
            return
        if not isinstance(found.recorded, str) or not isinstance(found.replayed, str):
            return
        trusted = found.role is not Role.TEXT
        if found.recorded == found.replayed:
            if trusted:
                self._same(found.recorded)
            return
        for pair in forms.pairs(found.recorded, found.replayed, trusted=trusted) or ():
            if trusted or pair.client.encode() not in self.sent:
                self._add(pair, found)

    def _same(self, text: str) -> None:
        """Remember runs that both sides spell alike, where another scope knows them as something else."""
        for run in tokens.RUN.findall(text.encode("ascii", "ignore")):
            if run in self.table.to_emulator_index.pairs or run in self.table.to_client_index.pairs:
                token = run.decode()
                if self.table.to_emulator(token, self.scope) == token == self.table.to_client(token, self.scope):
                    continue
                if not self.table.has_pair(token, self.scope):
                    self.table.add(token, token, scope=self.scope)

    def _add(self, pair: forms.Pair, leaf: Leaf) -> None:
        scope = self.scope
        if pair.kind is Kind.ACCOUNT:
            scope = Scope(self.scope.account, "")
        elif pair.kind is Kind.REGION:
            scope = Scope(self.scope.account, pair.client)
        if self.table.knows(pair.client, pair.emulator, scope):
            return
        origin = Origin(self.origin.seq, self.origin.call, leaf.path)
        alias = Alias(pair.client, pair.emulator, scope, pair.kind, origin)
        rivals = self.table.contradicted_by(pair.client, pair.emulator, scope)
        if any(old.learned_from.call != origin.call for old in rivals):
            # Only the call that makes such things can make one anew. What another says is more likely a placeholder of
            # the emulator's, or an identifier that is shown in two forms.
            for old in rivals:
                self._contradict(leaf.path, alias, old, kept=True)
            return
        try:
            self.table.add(pair.client, pair.emulator, scope=scope, kind=pair.kind, learned_from=origin)
        except ValueError:
            return
        self.learned[pair.client, pair.emulator] = alias
        for old in rivals:
            self.learned.pop((old.client, old.emulator), None)
            self._contradict(leaf.path, alias, old, kept=False)

    def _contradict(self, path: str, new: Alias, old: Alias, *, kept: bool) -> None:
        origin = old.learned_from
        since = f"{origin.call or 'an earlier call'} (call {origin.seq}, {origin.member})"
        known = f"{old.client} is {old.emulator} since {since}"
        fate = "kept" if kept else "replaced, because the same operation made it anew"
        message = f"{new.client} would be {new.emulator}, but {known}: {fate}"
        self.contradictions.setdefault((path, message), Note(path, message))


def _identifier_values(head: CallHead, member: str, shape: Any, value: Any, depth: int) -> Iterator[str]:
    if depth > 64:
        return
    if isinstance(value, dict):
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        inner = shape.value if shape is not None and shape.type_name == "map" else None
        for key, each in value.items():
            yield from _identifier_values(head, key, parts.get(key, inner), each, depth + 1)
    elif isinstance(value, list):
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        for each in value:
            yield from _identifier_values(head, member, inner, each, depth + 1)
    elif isinstance(value, str) and role_of(head.service, head.operation, member, shape) is Role.IDENTIFIER:
        yield value


def _origin(learned_from: Origin | str) -> Origin:
    if isinstance(learned_from, Origin):
        return learned_from
    seq, _, call = learned_from.partition(" ")
    return Origin(int(seq), call) if seq.isdigit() else Origin(0, learned_from)
