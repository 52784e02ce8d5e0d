"""Walking a recorded and a replayed answer together.

Both have the shape of the operation's output, so a place in one is a place in the other, except in lists: emulators
give lists in any order. Elements are therefore paired by what does not vary (names, zones, address ranges, keys, and
identifiers that are aliases already), not by position. Position only decides between elements that nothing else tells
apart, and where it says to which element of the request one of the answer belongs (`positions`).

Documents in strings (policies, templates, outputs) are walked as the JSON they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.member_roles import Role, member_in_map, names_by_key, role_of
from replay_proxy.footprint.members.naming_members import names_account, names_something
from replay_proxy.identifiers.learning.identifier_pairs import without_authority
from replay_proxy.identifiers.learning.positions import lists_by_position
from replay_proxy.identifiers.table.drawn_forms import are_drawn_alike

MISSING: Any = object()
"""The value of a member that one side does not have."""

_DEPTH_MAX = 64
_PART = re.compile(r"[A-Za-z0-9]+")
_PAIRINGS_MAX = 40_000
"""Comparisons of elements; a list that needs more is paired by equality and position."""


@dataclass(frozen=True, slots=True)
class AlignedValue:
    """One place with a value on both sides, or on one of them (the other is MISSING).

    path: `Vpcs[0].VpcId`, indices as recorded. member: the name that says what the value is (`VpcId`). is_account: it
    holds accounts.
    """

    path: str
    member: str
    role: Role
    recorded: Any
    replayed: Any
    is_account: bool = False


@dataclass(frozen=True, slots=True)
class AmbiguousAlignment:
    """So many elements of the list at `path` could be paired by position only: nothing else told them apart.

    interchangeable: nothing but their own identifiers differs among them, so that no pairing is wrong.
    """

    path: str
    elements: int
    interchangeable: bool = False


@dataclass(frozen=True, slots=True)
class KnownIdentifiers:
    """What a walk may ask about identifiers.

    to_client: returns a replayed string as clients know it, given whether it is an identifier by its role. contradicts:
    given a recorded and a replayed string, returns whether the recorded one is known to stand for another one.
    """

    to_client: Callable[[str, bool], str]
    contradicts: Callable[[str, str], bool]


def walk(
    head: CallHead, shape: Any, recorded: Any, replayed: Any, known: KnownIdentifiers, *, use_position: bool = True
) -> Iterator[AlignedValue | AmbiguousAlignment]:
    """Yield every place of two outputs of the operation `head`.

    shape: of the output; None where no model describes it. use_position: whether elements that only their position
    pairs are walked after their `AmbiguousAlignment`, or left out.
    """
    return _Walker(head, known, use_position=use_position).value("", "", shape, recorded, replayed, 0)


class _Walker:
    def __init__(self, head: CallHead, known: KnownIdentifiers, *, use_position: bool) -> None:
        self.head = head
        self.known = known
        self.use_position = use_position

    def value(
        self, path: str, member: str, shape: Any, recorded: Any, replayed: Any, depth: int
    ) -> Iterator[AlignedValue | AmbiguousAlignment]:
        if depth > _DEPTH_MAX:
            return
        if isinstance(recorded, dict) and isinstance(replayed, dict):
            yield from self._members(path, member, shape, recorded, replayed, depth)
        elif isinstance(recorded, list) and isinstance(replayed, list):
            yield from self._items(path, member, shape, recorded, replayed, depth)
        else:
            documents = _document(recorded), _document(replayed)
            if documents[0] is not None and documents[1] is not None:
                yield from self.value(path, member, None, *documents, depth + 1)
            else:
                is_account = names_account(member, shape.name if shape is not None else "")
                yield AlignedValue(path, member, self.role(member, shape), recorded, replayed, is_account)

    def role(self, member: str, shape: Any) -> Role:
        return role_of(self.head.service, self.head.operation, member, shape)

    def _members(
        self,
        path: str,
        member: str,
        shape: Any,
        recorded: dict[str, Any],
        replayed: dict[str, Any],
        depth: int,
    ) -> Iterator[AlignedValue | AmbiguousAlignment]:
        is_map = shape is not None and shape.type_name == "map"
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        key_role = Role.IDENTIFIER if names_by_key(shape) else self.role(member, None)
        named = key_role is Role.IDENTIFIER
        names = {key: self.known.to_client(key, named) for key in replayed} if is_map or shape is None else {}
        by_client_name = {names.get(key, key): key for key in replayed}
        extra = [key for key in by_client_name if key not in recorded]
        lost = [key for key in recorded if key not in by_client_name]
        if len(extra) == len(lost) == 1 and names:
            # One entry whose key is an identifier that is not known yet.
            inner = f"{path}.{lost[0]}" if path else lost[0]
            yield AlignedValue(inner, member, key_role, lost[0], by_client_name[extra[0]])
            by_client_name[lost[0]] = by_client_name.pop(extra[0])
            extra = []
        for key, value in recorded.items():
            inner = f"{path}.{key}" if path else key
            part = shape.value if is_map else parts.get(key)
            other = replayed[by_client_name[key]] if key in by_client_name else MISSING
            # What is inside of a state (`State.Name`, `State.Code`) is a state, too, but for what names something (the
            # `AccountId` of a `CreateAccountStatus`) and for times (the `CreationDateTime` in a `Status.Timeline`).
            in_state = self.role(member, None) is Role.STATE
            if in_state and part is not None:
                in_state = self.role(key, part) not in (Role.IDENTIFIER, Role.VOLATILE)
            name = member if in_state else member_in_map(member, shape, key)
            yield from self.value(inner, name, part, value, other, depth + 1)
        for key in extra:
            inner = f"{path}.{key}" if path else key
            part = shape.value if is_map else parts.get(key)
            name = member_in_map(member, shape, key)
            yield AlignedValue(inner, name, self.role(name, part), MISSING, replayed[by_client_name[key]])

    def _items(
        self, path: str, member: str, shape: Any, recorded: list[Any], replayed: list[Any], depth: int
    ) -> Iterator[AlignedValue | AmbiguousAlignment]:
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        if len(recorded) == len(replayed) and path == member and self._is_by_position(member):
            pairs: list[tuple[int | None, int | None]] = [(place, place) for place in range(len(recorded))]
            ambiguous_elements: set[int] = set()
        else:
            pairs, ambiguous_elements = self._aligned(member, inner, recorded, replayed)
        if ambiguous_elements:
            partners = [two for one, two in pairs if one in ambiguous_elements and two is not None]
            sides = [recorded[one] for one in ambiguous_elements], [replayed[two] for two in partners]
            alike = all(
                _are_interchangeable([self._features(member, inner, item, translate=False) for item in side])
                for side in sides
            )
            yield AmbiguousAlignment(path, len(ambiguous_elements), alike)
        for one, two in pairs:
            if one is None:
                assert two is not None
                yield AlignedValue(f"{path}[+]", member, self.role(member, inner), MISSING, replayed[two])
            elif two is None:
                yield AlignedValue(f"{path}[{one}]", member, self.role(member, inner), recorded[one], MISSING)
            elif self.use_position or one not in ambiguous_elements:
                yield from self.value(f"{path}[{one}]", member, inner, recorded[one], replayed[two], depth + 1)

    def _is_by_position(self, member: str) -> bool:
        return member in lists_by_position(self.head.service, self.head.operation)

    def _aligned(
        self, member: str, shape: Any, recorded: list[Any], replayed: list[Any]
    ) -> tuple[list[tuple[int | None, int | None]], set[int]]:
        """Return the pairs of elements (None: no partner), and the recorded elements that only position could pair."""
        left = [self._features(member, shape, item, translate=False) for item in recorded]
        right = [self._features(member, shape, item, translate=True) for item in replayed]
        pairs: list[tuple[int | None, int | None]] = []
        equal = _same(range(len(left)), range(len(right)), _keys(left, Role.VOLATILE), _keys(right, Role.VOLATILE))
        open_left, open_right = _take(equal, range(len(left)), range(len(right)), pairs)
        # What is unique but for its identifiers needs no search. Most long lists end here.
        alike = _same(open_left, open_right, _keys(left, Role.IDENTIFIER), _keys(right, Role.IDENTIFIER), unique=True)
        alike = [(one, two) for one, two in alike if self._likeness(left[one], right[two]) > 0]
        open_left, open_right = _take(alike, open_left, open_right, pairs)
        ambiguous_elements: set[int] = set()
        if len(recorded) == len(replayed) == 1:
            together = [(0, 0)] if open_left else []
        elif len(open_left) * len(open_right) > _PAIRINGS_MAX:
            ambiguous_elements = set(open_left)
            together = list(zip(open_left, open_right, strict=False))
        else:
            together, ambiguous_elements = self._best(open_left, open_right, left, right)
        pairs += together
        taken = {one for one, _ in together}, {two for _, two in together}
        pairs += [(one, None) for one in open_left if one not in taken[0]]
        pairs.sort(key=lambda pair: pair[0] if pair[0] is not None else -1)
        pairs += [(None, two) for two in open_right if two not in taken[1]]
        return pairs, ambiguous_elements

    def _best(
        self, open_left: list[int], open_right: list[int], left: list[_Features], right: list[_Features]
    ) -> tuple[list[tuple[int, int]], set[int]]:
        """Pair the likest elements first, and of equally like ones the nearest.

        Returns the pairs, and the recorded elements for which another partner was as good.
        """
        scores = {(one, two): self._likeness(left[one], right[two]) for one in open_left for two in open_right}
        rank = (
            {one: index for index, one in enumerate(open_left)},
            {two: index for index, two in enumerate(open_right)},
        )
        order = sorted(scores, key=lambda pair: (-scores[pair], abs(rank[0][pair[0]] - rank[1][pair[1]])))
        together: list[tuple[int, int]] = []
        ambiguous_elements: set[int] = set()
        free_left, free_right = set(open_left), set(open_right)
        for one, two in order:
            score = scores[one, two]
            if one not in free_left or two not in free_right or score < 0:
                continue
            free_left.discard(one)
            free_right.discard(two)
            together.append((one, two))
            rivals = [scores[one, other] for other in free_right] + [scores[other, two] for other in free_left]
            if score in rivals:
                ambiguous_elements.add(one)
        # The last of several equals had no choice left, and is as ambiguous as they are.
        tied = {scores[pair] for pair in together if pair[0] in ambiguous_elements}
        ambiguous_elements |= {one for one, two in together if ambiguous_elements and scores[one, two] in tied}
        return together, ambiguous_elements

    def _features(self, member: str, shape: Any, item: Any, *, translate: bool) -> _Features:
        """Return the values of an element by their place in it, identifiers of a replayed one as clients know them."""
        out = _Features({}, Counter())

        def collect(place: str, name: str, part: Any, value: Any, depth: int, *, listed: bool) -> None:
            if depth > _DEPTH_MAX:
                return
            if isinstance(value, dict):
                parts = part.members if part is not None and part.type_name == "structure" else {}
                inner = part.value if part is not None and part.type_name == "map" else None
                for key, each in value.items():
                    below = member_in_map(name, part, key)
                    collect(f"{place}.{key}", below, parts.get(key, inner), each, depth + 1, listed=listed)
            elif isinstance(value, list):
                inner = part.member if part is not None and part.type_name == "list" else None
                for each in value:
                    collect(f"{place}[]", name, inner, each, depth + 1, listed=True)
            else:
                role = self.role(name, part)
                if role in (Role.VOLATILE, Role.SECRET):
                    return
                seen = self._comparable(value, role, translate=translate) if isinstance(value, str) else value
                if listed:
                    out.listed[place, repr(seen)] += 1
                else:
                    out.single[place] = (seen, value, role)

        collect("", member, shape, item, 0, listed=False)
        return out

    def _comparable(self, text: str, role: Role, *, translate: bool) -> str:
        return without_authority(self.known.to_client(text, role is Role.IDENTIFIER) if translate else text)

    def _likeness(self, one: _Features, two: _Features) -> float:
        """Return how much two elements look like the same thing; negative where they certainly are not."""
        score = float((one.listed & two.listed).total())
        for place, (value, _, role) in one.single.items():
            if place not in two.single:
                continue
            other, raw, _ = two.single[place]
            if value == other:
                score += 4 if role is Role.IDENTIFIER else 2 if isinstance(value, str) else 1
            elif role is Role.IDENTIFIER:
                if isinstance(value, str) and isinstance(raw, str) and self.known.contradicts(value, raw):
                    return -1.0
                score += _shared_beginning(value, other)
            elif role is Role.TEXT and _is_its_name(place) and not _is_drawn(value, other):
                return -1.0  # names that were chosen: these are two things
            else:
                score -= 1 if role is Role.STATE else 2
                score += _shared_beginning(value, other)
        return max(score, 0.0)


def _is_drawn(value: Any, other: Any) -> bool:
    """Return whether two names may have been drawn by an emulator for one thing."""
    return isinstance(value, str) and isinstance(other, str) and are_drawn_alike(value, other)


@lru_cache(maxsize=4096)
def _is_its_name(place: str) -> bool:
    """Return whether a place in an element (`.PolicyName`) is that of its name."""
    member = place[1:]
    return "." not in member and member.lower().endswith("name") and names_something(member)


def _are_interchangeable(elements: list[_Features]) -> bool:
    """Return whether nothing differs among elements but the identifier of each, and what is made of that, such as its ARN."""
    if len(set(_keys(elements, Role.IDENTIFIER))) > 1 or len({frozenset(each.listed.items()) for each in elements}) > 1:
        return False
    varying: list[str] = []
    for place, (value, _, role) in elements[0].single.items():
        if role is Role.IDENTIFIER and any(each.single.get(place, (None,))[0] != value for each in elements):
            varying.append(place)
    for each in elements:
        values = [str(each.single[place][0]) for place in varying if place in each.single]
        own = min(values, key=len, default="")
        if len(values) != len(varying) or not all(own in value for value in values):
            return False
    return True


def _shared_beginning(one: Any, two: Any) -> float:
    """Return how much of two texts is the same from their beginning, in parts, as less than any equal value counts.

    What an emulator names after something else (`stack-Role-1ABC`) begins with that name, and so tells which it is.
    """
    if not isinstance(one, str) or not isinstance(two, str):
        return 0.0
    parts = _PART.findall(one), _PART.findall(two)
    shared = 0
    for a, b in zip(*parts, strict=False):
        if a != b:
            break
        shared += 1
    return shared / (2 * max(len(parts[0]), len(parts[1]), 1))


@dataclass(frozen=True, slots=True)
class _Features:
    """What tells an element of a list from others: values by their place, and how often each occurs in inner lists."""

    single: dict[str, tuple[Any, Any, Role]]
    listed: Counter[tuple[str, str]]

    def key(self, without: Role) -> Any:
        """Return a key that is equal for elements that differ at most in values of the role `without`."""
        single = ((place, repr(value)) for place, (value, _, role) in self.single.items() if role is not without)
        listed = () if without is Role.IDENTIFIER else self.listed.items()
        return frozenset(single), frozenset(listed)


def _keys(features: list[_Features], without: Role) -> list[Any]:
    return [each.key(without) for each in features]


def _same(
    lefts: Iterable[int], rights: Iterable[int], left: list[Any], right: list[Any], *, unique: bool = False
) -> list[tuple[int, int]]:
    """Return the pairs of elements with the same key, in order; with `unique`, of keys that each side has once."""
    by_key: dict[Any, tuple[list[int], list[int]]] = {}
    for one in lefts:
        by_key.setdefault(left[one], ([], []))[0].append(one)
    for two in rights:
        by_key.setdefault(right[two], ([], []))[1].append(two)
    return [
        pair
        for ones, twos in by_key.values()
        if not unique or len(ones) == len(twos) == 1
        for pair in zip(ones, twos, strict=False)
    ]


def _take(
    found: list[tuple[int, int]],
    lefts: Iterable[int],
    rights: Iterable[int],
    pairs: list[tuple[int | None, int | None]],
) -> tuple[list[int], list[int]]:
    """Add the pairs `found` to `pairs`, and return what is left of both sides."""
    pairs += found
    taken = {one for one, _ in found}, {two for _, two in found}
    return [one for one in lefts if one not in taken[0]], [two for two in rights if two not in taken[1]]


def _document(value: Any) -> Any:
    """Return the JSON object or array that a string holds; None for everything else."""
    if not isinstance(value, str) or value[:1] not in "{[" or len(value) < 2:
        return None
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict | list) else None
