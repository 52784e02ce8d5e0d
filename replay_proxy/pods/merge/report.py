"""What a merge does to which resource, as people and programs are told it, before or after."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from replay_proxy.resources.comparison import compare_models
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource

LISTED_MAX: Final = 1000
"""Of one kind of entry. More are counted."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that both sides set, each to a value of its own; the pod's was taken. member: a path, or the key of data."""

    resource: str
    member: str


@dataclass(slots=True)
class ServiceChanges:
    """What becomes of the resources of one service, by their ids. replaced: those of both sides that are the pod's afterwards."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the changes as `--json` prints them."""
        listed = {name: getattr(self, name) for name in ("added", "changed", "replaced", "removed")}
        return {
            **{name: ids[:LISTED_MAX] for name, ids in listed.items()},
            "counts": {**{name: len(ids) for name, ids in listed.items()}, "unchanged": self.unchanged},
        }


@dataclass(slots=True)
class MergeReport:
    """What a merge does. calls: of the merged state. renamed: identifiers of the pod that others had, with their new ones.

    united: identifiers of ours for what the pod knows under another one, with the pod's.
    """

    strategy: str
    calls: int = 0
    services: dict[str, ServiceChanges] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    united: dict[str, str] = field(default_factory=dict)

    @property
    def changes_anything(self) -> bool:
        """Whether any resource is another one afterwards."""
        return any(each.added or each.changed or each.replaced or each.removed for each in self.services.values())

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {
            "strategy": self.strategy,
            "calls": self.calls,
            "services": {name: each.as_json() for name, each in sorted(self.services.items())},
            "conflicts": [{"resource": each.resource, "member": each.member} for each in self.conflicts[:LISTED_MAX]],
            "conflict_count": len(self.conflicts),
            "renamed": self.renamed,
            "united": self.united,
        }


def describe(
    report: MergeReport, before: ResourceModel, after: ResourceModel, *, deep: bool, written: Collection[int]
) -> None:
    """Fill in what a merge changes. deep: what both have is united, not replaced.

    written: numbers of resources into which data goes that ours has not. A bucket has versions, and a table a stream, whose
    objects and items are the same afterwards.
    """
    comparison = compare_models(before, after)

    def of(resource: Resource) -> ServiceChanges:
        return report.services.setdefault(resource.service, ServiceChanges())

    for each in comparison.added:
        of(each).added.append(after.id(each))
    other = {each.number for each in comparison.removed} | {each.before.number for each in comparison.changed}
    for each in comparison.removed:
        # An emulator makes the others by itself, before and after: those of nobody, and what comes along with what stays.
        if each.made_by or each.maker in other:
            of(each).removed.append(before.id(each))
    changed = set()
    for change in comparison.changed:
        changed.add(change.after.number)
        listed = of(change.after)
        (listed.changed if deep else listed.replaced).append(after.id(change.after))
    added = {each.number for each in comparison.added}
    for each in after.resources.values():
        if each.number in written and each.number not in added | changed:
            changed.add(each.number)
            listed = of(each)
            (listed.changed if deep else listed.replaced).append(after.id(each))
    new = added | changed
    for each in after.resources.values():
        if each.number not in new:
            of(each).unchanged += 1


def data_conflicts(ours: Resource, pods: Resource, shown: str) -> Iterator[Conflict]:
    """Yield the objects, items and the like that both have under one key, and that differ."""
    if ours.data is None or pods.data is None:
        return
    for key in ours.data.parts:
        if key in pods.data.parts and not ours.data.may_equal(pods.data, key):
            yield Conflict(shown, f"{ours.data.unit}: {key}"[:500])
