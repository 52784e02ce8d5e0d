"""What differs between two models: resources added, removed and changed by attribute, and their data by counts or by key.

Resources are the same where account, region, type and names are. Ids that an emulator draws differ between two recordings of
the same work; so of what is left over, a resource of one side and one of the other are paired where they are of one type, in
one place, and of one name that people gave, and nobody else is. Documents inside texts (policies, templates) are compared by
what they say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from replay_proxy.identifiers.table.account_places import with_account
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.linking.documents import document
from replay_proxy.resources.resource import Hidden, Key, Long, Resource, shown

_ABSENT: Any = object()
_KEYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one attribute. member: its path. before, after: as they are shown; None with `added` or `removed`."""

    member: str
    before: Any
    after: Any
    action: str


@dataclass(frozen=True, slots=True)
class DataChange:
    """A change of the data in a resource. before, after: counts. added, removed, changed: keys, where they are asked for."""

    unit: str
    before: int
    after: int
    before_bytes: int
    after_bytes: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    changed_count: int = 0


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A resource of both sides that differs. before, after: the two. paired: by its name, since its id is another one."""

    before: Resource
    after: Resource
    attributes: tuple[Change, ...]
    tags: tuple[Change, ...]
    data: DataChange | None
    paired: bool = False


@dataclass(slots=True)
class Comparison:
    """What differs between two models. unchanged: how many resources do not."""

    before: ResourceModel
    after: ResourceModel
    added: list[Resource] = field(default_factory=list)
    removed: list[Resource] = field(default_factory=list)
    changed: list[ResourceChange] = field(default_factory=list)
    unchanged: int = 0

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class _Renamed:
    """What the sides call otherwise: identifiers, by those of one side, and their own account; empty where it is not known.

    by_key: what is compared has no members, but keys that clients chose, which say nothing of it.
    """

    names: Mapping[str, str]
    account_before: str
    account_after: str
    service: str
    by_key: bool = False

    def of(self, text: str, member: str) -> str:
        """Return the value of a member before as the other side would say it."""
        for one, other in self.names.items():
            text = text.replace(one, other)
        old, new = self.account_before, self.account_after
        if not old or not new or old == new:
            return text
        return with_account(text, old, new, service=self.service, member="" if self.by_key else member)


def compare_models(before: ResourceModel, after: ResourceModel, *, by_key: bool = False) -> Comparison:
    """Return what differs. by_key: list also which objects, items and messages do."""
    found = Comparison(before, after)
    old, new = _by_id(before), _by_id(after)
    pairs = [(old[name], new[name], False) for name in old if name in new]
    left = [resource for name, resource in old.items() if name not in new]
    right = [resource for name, resource in new.items() if name not in old]
    for one, other in _paired(before, left, after, right):
        pairs.append((one, other, True))
        left.remove(one)
        right.remove(other)
    names, accounts = _renamed(pairs), (before.default_account, after.default_account)
    for one, other, paired in pairs:
        change = _change(one, other, _Renamed(names, *accounts, one.key.service), by_key=by_key, paired=paired)
        if change is None:
            found.unchanged += 1
        else:
            found.changed.append(change)
    found.removed, found.added = left, right
    return found


def _by_id(model: ResourceModel) -> dict[Key, Resource]:
    """Return resources by their key; the account of an emulator that was not told is the same whatever it is called."""
    own = model.default_account
    return {
        replace(resource.key, account="") if resource.key.account == own else resource.key: resource
        for resource in model.resources.values()
    }


def _paired(
    before: ResourceModel, left: list[Resource], after: ResourceModel, right: list[Resource]
) -> Iterator[tuple[Resource, Resource]]:
    """Return those that are the only ones of their type, place and name on either side."""
    sides = []
    for model, resources in ((before, left), (after, right)):
        by_name: dict[tuple[str, str, str, str], list[Resource]] = defaultdict(list)
        for resource in resources:
            if resource.label != resource.key.names[-1]:
                account = "" if resource.key.account == model.default_account else resource.key.account
                place = (account, resource.key.region)
                by_name[*place, resource.type, resource.label].append(resource)
        sides.append(by_name)
    for name, found in sides[0].items():
        others = sides[1].get(name, [])
        if len(found) == 1 and len(others) == 1:
            yield found[0], others[0]


def _renamed(pairs: list[tuple[Resource, Resource, bool]]) -> dict[str, str]:
    """Return the identifiers of paired resources, those of one side by those of the other."""
    found: dict[str, str] = {}
    for one, other, paired in pairs:
        if paired:
            found |= {value: other.identifiers[m] for m, value in one.identifiers.items() if m in other.identifiers}
            found[one.key.names[-1]] = other.key.names[-1]
    return found


def _change(one: Resource, other: Resource, renamed: _Renamed, *, by_key: bool, paired: bool) -> ResourceChange | None:
    attributes = tuple(_changes(one.attributes, other.attributes, "", renamed))
    tags = tuple(_changes(one.tags, other.tags, "", replace(renamed, by_key=True)))
    data = _data_change(one, other, by_key=by_key)
    if not attributes and not tags and data is None:
        return None
    return ResourceChange(one, other, attributes, tags, data, paired)


def _changes(before: Any, after: Any, path: str, renamed: _Renamed) -> Iterator[Change]:
    before, after = _opened(before, after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for member in dict.fromkeys((*before, *after)):
            inner = f"{path}.{member}" if path else str(member)
            yield from _changes(before.get(member, _ABSENT), after.get(member, _ABSENT), inner, renamed)
        return
    if before is _ABSENT:
        yield Change(path, None, shown(after), "added")
    elif after is _ABSENT:
        yield Change(path, shown(before), None, "removed")
    elif not _equal(before, after, path.rpartition(".")[2], renamed):
        yield Change(path, shown(before), shown(after), "changed")


def _opened(before: Any, after: Any) -> tuple[Any, Any]:
    """Return two texts that are documents as what they say."""
    if isinstance(before, str) and isinstance(after, str) and before != after:
        documents = (document(before), document(after))
        if documents[0] is not None and documents[1] is not None:
            return documents
    return before, after


def _equal(before: Any, after: Any, member: str, renamed: _Renamed) -> bool:
    if isinstance(before, Hidden) and isinstance(after, Hidden):
        return _equal(before.raw, after.raw, member, renamed)
    if isinstance(before, Long) and isinstance(after, Long):
        return before.sha256 == after.sha256
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            _equal(*pair, member, renamed) for pair in zip(before, after, strict=True)
        )
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(
            _equal(before[each], after[each], str(each), renamed) for each in before
        )
    if isinstance(before, str) and isinstance(after, str) and before != after:
        before = renamed.of(before, member)
    return bool(before == after)


def _data_change(one: Resource, other: Resource, *, by_key: bool) -> DataChange | None:
    if one.data is None and other.data is None:
        return None
    old = one.data.parts if one.data is not None else {}
    new = other.data.parts if other.data is not None else {}
    counts = [(data.count, data.bytes) if data is not None else (0, 0) for data in (one.data, other.data)]
    changed: list[str] = []
    if one.data is not None and other.data is not None:
        both = [key for key, part in old.items() if key in new and new[key] != part]
        changed = [key for key in both if not one.data.may_equal(other.data, key)]
        untold = sum(new[key][0] - old[key][0] for key in set(both).difference(changed))
        counts[1] = (other.data.count, other.data.bytes - untold)
    if counts[0] == counts[1] and old.keys() == new.keys() and not changed:
        return None
    unit = next(data.unit for data in (one.data, other.data) if data is not None)
    (before, before_bytes), (after, after_bytes) = counts
    return DataChange(
        unit,
        before,
        after,
        before_bytes,
        after_bytes,
        added=_listed(new.keys() - old.keys()) if by_key else (),
        removed=_listed(old.keys() - new.keys()) if by_key else (),
        changed=_listed(changed) if by_key else (),
        changed_count=len(changed),
    )


def _listed(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(keys)[:_KEYS_MAX])
