"""Walking a recorded and a replayed answer together.

Both have the shape of the operation's output, so a place in one is a place in the other, except in lists: emulators
give lists in any order. Elements are therefore put together by what does not vary (names, zones, address ranges,
keys, and identifiers that are aliases already), not by position; position only decides between elements that nothing
else tells apart.

Documents in strings (policies, templates, outputs) are walked as the JSON they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.identifiers.forms import without_authority
from replay_proxy.identifiers.members import Role, role_of

MISSING: Any = object()
"""Stands for a member that one side does not have."""

_DEEPEST = 64
_MOST_PAIRINGS = 40_000
"""Beyond this many comparisons of elements, a list is put together by equality and position."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place with a value on both sides, or on one of them (the other is MISSING).

    path: `Vpcs[0].VpcId`, indices as recorded. member: the name that says what the value is (`VpcId`).
    """

    path: str
    member: str
    role: Role
    recorded: Any
    replayed: Any


@dataclass(frozen=True, slots=True)
class Doubt:
    """Elements of a list that had to be put together by position: nothing told them apart."""

    path: str
    elements: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of identifiers while walking.

    to_client: a replayed string as clients know it. contradicts: whether a recorded string is known to be something
    else than this replayed one.
    """

    to_client: Callable[[str], str]
    contradicts: Callable[[str, str], bool]


def walk(
    head: CallHead, shape: Any, recorded: Any, replayed: Any, known: Known, *, guess: bool = True
) -> Iterator[Leaf | Doubt]:
    """Every place of two outputs of the operation `head`, whose output shape is `shape` (None: not described).

    guess: whether elements that only their position puts together are walked after their Doubt, or left out.
    """
    return _Walker(head, known, guess=guess).value("", "", shape, recorded, replayed, 0)


class _Walker:
    def __init__(self, head: CallHead, known: Known, *, guess: bool) -> None:
        self.head = head
        self.known = known
        self.guess = guess

    def value(
        self, path: str, member: str, shape: Any, recorded: Any, replayed: Any, depth: int
    ) -> Iterator[Leaf | Doubt]:
        if depth > _DEEPEST:
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
                yield Leaf(path, member, self.role(member, shape), recorded, replayed)

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
    ) -> Iterator[Leaf | Doubt]:
        is_map = shape is not None and shape.type_name == "map"
        parts = shape.members if shape is not None and shape.type_name == "structure" else {}
        names = {key: self.known.to_client(key) for key in replayed} if is_map or shape is None else {}
        by_client_name = {names.get(key, key): key for key in replayed}
        extra = [key for key in by_client_name if key not in recorded]
        lost = [key for key in recorded if key not in by_client_name]
        if len(extra) == len(lost) == 1 and names:
            # One entry whose key is an identifier that is not known yet.
            inner = f"{path}.{lost[0]}" if path else lost[0]
            yield Leaf(inner, member, self.role(member, None), lost[0], by_client_name[extra[0]])
            by_client_name[lost[0]] = by_client_name.pop(extra[0])
            extra = []
        for key, value in recorded.items():
            inner = f"{path}.{key}" if path else key
            part = shape.value if is_map else parts.get(key)
            other = replayed[by_client_name[key]] if key in by_client_name else MISSING
            # What is inside of a state (`State.Name`, `State.Code`) is a state, too.
            name = member if self.role(member, None) is Role.STATE else key
            yield from self.value(inner, name, part, value, other, depth + 1)
        for key in extra:
            inner = f"{path}.{key}" if path else key
            part = shape.value if is_map else parts.get(key)
            yield Leaf(inner, key, self.role(key, part), MISSING, replayed[by_client_name[key]])

    def _items(
        self, path: str, member: str, shape: Any, recorded: list[Any], replayed: list[Any], depth: int
    ) -> Iterator[Leaf | Doubt]:
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        pairs, doubtful = self._aligned(member, inner, recorded, replayed)
        if doubtful:
            yield Doubt(path, len(doubtful))
        for one, two in pairs:
            if one is None:
                assert two is not None
                yield Leaf(f"{path}[+]", member, self.role(member, inner), MISSING, replayed[two])
            elif two is None:
                yield Leaf(f"{path}[{one}]", member, self.role(member, inner), recorded[one], MISSING)
            elif self.guess or one not in doubtful:
                yield from self.value(f"{path}[{one}]", member, inner, recorded[one], replayed[two], depth + 1)

    def _aligned(
        self, member: str, shape: Any, recorded: list[Any], replayed: list[Any]
    ) -> tuple[list[tuple[int | None, int | None]], set[int]]:
        """Which elements belong together, and those of the recorded ones that only their position put somewhere."""
        left = [self._features(member, shape, item, translate=False) for item in recorded]
        right = [self._features(member, shape, item, translate=True) for item in replayed]
        pairs: list[tuple[int | None, int | None]] = []
        equal = _same(range(len(left)), range(len(right)), _keys(left, Role.VOLATILE), _keys(right, Role.VOLATILE))
        open_left, open_right = _take(equal, range(len(left)), range(len(right)), pairs)
        # What is unique but for its identifiers needs no search. Most long lists end here.
        alike = _same(open_left, open_right, _keys(left, Role.IDENTIFIER), _keys(right, Role.IDENTIFIER), unique=True)
        alike = [(one, two) for one, two in alike if self._likeness(left[one], right[two]) > 0]
        open_left, open_right = _take(alike, open_left, open_right, pairs)
        doubtful: set[int] = set()
        if len(recorded) == len(replayed) == 1:
            together = [(0, 0)] if open_left else []
        elif len(open_left) * len(open_right) > _MOST_PAIRINGS:
            doubtful = set(open_left)
            together = list(zip(open_left, open_right, strict=False))
        else:
            together, doubtful = self._best(open_left, open_right, left, right)
        pairs += together
        taken = {one for one, _ in together}, {two for _, two in together}
        pairs += [(one, None) for one in open_left if one not in taken[0]]
        pairs.sort(key=lambda pair: pair[0] if pair[0] is not None else -1)
        pairs += [(None, two) for two in open_right if two not in taken[1]]
        return pairs, doubtful

    def _best(
        self, open_left: list[int], open_right: list[int], left: list[_Features], right: list[_Features]
    ) -> tuple[list[tuple[int, int]], set[int]]:
        """The best pairs first, the nearest first of equally good ones; doubtful is who had another choice as good."""
        scores = {(one, two): self._likeness(left[one], right[two]) for one in open_left for two in open_right}
        rank = (
            {one: index for index, one in enumerate(open_left)},
            {two: index for index, two in enumerate(open_right)},
        )
        order = sorted(scores, key=lambda pair: (-scores[pair], abs(rank[0][pair[0]] - rank[1][pair[1]])))
        together: list[tuple[int, int]] = []
        doubtful: set[int] = set()
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
                doubtful.add(one)
        # Who is left last among equals had no choice any more, and is as doubtful as they are.
        tied = {scores[pair] for pair in together if pair[0] in doubtful}
        doubtful |= {one for one, two in together if doubtful and scores[one, two] in tied}
        return together, doubtful

    def _features(self, member: str, shape: Any, item: Any, *, translate: bool) -> _Features:
        """The values of an element by their place in it, those of a replayed one as clients know them."""
        out = _Features({}, Counter())

        def collect(place: str, name: str, part: Any, value: Any, depth: int, *, listed: bool) -> None:
            if depth > _DEEPEST:
                return
            if isinstance(value, dict):
                parts = part.members if part is not None and part.type_name == "structure" else {}
                inner = part.value if part is not None and part.type_name == "map" else None
                for key, each in value.items():
                    collect(f"{place}.{key}", key, parts.get(key, inner), each, depth + 1, listed=listed)
            elif isinstance(value, list):
                inner = part.member if part is not None and part.type_name == "list" else None
                for each in value:
                    collect(f"{place}[]", name, inner, each, depth + 1, listed=True)
            else:
                role = self.role(name, part)
                if role in (Role.VOLATILE, Role.SECRET):
                    return
                seen = self._comparable(value, translate=translate) if isinstance(value, str) else value
                if listed:
                    out.listed[place, repr(seen)] += 1
                else:
                    out.single[place] = (seen, value, role)

        collect("", member, shape, item, 0, listed=False)
        return out

    def _comparable(self, text: str, *, translate: bool) -> str:
        return without_authority(self.known.to_client(text) if translate else text)

    def _likeness(self, one: _Features, two: _Features) -> float:
        """How much two elements look like the same thing; negative where they certainly are not."""
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
            else:
                score -= 1 if role is Role.STATE else 2
        return max(score, 0.0)


@dataclass(frozen=True, slots=True)
class _Features:
    """What an element of a list can be told by: values by their place, and how often values occur in inner lists."""

    single: dict[str, tuple[Any, Any, Role]]
    listed: Counter[tuple[str, str]]

    def key(self, without: Role) -> Any:
        """What is equal for elements that are equal but for their values of one role."""
        single = ((place, repr(value)) for place, (value, _, role) in self.single.items() if role is not without)
        listed = () if without is Role.IDENTIFIER else self.listed.items()
        return frozenset(single), frozenset(listed)


def _keys(features: list[_Features], without: Role) -> list[Any]:
    return [each.key(without) for each in features]


def _same(
    lefts: Iterable[int], rights: Iterable[int], left: list[Any], right: list[Any], *, unique: bool = False
) -> list[tuple[int, int]]:
    """Pairs of elements with the same key, in order; with `unique`, only of keys that each side has once."""
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
    """Move the pairs found to `pairs`; what is left of both sides."""
    pairs += found
    taken = {one for one, _ in found}, {two for _, two in found}
    return [one for one in lefts if one not in taken[0]], [two for two in rights if two not in taken[1]]


def _document(value: Any) -> Any:
    """The JSON object or array that a string is; None for everything else."""
    if not isinstance(value, str) or value[:1] not in "{[" or len(value) < 2:
        return None
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict | list) else None
